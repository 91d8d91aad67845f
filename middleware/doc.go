// Package middleware sells what an [http.Handler] serves, for stablecoins, by
// HTTP status 402 and the x402 protocol. It imports x402 and the standard
// library only.
//
//	package main
//
//	import (
//		"fmt"
//		"log"
//		"net/http"
//
//		"github.com/v402/v402/middleware"
//		"github.com/v402/v402/x402"
//	)
//
//	func main() {
//		facilitator, err := x402.NewClient(x402.ClientConfig{URL: "http://127.0.0.1:4020"})
//		if err != nil {
//			log.Fatal(err)
//		}
//		guard, err := middleware.New(middleware.Config{
//			Facilitator: facilitator,
//			Routes: []middleware.Route{{
//				Pattern: "GET /quote",
//				Offers: []middleware.Offer{{
//					Network: x402.BaseSepolia,
//					Price:   "$0.01",
//					PayTo:   "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
//				}},
//				Resource: x402.ResourceInfo{Description: "A quote of the day"},
//			}},
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		mux := http.NewServeMux()
//		mux.HandleFunc("GET /quote", func(w http.ResponseWriter, r *http.Request) {
//			fmt.Fprintln(w, "Simplicity is the ultimate sophistication.")
//		})
//		log.Fatal(http.ListenAndServe("127.0.0.1:8080", guard.Wrap(mux)))
//	}
//
// # What a request meets
//
// [Guard.Wrap] looks up the route. A request without a payment is answered
// with 402: the v2 challenge in PAYMENT-REQUIRED and the v1 challenge as body,
// or a page for browsers. A payment comes in PAYMENT-SIGNATURE (v2) or
// X-PAYMENT (v1). It is matched with the seller's own offers, claimed for this
// one request, verified by the facilitator, and settled after the handler
// ([SettleAfter]) or before it ([SettleBefore]). The answer carries
// PAYMENT-RESPONSE or X-PAYMENT-RESPONSE. Refusals say why:
//
//	400  the payment cannot be read ("invalid_payload", "invalid_x402_version"),
//	     or the path can be read in several ways ("ambiguous_path")
//	402  no payment; it matches no offer; the facilitator calls it invalid; it
//	     was used for another request ("payment_already_used") or made for
//	     another resource ("resource_mismatch"); its settlement failed or is
//	     pending ("settlement_pending")
//	403  a hook refused
//	409  the payment was settled and its answer is not kept
//	412  the payer must approve Permit2 first ("permit2_allowance_required")
//	413  the body of the request exceeds Config.MaxRequestBody
//	500  ours to fix; among others an answer beyond Config.MaxResponseBody
//	502  the facilitator did not answer, or nobody knows whether it settled
//	503  payments cannot be taken now, or this one is still being served
//
// A refusal that leaves open whether the payment moved (502, 503, and 402 with
// settlement_pending) carries no challenge in PAYMENT-REQUIRED: the buyer should
// send the same payment again, not sign another one.
//
// # One payment buys one answer
//
// A payment is claimed in [Claims] by what can be used once on its chain:
// network, asset, payer and nonce. The claim is bound to a fingerprint of the
// request: method, host, path and query, body, the headers Authorization, Range,
// If-Range, If-None-Match and If-Modified-Since, offer, and the payment as it was
// sent. Identical requests at the same time are served once and all get the same
// answer; one that comes later gets the stored answer, marked with X-V402-Replay,
// until the payment has expired on its chain. The same payment with any other
// request is refused.
//
// Whoever repeats a request to the letter, payment included, gets its answer
// again. That is what a buyer needs whose connection broke, and it means that a
// payment header must be kept like the answer that it bought.
//
// A claim is released when nothing was charged: the handler failed, panicked or
// wrote too much, the facilitator refused. When the outcome of a settlement is
// unknown the claim stays, with the handler's answer, and the same request asks
// the facilitator again. Its Settle must therefore be idempotent, as that of
// package facilitator is. After a crash of the server the handler can run a
// second time for one payment; [Paid] has the Key to notice that.
//
// # Paths
//
// A request is guarded if any reading of its path is: as it stands, cleaned,
// decoded once or several times, with backslashes for slashes, without path
// parameters, in any letter case, with or without a trailing slash. Of several
// routes the most specific counts, as in net/http. If two readings lead to two
// routes the request is refused with 400; "/files/" is such a case if both
// "/files" and "/files/*" are sold. So is, in mode SettleBefore, a request whose
// method or path is not spelled as the pattern has it: nobody pays to be
// redirected. OPTIONS on a guarded path is answered by the guard and never
// reaches the handler.
package middleware

// Package payer is the paying side of x402: an [net/http.RoundTripper] that
// answers 402 with a payment, within limits, and never pays twice for one
// request.
//
//	package main
//
//	import (
//		"fmt"
//		"io"
//		"log"
//		"os"
//		"time"
//
//		"github.com/v402/v402/x402/evm"
//		"github.com/v402/v402/x402/payer"
//	)
//
//	func main() {
//		key, err := evm.ParseSigner(os.Getenv("V402_PAYER_KEY"))
//		if err != nil {
//			log.Fatal(err)
//		}
//		ledger, err := payer.OpenFile("spendings.jsonl")
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer ledger.Close()
//		p, err := payer.New(payer.Config{
//			Signers: []payer.Signer{key},
//			Ledger:  ledger,
//			Limits: payer.Limits{
//				PerRequest: "$0.10",
//				Budgets: []payer.Budget{
//					{Max: "$5", Period: 24 * time.Hour},
//					{Max: "$1", Period: time.Hour, PerHost: true},
//				},
//			},
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		resp, err := p.Client().Get("http://127.0.0.1:4020/demo/quote")
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer resp.Body.Close()
//		if s, ok := payer.SpendingFrom(resp); ok {
//			fmt.Printf("paid %s %s to %s in %s\n", s.Value.Decimal(6), s.Currency, s.PayTo, s.Transaction)
//		}
//		io.Copy(os.Stdout, resp.Body)
//	}
//
// # What is paid
//
// A 402 with a challenge of protocol version 2 (header PAYMENT-REQUIRED, which
// wins) or version 1 (JSON body). Of its offers those are acceptable that
// [Policy] and [Limits] allow and a [Signer] can pay; by default the known
// dollar stablecoins at up to one dollar, and the cheapest. If there is none,
// the [NoOfferError] tells for each why not. Any other 402 is returned as it is.
//
// Payments go to the URL that answered 402 and nowhere else: not along with a
// redirect, not over plain http unless to this machine or by
// [Policy].AllowHTTP. What a payment is signed for is valid for the seller's
// maxTimeoutSeconds, at most [Policy].MaxTimeout, by the seller's clock if its
// Date header is up to an hour off.
//
// # Limits
//
// Before anything is signed its price is reserved in the [Ledger], in one
// atomic step with the check of all budgets, so that no number of requests at
// once exceeds them. Every payment that was or may have been made counts. The
// default ledger is in memory; [OpenFile] is for one process that restarts, and
// the stores in store/sqlite and store/postgres are for several.
//
// # Never twice
//
// A logical request is one call of [Payer.RoundTrip], or all calls with one key
// (see [WithKey]). It is signed for once. The signed payment is in the ledger
// before it is sent, and after a failure that leaves its fate open (a broken
// connection, status 408, 425, 429 or 5xx, a settlement that is pending,
// another 402 without a definite reason) the very same payment is sent again,
// which cannot move money twice. If that does not clear it up, the caller gets
// an [UnknownOutcomeError] and decides: repeat the request under the spending's
// ID as the key, or look at the chain and then [Payer.Release] or
// [Payer.Confirm] it. Only a definite refusal, a [RefusedError], frees the
// budget by itself.
//
// A refusal is the seller's word: until the payment expires a dishonest seller
// could still use it. Whoever must hold a limit against that too sets
// [Config].HoldRefused.
//
// An answer such as 404, or a redirect without a receipt, to a paid request is
// returned to the caller. By the protocol it is not charged for, but it is no
// proof, so its spending stays unknown; Config.OnUnknown hears of it. Where a
// redirect leads an [http.Client] to another 402 of the same origin, that very
// payment is sent there.
package payer

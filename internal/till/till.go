// Package till is what the tills of the domains have in common: how they know a
// payment that comes once more, and what they answer to it.
package till

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/v402/v402/x402"
)

// Margin is for clocks that differ and blocks that are late: a payment is taken
// for expired so long after it is.
const Margin = 2 * time.Minute

// carried is the payment in the header of a request, in either version.
func carried(r *http.Request) (payment, receipt string) {
	if sent := r.Header.Get(x402.HeaderPaymentSignature); sent != "" {
		return sent, x402.HeaderPaymentResponse
	}
	return r.Header.Get(x402.HeaderPaymentV1), x402.HeaderPaymentResponseV1
}

// Carries says whether a request carries a payment.
func Carries(r *http.Request) bool {
	sent, _ := carried(r)
	return sent != ""
}

// Repeats says whether a request carries the payment that its subject is reserved
// for: reserved is that, an [x402.Payment], and key its identity.
func Repeats(r *http.Request, reserved json.RawMessage, key string) bool {
	sent, _ := carried(r)
	if sent == "" || key == "" {
		return false
	}
	var payment x402.Payment
	var payload x402.PaymentPayload
	if json.Unmarshal(reserved, &payment) != nil || x402.DecodeHeader(sent, &payload) != nil {
		return false
	}
	payment.Payload = payload
	id, err := payment.Identity()
	return err == nil && id.String() == key
}

// Receipt says what became of the payment of a request, as a guard does.
func Receipt(h http.Header, r *http.Request, resp x402.SettleResponse) {
	_, name := carried(r)
	if h.Get(name) != "" {
		return // the guard has
	}
	var answer any = resp
	if name == x402.HeaderPaymentResponseV1 {
		j, err := resp.MarshalV1()
		if err != nil {
			return
		}
		answer = json.RawMessage(j)
	}
	if value, err := x402.EncodeHeader(answer); err == nil {
		h.Set(name, value)
	}
}

// Unsettled answers a payment that came once more and is not known to have moved,
// with what the facilitator said of it; that is zero if it could not be asked.
// Nobody is asked for another payment by that.
func Unsettled(w http.ResponseWriter, r *http.Request, resp x402.SettleResponse) {
	status, reason := http.StatusPaymentRequired, resp.ErrorReason
	message := "send the same payment again, never a new one"
	switch {
	case reason == "":
		status, reason = http.StatusBadGateway, x402.ReasonFacilitatorUnreached
	case !Undecided(reason):
		message = reason.Description()
	}
	body, err := json.Marshal(map[string]string{"error": string(reason), "message": message})
	if err != nil {
		panic(err) // strings
	}
	h := w.Header()
	if status == http.StatusPaymentRequired {
		Receipt(h, r, x402.SettleResponse{
			ErrorReason: reason, Payer: resp.Payer, Transaction: resp.Transaction, Network: resp.Network,
		})
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Undecided reasons do not tell that a payment has failed: it is on its way, or the
// facilitator could not do its work.
func Undecided(r x402.Reason) bool {
	return r == "" || slices.ContainsFunc([]x402.Reason{
		x402.ReasonSettlementPending, x402.ReasonUnexpectedSettle, x402.ReasonUnexpectedVerify, x402.ReasonRelayerUnavailable,
		x402.ReasonFacilitatorUnreached,
	}, r.Is)
}

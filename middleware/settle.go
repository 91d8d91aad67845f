package middleware

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/v402/v402/x402"
)

// settle moves the payment; ok is false if it did not move or nobody knows. It
// goes on when the client hangs up. Once the facilitator has been asked, no
// error means that the payment failed: the claim is then kept, so that the same
// payment can be sent again.
func (x *exchange) settle() (res result, ok bool) {
	ctx, cancel := x.settleContext()
	defer cancel()
	hooks := x.g.cfg.Hooks
	if hooks.BeforeSettle != nil {
		if err := hooks.BeforeSettle(ctx, x.attempt()); err != nil {
			return x.unserved(x.forbidden(err), x.sent), false
		}
	}
	before := x.sent
	x.sent = true
	resp, err := x.askSettle(ctx)
	if hooks.AfterSettle != nil {
		hooks.AfterSettle(ctx, x.attempt(), resp, err)
	}
	switch {
	case err != nil:
		x.logFacilitator("settle: the outcome is unknown", err)
		return result{answer: unknownOutcome(x402.ReasonFacilitatorUnreached), fate: giveBack, shared: true}, false
	case resp.Success:
		x.settlement = x.response(resp)
		x.payer = cmp.Or(resp.Payer, x.payer)
		return result{}, true
	case resp.ErrorReason.Is(x402.ReasonSettlementPending):
		return result{answer: x.unsettled(resp), fate: giveBack, shared: true}, false
	case before && ambiguous(resp.ErrorReason):
		return result{answer: unknownOutcome(resp.ErrorReason), fate: giveBack, shared: true}, false
	default:
		x.sent = false
		return refusal(x.unsettled(resp)), false
	}
}

// settleRetryPause comes before a settlement is asked about once more.
const settleRetryPause = time.Second

// askSettle asks once more while the settlement is pending.
func (x *exchange) askSettle(ctx context.Context) (x402.SettleResponse, error) {
	resp, err := x.g.cfg.Facilitator.Settle(ctx, x.payment)
	if err != nil || resp.Success || !resp.ErrorReason.Is(x402.ReasonSettlementPending) {
		return resp, err
	}
	select {
	case <-time.After(settleRetryPause):
	case <-ctx.Done():
		return resp, nil
	}
	again, err := x.g.cfg.Facilitator.Settle(ctx, x.payment)
	if err != nil || !again.Success && ambiguous(again.ErrorReason) {
		return resp, nil // still pending, as far as anyone knows
	}
	return again, nil
}

// ambiguous reasons are given also for a payment that has moved already.
func ambiguous(r x402.Reason) bool {
	return r == "" || slices.Contains([]x402.Reason{
		x402.ReasonEVMNonceUsed, x402.ReasonEVMExpired, x402.ReasonEVMSimulation, x402.ReasonEVMInsufficientFunds,
		x402.ReasonDuplicateSettlement, x402.ReasonUnexpectedSettle, x402.ReasonUnexpectedVerify,
		x402.ReasonRelayerUnavailable, x402.ReasonFacilitatorUnreached,
	}, x402.ParseReason(string(r)))
}

// unknownOutcome is sent when nobody knows whether the payment moved. It
// carries no challenge: a new payment could be a second one.
func unknownOutcome(reason x402.Reason) *Outcome {
	return errorOutcome(http.StatusBadGateway, reason, "",
		"it is not known whether the payment was settled; send the same payment again, never a new one")
}

// unsettled is the 402 for a settlement that failed or is pending, with what
// the facilitator said and nothing of the handler's answer.
func (x *exchange) unsettled(resp x402.SettleResponse) *Outcome {
	reason := resp.ErrorReason
	if reason == "" {
		reason = x402.ReasonUnexpectedSettle
	}
	message := shorten(resp.ErrorMessage)
	var o *Outcome
	if x.version == x402.V1 && !reason.Is(x402.ReasonSettlementPending) {
		o = x.refuse(reason, message)
		o.Header.Del(keyRequired)
		o.Status = http.StatusPaymentRequired
	} else {
		o = errorOutcome(http.StatusPaymentRequired, reason, "", message)
	}
	resp.ErrorReason = reason
	x.setResponse(o.Header, x.response(resp))
	return o
}

// response is what the buyer is told of a facilitator's answer.
func (x *exchange) response(resp x402.SettleResponse) *x402.SettleResponse {
	return &x402.SettleResponse{
		Success: resp.Success, ErrorReason: resp.ErrorReason, ErrorMessage: shorten(resp.ErrorMessage),
		Payer: cmp.Or(resp.Payer, x.payer), Transaction: resp.Transaction, Network: x.payment.Requirements.Network,
		Amount: resp.Amount, Extensions: resp.Extensions,
	}
}

// seal adds to the header of a paid answer what every one has.
func (x *exchange) seal(h http.Header) {
	x.setResponse(h, x.settlement)
	restrict(h)
	if !slices.Contains(h["Vary"], varyOn[0]) {
		addVary(h)
	}
}

// setResponse writes the settlement header of the payment's version.
func (x *exchange) setResponse(h http.Header, resp *x402.SettleResponse) {
	key, encode := keyResponse, encodeResponse
	if x.version == x402.V1 {
		key, encode = keyResponseV1, encodeResponseV1
	}
	value, err := encode(*resp)
	if err != nil || len(value) > maxChallengeHeader {
		short := *resp
		short.Extensions, short.ErrorMessage = nil, ""
		value, _ = encode(short)
	}
	h[key] = []string{value}
}

func encodeResponse(r x402.SettleResponse) (string, error) { return x402.EncodeHeader(r) }

func encodeResponseV1(r x402.SettleResponse) (string, error) {
	j, err := r.MarshalV1()
	if err != nil {
		return "", err
	}
	return x402.EncodeHeader(json.RawMessage(j))
}

// maxMessage bounds what is passed on of a facilitator's words, in bytes.
const maxMessage = 500

func shorten(s string) string {
	if len(s) > maxMessage {
		return s[:maxMessage] + "…"
	}
	return s
}

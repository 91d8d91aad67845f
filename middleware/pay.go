package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/v402/v402/x402"
)

// journal is what is kept with a claim between the attempts to serve it.
type journal struct {
	Settlement *x402.SettleResponse `json:"settlement,omitempty"` // the payment has moved
	Runs       int                  `json:"runs,omitempty"`       // of the handler since then
	Answer     *Outcome             `json:"answer,omitempty"`     // waits for the settlement
}

// run serves the request from where an earlier owner, if any, stopped.
func (x *exchange) run(claimed Claimed) result {
	var j journal
	if len(claimed.Settlement) > 0 {
		if err := json.Unmarshal(claimed.Settlement, &j); err != nil {
			return result{answer: x.fault("read the journal of a claim", err), fate: giveBack}
		}
		x.sent = true
	}
	switch {
	case j.Settlement != nil:
		x.settlement, x.runs = j.Settlement, j.Runs
		return x.serveSettled()
	case j.Answer != nil:
		return x.settleAnswer(j.Answer)
	case x.sent:
		return x.settleFirst()
	}
	if res, ok := x.verify(claimed.Retaken); !ok {
		return res
	}
	switch {
	case x.settlement != nil:
		return x.serveSettled()
	case x.route.Mode == SettleBefore:
		return x.settleFirst()
	default:
		return x.serveBuffered()
	}
}

// verify asks the facilitator about the payment; ok is false if it is refused.
// An earlier owner may have settled it and died: what is then no longer valid
// is asked about once more with Settle, which gives the same answer again.
func (x *exchange) verify(retaken bool) (res result, ok bool) {
	hooks := x.g.cfg.Hooks
	if hooks.BeforeVerify != nil {
		if err := hooks.BeforeVerify(x.r.Context(), x.attempt()); err != nil {
			return x.unserved(x.forbidden(err), retaken), false
		}
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), x.g.cfg.VerifyTimeout)
	defer cancel()
	resp, err := x.g.cfg.Facilitator.Verify(ctx, x.payment)
	if hooks.AfterVerify != nil {
		hooks.AfterVerify(x.r.Context(), x.attempt(), resp, err)
	}
	switch {
	case err != nil:
		x.logFacilitator("verify", err)
		return x.unserved(errorOutcome(http.StatusBadGateway, x402.ReasonFacilitatorUnreached, "", ""), retaken), false
	case resp.IsValid:
		if resp.Payer != "" {
			x.payer = resp.Payer
		}
		return result{}, true
	case retaken:
		x.sent = true
		return x.settle()
	default:
		reason := resp.InvalidReason
		if reason == "" {
			reason = x402.ReasonUnexpectedVerify
		}
		return refusal(x.refuse(reason, shorten(resp.InvalidMessage))), false
	}
}

// unserved ends an attempt before anything was asked of the facilitator's
// settlement. A retaken claim stays: its payment may have moved earlier.
func (x *exchange) unserved(o *Outcome, retaken bool) result {
	if retaken {
		return result{answer: o, fate: giveBack}
	}
	return refusal(o)
}

// forbidden is the answer to what a Before hook refuses: the error's own, if it
// is an http.Handler that answers 400 or above.
func (x *exchange) forbidden(err error) *Outcome {
	var own http.Handler
	if errors.As(err, &own) {
		b := newBuffer(x.w, x.g.cfg.MaxResponseBody)
		own.ServeHTTP(b, x.r)
		if answer, err := b.outcome(x.r.Method); err == nil && answer.Status >= http.StatusBadRequest {
			return answer
		}
	}
	return errorOutcome(http.StatusForbidden, x402.Reason(err.Error()), "", "")
}

func (x *exchange) logFacilitator(what string, err error) {
	level := x.g.cfg.Logger.ErrorContext
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		level = x.g.cfg.Logger.DebugContext // the client hung up
	}
	level(x.r.Context(), "x402: "+what, "pattern", x.route.Pattern, "error", err)
}

// serveBuffered runs the handler, settles, and only then lets its answer go.
func (x *exchange) serveBuffered() result {
	answer, err := x.handle()
	switch {
	case errors.Is(err, errTooLarge):
		return refusal(errorOutcome(http.StatusInternalServerError, "response_too_large", "", "the answer is too large to be sold; nothing was charged"))
	case err != nil:
		return refusal(x.fault("serve a paid request", err))
	case answer.Status >= 400 || x.redirectsToItself(answer):
		return refusal(answer)
	default:
		return x.settleAnswer(answer)
	}
}

// handle runs the handler into a buffer.
func (x *exchange) handle() (*Outcome, error) {
	x.rewind()
	b := newBuffer(x.w, x.g.cfg.MaxResponseBody)
	x.next.ServeHTTP(b, x.r.WithContext(x.paid()))
	return b.outcome(x.r.Method)
}

// settleAnswer settles the payment of an answer that is ready.
func (x *exchange) settleAnswer(answer *Outcome) result {
	if err := x.lease.ensure(); err != nil {
		return result{answer: busy(), fate: giveBack}
	}
	res, ok := x.settle()
	if !ok {
		if res.fate == giveBack {
			x.record(journal{Answer: answer})
		}
		return res
	}
	return x.deliver(answer)
}

// deliver completes an answer that has been paid for.
func (x *exchange) deliver(answer *Outcome) result {
	if answer.Header == nil {
		answer.Header = http.Header{}
	}
	x.seal(answer.Header)
	return result{answer: answer, keep: answer, fate: fulfil, shared: true}
}

// settleFirst settles before the handler runs.
func (x *exchange) settleFirst() result {
	if err := x.lease.ensure(); err != nil {
		return result{answer: busy(), fate: giveBack}
	}
	res, ok := x.settle()
	if !ok {
		if res.fate == giveBack {
			x.record(journal{})
		}
		return res
	}
	return x.serveSettled()
}

// serveSettled runs the handler for a payment that has moved. The run is
// recorded first: a payment buys at most MaxRuns of them. Those who wait for the
// same answer get an error too, or they would use up the runs at once.
func (x *exchange) serveSettled() result {
	if x.runs >= MaxRuns {
		return result{answer: lostOutcome(), fate: giveBack, shared: true}
	}
	x.runs++
	x.record(journal{Settlement: x.settlement, Runs: x.runs})
	if x.route.Mode == SettleBefore {
		return x.serveStream()
	}
	answer, err := x.handle()
	stayed := x.r.Context().Err() == nil // or what the handler said may be due to that
	switch {
	case err != nil:
		return result{answer: x.fault("serve a settled request", err), fate: giveBack, shared: stayed}
	case answer.Status >= 400:
		x.seal(answer.Header)
		return result{answer: answer, fate: giveBack, shared: stayed}
	default:
		return x.deliver(answer)
	}
}

// serveStream lets the handler write to the client.
func (x *exchange) serveStream() result {
	x.rewind()
	s := &stream{ResponseWriter: x.w, x: x, before: x.w.Header().Clone()}
	x.seal(s.Header()) // for a handler that hijacks
	x.next.ServeHTTP(s, x.r.WithContext(x.paid()))
	keep, ok := s.outcome()
	if !ok {
		return result{keep: keep, fate: giveBack, shared: keep != nil}
	}
	return result{keep: keep, fate: fulfil, shared: true}
}

// record keeps j with the claim. If that fails the money has moved all the
// same, so the request is served; a repeated one asks the facilitator.
func (x *exchange) record(j journal) {
	data, err := json.Marshal(j)
	if err == nil {
		ctx, cancel := x.claimsContext()
		defer cancel()
		err = x.g.cfg.Claims.Settled(ctx, x.key, x.owner, data)
	}
	if err != nil {
		x.g.cfg.Logger.ErrorContext(x.r.Context(), "x402: record a settlement", "pattern", x.route.Pattern, "error", err)
	}
}

// redirectsToItself says whether a handler only sends the buyer to another
// spelling of the same path, as a ServeMux does with "//" and a missing slash.
func (x *exchange) redirectsToItself(o *Outcome) bool {
	location := o.Header.Get("Location")
	switch o.Status {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	to, err := x.r.URL.Parse(location)
	if err != nil || location == "" || to.Host != "" && to.Host != x.r.Host || to.RawQuery != x.r.URL.RawQuery {
		return false
	}
	from, ok := canonical(clean(x.r.URL.Path + "/"))
	dest, ok2 := canonical(clean(to.Path + "/"))
	return ok && ok2 && from == dest
}

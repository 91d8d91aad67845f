package middleware

import (
	"errors"
	"net/http"
	"time"

	"github.com/v402/v402/x402"
)

// fate is what becomes of a claim when its request has been answered.
type fate int

const (
	release  fate = iota // nothing was charged: the payment may be used again
	giveBack             // charged, or perhaps: the same request may be repeated
	fulfil               // charged and answered
)

// result is how an attempt to serve a request ended.
type result struct {
	answer   *Outcome // what is to be sent; nil if it was streamed
	keep     *Outcome // what those who wait get, and with fate fulfil every repeated request
	fate     fate
	shared   bool // those who wait for the same answer get it too
	replayed bool // the answer was sent before
}

// refusal is a result that charges nothing.
func refusal(o *Outcome) result { return result{answer: o, fate: release, shared: true} }

// busy answers whoever cannot wait any longer.
func busy() *Outcome {
	return errorOutcome(http.StatusServiceUnavailable, x402.ReasonDuplicateSettlement, "",
		"this payment is being served; send the same request again, never a new payment")
}

// serve answers a request whose payment matches an offer. Of identical
// requests in this process one is served and the others wait for its answer.
func (x *exchange) serve() {
	var limit <-chan time.Time
	for {
		fl, leader := x.g.flights.join(flightKey{x.key, x.fingerprint})
		if leader {
			x.lead(fl)
			return
		}
		if limit == nil {
			limit = time.After(x.patience())
		}
		select {
		case <-fl.done:
			if fl.answer != nil {
				x.g.write(x.w, x.r, fl.answer, true)
				return
			}
		case <-limit:
			x.g.write(x.w, x.r, busy(), false)
			return
		case <-x.r.Context().Done():
			x.g.write(x.w, x.r, busy(), false)
			return
		}
	}
}

// patience is how long a request waits for an identical one.
func (x *exchange) patience() time.Duration {
	return x.g.cfg.VerifyTimeout + x.g.cfg.SettleTimeout
}

// lead serves the request for itself and for those who wait. When the handler
// panics, the next of them leads.
func (x *exchange) lead(fl *flight) {
	defer x.g.flights.finish(fl, nil)
	res := x.claim()
	var shared *Outcome
	if res.shared {
		shared = res.keepOrAnswer()
	}
	x.g.flights.finish(fl, shared) // nobody waits for a client that reads slowly
	if res.answer != nil {
		x.g.write(x.w, x.r, res.answer, res.replayed)
	}
}

func (r result) keepOrAnswer() *Outcome {
	switch {
	case r.keep != nil && r.keep.Lost:
		return lostOutcome()
	case r.keep != nil:
		return r.keep
	default:
		return r.answer
	}
}

// lostOutcome answers a repeated request whose answer was streamed.
func lostOutcome() *Outcome {
	return errorOutcome(http.StatusConflict, x402.ReasonPaymentAlreadyUsed, "",
		"this payment was settled and answered; the answer was not kept and cannot be sent again")
}

// claim takes the payment for this request, or finds out who has it.
func (x *exchange) claim() result {
	claimed, until, err := x.tryClaim()
	switch {
	case errors.Is(err, errHeld):
		return result{answer: busy()}
	case err != nil:
		x.g.cfg.Logger.ErrorContext(x.r.Context(), "x402: claim a payment", "pattern", x.route.Pattern, "error", err)
		return result{answer: errorOutcome(http.StatusServiceUnavailable, "claims_unavailable", "",
			"payments cannot be taken now; send the same payment again later")}
	case claimed.Won:
		return x.own(claimed, until)
	case claimed.Fingerprint != x.fingerprint:
		return result{answer: x.refuse(x402.ReasonPaymentAlreadyUsed, "")}
	case claimed.Outcome.Lost:
		return result{answer: lostOutcome(), shared: true}
	default:
		return result{answer: claimed.Outcome, shared: true, replayed: true}
	}
}

var errHeld = errors.New("held by another owner")

// tryClaim claims, and waits while another process serves the same request.
func (x *exchange) tryClaim() (claimed Claimed, until time.Time, err error) {
	limit := x.g.cfg.Now().Add(x.patience())
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		now := x.g.cfg.Now()
		until = now.Add(leaseFor)
		claimed, err = x.claimOnce(now, until)
		if err != nil || claimed.Won || claimed.Outcome != nil || claimed.Fingerprint != x.fingerprint {
			return claimed, until, err
		}
		if now.After(limit) {
			return claimed, until, errHeld
		}
		select {
		case <-time.After(pause):
		case <-x.r.Context().Done():
			return claimed, until, errHeld
		}
	}
}

func (x *exchange) claimOnce(now, until time.Time) (Claimed, error) {
	ctx, cancel := x.claimsContext()
	defer cancel()
	return x.g.cfg.Claims.Claim(ctx, Claim{
		Key: x.key, Fingerprint: x.fingerprint, Owner: x.owner, LeasedUntil: until, Expires: x.expires(now),
	}, now)
}

// own serves a request whose claim was won, and concludes the claim whatever
// happens. A panic of the handler passes through.
func (x *exchange) own(claimed Claimed, until time.Time) result {
	x.lease = x.hold(until)
	res := result{fate: release}
	returned := false
	defer func() {
		if !returned && x.sent {
			res.fate = giveBack
		}
		x.lease.end()
		x.conclude(res)
	}()
	res = x.run(claimed)
	returned = true
	if x.r.Context().Err() != nil && res.fate == release {
		res.shared = false // the client has gone; what the handler said may be due to that
	}
	return res
}

// conclude stores what became of the claim. If that fails, its lease runs out
// and the same request finds out with the facilitator.
func (x *exchange) conclude(res result) {
	ctx, cancel := x.claimsContext()
	defer cancel()
	var err error
	claims := x.g.cfg.Claims
	switch res.fate {
	case fulfil:
		err = claims.Fulfil(ctx, x.key, x.owner, *res.keep)
	case giveBack:
		err = claims.Renew(ctx, x.key, x.owner, x.g.cfg.Now().Add(-time.Millisecond))
	default:
		err = claims.Release(ctx, x.key, x.owner)
	}
	if err != nil {
		x.g.cfg.Logger.ErrorContext(ctx, "x402: conclude a claim", "pattern", x.route.Pattern, "error", err)
	}
}

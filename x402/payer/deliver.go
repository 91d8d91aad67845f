package payer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/v402/v402/x402"
)

const (
	maxBackoff    = 10 * time.Second
	maxRetryAfter = 30 * time.Second
)

// deliver sends the request with the signed payment of s until the outcome is
// clear, a bounded number of times. again says that the payment may have been
// sent before.
func (b *purchase) deliver(ctx context.Context, s Spending, again bool) (*http.Response, error) {
	if again { // a new payment was checked before it was signed
		if err := b.checkSecure(b.req.URL); err != nil {
			return nil, err
		}
		if err := b.body.prepare(); err != nil {
			return nil, err
		}
	}
	name, value, err := paymentHeader(s.Payload)
	if err != nil {
		return nil, fmt.Errorf("payer: the ledger's payment %q: %w", s.ID, err)
	}
	for sent := 0; ; sent++ {
		resp, err := b.send(ctx, name, value)
		o := judge(resp, err, again || sent > 0)
		if o.verdict != unclear {
			return b.conclude(ctx, s, resp, o)
		}
		pause := b.pause(sent, resp)
		if resp != nil {
			discard(resp)
		}
		b.cfg.Logger.Warn("outcome of a payment unclear", "spending", s.ID, "host", s.Host, "status", o.status, "reason", string(o.reason), "error", o.err)
		if o.final || sent >= b.cfg.Resends || !b.cfg.Now().Add(pause).Before(s.ExpiresAt) || !wait(ctx, pause) {
			return nil, b.giveUp(ctx, s, o)
		}
	}
}

// paymentHeader is the header that carries a payment of the ledger.
func paymentHeader(payload json.RawMessage) (name, value string, err error) {
	var payment x402.PaymentPayload
	if err := json.Unmarshal(payload, &payment); err != nil {
		return "", "", err
	}
	name = x402.HeaderPaymentSignature
	if payment.Version == x402.V1 {
		name = x402.HeaderPaymentV1
	}
	value, err = x402.EncodeHeader(payload)
	return name, value, err
}

// conclude acts on a clear outcome.
func (b *purchase) conclude(ctx context.Context, s Spending, resp *http.Response, o outcome) (*http.Response, error) {
	switch o.verdict {
	case spent:
		first := s.State != Paid
		b.finish(ctx, &s, Paid, transactionOf(o.receipt))
		if first && b.cfg.OnPaid != nil {
			b.cfg.OnPaid(ctx, s, o.receipt)
		}
		if o.status == http.StatusPaymentRequired { // it takes the money and asks for more
			discard(resp)
			return nil, b.refusal(s, o)
		}
	case refused:
		discard(resp)
		state := Released
		if b.cfg.HoldRefused {
			state = Unknown
		}
		b.finish(ctx, &s, state, "")
		return nil, b.refusal(s, o)
	default: // answered, such as 404: the seller should not charge for it, but could
		b.finish(ctx, &s, Unknown, "")
		b.unknown(ctx, s)
	}
	markPaid(resp, b.req, s)
	return resp, nil
}

func (b *purchase) refusal(s Spending, o outcome) error {
	return &RefusedError{Spending: s, Status: o.status, Reason: o.reason, Field: o.field, Message: o.message}
}

// giveUp leaves s as one that may have been spent.
func (b *purchase) giveUp(ctx context.Context, s Spending, o outcome) error {
	b.finish(ctx, &s, Unknown, transactionOf(o.receipt))
	b.unknown(ctx, s)
	if o.err == nil && ctx.Err() != nil {
		o.err = ctx.Err()
	}
	return &UnknownOutcomeError{Spending: s, Status: o.status, Reason: o.reason, Err: o.err}
}

// unknown tells the caller of a spending whose outcome is not known.
func (b *purchase) unknown(ctx context.Context, s Spending) {
	if s.State == Unknown && b.cfg.OnUnknown != nil {
		b.cfg.OnUnknown(ctx, s)
	}
}

func transactionOf(receipt *x402.SettleResponse) string {
	if receipt == nil || len(receipt.Transaction) > 200 { // no chain's hash is that long
		return ""
	}
	return receipt.Transaction
}

// pause is how long to wait after the sending of that number.
func (b *purchase) pause(sent int, resp *http.Response) time.Duration {
	pause := maxBackoff
	if sent < 16 {
		pause = min(b.cfg.Backoff<<sent, maxBackoff)
	}
	if resp != nil {
		pause = max(pause, min(retryAfter(resp.Header.Get("Retry-After"), b.cfg.Now()), maxRetryAfter))
	}
	return pause
}

// retryAfter reads a Retry-After header: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return min(time.Duration(min(s, 3600))*time.Second, maxRetryAfter)
	}
	if t, err := http.ParseTime(v); err == nil {
		return t.Sub(now)
	}
	return 0
}

// wait pauses; it is false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

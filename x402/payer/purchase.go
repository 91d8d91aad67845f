package payer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/v402/v402/x402"
)

// purchase is one logical request.
type purchase struct {
	*Payer
	req         *http.Request // the caller's; never changed
	body        *body
	key         string // "" if the caller gave none
	fingerprint string
}

func (b *purchase) run(ctx context.Context) (*http.Response, error) {
	known, err := b.known(ctx)
	if err != nil {
		return nil, err
	}
	if known != nil && len(known.Payload) > 0 && known.State != Released && known.Fingerprint == b.fingerprint {
		return b.deliver(ctx, *known, true)
	}
	resp, err := b.send(ctx, "", "")
	if err != nil || resp.StatusCode != http.StatusPaymentRequired {
		return resp, err
	}
	skew := b.skew(resp.Header, b.cfg.Now())
	c, err := readChallenge(resp)
	if err != nil || len(c.entries) == 0 {
		b.cfg.Logger.Info("a 402 without an offer that can be read is passed on", "host", b.req.URL.Host, "cause", err)
		return resp, nil
	}
	discard(resp)
	if s, ok := paidBefore(b.req); ok && s.State == Unknown && !crossedOrigin(b.req) {
		return b.deliver(ctx, s, true)
	}
	s, continued, err := b.buy(ctx, c, skew, known)
	if err != nil {
		return nil, err
	}
	return b.deliver(ctx, s, continued)
}

// known looks the key up in the ledger; nil if there is nothing.
func (b *purchase) known(ctx context.Context) (*Spending, error) {
	if b.key == "" {
		return nil, nil
	}
	s, err := b.cfg.Ledger.Spending(ctx, b.key)
	switch {
	case errors.Is(err, ErrUnknownSpending):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("payer: looking up the key: %w", err)
	}
	return &s, nil
}

// send sends the request, with a payment header unless name is empty.
func (b *purchase) send(ctx context.Context, name, value string) (*http.Response, error) {
	content, err := b.body.next()
	if err != nil {
		return nil, err
	}
	out := b.req.Clone(ctx)
	out.Body, out.ContentLength = nil, b.body.length
	if content != nil && content != http.NoBody {
		out.Body, out.GetBody = content, b.body.again // for the transport's own retries
	}
	if name != "" {
		if out.Header == nil {
			out.Header = http.Header{}
		}
		out.Header.Set(name, value)
	}
	resp, err := b.cfg.Base.RoundTrip(out)
	if err == nil {
		resp.Request = b.req
	}
	return resp, err
}

// buy chooses an offer, reserves it in the ledger, signs it and records the
// signature. skew is how far the seller's clock is ahead; continued says that
// another process had signed the spending.
func (b *purchase) buy(ctx context.Context, c *challenge, skew time.Duration, known *Spending) (s Spending, continued bool, err error) {
	if err := b.mayPay(known); err != nil {
		return Spending{}, false, err
	}
	offer, err := b.choose(c, b.req.URL.Host)
	if err != nil {
		return Spending{}, false, err
	}
	s = b.spending(offer)
	if b.cfg.OnPaying != nil {
		if err := b.cfg.OnPaying(ctx, s); err != nil {
			return Spending{}, false, fmt.Errorf("%w: %w", ErrVetoed, err)
		}
	}
	s.CreatedAt = b.cfg.Now().Round(0) // as it is after a restart
	now := s.CreatedAt.Add(skew)
	s.ExpiresAt = later(s.CreatedAt, now).Add(lifetime(offer.Requirements.MaxTimeoutSeconds))
	if err := b.reserve(ctx, s, known); err != nil {
		return Spending{}, false, err
	}
	s.Payload, err = sign(ctx, c, offer, s.ID, now)
	if err == nil {
		err = ctx.Err() // the last moment to turn back
	}
	if err != nil {
		b.finish(ctx, &s, Released, "")
		return Spending{}, false, err
	}
	return b.record(ctx, s)
}

// mayPay refuses what no offer could make right. known is what the ledger has
// under the key.
func (b *purchase) mayPay(known *Spending) error {
	if s, ok := paidBefore(b.req); ok {
		return fmt.Errorf("%w by %s after %s %s were paid to %s (spending %s)", ErrSecondPayment,
			b.req.URL.Host, s.Value.Decimal(microDecimals), s.Currency, s.Host, s.ID)
	}
	if err := b.checkSecure(b.req.URL); err != nil {
		return err
	}
	if err := b.body.prepare(); err != nil {
		return err
	}
	switch {
	case known == nil || known.State == Released:
		return nil
	case known.Fingerprint != b.fingerprint:
		return fmt.Errorf("%w: %q paid for %s", ErrKeyReused, known.ID, known.Resource)
	case known.State == Paid:
		return fmt.Errorf("%w: %q on %s", ErrAlreadyPaid, known.ID, known.CreatedAt.UTC().Format("2006-01-02 15:04 MST"))
	case known.State == Unknown: // without the payload that could be sent again
		return &UnknownOutcomeError{Spending: *known, Status: http.StatusPaymentRequired}
	case b.cfg.Now().Before(known.ExpiresAt):
		return fmt.Errorf("%w, under the key %q; try again after %s", ErrInProgress, known.ID, known.ExpiresAt.UTC().Format("15:04:05 MST"))
	default: // reserved, but never signed in the time there was
		return nil
	}
}

// spending is what would be paid for offer.
func (b *purchase) spending(offer Offer) Spending {
	r := offer.Requirements
	s := Spending{
		ID: b.key, Fingerprint: b.fingerprint, Host: hostOf(b.req.URL), Network: r.Network, Asset: r.Asset, Amount: r.Amount,
		Currency: offer.Currency, Value: offer.Value, PayTo: r.PayTo, Resource: resourceURL(b.req.URL), State: Reserved,
	}
	if s.ID == "" {
		s.ID = rand.Text()
	}
	return s
}

// reserve takes s out of the budget. A stale reservation of the same key is
// released first: whoever made it has not signed, and what it would sign now
// has expired.
func (b *purchase) reserve(ctx context.Context, s Spending, known *Spending) error {
	if known != nil && known.State == Reserved {
		if err := b.cfg.Ledger.Finish(ctx, known.ID, Released, ""); err != nil && !errors.Is(err, ErrSpendingState) {
			return fmt.Errorf("payer: releasing a stale reservation: %w", err)
		}
	}
	err := b.cfg.Ledger.Reserve(ctx, s, limits(b.budgets, s.Currency, s.Host, s.CreatedAt))
	switch {
	case errors.Is(err, ErrDuplicateSpending):
		return fmt.Errorf("%w, under the key %q", ErrInProgress, s.ID)
	case err != nil:
		return fmt.Errorf("payer: reserving %s %s for %s: %w", s.Value.Decimal(microDecimals), s.Currency, s.Host, err)
	}
	return nil
}

// sign returns the payment of offer as it is sent.
func sign(ctx context.Context, c *challenge, offer Offer, id string, now time.Time) (json.RawMessage, error) {
	part, err := offer.signer.Sign(ctx, c.version, offer.Requirements, now)
	if err != nil {
		return nil, fmt.Errorf("payer: signing: %w", err)
	}
	payment := x402.PaymentPayload{Version: c.version, Accepted: offer.Requirements, Payload: part}
	if c.version != x402.V1 {
		payment.Resource, payment.Extensions = &c.resource, echo(c.extensions, id)
	}
	if _, err := x402.EncodeHeader(payment); err != nil {
		return nil, fmt.Errorf("payer: the payment does not fit into its header: %w", err)
	}
	return json.Marshal(payment)
}

// record stores the signed payment before it is sent. If another process has
// signed the same spending, that payment is the one to send.
func (b *purchase) record(ctx context.Context, s Spending) (Spending, bool, error) {
	err := b.cfg.Ledger.Sign(ctx, s.ID, s.Payload)
	if err == nil {
		return s, false, nil
	}
	if errors.Is(err, ErrSpendingState) {
		if theirs, err := b.cfg.Ledger.Spending(ctx, s.ID); err == nil && len(theirs.Payload) > 0 && theirs.Fingerprint == b.fingerprint {
			return theirs, true, nil
		}
		return Spending{}, false, fmt.Errorf("%w, under the key %q", ErrInProgress, s.ID)
	}
	b.finish(ctx, &s, Released, "") // it was not sent
	return Spending{}, false, fmt.Errorf("payer: recording the signed payment: %w", err)
}

// finish moves s in the ledger, even if the caller has hung up. Where that
// fails the ledger keeps counting s, so it is only logged.
func (b *purchase) finish(ctx context.Context, s *Spending, state State, transaction string) {
	if s.State == Paid {
		state = Paid
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := b.cfg.Ledger.Finish(ctx, s.ID, state, transaction); err != nil {
		b.cfg.Logger.Error("the ledger could not be updated and counts the payment on", "spending", s.ID, "state", string(state), "error", err)
	}
	s.State = state
	if transaction != "" {
		s.Transaction = transaction
	}
}

// ledgerTimeout bounds a write to the ledger that must not be lost because the
// caller has hung up.
const ledgerTimeout = 10 * time.Second

// detached is ctx without its end.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), ledgerTimeout)
}

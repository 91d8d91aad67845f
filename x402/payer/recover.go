package payer

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Resume sends req again with the payment of spending id, which it was made
// for, as a request with that key does; see [WithKey].
func (p *Payer) Resume(req *http.Request, id string) (*http.Response, error) {
	return p.RoundTrip(req.WithContext(WithKey(req.Context(), id)))
}

// Unresolved lists the spendings since then whose outcome is not known, oldest
// first: those in state Unknown, and those Reserved, which may be under way.
func (p *Payer) Unresolved(ctx context.Context, since time.Time) ([]Spending, error) {
	all, err := p.cfg.Ledger.Spendings(ctx, since)
	if err != nil {
		return nil, fmt.Errorf("payer: listing spendings: %w", err)
	}
	var out []Spending
	for _, s := range all {
		if s.State == Unknown || s.State == Reserved {
			out = append(out, s)
		}
	}
	return out, nil
}

// Release gives the budget of spending id back because nothing moved, as the
// caller has seen on the chain. Before its ExpiresAt the payment can still
// move, so that is [ErrStillValid]. What has been paid cannot be released.
//
// Whoever has cancelled the authorization on the chain need not wait, and may
// call Finish of the Ledger.
func (p *Payer) Release(ctx context.Context, id string) error {
	s, err := p.cfg.Ledger.Spending(ctx, id)
	if err != nil {
		return fmt.Errorf("payer: releasing: %w", err)
	}
	if s.State != Released && p.cfg.Now().Before(s.ExpiresAt) {
		return fmt.Errorf("%w until %s", ErrStillValid, s.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if err := p.cfg.Ledger.Finish(ctx, id, Released, ""); err != nil {
		return fmt.Errorf("payer: releasing: %w", err)
	}
	return nil
}

// Confirm marks spending id as paid in transaction, as the caller has seen on
// the chain.
func (p *Payer) Confirm(ctx context.Context, id, transaction string) error {
	if err := p.cfg.Ledger.Finish(ctx, id, Paid, transaction); err != nil {
		return fmt.Errorf("payer: confirming: %w", err)
	}
	return nil
}

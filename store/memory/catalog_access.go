package memory

import (
	"context"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/catalog"
)

// addGrant stores a grant and returns a copy of it.
func (s *Store) addGrant(g catalog.Grant) *catalog.Grant {
	g.CreatedAt, g.ExpiresAt = stored(g.CreatedAt), maybe(g.ExpiresAt)
	g.LastAccessAt, g.RevokedAt = maybe(g.LastAccessAt), maybe(g.RevokedAt)
	d := &s.payments
	kept := g
	d.grants[g.ID], d.byPayment[g.PaymentID] = &kept, &kept
	d.ofProduct[g.ProductID] = append(d.ofProduct[g.ProductID], &kept)
	return &g
}

// AccessGrant implements [catalog.PaymentStore].
func (s *Store) AccessGrant(ctx context.Context, id string) (catalog.Grant, error) {
	return s.grant(ctx, func() *catalog.Grant { return s.payments.grants[id] }, id)
}

// AccessGrantOfPayment implements [catalog.PaymentStore].
func (s *Store) AccessGrantOfPayment(ctx context.Context, paymentID string) (catalog.Grant, error) {
	return s.grant(ctx, func() *catalog.Grant { return s.payments.byPayment[paymentID] }, paymentID)
}

func (s *Store) grant(ctx context.Context, find func() *catalog.Grant, id string) (catalog.Grant, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Grant{}, err
	}
	defer leave()
	g := find()
	if g == nil {
		return catalog.Grant{}, missing("grant", id)
	}
	return *g, nil
}

// AccessGrantOf implements [catalog.PaymentStore].
func (s *Store) AccessGrantOf(ctx context.Context, productID, userID, payer string, now time.Time) (catalog.Grant, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Grant{}, err
	}
	defer leave()
	var best *catalog.Grant
	for _, g := range s.holders(productID, userID, payer, now) {
		if best == nil || outlasts(g, best) {
			best = g
		}
	}
	if best == nil {
		return catalog.Grant{}, missing("grant of product", productID)
	}
	return *best, nil
}

// outlasts says whether g lasts longer than other; of two that last as long the
// higher ID does.
func outlasts(g, other *catalog.Grant) bool {
	switch {
	case g.ExpiresAt.Equal(other.ExpiresAt):
		return g.ID > other.ID
	case g.ExpiresAt.IsZero() || other.ExpiresAt.IsZero():
		return g.ExpiresAt.IsZero()
	default:
		return g.ExpiresAt.After(other.ExpiresAt)
	}
}

// holders are the live grants of a user or payer.
func (s *Store) holders(productID, userID, payer string, now time.Time) []*catalog.Grant {
	var list []*catalog.Grant
	for _, g := range s.payments.ofProduct[productID] {
		if g.Live(now) && (userID != "" && g.UserID == userID || payer != "" && g.Payer == payer) {
			list = append(list, g)
		}
	}
	return list
}

// UseAccessGrant implements [catalog.PaymentStore].
func (s *Store) UseAccessGrant(ctx context.Context, id string, now time.Time) (catalog.Grant, bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Grant{}, false, err
	}
	defer leave()
	g := s.payments.grants[id]
	switch {
	case g == nil:
		return catalog.Grant{}, false, missing("grant", id)
	case !g.Live(now):
		return *g, false, nil
	}
	g.Accesses++
	g.LastAccessAt = stored(now)
	delete(s.payments.repeats, id)
	return *g, true, nil
}

// StartAccessGrant implements [catalog.PaymentStore].
func (s *Store) StartAccessGrant(ctx context.Context, id string, now time.Time) (catalog.Grant, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Grant{}, err
	}
	defer leave()
	g := s.payments.grants[id]
	if g == nil {
		return catalog.Grant{}, missing("grant", id)
	}
	if g.Accesses == 0 && g.Live(now) {
		g.Accesses, g.LastAccessAt = 1, stored(now)
	}
	return *g, nil
}

// RepeatAccessGrant implements [catalog.PaymentStore].
func (s *Store) RepeatAccessGrant(ctx context.Context, id string, since time.Time, most int64) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	g := s.payments.grants[id]
	if g == nil || !g.LastAccessAt.After(since) || s.payments.repeats[id] >= most {
		return false, nil
	}
	s.payments.repeats[id]++
	return true, nil
}

// AccessGrants implements [catalog.PaymentStore].
func (s *Store) AccessGrants(ctx context.Context, productID, userID, payer string, now time.Time) ([]catalog.Grant, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []catalog.Grant
	for _, g := range slices.Backward(s.holders(productID, userID, payer, now)) {
		if len(list) < catalog.MaxGrants {
			list = append(list, *g)
		}
	}
	return list, nil
}

// HasBought implements [catalog.AccessStore].
func (s *Store) HasBought(ctx context.Context, productID string, buyers []string) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	for _, g := range s.payments.ofProduct[productID] {
		if g.UserID != "" && slices.Contains(buyers, g.UserID) || slices.Contains(buyers, g.Payer) {
			return true, nil
		}
	}
	return false, nil
}

// AddAccessQuote implements [catalog.PaymentStore].
func (s *Store) AddAccessQuote(ctx context.Context, q catalog.Quote) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	q.CreatedAt, q.ExpiresAt = stored(q.CreatedAt), stored(q.ExpiresAt)
	s.payments.quotes = append(s.payments.quotes, q)
	return nil
}

// AccessQuotes implements [catalog.PaymentStore].
func (s *Store) AccessQuotes(ctx context.Context, productID, requester, resource string, now time.Time) ([]catalog.Quote, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []catalog.Quote
	for _, q := range slices.Backward(s.payments.quotes) {
		if len(list) < catalog.MaxQuotes && q.ProductID == productID && q.Requester == requester && q.Resource == resource && q.ExpiresAt.After(now) {
			list = append(list, q)
		}
	}
	return list, nil
}

// PurgeAccessQuotes implements [catalog.PaymentStore].
func (s *Store) PurgeAccessQuotes(ctx context.Context, now time.Time, limit int) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	s.payments.quotes = slices.DeleteFunc(s.payments.quotes, func(q catalog.Quote) bool {
		if n >= limit || q.ExpiresAt.After(now) {
			return false
		}
		n++
		return true
	})
	return n, nil
}

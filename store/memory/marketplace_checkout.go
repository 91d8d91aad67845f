package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

func showQuote(q *marketplace.CheckoutQuote) marketplace.CheckoutQuote {
	c := *q
	c.Lines, c.Payment = slices.Clone(c.Lines), bytes.Clone(c.Payment)
	return c
}

// AddChallenge implements [marketplace.CheckoutStore].
func (s *Store) AddChallenge(ctx context.Context, c marketplace.Challenge) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c.CreatedAt, c.ExpiresAt = stored(c.CreatedAt), stored(c.ExpiresAt)
	maps.DeleteFunc(s.market.challenges, func(_ string, old marketplace.Challenge) bool { return !old.ExpiresAt.After(c.CreatedAt) })
	s.market.challenges[c.ID] = c
	return nil
}

// AddCheckoutQuote implements [marketplace.CheckoutStore].
func (s *Store) AddCheckoutQuote(ctx context.Context, q marketplace.CheckoutQuote, nonce string, trail marketplace.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if s.market.quotes[q.ID] != nil {
		return fmt.Errorf("memory: quote %s is there already: %w", q.ID, store.ErrConflict)
	}
	if nonce != "" {
		c, ok := s.market.challenges[nonce]
		if !ok || c.Wallet != q.Wallet || !c.ExpiresAt.After(q.CreatedAt) {
			return missing("nonce", nonce)
		}
		delete(s.market.challenges, nonce)
	}
	q = showQuote(&q)
	q.CreatedAt, q.ExpiresAt = stored(q.CreatedAt), stored(q.ExpiresAt)
	q.ConsumedAt, q.PaymentUntil = optionalStored(q.ConsumedAt), optionalStored(q.PaymentUntil)
	s.market.quotes[q.ID] = &q
	s.recordMarket(trail)
	return nil
}

// optionalStored is t as every backend keeps it, if it is not zero.
func optionalStored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return stored(t)
}

// CheckoutQuote implements [marketplace.CheckoutStore].
func (s *Store) CheckoutQuote(ctx context.Context, id string) (marketplace.CheckoutQuote, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.CheckoutQuote{}, err
	}
	defer leave()
	q, ok := s.market.quotes[id]
	if !ok {
		return marketplace.CheckoutQuote{}, missing("quote", id)
	}
	return showQuote(q), nil
}

// CheckoutQuotes implements [marketplace.CheckoutStore].
func (s *Store) CheckoutQuotes(ctx context.Context, f marketplace.QuoteFilter, page store.Page) (marketplace.List[marketplace.CheckoutQuote], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.CheckoutQuote]{}, err
	}
	defer leave()
	return listed(s.market.quotes, page, func(q *marketplace.CheckoutQuote) bool {
		return fits(f.Wallet, q.Wallet) && fits(f.PayerWallet, q.PayerWallet) && fits(f.OfferID, q.OfferID) && fits(f.IssuerID, q.IssuerID) &&
			fits(f.State, q.State) && (!f.Reserved || q.State == marketplace.QuoteOpen && q.PaymentKey != "")
	}, showQuote), nil
}

// UpdateCheckoutQuote implements [marketplace.CheckoutStore].
func (s *Store) UpdateCheckoutQuote(ctx context.Context, id string, change func(*marketplace.CheckoutQuote) (marketplace.Trail, error)) (marketplace.CheckoutQuote, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.CheckoutQuote{}, err
	}
	defer leave()
	old, ok := s.market.quotes[id]
	if !ok {
		return marketplace.CheckoutQuote{}, missing("quote", id)
	}
	q := showQuote(old)
	trail, err := change(&q)
	if err != nil {
		return marketplace.CheckoutQuote{}, err
	}
	if err := s.payable(old, &q); err != nil {
		return marketplace.CheckoutQuote{}, err
	}
	s.putQuote(old, &q)
	s.recordMarket(trail)
	return showQuote(old), nil
}

// payable refuses a payment that another quote is reserved for.
func (s *Store) payable(old, q *marketplace.CheckoutQuote) error {
	if by, taken := s.market.payments[q.PaymentKey]; taken && by != old.ID && q.PaymentKey != "" {
		return fmt.Errorf("memory: quote %s: %w", old.ID, marketplace.ErrPaymentUsed)
	}
	return nil
}

// putQuote stores what may change of a quote.
func (s *Store) putQuote(old, q *marketplace.CheckoutQuote) {
	if old.PaymentKey != q.PaymentKey {
		delete(s.market.payments, old.PaymentKey)
		if q.PaymentKey != "" {
			s.market.payments[q.PaymentKey] = old.ID
		}
	}
	old.State, old.PaymentKey, old.Payment, old.PaymentUntil = q.State, q.PaymentKey, bytes.Clone(q.Payment), optionalStored(q.PaymentUntil)
	old.ConsumedAt, old.TxHash, old.EntitlementID = optionalStored(q.ConsumedAt), q.TxHash, q.EntitlementID
}

// ExpireCheckoutQuotes implements [marketplace.CheckoutStore].
func (s *Store) ExpireCheckoutQuotes(ctx context.Context, now time.Time, limit int, trail func(marketplace.CheckoutQuote) marketplace.Trail) ([]marketplace.CheckoutQuote, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var out []marketplace.CheckoutQuote
	for _, q := range s.market.quotes {
		if len(out) == limit {
			break
		}
		if q.PaymentKey == "" && q.State == marketplace.QuoteOpen && q.StateAt(now) == marketplace.QuoteExpired {
			q.State = marketplace.QuoteExpired
			out = append(out, showQuote(q))
			s.recordMarket(trail(showQuote(q)))
		}
	}
	return out, nil
}

// DropCheckoutQuotes implements [marketplace.CheckoutStore].
func (s *Store) DropCheckoutQuotes(ctx context.Context, before time.Time, limit int) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	for id, q := range s.market.quotes {
		if n == limit {
			break
		}
		ended := q.State == marketplace.QuoteExpired || q.State == marketplace.QuoteVoid
		if ended && q.PaymentKey == "" && q.ExpiresAt.Before(before) {
			delete(s.market.quotes, id)
			n++
		}
	}
	return n, nil
}

// CheckOut implements [marketplace.CheckoutStore].
func (s *Store) CheckOut(ctx context.Context, id string, now time.Time, decide func(*marketplace.Checkout) (marketplace.Trail, error)) (marketplace.Checkout, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Checkout{}, err
	}
	defer leave()
	old, ok := s.market.quotes[id]
	if !ok {
		return marketplace.Checkout{}, missing("quote", id)
	}
	c := s.checkout(old, now)
	renewed := c.Renewed
	trail, err := decide(&c)
	if err != nil {
		return marketplace.Checkout{}, err
	}
	if err := s.payable(old, &c.Quote); err != nil {
		return marketplace.Checkout{}, err
	}
	if c.Use != nil {
		if s.transactionUsed(*c.Use, id) {
			return marketplace.Checkout{}, fmt.Errorf("memory: quote %s: %w", id, marketplace.ErrTransactionUsed)
		}
		s.useTransaction(*c.Use, id)
	}
	s.putQuote(old, &c.Quote)
	if c.Membership.Status != marketplace.MembershipNone {
		c.Membership = s.putMembership(c.Membership)
	}
	if c.Issue != nil {
		e := s.addEntitlement(*c.Issue, c.Number)
		c.Issue = &e
	}
	if renewed != nil {
		e := s.putEntitlement(s.market.entitlements[renewed.ID], c.Renewed)
		c.Renewed = &e
	}
	c.Quote = showQuote(old)
	s.recordMarket(trail)
	return c, nil
}

// checkout is what a payment for q may read and alter.
func (s *Store) checkout(q *marketplace.CheckoutQuote, now time.Time) marketplace.Checkout {
	c := marketplace.Checkout{
		Quote: showQuote(q), Membership: s.membership(q.Wallet), Number: s.market.numbers[sequence{q.ChainID, q.Wallet}] + 1,
	}
	s.await(&c, q.Wallet, now)
	if q.OfferID == "" {
		return c
	}
	c.Held = s.count(q.Wallet, q.OfferID, now)
	if e := s.market.entitlements[q.Renews]; e != nil {
		renewed := *e
		c.Renewed = &renewed
	}
	return c
}

// await counts what other quotes of a wallet are reserved for.
func (s *Store) await(c *marketplace.Checkout, wallet string, now time.Time) {
	for _, id := range s.market.payments {
		if other := s.market.quotes[id]; id != c.Quote.ID && other.Wallet == wallet && other.State == marketplace.QuoteOpen {
			c.Await(other, s.market.entitlements[other.Renews], now)
		}
	}
}

// count is how many active or suspended entitlements of an offer a wallet has.
func (s *Store) count(wallet, offerID string, now time.Time) (n int) {
	for _, e := range s.market.held[holding{wallet, offerID}] {
		if e.Counts(now) {
			n++
		}
	}
	return n
}

// TransactionUsed implements [marketplace.CheckoutStore].
func (s *Store) TransactionUsed(ctx context.Context, c marketplace.TransactionClaim, quoteID string) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return s.transactionUsed(c, quoteID), nil
}

func (s *Store) transactionUsed(c marketplace.TransactionClaim, quoteID string) bool {
	by, used := s.market.transactions[usedBy{c.Network, c.Hash, c.Payer}]
	return used && by != quoteID && !(by == "" && c.Shared)
}

func (s *Store) useTransaction(c marketplace.TransactionClaim, quoteID string) {
	if c.Shared {
		quoteID = ""
	}
	s.market.transactions[usedBy{c.Network, c.Hash, c.Payer}] = quoteID
}

func (s *Store) membership(wallet string) marketplace.Membership {
	if m := s.market.memberships[wallet]; m != nil {
		return *m
	}
	return marketplace.Membership{Wallet: wallet, Status: marketplace.MembershipNone}
}

func (s *Store) putMembership(m marketplace.Membership) marketplace.Membership {
	m.ActivatedAt, m.UpdatedAt = optionalStored(m.ActivatedAt), optionalStored(m.UpdatedAt)
	s.market.memberships[m.Wallet] = &m
	return m
}

// Membership implements [marketplace.CheckoutStore].
func (s *Store) Membership(ctx context.Context, wallet string) (marketplace.Membership, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Membership{}, err
	}
	defer leave()
	return s.membership(wallet), nil
}

// Memberships implements [marketplace.CheckoutStore].
func (s *Store) Memberships(ctx context.Context, f marketplace.MembershipFilter, page store.Page) (marketplace.List[marketplace.Membership], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.Membership]{}, err
	}
	defer leave()
	return listed(s.market.memberships, page, func(m *marketplace.Membership) bool {
		return m.Status != marketplace.MembershipNone && fits(f.Status, m.Status)
	}, func(m *marketplace.Membership) marketplace.Membership { return *m }), nil
}

// UpdateMembership implements [marketplace.CheckoutStore].
func (s *Store) UpdateMembership(ctx context.Context, wallet string, change func(*marketplace.Membership) (marketplace.Trail, error)) (marketplace.Membership, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Membership{}, err
	}
	defer leave()
	m := s.membership(wallet)
	trail, err := change(&m)
	if err != nil {
		return marketplace.Membership{}, err
	}
	m.Wallet = wallet
	m = s.putMembership(m)
	s.recordMarket(trail)
	return m, nil
}

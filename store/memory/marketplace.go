package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var _ marketplace.Store = (*Store)(nil)

// marketData is what a marketplace keeps.
type marketData struct {
	issuers      map[string]*marketplace.Issuer
	offers       map[string]*marketplace.Offer
	approvals    map[approvalKey]*marketplace.Approval
	challenges   map[string]marketplace.Challenge
	quotes       map[string]*marketplace.CheckoutQuote
	payments     map[string]string // ID of the quote, by payment key
	transactions map[usedBy]string // ID of the quote, or empty if it was shared
	memberships  map[string]*marketplace.Membership
	entitlements map[string]*marketplace.Entitlement
	held         map[holding][]*marketplace.Entitlement // in the order in which they came
	numbers      map[sequence]int64                     // of the newest entitlement
	seats        map[string]map[string]marketplace.Activation
	audit        []*marketplace.AuditEntry
}

type approvalKey struct{ offerID, wallet string }

type usedBy struct {
	network     x402.Network
	hash, payer string
}

type holding struct{ wallet, offerID string }

type sequence struct {
	chainID uint64
	wallet  string
}

func (d *marketData) init() {
	*d = marketData{
		issuers: map[string]*marketplace.Issuer{}, offers: map[string]*marketplace.Offer{}, approvals: map[approvalKey]*marketplace.Approval{},
		challenges: map[string]marketplace.Challenge{}, quotes: map[string]*marketplace.CheckoutQuote{}, payments: map[string]string{},
		transactions: map[usedBy]string{}, memberships: map[string]*marketplace.Membership{}, entitlements: map[string]*marketplace.Entitlement{},
		held: map[holding][]*marketplace.Entitlement{}, numbers: map[sequence]int64{}, seats: map[string]map[string]marketplace.Activation{},
	}
}

// recordMarket saves a trail.
func (s *Store) recordMarket(t marketplace.Trail) {
	for _, e := range t.Audit {
		e.ID = int64(len(s.market.audit)) + 1
		e.At = stored(e.At)
		e.Detail = bytes.Clone(e.Detail)
		s.market.audit = append(s.market.audit, &e)
	}
	for _, e := range t.Events {
		s.save(e)
	}
}

// listed is a page of what is selected, by ID.
func listed[T any](all map[string]*T, page store.Page, selected func(*T) bool, show func(*T) T) marketplace.List[T] {
	var out marketplace.List[T]
	last := ""
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if id <= page.Cursor || !selected(all[id]) {
			continue
		}
		if len(out.Items) == marketplace.PageSize(page.Limit) {
			out.Next = last
			break
		}
		out.Items, last = append(out.Items, show(all[id])), id
	}
	return out
}

// fits says whether a filter's value selects what there is.
func fits[T comparable](wanted, is T) bool {
	var zero T
	return wanted == zero || wanted == is
}

func showIssuer(i *marketplace.Issuer) marketplace.Issuer { return *i }

// PutIssuer implements [marketplace.IssuerStore].
func (s *Store) PutIssuer(ctx context.Context, id string, change func(*marketplace.Issuer, bool) (marketplace.Trail, error)) (marketplace.Issuer, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Issuer{}, err
	}
	defer leave()
	old, exists := s.market.issuers[id]
	i := marketplace.Issuer{ID: id}
	if exists {
		i = *old
	}
	trail, err := change(&i, exists)
	if err != nil {
		return marketplace.Issuer{}, err
	}
	i.ID, i.CreatedAt, i.UpdatedAt = id, stored(i.CreatedAt), stored(i.UpdatedAt)
	s.market.issuers[id] = &i
	s.recordMarket(trail)
	return i, nil
}

// Issuer implements [marketplace.IssuerStore].
func (s *Store) Issuer(ctx context.Context, id string) (marketplace.Issuer, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Issuer{}, err
	}
	defer leave()
	i, ok := s.market.issuers[id]
	if !ok {
		return marketplace.Issuer{}, missing("issuer", id)
	}
	return *i, nil
}

// Issuers implements [marketplace.IssuerStore].
func (s *Store) Issuers(ctx context.Context, f marketplace.IssuerFilter, page store.Page) (marketplace.List[marketplace.Issuer], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.Issuer]{}, err
	}
	defer leave()
	return listed(s.market.issuers, page, func(i *marketplace.Issuer) bool {
		return fits(f.Status, i.Status) && fits(f.OwnerID, i.OwnerID)
	}, showIssuer), nil
}

func showOffer(o *marketplace.Offer) marketplace.Offer {
	c := *o
	c.RevokedPolicies = slices.Clone(c.RevokedPolicies)
	return c
}

// AddOffer implements [marketplace.OfferStore].
func (s *Store) AddOffer(ctx context.Context, o marketplace.Offer, trail marketplace.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if s.market.offers[o.ID] != nil {
		return fmt.Errorf("memory: offer %s is there already: %w", o.ID, store.ErrConflict)
	}
	s.putOffer(o)
	s.recordMarket(trail)
	return nil
}

func (s *Store) putOffer(o marketplace.Offer) marketplace.Offer {
	o = showOffer(&o)
	o.CreatedAt, o.UpdatedAt = stored(o.CreatedAt), stored(o.UpdatedAt)
	s.market.offers[o.ID] = &o
	return showOffer(&o)
}

// UpdateOffer implements [marketplace.OfferStore].
func (s *Store) UpdateOffer(ctx context.Context, id string, change func(*marketplace.Offer) (marketplace.Trail, error)) (marketplace.Offer, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Offer{}, err
	}
	defer leave()
	old, ok := s.market.offers[id]
	if !ok {
		return marketplace.Offer{}, missing("offer", id)
	}
	o := showOffer(old)
	trail, err := change(&o)
	if err != nil {
		return marketplace.Offer{}, err
	}
	o.ID, o.IssuerID, o.CreatedAt = id, old.IssuerID, old.CreatedAt
	o = s.putOffer(o)
	s.recordMarket(trail)
	return o, nil
}

// Offer implements [marketplace.OfferStore].
func (s *Store) Offer(ctx context.Context, id string) (marketplace.Offer, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Offer{}, err
	}
	defer leave()
	o, ok := s.market.offers[id]
	if !ok {
		return marketplace.Offer{}, missing("offer", id)
	}
	return showOffer(o), nil
}

// Offers implements [marketplace.OfferStore].
func (s *Store) Offers(ctx context.Context, f marketplace.OfferFilter, page store.Page) (marketplace.List[marketplace.Offer], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.Offer]{}, err
	}
	defer leave()
	search := strings.ToLower(f.Search)
	return listed(s.market.offers, page, func(o *marketplace.Offer) bool {
		return fits(f.IssuerID, o.IssuerID) && fits(f.Status, o.Status) && fits(f.Currency, o.Pricing.Currency) &&
			fits(f.ChainID, o.Pricing.ChainID) && strings.Contains(strings.ToLower(o.ID+"\n"+o.Title+"\n"+o.Summary), search)
	}, showOffer), nil
}

// ApproveBuyer implements [marketplace.OfferStore].
func (s *Store) ApproveBuyer(ctx context.Context, a marketplace.Approval, trail marketplace.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	a.At = stored(a.At)
	s.market.approvals[approvalKey{a.OfferID, a.Wallet}] = &a
	s.recordMarket(trail)
	return nil
}

// WithdrawApproval implements [marketplace.OfferStore].
func (s *Store) WithdrawApproval(ctx context.Context, offerID, wallet string, trail marketplace.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	key := approvalKey{offerID, wallet}
	if s.market.approvals[key] == nil {
		return missing("approval of", wallet)
	}
	delete(s.market.approvals, key)
	s.recordMarket(trail)
	return nil
}

// BuyerApproval implements [marketplace.OfferStore].
func (s *Store) BuyerApproval(ctx context.Context, offerID, wallet string) (marketplace.Approval, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Approval{}, err
	}
	defer leave()
	a, ok := s.market.approvals[approvalKey{offerID, wallet}]
	if !ok {
		return marketplace.Approval{}, missing("approval of", wallet)
	}
	return *a, nil
}

// BuyerApprovals implements [marketplace.OfferStore].
func (s *Store) BuyerApprovals(ctx context.Context, offerID string, page store.Page) (marketplace.List[marketplace.Approval], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.Approval]{}, err
	}
	defer leave()
	byWallet := map[string]*marketplace.Approval{}
	for key, a := range s.market.approvals {
		if key.offerID == offerID {
			byWallet[key.wallet] = a
		}
	}
	return listed(byWallet, page, func(*marketplace.Approval) bool { return true },
		func(a *marketplace.Approval) marketplace.Approval { return *a }), nil
}

// MarketAudit implements [marketplace.Store].
func (s *Store) MarketAudit(ctx context.Context, f marketplace.AuditFilter, page store.Page) (marketplace.List[marketplace.AuditEntry], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.AuditEntry]{}, err
	}
	defer leave()
	below := int64(len(s.market.audit)) + 1
	if page.Cursor != "" {
		if below, err = strconv.ParseInt(page.Cursor, 10, 64); err != nil {
			return marketplace.List[marketplace.AuditEntry]{}, fmt.Errorf("memory: %w", marketplace.ErrCursor)
		}
	}
	var out marketplace.List[marketplace.AuditEntry]
	for _, e := range slices.Backward(s.market.audit) {
		if e.ID >= below || !fits(f.Actor, e.Actor) || !fits(f.Action, e.Action) || !fits(f.Subject, e.Subject) || !within(e.At, f.From, f.To) {
			continue
		}
		if n := len(out.Items); n == marketplace.PageSize(page.Limit) {
			out.Next = strconv.FormatInt(out.Items[n-1].ID, 10)
			break
		}
		c := *e
		c.Detail = bytes.Clone(c.Detail)
		out.Items = append(out.Items, c)
	}
	return out, nil
}

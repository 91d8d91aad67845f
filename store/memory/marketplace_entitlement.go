package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

func showEntitlement(e *marketplace.Entitlement) marketplace.Entitlement { return *e }

// addEntitlement stores a new one, which has the number of its ID.
func (s *Store) addEntitlement(e marketplace.Entitlement, number int64) marketplace.Entitlement {
	e.IssuedAt, e.ExpiresAt, e.UpdatedAt = stored(e.IssuedAt), optionalStored(e.ExpiresAt), stored(e.UpdatedAt)
	s.market.entitlements[e.ID] = &e
	s.market.numbers[sequence{e.ChainID, e.Wallet}] = number
	key := holding{e.Wallet, e.OfferID}
	s.market.held[key] = append(s.market.held[key], &e)
	return e
}

// putEntitlement stores what may change of one.
func (s *Store) putEntitlement(old, e *marketplace.Entitlement) marketplace.Entitlement {
	old.State, old.Availability, old.Reason = e.State, e.Availability, e.Reason
	old.ExpiresAt, old.UpdatedAt = optionalStored(e.ExpiresAt), stored(e.UpdatedAt)
	return *old
}

// Entitlement implements [marketplace.EntitlementStore].
func (s *Store) Entitlement(ctx context.Context, id string) (marketplace.Entitlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Entitlement{}, err
	}
	defer leave()
	e, ok := s.market.entitlements[id]
	if !ok {
		return marketplace.Entitlement{}, missing("entitlement", id)
	}
	return *e, nil
}

// Entitlements implements [marketplace.EntitlementStore].
func (s *Store) Entitlements(ctx context.Context, f marketplace.EntitlementFilter, page store.Page) (marketplace.List[marketplace.Entitlement], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.List[marketplace.Entitlement]{}, err
	}
	defer leave()
	return listed(s.market.entitlements, page, func(e *marketplace.Entitlement) bool {
		return fits(f.Wallet, e.Wallet) && fits(f.OfferID, e.OfferID) && fits(f.IssuerID, e.IssuerID) && fits(f.OrgRootID, e.OrgRootID) &&
			fits(f.WorkspaceID, e.WorkspaceID) && fits(f.State, e.StateAt(f.Now))
	}, showEntitlement), nil
}

// HeldEntitlements implements [marketplace.EntitlementStore].
func (s *Store) HeldEntitlements(ctx context.Context, wallet, offerID string, limit int) ([]marketplace.Entitlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var out []marketplace.Entitlement
	for _, e := range slices.Backward(s.market.held[holding{wallet, offerID}]) {
		if len(out) == limit {
			break
		}
		out = append(out, *e)
	}
	return out, nil
}

// UpdateEntitlement implements [marketplace.EntitlementStore].
func (s *Store) UpdateEntitlement(ctx context.Context, id string, change func(*marketplace.Entitlement) (marketplace.Trail, error)) (marketplace.Entitlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Entitlement{}, err
	}
	defer leave()
	old, ok := s.market.entitlements[id]
	if !ok {
		return marketplace.Entitlement{}, missing("entitlement", id)
	}
	e := *old
	trail, err := change(&e)
	if err != nil {
		return marketplace.Entitlement{}, err
	}
	e = s.putEntitlement(old, &e)
	s.recordMarket(trail)
	return e, nil
}

// TransferEntitlement implements [marketplace.EntitlementStore].
func (s *Store) TransferEntitlement(ctx context.Context, id, to string, now time.Time, change func(*marketplace.Entitlement, int) (marketplace.Trail, error)) (marketplace.Entitlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Entitlement{}, err
	}
	defer leave()
	old, ok := s.market.entitlements[id]
	if !ok {
		return marketplace.Entitlement{}, missing("entitlement", id)
	}
	e := *old
	c := marketplace.Checkout{Quote: marketplace.CheckoutQuote{Buyer: marketplace.Buyer{OfferID: e.OfferID}}}
	s.await(&c, to, now)
	trail, err := change(&e, s.count(to, e.OfferID, now)+c.Reserved)
	if err != nil {
		return marketplace.Entitlement{}, err
	}
	from, into := holding{old.Wallet, old.OfferID}, holding{to, old.OfferID}
	s.market.held[from] = slices.DeleteFunc(s.market.held[from], func(e *marketplace.Entitlement) bool { return e == old })
	old.Wallet, old.OrgRootID, old.PrincipalID, old.PrincipalRole, old.WorkspaceID = to, e.OrgRootID, e.PrincipalID, e.PrincipalRole, e.WorkspaceID
	e = s.putEntitlement(old, &e)
	s.market.held[into] = append(s.market.held[into], old)
	slices.SortStableFunc(s.market.held[into], func(a, b *marketplace.Entitlement) int { return a.IssuedAt.Compare(b.IssuedAt) })
	delete(s.market.seats, id)
	s.recordMarket(trail)
	return e, nil
}

// ExpireEntitlements implements [marketplace.EntitlementStore].
func (s *Store) ExpireEntitlements(ctx context.Context, now time.Time, limit int, trail func(marketplace.Entitlement) marketplace.Trail) ([]marketplace.Entitlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var out []marketplace.Entitlement
	for _, e := range s.market.entitlements {
		if len(out) == limit {
			break
		}
		if e.State == marketplace.EntitlementActive && e.StateAt(now) == marketplace.EntitlementExpired {
			e.State, e.UpdatedAt = marketplace.EntitlementExpired, stored(now)
			out = append(out, *e)
			s.recordMarket(trail(*e))
		}
	}
	return out, nil
}

// ActivateSeat implements [marketplace.SeatStore].
func (s *Store) ActivateSeat(ctx context.Context, a marketplace.Activation, stale time.Time, decide func(marketplace.Entitlement, int, bool) (marketplace.Trail, error)) (marketplace.Activation, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Activation{}, err
	}
	defer leave()
	e, ok := s.market.entitlements[a.EntitlementID]
	if !ok {
		return marketplace.Activation{}, missing("entitlement", a.EntitlementID)
	}
	seats := s.market.seats[e.ID]
	taken := 0
	for instance, other := range seats {
		if instance != a.InstanceID && !other.LastSeenAt.Before(stale) {
			taken++
		}
	}
	old, has := seats[a.InstanceID]
	trail, err := decide(*e, taken, has)
	if err != nil {
		return marketplace.Activation{}, err
	}
	if seats == nil {
		seats = map[string]marketplace.Activation{}
		s.market.seats[e.ID] = seats
	}
	maps.DeleteFunc(seats, func(instance string, other marketplace.Activation) bool {
		return instance != a.InstanceID && other.LastSeenAt.Before(stale)
	})
	a.ActivatedAt, a.LastSeenAt = stored(a.ActivatedAt), stored(a.LastSeenAt)
	if has {
		a.ActivatedAt = old.ActivatedAt
		if a.LastSeenAt.Before(old.LastSeenAt) {
			a.LastSeenAt = old.LastSeenAt
		}
	}
	seats[a.InstanceID] = a
	s.recordMarket(trail)
	return a, nil
}

// TouchSeat implements [marketplace.SeatStore].
func (s *Store) TouchSeat(ctx context.Context, entitlementID, instanceID string, at time.Time) (marketplace.Activation, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.Activation{}, err
	}
	defer leave()
	a, ok := s.market.seats[entitlementID][instanceID]
	if !ok {
		return a, missing("seat of", instanceID)
	}
	if at = stored(at); at.After(a.LastSeenAt) {
		a.LastSeenAt = at
		s.market.seats[entitlementID][instanceID] = a
	}
	return a, nil
}

// ReleaseSeat implements [marketplace.SeatStore].
func (s *Store) ReleaseSeat(ctx context.Context, entitlementID, instanceID string, trail marketplace.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if _, ok := s.market.seats[entitlementID][instanceID]; !ok {
		return missing("seat of", instanceID)
	}
	delete(s.market.seats[entitlementID], instanceID)
	s.recordMarket(trail)
	return nil
}

// Seats implements [marketplace.SeatStore].
func (s *Store) Seats(ctx context.Context, entitlementID string) ([]marketplace.Activation, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var out []marketplace.Activation
	seats := s.market.seats[entitlementID]
	for _, instance := range slices.Sorted(maps.Keys(seats)) {
		if len(out) < marketplace.MaxPage {
			out = append(out, seats[instance])
		}
	}
	return out, nil
}

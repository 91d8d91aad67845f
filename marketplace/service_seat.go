package marketplace

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/store"
)

// ActivateSeat gives an instance a seat of a valid entitlement, for its holder or
// whoever manages it. An instance that has one keeps it, and the call counts as
// a heartbeat. With Config.SeatTTL instances that were not seen for so long make
// room.
func (s *Service) ActivateSeat(ctx context.Context, actor Actor, r SeatRequest) (Activation, error) {
	if err := first(text("entitlement_id", r.EntitlementID, 1, 2*maxText), text("instance_id", r.InstanceID, 1, maxText),
		text("name", r.Name, 0, maxName)); err != nil {
		return Activation{}, err
	}
	now := s.now()
	a := Activation{EntitlementID: r.EntitlementID, InstanceID: r.InstanceID, Name: r.Name, ActivatedAt: now, LastSeenAt: now}
	a, err := s.store.ActivateSeat(ctx, a, s.stale(now), func(e Entitlement, taken int, has bool) (Trail, error) {
		switch code := e.codeAt(now); {
		case !actor.holds(&e):
			return Trail{}, errForbidden(actor)
		case code != VerifyValid:
			return Trail{}, Refuse(CodeEntitlementState, "The entitlement is not valid: %s.", code)
		case has:
			return Trail{}, nil
		case e.Seats > 0 && taken >= e.Seats:
			return Trail{}, Refuse(CodeSeatLimit, "All %d seats are taken.", e.Seats)
		case e.Availability == AvailabilityContinuity:
			return Trail{}, Refuse(CodeAvailabilityState, "No seats are added while the availability is %s.", e.Availability)
		}
		return s.audited(actor, "seat.activate", "entitlement:"+e.ID, map[string]any{"instance_id": r.InstanceID}), nil
	})
	return a, refusal(err, noEntitlement(r.EntitlementID), "activate a seat")
}

// stale is when an instance must have been seen last to keep its seat: the zero
// time if that does not matter.
func (s *Service) stale(now time.Time) time.Time {
	if s.options.SeatTTL == 0 {
		return time.Time{}
	}
	return now.Add(-s.options.SeatTTL)
}

// Heartbeat keeps the seat of an instance.
func (s *Service) Heartbeat(ctx context.Context, actor Actor, entitlementID, instanceID string) (Activation, error) {
	if err := s.seated(ctx, actor, entitlementID); err != nil {
		return Activation{}, err
	}
	a, err := s.store.TouchSeat(ctx, entitlementID, instanceID, s.now())
	return a, refusal(err, errNoSeat(), "keep a seat")
}

// seated refuses strangers.
func (s *Service) seated(ctx context.Context, actor Actor, entitlementID string) error {
	e, err := s.Entitlement(ctx, entitlementID)
	if err == nil && !actor.holds(&e) {
		err = errForbidden(actor)
	}
	return err
}

func errNoSeat() *Error { return Refuse(CodeSeatNotFound, "The instance has no seat.") }

// ReleaseSeat gives up the seat of an instance.
func (s *Service) ReleaseSeat(ctx context.Context, actor Actor, entitlementID, instanceID string) error {
	if err := s.seated(ctx, actor, entitlementID); err != nil {
		return err
	}
	err := s.store.ReleaseSeat(ctx, entitlementID, instanceID,
		s.audited(actor, "seat.release", "entitlement:"+entitlementID, map[string]any{"instance_id": instanceID}))
	if errors.Is(err, store.ErrNotFound) {
		return errNoSeat()
	}
	return refusal(err, nil, "release a seat")
}

// Seats lists the seats of an entitlement that are taken.
func (s *Service) Seats(ctx context.Context, actor Actor, entitlementID string) ([]Activation, error) {
	if err := s.seated(ctx, actor, entitlementID); err != nil {
		return nil, err
	}
	list, err := s.store.Seats(ctx, entitlementID)
	return list, refusal(err, nil, "list seats")
}

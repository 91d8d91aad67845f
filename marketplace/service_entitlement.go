package marketplace

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/store"
)

// Entitlement returns one, in the state that it has now.
func (s *Service) Entitlement(ctx context.Context, id string) (Entitlement, error) {
	e, err := s.store.Entitlement(ctx, id)
	e.State = e.StateAt(s.now())
	return e, refusal(err, noEntitlement(id), "look for an entitlement")
}

// Entitlements lists entitlements, each in the state that it has now. A wallet
// may be written in whatever case.
func (s *Service) Entitlements(ctx context.Context, f EntitlementFilter, page store.Page) (List[Entitlement], error) {
	f.Wallet, f.Now = strings.ToLower(f.Wallet), s.now()
	if err := checkCursor(ctx, page.Cursor, s.store.Entitlement); err != nil {
		return List[Entitlement]{}, err
	}
	list, err := s.store.Entitlements(ctx, f, page)
	for i := range list.Items {
		list.Items[i].State = list.Items[i].StateAt(f.Now)
	}
	return list, refusal(err, nil, "list entitlements")
}

// manages says whether a may change the state of e.
func (a Actor) manages(e *Entitlement) bool { return a.issues(e.IssuerID) }

// holds says whether a has e or manages it.
func (a Actor) holds(e *Entitlement) bool {
	return a.manages(e) || a.Wallet != "" && strings.EqualFold(a.Wallet, e.Wallet)
}

// changeEntitlement changes one for whoever manages it. A change that returns ""
// was made before.
func (s *Service) changeEntitlement(ctx context.Context, actor Actor, id, reason string, change func(e *Entitlement, now time.Time) (event string, err error)) (Entitlement, error) {
	if err := text("reason", reason, 0, maxReason); err != nil {
		return Entitlement{}, err
	}
	now := s.now()
	e, err := s.store.UpdateEntitlement(ctx, id, func(e *Entitlement) (Trail, error) {
		if !actor.manages(e) {
			return Trail{}, errForbidden(actor)
		}
		stored := e.State
		e.State = e.StateAt(now)
		event, err := change(e, now)
		switch {
		case err != nil:
			return Trail{}, err
		case event == "":
			return Trail{}, errRepeated
		}
		if e.State == EntitlementExpired && stored == EntitlementActive {
			e.State = stored // Sweep marks it, and tells so
		}
		e.Reason, e.UpdatedAt = reason, now
		return s.audited(actor, event, "entitlement:"+id, map[string]any{"reason": reason, "state": e.State, "availability_state": e.Availability},
			entitlementEvent(event, e, now)), nil
	})
	if errors.Is(err, errRepeated) {
		return s.Entitlement(ctx, id)
	}
	s.cache.forget(id, e.OfferID, e.Wallet)
	e.State = e.StateAt(now)
	return e, refusal(err, noEntitlement(id), "change an entitlement")
}

// move is a change of state.
func move(to EntitlementState, event string, from ...EntitlementState) func(*Entitlement, time.Time) (string, error) {
	return func(e *Entitlement, _ time.Time) (string, error) {
		switch {
		case e.State == to:
			return "", nil
		case !slices.Contains(from, e.State):
			return "", Refuse(CodeEntitlementState, "An entitlement that is %s cannot become %s.", e.State, to)
		}
		e.State = to
		return event, nil
	}
}

// SuspendEntitlement stops the use of an active one for a while. One that is
// suspended stays as it is.
func (s *Service) SuspendEntitlement(ctx context.Context, actor Actor, id, reason string) (Entitlement, error) {
	return s.changeEntitlement(ctx, actor, id, reason, move(EntitlementSuspended, EventEntitlementSuspended, EntitlementActive))
}

// ReinstateEntitlement ends a suspension. If its time has run out meanwhile the
// entitlement is expired.
func (s *Service) ReinstateEntitlement(ctx context.Context, actor Actor, id, reason string) (Entitlement, error) {
	return s.changeEntitlement(ctx, actor, id, reason, move(EntitlementActive, EventEntitlementReinstated, EntitlementSuspended))
}

// RevokeEntitlement ends an active or suspended one for good.
func (s *Service) RevokeEntitlement(ctx context.Context, actor Actor, id, reason string) (Entitlement, error) {
	return s.changeEntitlement(ctx, actor, id, reason, move(EntitlementRevoked, EventEntitlementRevoked, EntitlementActive, EntitlementSuspended))
}

// ExtendEntitlement moves the end of one that is not revoked. One that has
// expired becomes active.
func (s *Service) ExtendEntitlement(ctx context.Context, actor Actor, id string, x Extension) (Entitlement, error) {
	return s.changeEntitlement(ctx, actor, id, x.Reason, func(e *Entitlement, now time.Time) (string, error) {
		switch {
		case e.State != EntitlementActive && e.State != EntitlementSuspended && e.State != EntitlementExpired:
			return "", Refuse(CodeEntitlementState, "An entitlement that is %s cannot be extended.", e.State)
		case !x.ExpiresAt.IsZero() && !x.ExpiresAt.After(now):
			return "", Invalid("expires_at", "expires_at must be later than now.")
		case x.ExpiresAt.After(latest):
			return "", Invalid("expires_at", "expires_at must not be after the year 9999.")
		}
		e.ExpiresAt = x.ExpiresAt
		if !e.ExpiresAt.IsZero() {
			e.ExpiresAt = e.ExpiresAt.UTC().Truncate(time.Microsecond)
		}
		if e.State == EntitlementExpired {
			e.State = EntitlementActive
		}
		return EventEntitlementExtended, nil
	})
}

// SetAvailability moves the availability along: active → grace → continuity →
// parked, a step at a time, and from each back to active.
func (s *Service) SetAvailability(ctx context.Context, actor Actor, id string, to Availability, reason string) (Entitlement, error) {
	if err := oneOf("state", to, AvailabilityActive, AvailabilityGrace, AvailabilityContinuity, AvailabilityParked); err != nil {
		return Entitlement{}, err
	}
	return s.changeEntitlement(ctx, actor, id, reason, func(e *Entitlement, _ time.Time) (string, error) {
		switch {
		case e.Availability == to:
			return "", nil
		case !slices.Contains(availabilityMoves[e.Availability], to):
			return "", Refuse(CodeAvailabilityState, "The availability cannot go from %s to %s.", e.Availability, to)
		}
		e.Availability = to
		return EventEntitlementAvailability, nil
	})
}

// TransferEntitlement hands an active one to another wallet, for its holder or
// whoever manages it, if its policies allow that. Its seats are given up. The
// limit of the offer holds for the new wallet too.
func (s *Service) TransferEntitlement(ctx context.Context, actor Actor, id string, t Transfer) (Entitlement, error) {
	to, err := wallet("wallet", t.Wallet)
	if err == nil {
		err = first(text("reason", t.Reason, 0, maxReason), text("org_root_id", t.OrgRootID, 0, maxText),
			text("principal_id", t.PrincipalID, 0, maxText), text("workspace_id", t.WorkspaceID, 0, maxText))
	}
	if err == nil && t.PrincipalRole != "" {
		err = oneOf("principal_role", t.PrincipalRole, s.options.Roles...)
	}
	if err != nil {
		return Entitlement{}, err
	}
	now, from := s.now(), ""
	e, err := s.store.TransferEntitlement(ctx, id, to, now, func(e *Entitlement, held int) (Trail, error) {
		from = e.Wallet
		if err := transferable(actor, e, to, held, now); err != nil {
			return Trail{}, err
		}
		if err := t.apply(e, to); err != nil {
			return Trail{}, err
		}
		e.Reason, e.UpdatedAt = t.Reason, now
		event := newEvent(EventEntitlementTransferred, id, EntitlementEvent{Entitlement: *e, PreviousWallet: from}, now)
		return s.audited(actor, EventEntitlementTransferred, "entitlement:"+id,
			map[string]any{"from": from, "to": to, "reason": t.Reason}, event), nil
	})
	s.cache.forget(id, e.OfferID, e.Wallet, from)
	return e, refusal(err, noEntitlement(id), "transfer an entitlement")
}

func transferable(actor Actor, e *Entitlement, to string, held int, now time.Time) error {
	switch state := e.StateAt(now); {
	case !actor.holds(e):
		return errForbidden(actor)
	case !e.Transferable:
		return Refuse(CodeNotTransferable, "The policies of the offer do not allow a transfer.")
	case state != EntitlementActive:
		return Refuse(CodeEntitlementState, "An entitlement that is %s cannot be transferred.", state)
	case e.Wallet == to:
		return Invalid("wallet", "The wallet has the entitlement already.")
	}
	return checkLimit(Policies{MaxPerWallet: e.MaxPerWallet}, held)
}

// apply gives e to another wallet. What t leaves empty stays as it is; one that is
// bound to a workspace needs a new one.
func (t *Transfer) apply(e *Entitlement, to string) error {
	e.Wallet = to
	for _, field := range []struct {
		to    *string
		value string
	}{{&e.OrgRootID, t.OrgRootID}, {&e.PrincipalID, t.PrincipalID}, {&e.PrincipalRole, t.PrincipalRole}, {&e.WorkspaceID, t.WorkspaceID}} {
		if field.value != "" {
			*field.to = field.value
		}
	}
	if e.WorkspaceBound && t.WorkspaceID == "" {
		err := Refuse(CodeWorkspaceRequired, "workspace_id is required: the offer is bound to a workspace.")
		err.Field = "workspace_id"
		return err
	}
	return nil
}

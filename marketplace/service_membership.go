package marketplace

import (
	"context"
	"errors"
	"slices"

	"github.com/v402/v402/store"
)

// Membership of a wallet; its status is none for a wallet that never had one.
func (s *Service) Membership(ctx context.Context, address string) (Membership, error) {
	owner, err := wallet("wallet", address)
	if err != nil {
		return Membership{}, err
	}
	m, err := s.store.Membership(ctx, owner)
	return m, refusal(err, nil, "look for a membership")
}

// Memberships lists memberships, for admins.
func (s *Service) Memberships(ctx context.Context, actor Actor, f MembershipFilter, page store.Page) (List[Membership], error) {
	if !actor.Admin {
		return List[Membership]{}, errForbidden(actor)
	}
	if err := checkCursor(ctx, page.Cursor, s.known); err != nil {
		return List[Membership]{}, err
	}
	list, err := s.store.Memberships(ctx, f, page)
	return list, refusal(err, nil, "list memberships")
}

// SetMembership moves a membership along, for admins: none → active as a gift,
// active ↔ suspended, and both → revoked. The same status again changes nothing.
func (s *Service) SetMembership(ctx context.Context, actor Actor, address string, to MembershipStatus, reason string) (Membership, error) {
	owner, err := wallet("wallet", address)
	switch {
	case !actor.Admin:
		err = errForbidden(actor)
	case err == nil:
		err = first(oneOf("status", to, MembershipActive, MembershipSuspended, MembershipRevoked), text("reason", reason, 0, maxReason))
	}
	if err != nil {
		return Membership{}, err
	}
	now := s.now()
	m, err := s.store.UpdateMembership(ctx, owner, func(m *Membership) (Trail, error) {
		from := m.Status
		switch {
		case from == to:
			return Trail{}, errRepeated
		case !slices.Contains(membershipMoves[from], to):
			return Trail{}, Refuse(CodeMembershipState, "A membership cannot go from %s to %s.", from, to)
		}
		m.Status, m.Reason, m.UpdatedAt = to, reason, now
		kind := map[MembershipStatus]string{
			MembershipActive: EventMembershipActivated, MembershipSuspended: EventMembershipSuspended, MembershipRevoked: EventMembershipRevoked,
		}[to]
		switch {
		case from == MembershipNone:
			m.ActivatedAt = now
		case to == MembershipActive:
			kind = EventMembershipReinstated
		}
		return s.audited(actor, "membership."+string(to), "membership:"+owner, map[string]any{"reason": reason}, membershipEvent(kind, m, now)), nil
	})
	if errors.Is(err, errRepeated) {
		return s.Membership(ctx, owner)
	}
	return m, refusal(err, nil, "change a membership")
}

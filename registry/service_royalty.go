package registry

import (
	"context"
	"strconv"
)

// Royalty returns one that p owes or is due; ErrRoyaltyUnknown for any other.
func (s *Service) Royalty(ctx context.Context, p Platform, id int64) (Royalty, error) {
	r, err := s.store.Royalty(ctx, id)
	if err == nil && !r.concerns(p) {
		return Royalty{}, ErrRoyaltyUnknown
	}
	return r, refusal(err, ErrRoyaltyUnknown, "look for a royalty")
}

// Royalties lists royalties that p owes or is due, whatever f says.
func (s *Service) Royalties(ctx context.Context, p Platform, f RoyaltyFilter, page PageOptions) (List[Royalty], error) {
	if f.SellerID != p.ID && f.OriginID != p.ID {
		f.PartyID = p.ID
	}
	list, err := s.store.Royalties(ctx, f, page.Bounded())
	return list, refusal(err, nil, "list royalties")
}

// DisputeRoyalty takes a pending royalty that p owes or is due out of netting,
// until an admin decides; ErrRoyaltyUnknown, ErrRoyaltyState. What is in an
// issued settlement does not change: dispute the settlement.
func (s *Service) DisputeRoyalty(ctx context.Context, p Platform, id int64, r DisputeRequest) (Royalty, error) {
	f := r.faults.clone()
	f.required("reason", r.Reason, maxReason)
	if err := f.err(); err != nil {
		return Royalty{}, err
	}
	now := s.now()
	royalty, err := s.store.UpdateRoyalty(ctx, id, func(to *Royalty) (Trail, error) {
		switch {
		case !to.concerns(p):
			return Trail{}, ErrRoyaltyUnknown
		case to.Status != RoyaltyPending:
			return Trail{}, ErrRoyaltyState
		}
		to.Status, to.Reason, to.UpdatedAt = RoyaltyDisputed, r.Reason, now
		return audited(now, p.Actor(), "royalty.dispute", to.subject(), detail(map[string]any{"reason": r.Reason})), nil
	})
	return royalty, refusal(err, ErrRoyaltyUnknown, "dispute a royalty")
}

// ResolveDispute ends the dispute of a royalty for an admin: it is pending
// again, or voided; ErrRoyaltyUnknown, ErrRoyaltyState.
func (s *Service) ResolveDispute(ctx context.Context, actor string, id int64, to RoyaltyStatus, reason string) (Royalty, error) {
	var f faults
	if to != RoyaltyPending && to != RoyaltyVoided {
		f.add("status", "The selected status is invalid.")
	}
	f.optional("reason", reason, maxReason)
	if err := f.err(); err != nil {
		return Royalty{}, err
	}
	now := s.now()
	royalty, err := s.store.UpdateRoyalty(ctx, id, func(r *Royalty) (Trail, error) {
		if r.Status != RoyaltyDisputed {
			return Trail{}, ErrRoyaltyState
		}
		r.Status, r.UpdatedAt = to, now
		return audited(now, actor, "royalty.resolve", r.subject(), detail(map[string]any{"status": to, "reason": reason})), nil
	})
	return royalty, refusal(err, ErrRoyaltyUnknown, "resolve a dispute")
}

func (r Royalty) concerns(p Platform) bool { return r.SellerID == p.ID || r.OriginID == p.ID }

func (r Royalty) subject() string { return "royalty:" + strconv.FormatInt(r.ID, 10) }

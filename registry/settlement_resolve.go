package registry

import (
	"context"
	"time"
)

// Resolution ends a dispute.
type Resolution struct {
	Status SettlementStatus // SettlementIssued or SettlementCancelled
	Reason string           // required; at most 500 characters
}

// ResolveSettlement ends a dispute, for an admin: the document is issued once
// more as it was, or cancelled, which makes its royalties pending again. In a
// multilateral run all documents are cancelled together, and only while none of
// them is paid.
func (s *Service) ResolveSettlement(ctx context.Context, actor string, id int64, r Resolution) (Settlement, error) {
	reason, err := settlementReason(r.Reason)
	if err != nil {
		return Settlement{}, err
	}
	d, err := s.AnySettlement(ctx, id)
	switch {
	case err != nil:
		return Settlement{}, err
	case r.Status == SettlementIssued:
		return s.reissue(ctx, actor, id, reason)
	case r.Status != SettlementCancelled:
		return Settlement{}, Invalid("status", "The status must be issued or cancelled.")
	case d.Run.Mode == Multilateral:
		return s.cancelRun(ctx, actor, d, reason)
	}
	return s.changeSettlement(ctx, actor, EventSettlementCancelled, id, func(d *Settlement) error {
		if d.Status != SettlementDisputed {
			return ErrSettlementState
		}
		return s.cancel(d, reason)
	})
}

func (s *Service) reissue(ctx context.Context, actor string, id int64, reason string) (Settlement, error) {
	return s.changeSettlement(ctx, actor, EventSettlementIssued, id, func(d *Settlement) error {
		if d.Status != SettlementDisputed {
			return ErrSettlementState
		}
		d.Status, d.Reason, d.Reference, d.PaidAt = SettlementIssued, reason, "", time.Time{}
		return nil
	})
}

// cancel refuses while money may be on its way.
func (s *Service) cancel(d *Settlement, reason string) error {
	if d.PaymentKey != "" {
		return ErrPaymentUnderWay
	}
	d.Status, d.Reason, d.CancelledAt, d.UpdatedAt = SettlementCancelled, reason, s.now(), s.now()
	return nil
}

func (s *Service) cancelRun(ctx context.Context, actor string, disputed Settlement, reason string) (Settlement, error) {
	all, err := s.store.UpdateRun(ctx, disputed.Run.ID, func(all []Settlement) (Trail, error) {
		var t Trail
		for i := range all {
			d := &all[i]
			if d.Status != SettlementIssued && d.Status != SettlementDisputed || d.ID == disputed.ID && d.Status != SettlementDisputed {
				return Trail{}, ErrSettlementState
			}
			if err := s.cancel(d, reason); err != nil {
				return Trail{}, err
			}
			t.add(settlementTrail(actor, EventSettlementCancelled, d))
		}
		return t, nil
	})
	if err != nil {
		return Settlement{}, settlementError(err)
	}
	for _, d := range all {
		if d.ID == disputed.ID {
			return d, nil
		}
	}
	return Settlement{}, ErrSettlementUnknown
}

package registry

import (
	"context"
	"errors"
	"strings"
)

// PayRequest says that the payer has paid.
type PayRequest struct {
	Reference string // such as the number of the transfer; required, at most 255 characters
}

const (
	maxReference = 255 // characters
	maxReason    = 500 // characters
)

// PaySettlement records that p, the payer, has paid outside of this system:
// issued → paid. Repeated with the same reference it changes nothing.
func (s *Service) PaySettlement(ctx context.Context, p Platform, id int64, r PayRequest) (Settlement, error) {
	reference, err := settlementText("reference", r.Reference, maxReference)
	if err != nil {
		return Settlement{}, err
	}
	return s.changeSettlement(ctx, p.Actor(), EventSettlementPaid, id, func(d *Settlement) error {
		switch {
		case !d.Party(p.ID):
			return ErrSettlementUnknown
		case d.PayerID != p.ID:
			return ErrNotPayer
		case d.Status == SettlementPaid && d.Reference == reference:
			return errUnchanged
		case d.Status != SettlementIssued:
			return ErrSettlementState
		case d.PaymentKey != "":
			return ErrPaymentUnderWay
		}
		d.Status, d.Reference, d.PaidAt = SettlementPaid, reference, s.now()
		return nil
	})
}

// ConfirmSettlement records that p, the payee, has got the money: paid →
// confirmed. Its royalties are paid then.
func (s *Service) ConfirmSettlement(ctx context.Context, p Platform, id int64) (Settlement, error) {
	return s.changeSettlement(ctx, p.Actor(), EventSettlementConfirmed, id, func(d *Settlement) error {
		switch {
		case !d.Party(p.ID):
			return ErrSettlementUnknown
		case d.PayeeID != p.ID:
			return ErrNotPayee
		case d.Status == SettlementConfirmed:
			return errUnchanged
		case d.Status != SettlementPaid:
			return ErrSettlementState
		}
		d.Status, d.ConfirmedAt = SettlementConfirmed, s.now()
		return nil
	})
}

// DisputeSettlement stops an issued settlement until an admin decides; p is
// either party. One that is paid is disputed by its payee, who got no money.
func (s *Service) DisputeSettlement(ctx context.Context, p Platform, id int64, r DisputeRequest) (Settlement, error) {
	reason, err := settlementReason(r.Reason)
	if err != nil {
		return Settlement{}, err
	}
	return s.changeSettlement(ctx, p.Actor(), EventSettlementDisputed, id, func(d *Settlement) error {
		switch {
		case !d.Party(p.ID):
			return ErrSettlementUnknown
		case d.Status == SettlementDisputed && d.Reason == reason:
			return errUnchanged
		case d.Status != SettlementIssued && (d.Status != SettlementPaid || d.PayeeID != p.ID):
			return ErrSettlementState
		}
		d.Status, d.Reason, d.DisputedAt = SettlementDisputed, reason, s.now()
		return nil
	})
}

// errUnchanged ends a change that was made before.
var errUnchanged = errors.New("registry: it is so already")

// changeSettlement lets change alter a document and saves it with audit entry
// and event, unless it returns errUnchanged.
func (s *Service) changeSettlement(ctx context.Context, actor, event string, id int64, change func(*Settlement) error) (Settlement, error) {
	d, err := s.store.UpdateSettlement(ctx, id, func(d *Settlement) (Trail, error) {
		if err := change(d); err != nil {
			return Trail{}, err
		}
		d.UpdatedAt = s.now()
		return settlementTrail(actor, event, d), nil
	})
	if errors.Is(err, errUnchanged) {
		return s.AnySettlement(ctx, id)
	}
	return d, settlementError(err)
}

// settlementError is what the caller of a change is told.
func settlementError(err error) error {
	return refusal(err, ErrSettlementUnknown, "change a settlement")
}

func settlementReason(s string) (string, error) { return settlementText("reason", s, maxReason) }

// settlementText is a text of up to most characters, without blanks around it.
func settlementText(field, s string, most int) (string, error) {
	var f faults
	s = strings.TrimSpace(s)
	f.required(field, s, most)
	return s, f.err()
}

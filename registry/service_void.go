package registry

import (
	"context"
	"strconv"
)

// VoidSale voids a sale that p reported, within Config.VoidWindow of its report.
// ErrSaleUnknown comes before ErrNotSeller, ErrSaleVoided and ErrVoidTooLate. A
// royalty in an issued settlement is taken back by an adjustment in the next.
func (s *Service) VoidSale(ctx context.Context, p Platform, id int64, r VoidRequest) (Voided, error) {
	f := r.faults.clone()
	f.optional("reason", r.Reason, maxReason)
	if err := f.err(); err != nil {
		return Voided{}, err
	}
	now := s.now()
	check := func(sale Sale) error {
		switch {
		case sale.SellerID != p.ID && sale.OriginID != p.ID:
			return ErrSaleUnknown
		case sale.SellerID != p.ID:
			return ErrNotSeller
		case sale.Status != SaleReported:
			return ErrSaleVoided
		case now.Sub(sale.ReportedAt) > s.options.VoidWindow:
			return ErrVoidTooLate
		}
		return nil
	}
	v, err := s.store.VoidSale(ctx, id, r.Reason, now, check, func(v Voided) Trail {
		subject := strconv.FormatInt(id, 10)
		t := audited(now, p.Actor(), "sale.void", "sale:"+subject, detail(map[string]any{"reason": r.Reason}))
		data := saleEvent(v.Sale)
		if v.Adjustment != nil {
			data.AdjustmentID = v.Adjustment.ID
		}
		t.Events = append(t.Events, newEvent(EventSaleVoided, subject, data, now))
		return t
	})
	return v, refusal(err, ErrSaleUnknown, "void a sale")
}

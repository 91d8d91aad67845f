package catalog

import (
	"context"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// ModerationAction is what an admin does about a product.
type ModerationAction string

// The actions.
const (
	Approve ModerationAction = "approve" // there is nothing against it; it can be published again
	Reject  ModerationAction = "reject"  // off sale, until it is approved and published again
	Flag    ModerationAction = "flag"    // neither found nor sold, until it is approved or unflagged
	Unflag  ModerationAction = "unflag"  // takes a flag back, but no rejection
)

const maxReason = 500

// Moderate carries out an action of an admin, who gives a reason that may be
// empty: [ErrProductUnknown], [ErrProductDeleted], [ErrProductRejected] to unflag
// what was rejected. The same action again changes the reason only.
func (s *Service) Moderate(ctx context.Context, admin account.User, id string, action ModerationAction, reason string) (Product, error) {
	var f v402api.Faults
	v402api.Enum(&f, "moderation_action", action, Approve, Reject, Flag, Unflag)
	f.Text("reason", reason, maxReason)
	if err := f.Err(); err != nil {
		return Product{}, err
	}
	now := s.now()
	p, err := s.store.UpdateProduct(ctx, id, func(p *Product) ([]store.Event, error) {
		if p.Status == ProductDeleted {
			return nil, ErrProductDeleted
		}
		moved, err := p.moderate(action, now)
		if err != nil {
			return nil, err
		}
		p.Moderation.Reason, p.Moderation.By, p.Moderation.At, p.UpdatedAt = reason, admin.ID, now, now
		data := newProductEvent(p, now)
		data.Action, data.Reason = string(action), reason
		events := []store.Event{newEvent(EventProductModerated, p.ID, data, now)}
		if moved != "" {
			events = append(events, productEvent(moved, p, now))
		}
		return events, nil
	})
	return p, refusal(err, ErrProductUnknown, "moderate a product")
}

func (p *Product) moderate(action ModerationAction, now time.Time) (event string, err error) {
	m := &p.Moderation
	switch action {
	case Approve:
		m.Flagged, m.Rejected = false, false
	case Flag:
		m.Flagged = true
	case Unflag:
		if m.Rejected {
			return "", ErrProductRejected
		}
		m.Flagged = false
	case Reject:
		m.Flagged, m.Rejected = true, true
		if p.Status == ProductActive {
			return p.become(ProductInactive, now)
		}
	}
	return "", nil
}

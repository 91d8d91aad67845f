package webhook

import (
	"context"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// Deliveries lists deliveries to an endpoint of an owner, the newest first.
// f.Queue is ignored.
func (p *Publisher) Deliveries(ctx context.Context, ownerID, id string, f DeliveryFilter, page store.PageNumber) (store.List[Delivery], error) {
	if _, err := p.Endpoint(ctx, ownerID, id); err != nil {
		return store.List[Delivery]{}, err
	}
	f.Queue = id
	l, err := p.store.WebhookDeliveries(ctx, f, page)
	return l, refusal(err, nil, "list deliveries")
}

// Delivery returns one delivery to an endpoint of an owner.
func (p *Publisher) Delivery(ctx context.Context, ownerID, id, deliveryID string) (Delivery, error) {
	if _, err := p.Endpoint(ctx, ownerID, id); err != nil {
		return Delivery{}, err
	}
	d, err := p.store.WebhookDelivery(ctx, id, deliveryID)
	return d, refusal(err, ErrDeliveryUnknown, "read a delivery")
}

// Redeliver sends a delivery to an active endpoint of an owner again, whether it
// was delivered or given up: the same event, with the same ID.
func (p *Publisher) Redeliver(ctx context.Context, ownerID, id, deliveryID string) (Delivery, error) {
	e, err := p.Endpoint(ctx, ownerID, id)
	if err != nil {
		return Delivery{}, err
	}
	if e.Status != EndpointActive {
		return Delivery{}, ErrWebhookDisabled
	}
	d, err := p.store.RequeueDelivery(ctx, id, deliveryID, func(d Delivery) error {
		if d.Status == DeliveryPending {
			return ErrDeliveryUnderWay
		}
		return nil
	}, p.now())
	if err == nil {
		p.queued()
	}
	return d, refusal(err, ErrDeliveryUnknown, "queue a delivery again")
}

// maxReplay is how many deliveries are replayed at once.
const maxReplay = 10_000

// Replay sends those deliveries to an endpoint again that f selects and that are
// not pending, up to 10,000 of them, and returns how many: for admins, whoever
// owns it. f.Queue is ignored. actor is the ID of the admin, for the audit log.
func (p *Publisher) Replay(ctx context.Context, actor, id string, f DeliveryFilter) (int, error) {
	e, err := p.store.Webhook(ctx, id)
	switch {
	case err != nil:
		return 0, refusal(err, ErrWebhookUnknown, "read an endpoint")
	case e.Status != EndpointActive:
		return 0, ErrWebhookDisabled
	}
	f.Queue = id
	now := p.now()
	n, err := p.store.ReplayDeliveries(ctx, f, maxReplay, now, func(n int) account.Trail {
		return account.Trail{Audit: audited(now, actor, "webhook.replay", id, map[string]any{"deliveries": n, "status": f.Status})}
	})
	if err == nil {
		p.queued()
	}
	return n, refusal(err, nil, "replay deliveries")
}

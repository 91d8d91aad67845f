package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

var _ webhook.Store = (*Store)(nil)

// webhookData is what a publisher keeps.
type webhookData struct {
	endpoints  map[string]*webhook.Endpoint
	owners     map[string][]string // IDs of the endpoints of an owner
	queues     map[string]*webhookQueue
	deliveries map[string]*webhook.Delivery
	ordered    []*webhook.Delivery // as they were created, the oldest first
}

// webhookQueue is what goes to one recipient.
type webhookQueue struct {
	id          string
	failing     bool
	pending     map[string]*webhook.Delivery
	nextAt      time.Time // when something is due; zero: at no time
	standing    webhook.Standing
	owner       string
	leasedUntil time.Time
}

func (d *webhookData) init() {
	d.endpoints = map[string]*webhook.Endpoint{}
	d.owners = map[string][]string{}
	d.queues = map[string]*webhookQueue{}
	d.deliveries = map[string]*webhook.Delivery{}
}

func cloneEndpoint(e *webhook.Endpoint) webhook.Endpoint {
	c := *e
	c.Events, c.Secrets = slices.Clone(e.Events), slices.Clone(e.Secrets)
	return c
}

// storedEndpoint is e as every backend keeps it.
func storedEndpoint(e webhook.Endpoint) webhook.Endpoint {
	e = cloneEndpoint(&e)
	for _, t := range []*time.Time{&e.FailingSince, &e.DisabledAt, &e.DeliveredAt, &e.CreatedAt, &e.UpdatedAt} {
		if !t.IsZero() {
			*t = stored(*t)
		}
	}
	return e
}

// AddWebhook implements [webhook.EndpointStore].
func (s *Store) AddWebhook(ctx context.Context, e webhook.Endpoint, most int, trail account.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d := &s.webhooks
	if len(d.owners[e.OwnerID]) >= most {
		return fmt.Errorf("memory: add a webhook: %w", webhook.ErrTooMany)
	}
	e = storedEndpoint(e)
	d.endpoints[e.ID] = &e
	d.owners[e.OwnerID] = append(d.owners[e.OwnerID], e.ID)
	s.recordTrail(trail)
	return nil
}

// UpdateWebhook implements [webhook.EndpointStore].
func (s *Store) UpdateWebhook(ctx context.Context, id string, change func(*webhook.Endpoint) (account.Trail, error)) (webhook.Endpoint, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	defer leave()
	e := s.webhooks.endpoints[id]
	if e == nil {
		return webhook.Endpoint{}, missing("webhook", id)
	}
	c := cloneEndpoint(e)
	trail, err := change(&c)
	if err != nil {
		return webhook.Endpoint{}, fmt.Errorf("memory: update webhook %s: %w", id, err)
	}
	s.webhooks.alter(e, c)
	s.recordTrail(trail)
	return cloneEndpoint(e), nil
}

// alter stores what may change of an endpoint.
func (d *webhookData) alter(e *webhook.Endpoint, changed webhook.Endpoint) {
	changed.ID, changed.OwnerID, changed.CreatedAt = e.ID, e.OwnerID, e.CreatedAt
	*e = storedEndpoint(changed)
	d.rearm(e.ID)
}

// rearm sets when something is due in a queue: at no time, if it is of an
// endpoint that is not active, and not before a paused recipient is tried again.
func (d *webhookData) rearm(id string) {
	q := d.queues[id]
	if q == nil {
		return
	}
	q.nextAt = time.Time{}
	if e := d.endpoints[id]; e != nil && e.Status != webhook.EndpointActive {
		return
	}
	for _, p := range q.pending {
		if q.nextAt.IsZero() || p.NextAt.Before(q.nextAt) {
			q.nextAt = p.NextAt
		}
	}
	if !q.nextAt.IsZero() {
		q.nextAt = later(q.nextAt, q.standing.ProbeAt)
	}
}

// DeleteWebhook implements [webhook.EndpointStore].
func (s *Store) DeleteWebhook(ctx context.Context, id string, check func(webhook.Endpoint) (account.Trail, error)) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d := &s.webhooks
	e := d.endpoints[id]
	if e == nil {
		return missing("webhook", id)
	}
	trail, err := check(cloneEndpoint(e))
	if err != nil {
		return fmt.Errorf("memory: delete webhook %s: %w", id, err)
	}
	delete(d.endpoints, id)
	delete(d.queues, id)
	d.owners[e.OwnerID] = slices.DeleteFunc(d.owners[e.OwnerID], func(other string) bool { return other == id })
	d.ordered = slices.DeleteFunc(d.ordered, func(v *webhook.Delivery) bool {
		if v.Queue == id {
			delete(d.deliveries, v.ID)
		}
		return v.Queue == id
	})
	s.recordTrail(trail)
	return nil
}

// Webhook implements [webhook.EndpointStore].
func (s *Store) Webhook(ctx context.Context, id string) (webhook.Endpoint, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	defer leave()
	e := s.webhooks.endpoints[id]
	if e == nil {
		return webhook.Endpoint{}, missing("webhook", id)
	}
	return cloneEndpoint(e), nil
}

// Webhooks implements [webhook.EndpointStore].
func (s *Store) Webhooks(ctx context.Context, ownerID string, o store.PageNumber) (store.List[webhook.Endpoint], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[webhook.Endpoint]{}, err
	}
	defer leave()
	var found []*webhook.Endpoint
	for _, e := range s.webhooks.endpoints {
		if ownerID == "" || e.OwnerID == ownerID {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *webhook.Endpoint) int { return strings.Compare(b.ID, a.ID) })
	return webhookPage(found, o, cloneEndpoint), nil
}

// webhookPage is one page of list.
func webhookPage[T any](list []*T, o store.PageNumber, show func(*T) T) store.List[T] {
	o = o.Bounded()
	out := store.List[T]{Total: int64(len(list)), Page: o.Page, Size: o.Size}
	from := min(o.Offset(), len(list))
	for _, v := range list[from:min(from+o.Size, len(list))] {
		out.Items = append(out.Items, show(v))
	}
	return out
}

// QueueEvent implements [webhook.DeliveryStore].
func (s *Store) QueueEvent(ctx context.Context, endpointID string, e store.Event, now time.Time) (webhook.Delivery, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return webhook.Delivery{}, err
	}
	defer leave()
	if s.webhooks.endpoints[endpointID] == nil {
		return webhook.Delivery{}, missing("webhook", endpointID)
	}
	s.webhooks.enqueue(endpointID, e, stored(now))
	return cloneDelivery(s.webhooks.deliveries[webhook.DeliveryID(endpointID, e.ID)]), nil
}

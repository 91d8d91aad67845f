package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

func cloneDelivery(d *webhook.Delivery) webhook.Delivery {
	c := *d
	c.Event.Data, c.Log = bytes.Clone(d.Event.Data), slices.Clone(d.Log)
	return c
}

// PublishEvents implements [webhook.DeliveryStore].
func (s *Store) PublishEvents(ctx context.Context, holder string, list []webhook.Publication, now time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	done := map[string]bool{}
	held := map[string]*event{}
	for _, e := range s.outbox {
		if e.owner == holder {
			held[e.ID] = e
		}
	}
	for _, p := range list {
		e := held[p.Event.ID]
		if e == nil {
			continue
		}
		if p.HoldUntil.IsZero() {
			done[p.Event.ID] = true
		} else {
			e.leasedUntil = p.HoldUntil
		}
		s.webhooks.publish(p, stored(now))
	}
	s.outbox = slices.DeleteFunc(s.outbox, func(e *event) bool {
		if done[e.ID] {
			delete(s.saved, e.ID)
		}
		return done[e.ID]
	})
	return nil
}

func (d *webhookData) publish(p webhook.Publication, now time.Time) {
	for _, queue := range p.Queues {
		d.enqueue(queue, p.Event, now)
	}
	for _, owner := range p.Owners {
		for _, id := range d.owners[owner] {
			if d.endpoints[id].Subscribed(p.Event.Type) {
				d.enqueue(id, p.Event, now)
			}
		}
	}
}

// enqueue adds a delivery, unless it is there.
func (d *webhookData) enqueue(queue string, e store.Event, now time.Time) {
	id := webhook.DeliveryID(queue, e.ID)
	if d.deliveries[id] != nil {
		return
	}
	e.Data, e.CreatedAt = bytes.Clone(e.Data), stored(e.CreatedAt)
	v := &webhook.Delivery{
		ID: id, Queue: queue, Event: e, Status: webhook.DeliveryPending, NextAt: now, CreatedAt: now, UpdatedAt: now,
	}
	d.deliveries[id] = v
	d.ordered = append(d.ordered, v)
	q := d.queues[queue]
	if q == nil {
		q = &webhookQueue{id: queue, pending: map[string]*webhook.Delivery{}}
		d.queues[queue] = q
	}
	q.pending[id] = v
	if e := d.endpoints[queue]; e != nil && e.Status != webhook.EndpointActive {
		return
	}
	if at := later(now, q.standing.ProbeAt); q.nextAt.IsZero() || at.Before(q.nextAt) {
		q.nextAt = at
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// LeaseDeliveries implements [webhook.DeliveryStore].
func (s *Store) LeaseDeliveries(ctx context.Context, holder string, now, until time.Time, failing bool, limit, each int) ([]webhook.Batch, error) {
	leave, err := s.enter(ctx)
	if err != nil || limit <= 0 || each <= 0 {
		if leave != nil {
			leave()
		}
		return nil, err
	}
	defer leave()
	var due []*webhookQueue
	for _, q := range s.webhooks.queues {
		if q.failing == failing && !q.nextAt.IsZero() && !q.nextAt.After(now) && !q.leasedUntil.After(now) {
			due = append(due, q)
		}
	}
	slices.SortFunc(due, func(a, b *webhookQueue) int {
		return cmp.Or(a.nextAt.Compare(b.nextAt), strings.Compare(a.id, b.id))
	})
	var batches []webhook.Batch
	for _, q := range due[:min(limit, len(due))] {
		q.owner, q.leasedUntil = holder, until
		b := webhook.Batch{Queue: q.id, Standing: q.standing}
		if b.Deliveries = q.due(now, each); q.standing.Paused() {
			b.Deliveries = b.Deliveries[:min(1, len(b.Deliveries))]
		}
		if e := s.webhooks.endpoints[q.id]; e != nil {
			c := cloneEndpoint(e)
			b.Endpoint = &c
		}
		batches = append(batches, b)
	}
	return batches, nil
}

func (q *webhookQueue) due(now time.Time, most int) []webhook.Delivery {
	var due []*webhook.Delivery
	for _, v := range q.pending {
		if !v.NextAt.After(now) {
			due = append(due, v)
		}
	}
	slices.SortFunc(due, func(a, b *webhook.Delivery) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), strings.Compare(a.ID, b.ID))
	})
	var out []webhook.Delivery
	for _, v := range due[:min(most, len(due))] {
		out = append(out, cloneDelivery(v))
	}
	return out
}

// FinishDeliveries implements [webhook.DeliveryStore].
func (s *Store) FinishDeliveries(ctx context.Context, holder, queue string, outcomes []webhook.Outcome,
	change func(*webhook.Endpoint, *webhook.Standing) account.Trail, now time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d := &s.webhooks
	q := d.queues[queue]
	if e := d.endpoints[queue]; e != nil {
		c := cloneEndpoint(e)
		s.recordTrail(change(&c, nil))
		d.alter(e, c)
	} else if q != nil {
		s.recordTrail(change(nil, &q.standing))
		q.standing.FailingSince, q.standing.ProbeAt = stored(q.standing.FailingSince), stored(q.standing.ProbeAt)
	}
	if q == nil {
		return nil
	}
	success := false
	for _, o := range outcomes {
		success = success || o.Status == webhook.DeliveryDelivered
		q.record(o, stored(now))
	}
	if len(outcomes) > 0 {
		q.failing = !success
	}
	if q.owner == holder {
		q.owner, q.leasedUntil = "", time.Time{}
	}
	d.rearm(queue)
	return nil
}

func (q *webhookQueue) record(o webhook.Outcome, now time.Time) {
	v := q.pending[o.ID]
	if v == nil || v.Attempts != o.Attempt.N-1 {
		return
	}
	o.Attempt.At = stored(o.Attempt.At)
	v.Status, v.Attempts, v.NextAt, v.UpdatedAt = o.Status, v.Attempts+1, stored(o.NextAt), now
	v.Log = webhook.AddAttempt(v.Log, o.Attempt)
	if o.Status != webhook.DeliveryDelivered {
		v.Failures++
	}
	if o.Status != webhook.DeliveryPending {
		delete(q.pending, v.ID)
	}
}

// RequeueDelivery implements [webhook.DeliveryStore].
func (s *Store) RequeueDelivery(ctx context.Context, queue, id string, check func(webhook.Delivery) error, now time.Time) (webhook.Delivery, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return webhook.Delivery{}, err
	}
	defer leave()
	v := s.webhooks.deliveries[id]
	if v == nil || v.Queue != queue {
		return webhook.Delivery{}, missing("delivery", id)
	}
	if err := check(cloneDelivery(v)); err != nil {
		return webhook.Delivery{}, fmt.Errorf("memory: requeue delivery %s: %w", id, err)
	}
	s.webhooks.requeue(v, stored(now))
	return cloneDelivery(v), nil
}

func (d *webhookData) requeue(v *webhook.Delivery, now time.Time) {
	v.Status, v.Failures, v.NextAt, v.UpdatedAt = webhook.DeliveryPending, 0, now, now
	d.queues[v.Queue].pending[v.ID] = v
	d.rearm(v.Queue)
}

// ReplayDeliveries implements [webhook.DeliveryStore].
func (s *Store) ReplayDeliveries(ctx context.Context, f webhook.DeliveryFilter, limit int, now time.Time, record func(int) account.Trail) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	for _, v := range s.webhooks.ordered {
		if n < limit && v.Status != webhook.DeliveryPending && selectedDelivery(f, v) {
			s.webhooks.requeue(v, stored(now))
			n++
		}
	}
	if n > 0 {
		s.recordTrail(record(n))
	}
	return n, nil
}

func selectedDelivery(f webhook.DeliveryFilter, v *webhook.Delivery) bool {
	return (f.Queue == "" || f.Queue == v.Queue) && (f.Status == "" || f.Status == v.Status) &&
		(f.EventType == "" || f.EventType == v.Event.Type) && (f.EventID == "" || f.EventID == v.Event.ID) && within(v.CreatedAt, f.From, f.To)
}

// WebhookDelivery implements [webhook.DeliveryStore].
func (s *Store) WebhookDelivery(ctx context.Context, queue, id string) (webhook.Delivery, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return webhook.Delivery{}, err
	}
	defer leave()
	v := s.webhooks.deliveries[id]
	if v == nil || v.Queue != queue {
		return webhook.Delivery{}, missing("delivery", id)
	}
	return cloneDelivery(v), nil
}

// WebhookDeliveries implements [webhook.DeliveryStore].
func (s *Store) WebhookDeliveries(ctx context.Context, f webhook.DeliveryFilter, o store.PageNumber) (store.List[webhook.Delivery], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[webhook.Delivery]{}, err
	}
	defer leave()
	var found []*webhook.Delivery
	for _, v := range s.webhooks.ordered {
		if selectedDelivery(f, v) {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *webhook.Delivery) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
	})
	return webhookPage(found, o, cloneDelivery), nil
}

// PruneDeliveries implements [webhook.DeliveryStore].
func (s *Store) PruneDeliveries(ctx context.Context, before time.Time, limit int) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	d, n := &s.webhooks, 0
	d.ordered = slices.DeleteFunc(d.ordered, func(v *webhook.Delivery) bool {
		if n >= limit || !v.CreatedAt.Before(before) {
			return false
		}
		n++
		delete(d.deliveries, v.ID)
		delete(d.queues[v.Queue].pending, v.ID)
		d.rearm(v.Queue)
		return true
	})
	d.pruneEmpty(before, limit)
	return n, nil
}

// pruneEmpty forgets direct recipients that nothing is kept of.
func (d *webhookData) pruneEmpty(before time.Time, limit int) {
	kept := map[string]bool{}
	for _, v := range d.ordered {
		kept[v.Queue] = true
	}
	for id, q := range d.queues {
		if limit > 0 && !kept[id] && d.endpoints[id] == nil && q.leasedUntil.Before(before) {
			delete(d.queues, id)
			limit--
		}
	}
}

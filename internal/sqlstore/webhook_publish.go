package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// PublishEvents implements [webhook.DeliveryStore].
func (s *DB) PublishEvents(ctx context.Context, holder string, publications []webhook.Publication, now time.Time) error {
	if len(publications) == 0 {
		return nil
	}
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		held, err := s.release(ctx, tx, holder, publications)
		if err != nil {
			return err
		}
		subscribers, err := s.subscribers(ctx, tx, held)
		if err != nil {
			return err
		}
		var queued []webhook.Delivery
		for _, p := range held {
			for _, queue := range recipients(p, subscribers) {
				queued = append(queued, webhook.Delivery{Queue: queue, Event: p.Event})
			}
		}
		return s.enqueue(ctx, tx, queued, now)
	})
	if err != nil {
		return s.errorf("publish events: %w", err)
	}
	return nil
}

// release takes events out of the outbox, or holds them, and returns those that
// holder has.
func (s *DB) release(ctx context.Context, tx querier, holder string, publications []webhook.Publication) ([]webhook.Publication, error) {
	var done []string
	gone := map[string]bool{}
	for _, p := range publications {
		if p.HoldUntil.IsZero() {
			done = append(done, p.Event.ID)
			continue
		}
		ids, err := all(ctx, tx, column[string], "UPDATE v402_outbox SET leased_until = $1 WHERE id = $2 AND owner = $3 RETURNING id",
			micros(p.HoldUntil), p.Event.ID, holder)
		if err != nil {
			return nil, err
		}
		gone[p.Event.ID] = len(ids) == 1
	}
	for run := range pieces(done, s.names) {
		ids, err := all(ctx, tx, column[string], "DELETE FROM v402_outbox WHERE owner = $1 AND id IN "+list(2, len(run))+" RETURNING id",
			append([]any{holder}, anys(run)...)...)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			gone[id] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(publications), func(p webhook.Publication) bool { return !gone[p.Event.ID] }), nil
}

// subscribers are the endpoints of all owners of the list, by owner. Where rows
// are locked they are, so that none of them is deleted meanwhile.
func (s *DB) subscribers(ctx context.Context, tx querier, publications []webhook.Publication) (map[string][]webhook.Endpoint, error) {
	owners := map[string]bool{}
	for _, p := range publications {
		for _, id := range p.Owners {
			owners[id] = true
		}
	}
	out := map[string][]webhook.Endpoint{}
	for run := range pieces(slices.Sorted(maps.Keys(owners)), s.names) {
		found, err := all(ctx, tx, endpoints.scan, "SELECT "+webhookColumns+" FROM v402_webhooks WHERE status = 'active' AND owner_id IN "+
			list(1, len(run))+" ORDER BY id"+s.lock, anys(run)...)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			out[e.OwnerID] = append(out[e.OwnerID], e)
		}
	}
	return out, nil
}

// recipients are the queues that p goes to.
func recipients(p webhook.Publication, subscribers map[string][]webhook.Endpoint) []string {
	queues := slices.Clone(p.Queues)
	for _, owner := range p.Owners {
		for _, e := range subscribers[owner] {
			if e.Subscribed(p.Event.Type) {
				queues = append(queues, e.ID)
			}
		}
	}
	return queues
}

// enqueue adds those deliveries that are not there yet, due now.
func (s *DB) enqueue(ctx context.Context, tx querier, deliveries []webhook.Delivery, now time.Time) error {
	var events, rows [][]any
	saved, queues := map[string]bool{}, map[string]bool{}
	at := micros(now)
	for _, d := range deliveries {
		e := d.Event
		if !saved[e.ID] {
			saved[e.ID] = true
			events = append(events, []any{e.ID, e.Type, e.Subject, string(e.Data), micros(e.CreatedAt), at})
		}
		queues[d.Queue] = true
		rows = append(rows, []any{webhook.DeliveryID(d.Queue, e.ID), d.Queue, e.ID, e.Type, string(webhook.DeliveryPending), 0, 0, at, at, at, "[]"})
	}
	if err := put(ctx, tx, "v402_webhook_events", "id, type, subject, data, created_at, queued_at", events,
		"DO UPDATE SET queued_at = excluded.queued_at"); err != nil {
		return err
	}
	for _, queue := range slices.Sorted(maps.Keys(queues)) { // in one order, for all who do this at once
		_, err := tx.ExecContext(ctx, `INSERT INTO v402_webhook_queues (id, failing, next_at, owner, leased_until) VALUES ($1, 0, $2, '', 0)
			ON CONFLICT (id) DO UPDATE SET next_at = CASE WHEN v402_webhook_queues.probe_at > 0 THEN v402_webhook_queues.probe_at
			WHEN v402_webhook_queues.next_at > excluded.next_at THEN excluded.next_at ELSE v402_webhook_queues.next_at END`, queue, at)
		if err != nil {
			return err
		}
	}
	return put(ctx, tx, "v402_webhook_deliveries",
		"id, queue, event_id, event_type, status, attempts, failures, next_at, created_at, updated_at, log", rows, "DO NOTHING")
}

// put writes rows, and does as it is told with those whose ID is there.
func put(ctx context.Context, tx querier, table, columns string, rows [][]any, conflict string) error {
	for run := range pieces(rows, bulk) {
		var args []any
		for _, row := range run {
			args = append(args, row...)
		}
		query := "INSERT INTO " + table + " (" + columns + ") VALUES " + tuples(1, len(run), make([]string, len(run[0]))...) + " ON CONFLICT (id) " + conflict
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// QueueEvent implements [webhook.DeliveryStore].
func (s *DB) QueueEvent(ctx context.Context, endpointID string, e store.Event, now time.Time) (webhook.Delivery, error) {
	var d webhook.Delivery
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if _, err := s.lockWebhook(ctx, tx, endpointID); err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, []webhook.Delivery{{Queue: endpointID, Event: e}}, now); err != nil {
			return err
		}
		if err := rearm(ctx, tx, endpointID); err != nil {
			return err
		}
		var err error
		d, err = single(ctx, tx, deliveries, "d.id = $1", webhook.DeliveryID(endpointID, e.ID))
		return err
	})
	if err != nil {
		return webhook.Delivery{}, s.errorf("queue an event for webhook %s: %w", endpointID, err)
	}
	return d, nil
}

const deliveryColumns = "d.id, d.queue, d.status, d.attempts, d.failures, d.next_at, d.created_at, d.updated_at, d.log, " +
	"e.id, e.type, e.subject, e.data, e.created_at"

var deliveries = selection[webhook.Delivery]{
	columns: deliveryColumns, counted: "v402_webhook_deliveries d", joined: " JOIN v402_webhook_events e ON e.id = d.event_id",
	id: "d.created_at DESC, d.id", scan: scanDelivery,
}

func scanDelivery(rows *sql.Rows) (d webhook.Delivery, err error) {
	var next, created, updated, happened int64
	var log, data string
	if err = rows.Scan(&d.ID, &d.Queue, &d.Status, &d.Attempts, &d.Failures, &next, &created, &updated, &log,
		&d.Event.ID, &d.Event.Type, &d.Event.Subject, &data, &happened); err != nil {
		return d, err
	}
	d.NextAt, d.CreatedAt, d.UpdatedAt, d.Event.CreatedAt = moment(next), moment(created), moment(updated), moment(happened)
	if data != "" {
		d.Event.Data = []byte(data)
	}
	if d.Log, err = readLog(log); err != nil {
		return d, fmt.Errorf("the log of delivery %s: %w", d.ID, err)
	}
	return d, nil
}

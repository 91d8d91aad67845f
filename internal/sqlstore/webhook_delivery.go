package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// LeaseDeliveries implements [webhook.DeliveryStore].
func (s *DB) LeaseDeliveries(ctx context.Context, holder string, now, until time.Time, failing bool, limit, each int) ([]webhook.Batch, error) {
	if limit <= 0 || each <= 0 {
		return nil, nil
	}
	idle, err := s.nothingDue(ctx, now, failing)
	if err != nil || idle {
		return nil, err
	}
	var batches []webhook.Batch
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		batches = nil
		queues, err := all(ctx, tx, scanQueue, `WITH free AS MATERIALIZED (
				SELECT id FROM v402_webhook_queues WHERE failing = $1 AND next_at <= $2 AND leased_until <= $2 ORDER BY next_at LIMIT $3`+s.skipLocked+`)
			UPDATE v402_webhook_queues SET owner = $4, leased_until = $5 WHERE id IN (SELECT id FROM free) AND leased_until <= $2
			RETURNING id, failing_since, probe_at`,
			flag(failing), micros(now), limit, holder, micros(until))
		if err != nil {
			return err
		}
		for _, b := range queues {
			err := fill(ctx, tx, &b, now, each)
			if err == nil && len(b.Deliveries) > 0 {
				batches = append(batches, b)
				continue
			}
			if err == nil { // what was published again was there already
				err = endLease(ctx, tx, holder, b.Queue)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.errorf("lease deliveries: %w", err)
	}
	return batches, nil
}

// nothingDue spares a transaction where there is nothing to lease.
func (s *DB) nothingDue(ctx context.Context, now time.Time, failing bool) (bool, error) {
	_, err := one(ctx, s.read, column[string], "SELECT id FROM v402_webhook_queues WHERE failing = $1 AND next_at <= $2 AND leased_until <= $2 LIMIT 1",
		flag(failing), micros(now))
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, s.errorf("look for deliveries: %w", err)
	}
	return false, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// scanQueue scans a queue without what is due.
func scanQueue(rows *sql.Rows) (b webhook.Batch, err error) {
	var failing, probe int64
	err = rows.Scan(&b.Queue, &failing, &probe)
	b.Standing = webhook.Standing{FailingSince: optionalMoment(failing), ProbeAt: optionalMoment(probe)}
	return b, err
}

// fill adds to a queue its endpoint and what is due.
func fill(ctx context.Context, tx querier, b *webhook.Batch, now time.Time, each int) error {
	e, err := one(ctx, tx, endpoints.scan, "SELECT "+webhookColumns+" FROM v402_webhooks WHERE id = $1", b.Queue)
	switch {
	case err == nil:
		b.Endpoint = &e
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if b.Standing.Paused() {
		each = 1
	}
	b.Deliveries, err = all(ctx, tx, scanDelivery, "SELECT "+deliveryColumns+" FROM "+deliveries.counted+deliveries.joined+
		" WHERE d.queue = $1 AND d.status = 'pending' AND d.next_at <= $2 ORDER BY d.next_at, d.id LIMIT $3", b.Queue, micros(now), each)
	return err
}

// FinishDeliveries implements [webhook.DeliveryStore].
func (s *DB) FinishDeliveries(ctx context.Context, holder, queue string, outcomes []webhook.Outcome,
	change func(*webhook.Endpoint, *webhook.Standing) account.Trail, now time.Time) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		trail, err := s.alterRecipient(ctx, tx, queue, change)
		if err != nil {
			return err
		}
		if err := recordOutcomes(ctx, tx, outcomes, now); err != nil {
			return err
		}
		if len(outcomes) > 0 {
			if _, err := tx.ExecContext(ctx, "UPDATE v402_webhook_queues SET failing = $1 WHERE id = $2", flag(allFailed(outcomes)), queue); err != nil {
				return err
			}
		}
		if err := endLease(ctx, tx, holder, queue); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("finish deliveries to %s: %w", queue, err)
	}
	return nil
}

// lockQueue holds a queue, after its endpoint if both are held: what is queued
// meanwhile is seen once it is given back.
func (s *DB) lockQueue(ctx context.Context, tx querier, queue string) error {
	if s.lock == "" {
		return nil
	}
	_, err := all(ctx, tx, column[string], "SELECT id FROM v402_webhook_queues WHERE id = $1"+s.lock, queue)
	return err
}

// endLease ends holder's lease of a queue, if it has it.
func endLease(ctx context.Context, tx querier, holder, queue string) error {
	if _, err := tx.ExecContext(ctx, "UPDATE v402_webhook_queues SET owner = '', leased_until = 0 WHERE id = $1 AND owner = $2", queue, holder); err != nil {
		return err
	}
	return rearm(ctx, tx, queue)
}

// alterRecipient lets change alter the endpoint of a queue, or else its standing,
// and holds the queue.
func (s *DB) alterRecipient(ctx context.Context, tx querier, queue string, change func(*webhook.Endpoint, *webhook.Standing) account.Trail) (account.Trail, error) {
	e, err := s.lockWebhook(ctx, tx, queue)
	if err == nil {
		trail := change(&e, nil)
		if err := saveWebhook(ctx, tx, queue, &e); err != nil {
			return trail, err
		}
		return trail, s.lockQueue(ctx, tx, queue)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return account.Trail{}, err
	}
	b, err := one(ctx, tx, scanQueue, "SELECT id, failing_since, probe_at FROM v402_webhook_queues WHERE id = $1"+s.lock, queue)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Trail{}, nil
	}
	if err != nil {
		return account.Trail{}, err
	}
	trail := change(nil, &b.Standing)
	_, err = tx.ExecContext(ctx, "UPDATE v402_webhook_queues SET failing_since = $1, probe_at = $2 WHERE id = $3",
		optional(b.Standing.FailingSince), optional(b.Standing.ProbeAt), queue)
	return trail, err
}

// allFailed says whether none of outcomes was a success.
func allFailed(outcomes []webhook.Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o webhook.Outcome) bool { return o.Status == webhook.DeliveryDelivered })
}

func recordOutcomes(ctx context.Context, tx querier, outcomes []webhook.Outcome, now time.Time) error {
	for _, o := range outcomes {
		logs, err := all(ctx, tx, column[string], "SELECT log FROM v402_webhook_deliveries WHERE id = $1 AND status = 'pending' AND attempts = $2",
			o.ID, o.Attempt.N-1)
		if err != nil {
			return err
		}
		if len(logs) == 0 {
			continue // it was recorded before, or there is nothing to do any more
		}
		log, err := readLog(logs[0])
		if err != nil {
			return err
		}
		text, err := json.Marshal(webhook.AddAttempt(log, o.Attempt))
		if err != nil {
			return err
		}
		failure := flag(o.Status != webhook.DeliveryDelivered)
		_, err = tx.ExecContext(ctx, `UPDATE v402_webhook_deliveries SET status = $1, attempts = attempts + 1, failures = failures + $2, next_at = $3,
			updated_at = $4, log = $5 WHERE id = $6`, string(o.Status), failure, micros(o.NextAt), micros(now), string(text), o.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

func readLog(text string) ([]webhook.Attempt, error) {
	var log []webhook.Attempt
	if err := json.Unmarshal([]byte(text), &log); err != nil || len(log) == 0 {
		return nil, err
	}
	return log, nil
}

// RequeueDelivery implements [webhook.DeliveryStore].
func (s *DB) RequeueDelivery(ctx context.Context, queue, id string, check func(webhook.Delivery) error, now time.Time) (webhook.Delivery, error) {
	var d webhook.Delivery
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockQueue(ctx, tx, queue); err != nil {
			return err
		}
		var err error
		if d, err = single(ctx, tx, deliveries, "d.id = $1", id); err != nil {
			return err
		}
		if d.Queue != queue {
			return store.ErrNotFound
		}
		if err := check(d); err != nil {
			return err
		}
		if err := requeue(ctx, tx, queue, []string{id}, now); err != nil {
			return err
		}
		d, err = single(ctx, tx, deliveries, "d.id = $1", id)
		return err
	})
	if err != nil {
		return webhook.Delivery{}, s.errorf("requeue delivery %s: %w", id, err)
	}
	return d, nil
}

func requeue(ctx context.Context, tx querier, queue string, ids []string, now time.Time) error {
	for run := range pieces(ids, bulk) {
		_, err := tx.ExecContext(ctx, "UPDATE v402_webhook_deliveries SET status = 'pending', failures = 0, next_at = $1, updated_at = $1 WHERE id IN "+
			list(2, len(run)), append([]any{micros(now)}, anys(run)...)...)
		if err != nil {
			return err
		}
	}
	return rearm(ctx, tx, queue)
}

// ReplayDeliveries implements [webhook.DeliveryStore].
func (s *DB) ReplayDeliveries(ctx context.Context, of webhook.DeliveryFilter, limit int, now time.Time, record func(int) account.Trail) (int, error) {
	n := 0
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockQueue(ctx, tx, of.Queue); err != nil {
			return err
		}
		f := deliveryFilter(of)
		f.add("d.status <> ?", string(webhook.DeliveryPending))
		ids, err := all(ctx, tx, column[string], "SELECT d.id FROM v402_webhook_deliveries d"+f.String()+" ORDER BY d.created_at, d.id LIMIT $"+
			strconv.Itoa(len(f.args)+1), append(f.args, limit)...)
		if err != nil {
			return err
		}
		if n = len(ids); n == 0 {
			return nil
		}
		if err := requeue(ctx, tx, of.Queue, ids, now); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, record(n))
	})
	if err != nil {
		return 0, s.errorf("replay deliveries to %s: %w", of.Queue, err)
	}
	return n, nil
}

func deliveryFilter(of webhook.DeliveryFilter) filter {
	var f filter
	f.text("d.queue = ?", of.Queue)
	f.text("d.status = ?", string(of.Status))
	f.text("d.event_type = ?", of.EventType)
	f.text("d.event_id = ?", of.EventID)
	f.within("d.created_at", of.From, of.To)
	return f
}

// WebhookDelivery implements [webhook.DeliveryStore].
func (s *DB) WebhookDelivery(ctx context.Context, queue, id string) (webhook.Delivery, error) {
	d, err := single(ctx, s.read, deliveries, "d.id = $1", id)
	if err == nil && d.Queue != queue {
		d, err = webhook.Delivery{}, store.ErrNotFound
	}
	if err != nil {
		return d, s.errorf("delivery %s: %w", id, err)
	}
	return d, nil
}

// WebhookDeliveries implements [webhook.DeliveryStore].
func (s *DB) WebhookDeliveries(ctx context.Context, of webhook.DeliveryFilter, o store.PageNumber) (store.List[webhook.Delivery], error) {
	l, err := numbered(ctx, s.read, deliveries, deliveryFilter(of), o)
	if err != nil {
		return l, s.errorf("list deliveries: %w", err)
	}
	return l, nil
}

// PruneDeliveries implements [webhook.DeliveryStore].
func (s *DB) PruneDeliveries(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		queues, err := all(ctx, tx, column[string], `DELETE FROM v402_webhook_deliveries WHERE id IN
			(SELECT id FROM v402_webhook_deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2) RETURNING queue`, micros(before), limit)
		if err != nil {
			return err
		}
		n = len(queues)
		slices.Sort(queues)
		for _, queue := range slices.Compact(queues) {
			if err := s.lockQueue(ctx, tx, queue); err != nil {
				return err
			}
			if err := rearm(ctx, tx, queue); err != nil {
				return err
			}
		}
		return pruneEmpty(ctx, tx, before, limit)
	})
	if err != nil {
		return 0, s.errorf("prune deliveries: %w", err)
	}
	return n, nil
}

// pruneEmpty deletes events and direct recipients without deliveries. What is
// queued at the same time changes their rows, which are looked at once more when
// they are free; the queues of endpoints stay until those are deleted.
func pruneEmpty(ctx context.Context, tx querier, before time.Time, limit int) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM v402_webhook_events WHERE queued_at < $1 AND id IN (SELECT e.id FROM v402_webhook_events e WHERE e.queued_at < $1
		AND NOT EXISTS (SELECT 1 FROM v402_webhook_deliveries d WHERE d.event_id = e.id) ORDER BY e.queued_at LIMIT $2)`, micros(before), limit)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM v402_webhook_queues WHERE next_at = $1 AND leased_until < $2 AND id IN (SELECT q.id FROM v402_webhook_queues q
		WHERE q.next_at = $1 AND q.leased_until < $2 AND NOT EXISTS (SELECT 1 FROM v402_webhook_deliveries d WHERE d.queue = q.id)
		AND NOT EXISTS (SELECT 1 FROM v402_webhooks w WHERE w.id = q.id) LIMIT $3)`, int64(never), micros(before), limit)
	return err
}

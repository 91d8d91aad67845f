package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

var _ webhook.Store = (*DB)(nil)

const webhookColumns = "id, owner_id, url, description, events, status, reason, secrets, failing_since, disabled_at, delivered_at, " +
	"created_at, updated_at"

func webhookRow(e *webhook.Endpoint) ([]any, error) {
	events, err := json.Marshal(e.Events)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(e.Secrets)
	return []any{
		e.ID, e.OwnerID, e.URL, e.Description, string(events), string(e.Status), string(e.Reason), string(secrets),
		optional(e.FailingSince), optional(e.DisabledAt), optional(e.DeliveredAt), micros(e.CreatedAt), micros(e.UpdatedAt),
	}, err
}

var endpoints = selection[webhook.Endpoint]{
	columns: webhookColumns, counted: "v402_webhooks", id: "id",
	scan: func(rows *sql.Rows) (e webhook.Endpoint, err error) {
		var events, secrets string
		var failing, disabled, delivered, created, updated int64
		if err = rows.Scan(&e.ID, &e.OwnerID, &e.URL, &e.Description, &events, &e.Status, &e.Reason, &secrets,
			&failing, &disabled, &delivered, &created, &updated); err != nil {
			return e, err
		}
		e.FailingSince, e.DisabledAt, e.DeliveredAt = optionalMoment(failing), optionalMoment(disabled), optionalMoment(delivered)
		e.CreatedAt, e.UpdatedAt = moment(created), moment(updated)
		if err = json.Unmarshal([]byte(events), &e.Events); err == nil {
			err = json.Unmarshal([]byte(secrets), &e.Secrets)
		}
		return e, err
	},
}

// AddWebhook implements [webhook.EndpointStore]. Each endpoint of an owner has a
// slot: two that are added at once cannot take the last one both.
func (s *DB) AddWebhook(ctx context.Context, e webhook.Endpoint, most int, trail account.Trail) error {
	args, err := webhookRow(&e)
	if err != nil {
		return s.errorf("add a webhook: %w", err)
	}
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		taken, err := all(ctx, tx, column[int64], "SELECT slot FROM v402_webhooks WHERE owner_id = $1", e.OwnerID)
		if err != nil {
			return err
		}
		if len(taken) >= most {
			return webhook.ErrTooMany
		}
		slot := int64(1)
		for slices.Contains(taken, slot) {
			slot++
		}
		result, err := tx.ExecContext(ctx, "INSERT INTO v402_webhooks ("+webhookColumns+", slot) VALUES "+list(1, len(args)+1)+
			" ON CONFLICT (owner_id, slot) DO NOTHING", append(slices.Clone(args), slot)...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, errAgain) // somebody took the slot meanwhile
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("add a webhook: %w", err)
	}
	return nil
}

// UpdateWebhook implements [webhook.EndpointStore].
func (s *DB) UpdateWebhook(ctx context.Context, id string, change func(*webhook.Endpoint) (account.Trail, error)) (webhook.Endpoint, error) {
	var e webhook.Endpoint
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if e, err = s.lockWebhook(ctx, tx, id); err != nil {
			return err
		}
		trail, err := change(&e)
		if err != nil {
			return err
		}
		if err = saveWebhook(ctx, tx, id, &e); err != nil {
			return err
		}
		if err = s.lockQueue(ctx, tx, id); err != nil {
			return err
		}
		if err = rearm(ctx, tx, id); err != nil {
			return err
		}
		if e, err = single(ctx, tx, endpoints, "id = $1", id); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return webhook.Endpoint{}, s.errorf("update webhook %s: %w", id, err)
	}
	return e, nil
}

func (s *DB) lockWebhook(ctx context.Context, tx querier, id string) (webhook.Endpoint, error) {
	e, err := one(ctx, tx, endpoints.scan, "SELECT "+webhookColumns+" FROM v402_webhooks WHERE id = $1"+s.lock, id)
	return e, found(err)
}

// saveWebhook stores what may change of an endpoint. Its queue is then to be
// rearmed.
func saveWebhook(ctx context.Context, tx querier, id string, e *webhook.Endpoint) error {
	args, err := webhookRow(e)
	if err != nil {
		return err
	}
	return update(ctx, tx, "v402_webhooks", "url, description, events, status, reason, secrets, failing_since, disabled_at, delivered_at, updated_at",
		append(slices.Concat(args[2:11], args[12:]), id)...)
}

// never is the next_at of a queue without anything due.
const never = math.MaxInt64

// rearm sets when something is due in a queue: at no time, if it is of an
// endpoint that is not active, and not before a paused recipient is tried again.
// The queue is held before, by lockQueue or by a change of its row: what others
// queue at the same time would not be seen.
func rearm(ctx context.Context, tx querier, queue string) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE v402_webhook_queues SET next_at = COALESCE((
		SELECT CASE WHEN MIN(d.next_at) < v402_webhook_queues.probe_at THEN v402_webhook_queues.probe_at ELSE MIN(d.next_at) END
		FROM v402_webhook_deliveries d WHERE d.queue = $1 AND d.status = 'pending'
		AND NOT EXISTS (SELECT 1 FROM v402_webhooks WHERE id = $1 AND status <> 'active')), %d) WHERE id = $1`, int64(never)), queue)
	return err
}

// DeleteWebhook implements [webhook.EndpointStore].
func (s *DB) DeleteWebhook(ctx context.Context, id string, check func(webhook.Endpoint) (account.Trail, error)) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		e, err := s.lockWebhook(ctx, tx, id)
		if err != nil {
			return err
		}
		trail, err := check(e)
		if err != nil {
			return err
		}
		for _, query := range []string{
			"DELETE FROM v402_webhooks WHERE id = $1",
			"DELETE FROM v402_webhook_queues WHERE id = $1",
			"DELETE FROM v402_webhook_deliveries WHERE queue = $1",
		} {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return err
			}
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("delete webhook %s: %w", id, err)
	}
	return nil
}

// Webhook implements [webhook.EndpointStore].
func (s *DB) Webhook(ctx context.Context, id string) (webhook.Endpoint, error) {
	e, err := single(ctx, s.read, endpoints, "id = $1", id)
	if err != nil {
		return e, s.errorf("webhook %s: %w", id, err)
	}
	return e, nil
}

// Webhooks implements [webhook.EndpointStore].
func (s *DB) Webhooks(ctx context.Context, ownerID string, o store.PageNumber) (store.List[webhook.Endpoint], error) {
	var f filter
	f.text("owner_id = ?", ownerID)
	l, err := numbered(ctx, s.read, endpoints, f, o)
	if err != nil {
		return l, s.errorf("list webhooks: %w", err)
	}
	return l, nil
}

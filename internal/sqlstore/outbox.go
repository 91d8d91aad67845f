package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/v402/v402/store"
)

// saveEvents puts events into the outbox, each ID once.
func (s *DB) saveEvents(ctx context.Context, tx querier, events []store.Event) error {
	const width = 8
	for run := range pieces(events, s.rows) {
		var args []any
		for _, e := range run {
			args = append(args, e.ID, s.nextSeq(), e.Type, e.Subject, string(e.Data), micros(e.CreatedAt), "", int64(0))
		}
		query := `INSERT INTO v402_outbox (id, seq, type, subject, data, created_at, owner, leased_until)
			VALUES ` + tuples(1, len(run), make([]string, width)...) + ` ON CONFLICT DO NOTHING`
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// LeaseEvents implements [store.Outbox].
func (s *DB) LeaseEvents(ctx context.Context, owner string, now, until time.Time, limit int) ([]store.Event, error) {
	if limit <= 0 {
		return nil, nil
	}
	query := `WITH free AS MATERIALIZED (
			SELECT id FROM v402_outbox WHERE leased_until <= $1 ORDER BY seq LIMIT $2` + s.skipLocked + `)
		UPDATE v402_outbox SET owner = $3, leased_until = $4
		WHERE id IN (SELECT id FROM free) AND leased_until <= $1
		RETURNING id, type, subject, data, created_at, seq`
	var rows []eventRow
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		rows, err = all(ctx, tx, scanEvent, query, micros(now), limit, owner, micros(until))
		return err
	})
	if err != nil {
		return nil, s.errorf("lease events: %w", err)
	}
	slices.SortFunc(rows, func(a, b eventRow) int { return cmp.Compare(a.seq, b.seq) })
	events := make([]store.Event, len(rows))
	for i := range rows {
		events[i] = rows[i].Event
	}
	return events, nil
}

// eventRow is a row of the outbox.
type eventRow struct {
	store.Event
	seq int64
}

func scanEvent(rows *sql.Rows) (eventRow, error) {
	var r eventRow
	var data string
	var createdAt int64
	err := rows.Scan(&r.ID, &r.Type, &r.Subject, &data, &createdAt, &r.seq)
	if data != "" {
		r.Data = json.RawMessage(data)
	}
	r.CreatedAt = moment(createdAt)
	return r, err
}

// AckEvents implements [store.Outbox].
func (s *DB) AckEvents(ctx context.Context, owner string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		for run := range pieces(sorted, s.names) {
			query := "DELETE FROM v402_outbox WHERE owner = $1 AND id IN " + list(2, len(run))
			if _, err := tx.ExecContext(ctx, query, append([]any{owner}, anys(run)...)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.errorf("acknowledge events: %w", err)
	}
	return nil
}

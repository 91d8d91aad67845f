package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

var _ catalog.LogStore = (*DB)(nil)

const logColumns = "id, product_id, owner_id, status, ip, user_agent, country, payment_id, payer, price, currency, created_at"

// AddLog implements [catalog.LogStore]. A batch whose entries are all there was
// stored before.
func (s *DB) AddLog(ctx context.Context, b catalog.LogBatch) error {
	if len(b.Entries) == 0 && len(b.Events) == 0 {
		return nil
	}
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		added, err := addLogEntries(ctx, tx, b.Entries)
		if err != nil || added == 0 && len(b.Entries) > 0 {
			return err
		}
		if err := s.addDemand(ctx, tx, b.Entries); err != nil {
			return err
		}
		if err := addLogGaps(ctx, tx, b.Left); err != nil {
			return err
		}
		return s.saveEvents(ctx, tx, b.Events)
	})
	if err != nil {
		return s.errorf("add %d entries to the access log: %w", len(b.Entries), err)
	}
	return nil
}

func addLogEntries(ctx context.Context, tx querier, entries []catalog.LogEntry) (added int64, err error) {
	const width = 12
	for run := range pieces(entries, bulk) {
		args := make([]any, 0, width*len(run))
		for _, e := range run {
			args = append(args, e.ID, e.ProductID, e.OwnerID, string(e.Status), e.IP, e.UserAgent, e.Country, e.PaymentID, e.Payer,
				e.Price.String(), e.Currency, micros(e.CreatedAt))
		}
		query := "INSERT INTO v402_access_log (" + logColumns + ") VALUES " + tuples(1, len(run), make([]string, width)...) + " ON CONFLICT DO NOTHING"
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		added += n
	}
	return added, nil
}

// addLogGaps takes the rows in one order, in which nobody waits for another in a
// circle.
func addLogGaps(ctx context.Context, tx querier, gaps []catalog.LogGap) error {
	for _, g := range gaps {
		_, err := tx.ExecContext(ctx, `INSERT INTO v402_access_log_gaps (owner_id, hour, attempts) VALUES ($1, $2, $3)
			ON CONFLICT (owner_id, hour) DO UPDATE SET attempts = v402_access_log_gaps.attempts + excluded.attempts`,
			g.OwnerID, micros(g.At.Truncate(time.Hour)), g.Count)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanLogEntry(rows *sql.Rows) (e catalog.LogEntry, err error) {
	var price string
	var at int64
	err = rows.Scan(&e.ID, &e.ProductID, &e.OwnerID, &e.Status, &e.IP, &e.UserAgent, &e.Country, &e.PaymentID, &e.Payer, &price, &e.Currency, &at)
	if err != nil {
		return e, err
	}
	e.CreatedAt = moment(at)
	e.Price, err = x402.ParseAtomic(price)
	return e, err
}

// logFilter is f as conditions.
func logFilter(of catalog.LogFilter) (f filter) {
	f.text("owner_id = ?", of.OwnerID)
	f.text("product_id = ?", of.ProductID)
	f.text("status = ?", string(of.Status))
	if of.Paid {
		f.add("status = ?", string(catalog.LogPaid))
	}
	if of.Unpaid {
		f.add("status <> ?", string(catalog.LogPaid))
	}
	f.text("ip = ?", of.IP)
	f.text("country = ?", of.Country)
	f.logged("id", of.From, of.To)
	return f
}

// logged wants an entry of the access log of a time in [from, to).
func (f *filter) logged(id string, from, to time.Time) {
	if !from.IsZero() {
		f.add(id+" >= ?", catalog.FirstLogID(from))
	}
	if !to.IsZero() {
		f.add(id+" < ?", catalog.FirstLogID(to))
	}
}

// LogEntries implements [catalog.LogStore].
func (s *DB) LogEntries(ctx context.Context, of catalog.LogFilter, before string, offset, limit int) ([]catalog.LogEntry, error) {
	f := logFilter(of)
	f.text("id < ?", before)
	n := len(f.args)
	query := "SELECT " + logColumns + " FROM v402_access_log" + f.String() + " ORDER BY id DESC LIMIT $" + strconv.Itoa(n+1) + " OFFSET $" + strconv.Itoa(n+2)
	list, err := all(ctx, s.read, scanLogEntry, query, append(f.args, limit, offset)...)
	if err != nil {
		return nil, s.errorf("list the access log: %w", err)
	}
	return list, nil
}

// CountLog implements [catalog.LogStore].
func (s *DB) CountLog(ctx context.Context, of catalog.LogFilter) (int64, error) {
	f := logFilter(of)
	n, err := one(ctx, s.read, column[int64], "SELECT COUNT(*) FROM v402_access_log"+f.String(), f.args...)
	if err != nil {
		return 0, s.errorf("count the access log: %w", err)
	}
	return n, nil
}

// LogGaps implements [catalog.LogStore].
func (s *DB) LogGaps(ctx context.Context, ownerID string, from, to time.Time) (int64, error) {
	var f filter
	f.add("owner_id IN (?, '')", ownerID)
	if !from.IsZero() {
		from = from.Truncate(time.Hour)
	}
	f.within("hour", from, to)
	n, err := one(ctx, s.read, column[int64], "SELECT CAST(COALESCE(SUM(attempts), 0) AS BIGINT) FROM v402_access_log_gaps"+f.String(), f.args...)
	if err != nil {
		return 0, s.errorf("count the gaps of the access log: %w", err)
	}
	return n, nil
}

// LogEntriesByID implements [catalog.LogStore].
func (s *DB) LogEntriesByID(ctx context.Context, ids []string) ([]catalog.LogEntry, error) {
	var entries []catalog.LogEntry
	for run := range pieces(ids, s.names) {
		found, err := all(ctx, s.read, scanLogEntry, "SELECT "+logColumns+" FROM v402_access_log WHERE id IN "+list(1, len(run)), anys(run)...)
		if err != nil {
			return nil, s.errorf("read the access log: %w", err)
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// PurgeLog implements [catalog.LogStore].
func (s *DB) PurgeLog(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM v402_access_log WHERE id IN (SELECT id FROM v402_access_log WHERE id < $1 ORDER BY id LIMIT $2)",
			catalog.FirstLogID(before), limit)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		deleted = int(n)
		if err := purgeDemand(ctx, tx, before, limit); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM v402_access_log_gaps WHERE hour < $1", micros(before.Truncate(time.Hour)))
		return err
	})
	if err != nil {
		return 0, s.errorf("purge the access log: %w", err)
	}
	return deleted, nil
}

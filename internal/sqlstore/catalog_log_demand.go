package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

// demandSpan is for how long requests are counted together.
const demandSpan = 6 * time.Hour

func demandBucket(t time.Time) int64 { return t.UnixMicro() / demandSpan.Microseconds() }

// demandKey is whose requests are counted together.
type demandKey struct {
	owner, ip, product, price, currency string
	bucket                              int64
}

func (k demandKey) compare(o demandKey) int {
	return cmp.Or(strings.Compare(k.owner, o.owner), strings.Compare(k.ip, o.ip), strings.Compare(k.product, o.product),
		strings.Compare(k.price, o.price), strings.Compare(k.currency, o.currency), cmp.Compare(k.bucket, o.bucket))
}

// demandRow counts requests, from the first to the last by their IDs.
type demandRow struct {
	demandKey
	requests    int64
	first, last string
}

// demandOf are the rows of entries, which are in the order of their IDs; the rows
// are in one order, in which nobody waits for another in a circle.
func demandOf(entries []catalog.LogEntry) []demandRow {
	at := map[demandKey]int{}
	var rows []demandRow
	for _, e := range entries {
		if e.Status != catalog.LogRequested {
			continue
		}
		key := demandKey{e.OwnerID, e.IP, e.ProductID, e.Price.String(), e.Currency, demandBucket(e.CreatedAt)}
		i, known := at[key]
		if !known {
			i = len(rows)
			at[key], rows = i, append(rows, demandRow{demandKey: key, first: e.ID})
		}
		rows[i].requests++
		rows[i].last = e.ID
	}
	slices.SortFunc(rows, func(a, b demandRow) int { return a.compare(b.demandKey) })
	return rows
}

// addDemand counts the requests among entries that were added to the log, and
// forgets what is too old to be analysed: twice as many as can have been added,
// so that this is never behind.
func (s *DB) addDemand(ctx context.Context, tx querier, entries []catalog.LogEntry) error {
	if len(entries) == 0 {
		return nil
	}
	for run := range pieces(demandOf(entries), s.rows) {
		const width = 9
		var args []any
		for _, r := range run {
			args = append(args, r.owner, r.ip, r.product, r.price, r.currency, r.bucket, r.requests, r.first, r.last)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO v402_access_demand AS d (owner_id, ip, product_id, price, currency, bucket, requests, first_id, last_id)
			VALUES `+tuples(1, len(run), make([]string, width)...)+` ON CONFLICT (owner_id, ip, product_id, price, currency, bucket) DO UPDATE SET
			requests = d.requests + EXCLUDED.requests,
			first_id = CASE WHEN EXCLUDED.first_id < d.first_id THEN EXCLUDED.first_id ELSE d.first_id END,
			last_id = CASE WHEN EXCLUDED.last_id > d.last_id THEN EXCLUDED.last_id ELSE d.last_id END`, args...)
		if err != nil {
			return err
		}
	}
	const spare = demandSpan // between clocks
	oldest := entries[len(entries)-1].CreatedAt.Add(-catalog.MaxDemandHours*time.Hour - spare)
	return deleteDemand(ctx, tx, "bucket < $1", 2*len(entries), demandBucket(oldest))
}

// purgeDemand forgets who asked before a time and not after it.
func purgeDemand(ctx context.Context, tx querier, before time.Time, limit int) error {
	return deleteDemand(ctx, tx, "bucket <= $1 AND last_id < $2", limit, demandBucket(before), catalog.FirstLogID(before))
}

func deleteDemand(ctx context.Context, tx querier, condition string, limit int, args ...any) error {
	const key = "(owner_id, ip, product_id, price, currency, bucket)"
	_, err := tx.ExecContext(ctx, "DELETE FROM v402_access_demand WHERE "+key+" IN (SELECT owner_id, ip, product_id, price, currency, bucket FROM v402_access_demand WHERE "+
		condition+" LIMIT "+placeholder(len(args)+1)+")", append(args, limit)...)
	return err
}

// Unpaid implements [catalog.LogStore]. A count that begins before the time that
// is asked for, or before a payment, is made again from the log.
func (s *DB) Unpaid(ctx context.Context, of catalog.UnpaidFilter, each func(catalog.UnpaidCount) error) error {
	const query = `WITH paid AS (SELECT ip, product_id, MAX(id) AS last_id FROM v402_access_log
			WHERE owner_id = $1 AND status = 'paid' AND id >= $2 GROUP BY ip, product_id)
		SELECT d.ip, d.product_id, d.price, d.currency, CAST(SUM(CASE
				WHEN d.first_id >= $2 AND (p.last_id IS NULL OR d.first_id > p.last_id) THEN d.requests
				ELSE (SELECT COUNT(*) FROM v402_access_log l WHERE l.owner_id = d.owner_id AND l.ip = d.ip AND l.product_id = d.product_id
					AND l.price = d.price AND l.currency = d.currency AND l.status = 'requested'
					AND l.id >= d.first_id AND l.id <= d.last_id AND l.id >= $2 AND (p.last_id IS NULL OR l.id > p.last_id))
			END) AS BIGINT), MAX(d.last_id)
		FROM v402_access_demand d LEFT JOIN paid p ON p.ip = d.ip AND p.product_id = d.product_id`
	const group = "d.ip, d.product_id, d.price, d.currency" // as the key of the table, so that nothing is sorted
	f := filter{
		args:       []any{of.OwnerID, catalog.FirstLogID(of.From), demandBucket(of.From)},
		conditions: []string{"d.owner_id = $1", "d.last_id >= $2", "d.bucket >= $3", "(p.last_id IS NULL OR d.last_id > p.last_id)"},
	}
	f.text("d.product_id = ?", of.ProductID)
	rows, err := s.read.QueryContext(ctx, query+f.String()+" GROUP BY "+group+" ORDER BY "+group, f.args...)
	if err != nil {
		return s.errorf("count unpaid requests: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		c, err := scanUnpaid(rows)
		if err != nil {
			return s.errorf("count unpaid requests: %w", err)
		}
		if err := each(c); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.errorf("count unpaid requests: %w", err)
	}
	return nil
}

func scanUnpaid(rows *sql.Rows) (c catalog.UnpaidCount, err error) {
	var price string
	if err = rows.Scan(&c.IP, &c.ProductID, &price, &c.Currency, &c.Count, &c.LastID); err != nil {
		return c, err
	}
	c.Price, err = x402.ParseAtomic(price)
	return c, err
}

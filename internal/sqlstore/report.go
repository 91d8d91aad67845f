package sqlstore

import (
	"context"
	"database/sql"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
)

var _ report.Store = (*DB)(nil)

// addReportViews adds rows of hour, product ID, owner ID and views.
func addReportViews(ctx context.Context, tx querier, rows []any) error {
	const width = 4
	_, err := tx.ExecContext(ctx, "INSERT INTO v402_report_views (hour, product_id, owner_id, views) VALUES "+
		tuples(1, len(rows)/width, make([]string, width)...)+
		" ON CONFLICT (hour, product_id) DO UPDATE SET views = v402_report_views.views + EXCLUDED.views", rows...)
	return err
}

func purgeReportViews(ctx context.Context, tx querier, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM v402_report_views WHERE hour < $1", hourOf(now.Add(-report.ViewsKept)))
	return err
}

// period is one of a report, as values of the column that tells the time.
type period struct {
	number           int64
	startsAt, endsAt any
}

// ReportViews implements [report.Store].
func (s *DB) ReportViews(ctx context.Context, f report.Filter, bounds []time.Time) ([]int64, error) {
	counts, err := s.reportCounts(ctx, bounds, "BIGINT", func(t time.Time) any { return hourOf(t) },
		"CAST(SUM(r.views) AS BIGINT)", "v402_report_views r", "r.hour", f)
	if err != nil {
		return nil, s.errorf("count views for a report: %w", err)
	}
	return counts, nil
}

// ReportVisitors implements [report.Store].
func (s *DB) ReportVisitors(ctx context.Context, f report.Filter, bounds []time.Time) ([]int64, error) {
	counts, err := s.reportCounts(ctx, bounds, "TEXT", func(t time.Time) any { return catalog.FirstLogID(t) },
		"COUNT(DISTINCT NULLIF(r.ip, ''))", "v402_access_log r", "r.id", f)
	if err != nil {
		return nil, s.errorf("count visitors for a report: %w", err)
	}
	return counts, nil
}

// reportCounts counts what f selects of a table, r, by period.
func (s *DB) reportCounts(ctx context.Context, bounds []time.Time, kind string, value func(time.Time) any, count, table, column string, f report.Filter) ([]int64, error) {
	type counted struct{ period, n int64 }
	counts := make([]int64, len(bounds)-1)
	for run := range pieces(periodsOf(bounds, value), s.names) {
		with, from, args := withinPeriods(run, kind, table, column, f)
		found, err := all(ctx, s.read, func(rows *sql.Rows) (c counted, err error) {
			err = rows.Scan(&c.period, &c.n)
			return c, err
		}, with+"SELECT v.period, "+count+from+" GROUP BY v.period", args...)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			counts[c.period] = c.n
		}
	}
	return counts, nil
}

func periodsOf(bounds []time.Time, value func(time.Time) any) []period {
	list := make([]period, len(bounds)-1)
	for i := range list {
		list[i] = period{int64(i), value(bounds[i]), value(bounds[i+1])}
	}
	return list
}

// withinPeriods is the parts of a query that has the rows of a table, r, which f
// selects, each with its period, v.
func withinPeriods(list []period, kind, table, column string, f report.Filter) (with, from string, args []any) {
	for _, p := range list {
		args = append(args, p.number, p.startsAt, p.endsAt)
	}
	with = fromValues(1, len(list), value{"period", "BIGINT"}, value{"starts_at", kind}, value{"ends_at", kind})
	of := filter{args: args}
	of.add("r.owner_id = ?", f.OwnerID)
	of.text("r.product_id = ?", f.ProductID)
	// SQLite takes a CROSS JOIN in this order, and seeks each period in an index.
	from = " FROM v CROSS JOIN " + table + of.String() + " AND " + column + " >= v.starts_at AND " + column + " < v.ends_at"
	return with, from, of.args
}

// ReportSales implements [report.Store].
func (s *DB) ReportSales(ctx context.Context, f report.Filter, bounds []time.Time) ([]report.Sale, error) {
	product, group := "''", "v.period, r.chain, r.network, r.currency"
	if f.EachProduct {
		product, group = "r.product_id", group+", r.product_id"
	}
	var sales []report.Sale
	for run := range pieces(periodsOf(bounds, func(t time.Time) any { return micros(t) }), s.names) {
		with, from, args := withinPeriods(run, "BIGINT", "v402_catalog_payments r", "r.confirmed_at", f)
		found, err := all(ctx, s.read, scanReportSale, with+"SELECT v.period, "+product+", r.chain, r.network, r.currency, COUNT(*), "+
			bigSum("r.amount")+", "+bigSum("r.refunded")+", "+bigSum("r.fee")+from+" AND r.status = 'confirmed' GROUP BY "+group, args...)
		if err != nil {
			return nil, s.errorf("sum sales for a report: %w", err)
		}
		sales = append(sales, found...)
	}
	return sales, nil
}

func scanReportSale(rows *sql.Rows) (sale report.Sale, err error) {
	var parts [3 * limbs]int64
	into := []any{&sale.Period, &sale.ProductID, &sale.Chain, &sale.Network, &sale.Currency, &sale.Count}
	for i := range parts {
		into = append(into, &parts[i])
	}
	err = rows.Scan(into...)
	sale.Amount, sale.Refunded, sale.Fees = joinLimbs(parts[:limbs]), joinLimbs(parts[limbs:2*limbs]), joinLimbs(parts[2*limbs:])
	return sale, err
}

// A column of decimal digits, up to 80, is summed exactly on every database: in
// limbs of ten digits, which do not overflow before there are 900 million rows.
const (
	limbs      = 8
	limbDigits = 10
)

// bigSum is the sums of the limbs of a column, the highest first.
func bigSum(column string) string {
	padded := "'" + strings.Repeat("0", limbs*limbDigits) + "' || " + column
	sums := make([]string, limbs)
	for i := range sums {
		first := "length(" + column + ") + " + strconv.Itoa(1+i*limbDigits)
		sums[i] = "CAST(SUM(CAST(substr(" + padded + ", " + first + ", " + strconv.Itoa(limbDigits) + ") AS BIGINT)) AS BIGINT)"
	}
	return strings.Join(sums, ", ")
}

func joinLimbs(sums []int64) *big.Int {
	base, n := big.NewInt(10_000_000_000), new(big.Int)
	for _, limb := range sums {
		n.Mul(n, base).Add(n, big.NewInt(limb))
	}
	return n
}

// ReportCustomers implements [report.Store].
func (s *DB) ReportCustomers(ctx context.Context, ownerID string, from, to time.Time) (int64, error) {
	n, err := one(ctx, s.read, column[int64], `SELECT COUNT(*) FROM (SELECT 1 FROM v402_catalog_payments
		WHERE owner_id = $1 AND status = 'confirmed' AND confirmed_at < $2
		GROUP BY user_id, CASE WHEN user_id = '' THEN payer_key ELSE '' END HAVING MIN(confirmed_at) >= $3) c`, ownerID, micros(to), micros(from))
	if err != nil {
		return 0, s.errorf("count customers for a report: %w", err)
	}
	return n, nil
}

// ReportCountries implements [report.Store].
func (s *DB) ReportCountries(ctx context.Context, ownerID string, from, to time.Time) (map[string]int64, error) {
	var f filter
	f.add("owner_id = ?", ownerID)
	f.logged("id", from, to)
	f.conditions = append(f.conditions, "ip <> ''")
	counts := map[string]int64{}
	_, err := all(ctx, s.read, func(rows *sql.Rows) (n int64, err error) {
		var country string
		if err = rows.Scan(&country, &n); err == nil {
			counts[country] = n
		}
		return n, err
	}, "SELECT country, COUNT(DISTINCT ip) FROM v402_access_log"+f.String()+" GROUP BY country", f.args...)
	if err != nil {
		return nil, s.errorf("count countries for a report: %w", err)
	}
	return counts, nil
}

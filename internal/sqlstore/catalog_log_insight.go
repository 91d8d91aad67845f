package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

var _ catalog.InsightStore = (*DB)(nil)

// ProductSales implements [catalog.InsightStore].
func (s *DB) ProductSales(ctx context.Context, ownerID string, from, to time.Time) ([]catalog.SaleCount, error) {
	var f filter
	f.add("status = ?", string(catalog.PaymentConfirmed))
	f.text("owner_id = ?", ownerID)
	f.within("confirmed_at", from, to)
	counts, err := all(ctx, s.read, scanSale, "SELECT product_id, network, currency, amount, refunded, COUNT(*) FROM v402_catalog_payments"+f.String()+
		" GROUP BY product_id, network, currency, amount, refunded", f.args...)
	if err != nil {
		return nil, s.errorf("count sales: %w", err)
	}
	return counts, nil
}

func scanSale(rows *sql.Rows) (c catalog.SaleCount, err error) {
	var amount, refunded string
	if err = rows.Scan(&c.ProductID, &c.Network, &c.Currency, &amount, &refunded, &c.Count); err != nil {
		return c, err
	}
	if c.Amount, err = x402.ParseAtomic(amount); err != nil {
		return c, err
	}
	c.Refunded, err = x402.ParseAtomic(refunded)
	return c, err
}

// ProductViews implements [catalog.InsightStore].
func (s *DB) ProductViews(ctx context.Context, ownerID string, from time.Time) (map[string]int64, error) {
	type seen struct {
		id    string
		views int64
	}
	list, err := all(ctx, s.read, func(rows *sql.Rows) (v seen, err error) {
		err = rows.Scan(&v.id, &v.views)
		return v, err
	}, `SELECT a.product_id, CAST(SUM(a.views) AS BIGINT) FROM v402_catalog_activity a JOIN v402_catalog_products p ON p.id = a.product_id
		WHERE p.owner_id = $1 AND a.hour >= $2 AND a.views > 0 GROUP BY a.product_id`, ownerID, hourOf(from))
	if err != nil {
		return nil, s.errorf("count views: %w", err)
	}
	views := make(map[string]int64, len(list))
	for _, v := range list {
		views[v.id] = v.views
	}
	return views, nil
}

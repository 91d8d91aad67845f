package catalog

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// InsightStore counts what was sold and seen.
type InsightStore interface {
	// ProductSales counts the payments for an owner's products, or for all if
	// ownerID is empty, that were confirmed in [from, to) and still are, by
	// product, network, currency, amount and what of it was refunded.
	ProductSales(ctx context.Context, ownerID string, from, to time.Time) ([]SaleCount, error)
	// ProductViews sums the views of an owner's products since the hour of from, by
	// product ID, as far as they are kept by the hour: for a month.
	ProductViews(ctx context.Context, ownerID string, from time.Time) (map[string]int64, error)
}

// SaleCount is how often a product was sold for one amount.
type SaleCount struct {
	ProductID string
	Network   x402.Network
	Currency  string
	Amount    x402.Amount // of each, in the smallest unit that the currency has on the network
	Refunded  x402.Amount // of each
	Count     int64
}

// ProductMetric is what products are compared by.
type ProductMetric string

// The metrics; [MetricRevenue] if none is given.
const (
	MetricRevenue   ProductMetric = "revenue"
	MetricViews     ProductMetric = "views"
	MetricPurchases ProductMetric = "purchases"
	MetricRating    ProductMetric = "rating" // of all time, and of those who have one
)

var productMetrics = []ProductMetric{MetricRevenue, MetricViews, MetricPurchases, MetricRating}

// MaxTopProducts is how many products are compared at most.
const MaxTopProducts = 50

// ProductInsight is a product with what it brought within a period.
type ProductInsight struct {
	Product   Product
	Revenue   Sums // before fees and without what was refunded, in the unit of prices
	Purchases int64
	Views     int64 // of the last month at most
}

// TopProducts are the best of a provider's products.
type TopProducts struct {
	Products []ProductInsight // the best first
	Currency string           // of most sales, by which revenue is compared; empty if there are none
}

// TopProducts lists up to limit (10 if zero) of a provider's products that had
// something of the metric since then, the best first.
func (s *Service) TopProducts(ctx context.Context, ownerID string, metric ProductMetric, since time.Time, limit int) (TopProducts, error) {
	metric, limit = cmp.Or(metric, MetricRevenue), cmp.Or(limit, 10)
	var f v402api.Faults
	v402api.Enum(&f, "metric", metric, productMetrics...)
	f.Between("limit", int64(limit), 1, MaxTopProducts)
	if err := f.Err(); err != nil {
		return TopProducts{}, err
	}
	sales, err := s.sales(ctx, ownerID, since)
	if err != nil {
		return TopProducts{}, err
	}
	views, err := s.store.ProductViews(ctx, ownerID, since)
	if err != nil {
		return TopProducts{}, refusal(err, nil, "count views")
	}
	top := TopProducts{Currency: sales.currency()}
	if metric == MetricRating {
		best, err := s.Products(ctx, ProductFilter{OwnerID: ownerID, Sort: ByRating}, store.PageNumber{Size: limit})
		if err != nil {
			return TopProducts{}, err
		}
		for _, p := range best.Items {
			if p.RatingCount > 0 {
				top.Products = append(top.Products, sales.insight(p, views))
			}
		}
		return top, nil
	}
	for _, id := range sales.rankedBy(metric, top.Currency, views) {
		if len(top.Products) == limit {
			break
		}
		p, err := s.store.Product(ctx, id)
		if err = refusal(err, ErrProductUnknown, "read a product"); err == ErrProductUnknown {
			continue // it is gone
		} else if err != nil {
			return TopProducts{}, err
		}
		top.Products = append(top.Products, sales.insight(p, views))
	}
	return top, nil
}

// sales are those of an owner's products, or of all, since then.
func (s *Service) sales(ctx context.Context, ownerID string, since time.Time) (tallies, error) {
	counts, err := s.store.ProductSales(ctx, ownerID, since, s.now().Add(time.Second))
	if err != nil {
		return nil, refusal(err, nil, "count sales")
	}
	all := tallies{}
	for _, c := range counts {
		all.add(c.ProductID, c.Currency, c.Count, s.inPriceUnit(c))
	}
	return all, nil
}

// inPriceUnit is what the payments of c brought, in the unit of prices. Where the
// network's unit is smaller, what does not make a whole one is left out.
func (s *Service) inPriceUnit(c SaleCount) *big.Int {
	sum := new(big.Int).Sub(c.Amount.Big(), c.Refunded.Big())
	sum.Mul(sum, big.NewInt(c.Count))
	unit, known := s.coins.unit(c.Currency)
	coin, found := s.coins.find(c.Network, c.Currency)
	if !known || !found || unit.Decimals == coin.Decimals {
		return sum
	}
	ten := big.NewInt(10)
	if coin.Decimals < unit.Decimals {
		return sum.Mul(sum, ten.Exp(ten, big.NewInt(int64(unit.Decimals-coin.Decimals)), nil))
	}
	return sum.Quo(sum, ten.Exp(ten, big.NewInt(int64(coin.Decimals-unit.Decimals)), nil))
}

// rankedBy are the products that have something of the metric, the best first.
func (t tallies) rankedBy(metric ProductMetric, currency string, views map[string]int64) []string {
	if metric == MetricViews {
		return byCount(views)
	}
	ids := t.ranked()
	if metric == MetricRevenue {
		slices.SortStableFunc(ids, func(a, b string) int { return t[b].value.In(currency).Cmp(t[a].value.In(currency)) })
	}
	return ids
}

func (t tallies) insight(p Product, views map[string]int64) ProductInsight {
	i := ProductInsight{Product: p, Revenue: Sums{}, Views: views[p.ID]}
	if sale := t[p.ID]; sale != nil {
		i.Revenue, i.Purchases = sale.value, sale.count
	}
	return i
}

package report

import (
	"context"
	"math/big"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// ViewsKept is how long stores keep views: two years, to compare a year with the
// one before, and a day more.
const ViewsKept = (2*365 + 1) * 24 * time.Hour

// Store is what a report reads. Its own methods count within periods: bounds are
// n+1 whole hours, each after the one before, and the period i is
// [bounds[i], bounds[i+1]). Results are in the order of the periods.
type Store interface {
	Product(ctx context.Context, id string) (catalog.Product, error)
	Products(ctx context.Context, f catalog.ProductFilter, page store.PageNumber) (store.List[catalog.Product], error)
	// LogGaps counts what was left out of the access log: see [catalog.LogStore].
	LogGaps(ctx context.Context, ownerID string, from, to time.Time) (int64, error)

	// ReportViews counts views; those of products that were erased stay their
	// owner's.
	ReportViews(ctx context.Context, f Filter, bounds []time.Time) ([]int64, error)
	// ReportVisitors counts the different addresses in the access log.
	ReportVisitors(ctx context.Context, f Filter, bounds []time.Time) ([]int64, error)
	// ReportSales sums the payments that were confirmed in each period and still
	// are, in any order.
	ReportSales(ctx context.Context, f Filter, bounds []time.Time) ([]Sale, error)
	// ReportCustomers counts those whose first such payment for a product of the
	// owner was in [from, to): users or, if they are none, payers.
	ReportCustomers(ctx context.Context, ownerID string, from, to time.Time) (int64, error)
	// ReportCountries counts the different addresses in the access log by country,
	// which is empty where it is unknown.
	ReportCountries(ctx context.Context, ownerID string, from, to time.Time) (map[string]int64, error)
}

// Filter selects what is counted.
type Filter struct {
	OwnerID   string // of the product; required
	ProductID string // any if empty

	EachProduct bool // tells sales apart by product
}

// Sale is what was sold within a period on one chain in one currency.
type Sale struct {
	Period    int    // from 0
	ProductID string // empty unless Filter.EachProduct
	Chain     string // short name, such as "base"
	Network   x402.Network
	Currency  string
	Count     int64

	// In the smallest unit that the currency has on the network.
	Amount, Refunded, Fees *big.Int
}

package report

import (
	"cmp"
	"context"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// MaxDays is of how many days a dashboard is at most.
const MaxDays = 365

// topProducts is how many a dashboard lists.
const topProducts = 5

// Dashboard is what happened to all products of a provider within some days.
type Dashboard struct {
	Range
	Products       int64  // there are now, without those that are deleted
	ActiveProducts int64  // of them
	Currency       string // of most purchases: by its revenue products are compared; empty if there are none
	Total          Totals

	// Growth is against as many days before, 0 if there was nothing: 0.15 is 15 %
	// more. That of revenue is of Currency.
	RevenueGrowth, ViewGrowth *big.Rat

	NewCustomers int64 // who bought for the first time
	Top          []ProductTotals
	Regions      map[string]int // tenths of a percent of the visitors, 1000 in all; empty without visitors
	Left         int64          // attempts that are not in the access log: Regions are exact if 0
}

// ProductTotals are what one product brought.
type ProductTotals struct {
	ID, Title string
	Totals    // without views
}

// Dashboard reports on the last days, 1 to [MaxDays] and 30 if zero, up to the end
// of this hour.
func (s *Service) Dashboard(ctx context.Context, ownerID string, days int) (Dashboard, error) {
	days = cmp.Or(days, 30)
	var f v402api.Faults
	f.Between("days", int64(days), 1, MaxDays)
	if err := f.Err(); err != nil {
		return Dashboard{}, err
	}
	to := s.options.Now().UTC().Truncate(time.Hour).Add(time.Hour)
	length := time.Duration(days) * day
	from := to.Add(-length)
	d := Dashboard{Range: Range{from, to}}
	if err := s.count(ctx, ownerID, &d); err != nil {
		return Dashboard{}, err
	}
	if err := s.compare(ctx, ownerID, &d, []time.Time{from.Add(-length), from, to}); err != nil {
		return Dashboard{}, err
	}
	return d, nil
}

// count fills in what needs no comparison.
func (s *Service) count(ctx context.Context, ownerID string, d *Dashboard) error {
	one := store.PageNumber{Page: 1, Size: 1}
	all, err := s.store.Products(ctx, catalog.ProductFilter{OwnerID: ownerID}, one)
	if err != nil {
		return failed("count products", err)
	}
	active, err := s.store.Products(ctx, catalog.ProductFilter{OwnerID: ownerID, Status: catalog.ProductActive}, one)
	if err != nil {
		return failed("count products", err)
	}
	d.Products, d.ActiveProducts = all.Total, active.Total
	if d.NewCustomers, err = s.store.ReportCustomers(ctx, ownerID, d.From, d.To); err != nil {
		return failed("count customers", err)
	}
	countries, err := s.store.ReportCountries(ctx, ownerID, d.From, d.To)
	if err != nil {
		return failed("count countries", err)
	}
	d.Regions = s.regions(countries)
	if d.Left, err = s.store.LogGaps(ctx, ownerID, d.From, d.To); err != nil {
		return failed("count what is not in the access log", err)
	}
	return nil
}

// compare fills in what is compared: the days before, and products with each
// other.
func (s *Service) compare(ctx context.Context, ownerID string, d *Dashboard, bounds []time.Time) error {
	f := Filter{OwnerID: ownerID, EachProduct: true}
	views, err := s.store.ReportViews(ctx, f, bounds)
	if err != nil {
		return failed("count views", err)
	}
	sales, err := s.store.ReportSales(ctx, f, bounds)
	if err != nil {
		return failed("sum sales", err)
	}
	before, now := Totals{Views: views[0]}, Totals{Views: views[1]}
	products := map[string]*ProductTotals{}
	var recent []Sale
	for _, sale := range sales {
		if sale.Period == 0 {
			s.sold(&before, sale)
			continue
		}
		s.sold(&now, sale)
		recent = append(recent, sale)
		if products[sale.ProductID] == nil {
			products[sale.ProductID] = &ProductTotals{ID: sale.ProductID}
		}
		s.sold(&products[sale.ProductID].Totals, sale)
	}
	d.Total, d.Currency = now, mainCurrency(recent)
	d.ViewGrowth = growth(big.NewInt(now.Views), big.NewInt(before.Views))
	d.RevenueGrowth = growth(now.Revenue.In(d.Currency), before.Revenue.In(d.Currency))
	d.Top, err = s.best(ctx, products, d.Currency)
	return err
}

// best are the products of the most revenue in a currency, and then of the most
// purchases. Those that were erased are left out.
func (s *Service) best(ctx context.Context, products map[string]*ProductTotals, currency string) ([]ProductTotals, error) {
	var ranked, best []ProductTotals
	for _, p := range products {
		ranked = append(ranked, *p)
	}
	slices.SortFunc(ranked, func(a, b ProductTotals) int {
		return cmp.Or(b.Revenue.In(currency).Cmp(a.Revenue.In(currency)), cmp.Compare(b.Purchases, a.Purchases), cmp.Compare(a.ID, b.ID))
	})
	for _, p := range ranked {
		if len(best) == topProducts {
			break
		}
		of, err := s.store.Product(ctx, p.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, failed("read a product", err)
		}
		p.Title = of.Title
		best = append(best, p)
	}
	return best, nil
}

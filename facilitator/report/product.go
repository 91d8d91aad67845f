package report

import (
	"context"
	"time"

	"github.com/v402/v402/facilitator/account"
)

// ProductReport is what happened to one product.
type ProductReport struct {
	Range
	Group    Group
	Currency string          // of the price
	Periods  []ProductPeriod // all of the range, also those without anything
	Total    Totals
	Left     int64 // attempts on products of the owner that are not in the access log: visitors are exact if 0
}

// ProductPeriod is what happened to a product within a period.
type ProductPeriod struct {
	Start    time.Time // of the whole period, also if the range begins later
	Visitors int64
	Totals
}

// Product reports on a product of u, or on any if u is an admin. An empty group
// is [GroupDay]. It returns [catalog.ErrProductUnknown], or what is wrong with
// the range.
func (s *Service) Product(ctx context.Context, u account.User, id string, r Range, g Group) (ProductReport, error) {
	p, err := s.product(ctx, u, id)
	if err != nil {
		return ProductReport{}, err
	}
	of, err := s.periods(r, g)
	if err != nil {
		return ProductReport{}, err
	}
	f := Filter{OwnerID: p.OwnerID, ProductID: p.ID}
	views, err := s.store.ReportViews(ctx, f, of.bounds)
	if err != nil {
		return ProductReport{}, failed("count views", err)
	}
	visitors, err := s.store.ReportVisitors(ctx, f, of.bounds)
	if err != nil {
		return ProductReport{}, failed("count visitors", err)
	}
	sales, err := s.store.ReportSales(ctx, f, of.bounds)
	if err != nil {
		return ProductReport{}, failed("sum sales", err)
	}
	left, err := s.store.LogGaps(ctx, p.OwnerID, of.From, of.To)
	if err != nil {
		return ProductReport{}, failed("count what is not in the access log", err)
	}
	report := ProductReport{Range: of.Range, Group: of.group, Currency: p.Currency, Periods: make([]ProductPeriod, len(of.starts)), Left: left}
	for i, start := range of.starts {
		report.Periods[i] = ProductPeriod{Start: start, Visitors: visitors[i], Totals: Totals{Views: views[i]}}
		report.Total.Views += views[i]
	}
	for _, sale := range sales {
		s.sold(&report.Periods[sale.Period].Totals, sale)
		s.sold(&report.Total, sale)
	}
	return report, nil
}

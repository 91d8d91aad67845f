package report

import (
	"context"
	"math/big"
	"time"

	"github.com/v402/v402/facilitator/catalog"
)

// RevenueReport is what all products of a provider brought.
type RevenueReport struct {
	Range
	Group    Group
	Currency string          // of most payments; empty if there are none
	Periods  []RevenuePeriod // all of the range, also those without anything
	Total    Income
	ByChain  map[string]catalog.Sums // revenue
}

// RevenuePeriod is what came in within a period.
type RevenuePeriod struct {
	Start time.Time // of the whole period, also if the range begins later
	Income
}

// Income is what payments brought, in the unit of prices.
type Income struct {
	Payments int64
	Revenue  catalog.Sums // before fees, without what was refunded
	Fees     catalog.Sums // the facilitator's, also of what was refunded in part

	counts map[string]int64 // payments by currency
}

// Net is what is left in a currency after fees. It is below zero if more was
// refunded than fees left.
func (i Income) Net(currency string) *big.Int {
	return new(big.Int).Sub(i.Revenue.In(currency), i.Fees.In(currency))
}

// Average is what a payment in a currency brought, rounded down.
func (i Income) Average(currency string) *big.Int {
	n := big.NewInt(max(1, i.counts[currency]))
	return n.Quo(i.Revenue.In(currency), n)
}

// Revenue reports on all sales of a provider. An empty group is [GroupDay].
func (s *Service) Revenue(ctx context.Context, ownerID string, r Range, g Group) (RevenueReport, error) {
	of, err := s.periods(r, g)
	if err != nil {
		return RevenueReport{}, err
	}
	sales, err := s.store.ReportSales(ctx, Filter{OwnerID: ownerID}, of.bounds)
	if err != nil {
		return RevenueReport{}, failed("sum sales", err)
	}
	report := RevenueReport{
		Range: of.Range, Group: of.group, Currency: mainCurrency(sales), Periods: make([]RevenuePeriod, len(of.starts)),
		Total: newIncome(), ByChain: map[string]catalog.Sums{},
	}
	for i, start := range of.starts {
		report.Periods[i] = RevenuePeriod{start, newIncome()}
	}
	for _, sale := range sales {
		s.earn(&report.Periods[sale.Period].Income, sale)
		s.earn(&report.Total, sale)
		if report.ByChain[sale.Chain] == nil {
			report.ByChain[sale.Chain] = catalog.Sums{}
		}
		add(report.ByChain[sale.Chain], sale.Currency, s.revenue(sale))
	}
	return report, nil
}

func newIncome() Income {
	return Income{Revenue: catalog.Sums{}, Fees: catalog.Sums{}, counts: map[string]int64{}}
}

func (s *Service) earn(i *Income, sale Sale) {
	i.Payments += sale.Count
	i.counts[sale.Currency] += sale.Count
	add(i.Revenue, sale.Currency, s.revenue(sale))
	add(i.Fees, sale.Currency, s.inPriceUnit(sale, sale.Fees))
}

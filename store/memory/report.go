package memory

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/x402"
)

var _ report.Store = (*Store)(nil)

// reportData is the views of products by hour.
type reportData struct {
	views map[int64]map[string]*hourViews // by hour and product
}

type hourViews struct {
	owner string
	views int64
}

// add counts views of a product in the hour of at.
func (d *reportData) add(productID, ownerID string, at time.Time, views int64) {
	hour := hourOf(at)
	if d.views == nil {
		d.views = map[int64]map[string]*hourViews{}
	}
	if d.views[hour] == nil {
		d.views[hour] = map[string]*hourViews{}
	}
	v := d.views[hour][productID]
	if v == nil {
		v = &hourViews{owner: ownerID}
		d.views[hour][productID] = v
	}
	v.views += views
}

func (d *reportData) purge(now time.Time) {
	for hour := range d.views {
		if hour < hourOf(now.Add(-report.ViewsKept)) {
			delete(d.views, hour)
		}
	}
}

// periodOf is the period that t is in, if any.
func periodOf(bounds []time.Time, t time.Time) (int, bool) {
	i, exact := slices.BinarySearchFunc(bounds, t, time.Time.Compare)
	if !exact {
		i--
	}
	return i, i >= 0 && i < len(bounds)-1
}

// ReportViews implements [report.Store].
func (s *Store) ReportViews(ctx context.Context, f report.Filter, bounds []time.Time) ([]int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	counts := make([]int64, len(bounds)-1)
	for hour, products := range s.reports.views {
		i, ok := periodOf(bounds, time.Unix(hour*int64(time.Hour/time.Second), 0))
		if !ok {
			continue
		}
		for id, v := range products {
			if v.owner == f.OwnerID && (f.ProductID == "" || f.ProductID == id) {
				counts[i] += v.views
			}
		}
	}
	return counts, nil
}

// ReportVisitors implements [report.Store].
func (s *Store) ReportVisitors(ctx context.Context, f report.Filter, bounds []time.Time) ([]int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	counts := make([]int64, len(bounds)-1)
	for i := range counts {
		seen := map[string]bool{}
		for _, e := range s.accessLog.between(bounds[i], bounds[i+1]) {
			if e.IP != "" && e.OwnerID == f.OwnerID && (f.ProductID == "" || f.ProductID == e.ProductID) {
				seen[e.IP] = true
			}
		}
		counts[i] = int64(len(seen))
	}
	return counts, nil
}

// ReportSales implements [report.Store].
func (s *Store) ReportSales(ctx context.Context, f report.Filter, bounds []time.Time) ([]report.Sale, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	type key struct {
		period                   int
		product, chain, currency string
		network                  x402.Network
	}
	at := map[key]int{}
	var sales []report.Sale
	for _, p := range s.payments.payments {
		i, ok := periodOf(bounds, p.ConfirmedAt)
		if !ok || p.Status != catalog.PaymentConfirmed || p.OwnerID != f.OwnerID || f.ProductID != "" && f.ProductID != p.ProductID {
			continue
		}
		k := key{i, "", p.Chain, p.Currency, p.Network}
		if f.EachProduct {
			k.product = p.ProductID
		}
		n, known := at[k]
		if !known {
			n = len(sales)
			at[k] = n
			sales = append(sales, report.Sale{
				Period: i, ProductID: k.product, Chain: p.Chain, Network: p.Network, Currency: p.Currency,
				Amount: new(big.Int), Refunded: new(big.Int), Fees: new(big.Int),
			})
		}
		sale := &sales[n]
		sale.Count++
		sale.Amount.Add(sale.Amount, p.Amount.Big())
		sale.Refunded.Add(sale.Refunded, p.Refunded.Big())
		sale.Fees.Add(sale.Fees, p.Fee.Big())
	}
	return sales, nil
}

// ReportCustomers implements [report.Store].
func (s *Store) ReportCustomers(ctx context.Context, ownerID string, from, to time.Time) (int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	type customer struct{ user, payer string }
	first := map[customer]time.Time{}
	for _, p := range s.payments.payments {
		if p.OwnerID != ownerID || p.Status != catalog.PaymentConfirmed || !p.ConfirmedAt.Before(to) {
			continue
		}
		who := customer{user: p.UserID}
		if who.user == "" {
			who.payer = payerKey(p.Network, p.Payer)
		}
		if t, known := first[who]; !known || p.ConfirmedAt.Before(t) {
			first[who] = p.ConfirmedAt
		}
	}
	var n int64
	for _, t := range first {
		if !t.Before(from) {
			n++
		}
	}
	return n, nil
}

// payerKey is an address in the one spelling that stands for all.
func payerKey(n x402.Network, address string) string {
	if n.Namespace() == "eip155" {
		return strings.ToLower(address)
	}
	return address
}

// ReportCountries implements [report.Store].
func (s *Store) ReportCountries(ctx context.Context, ownerID string, from, to time.Time) (map[string]int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	type visitor struct{ country, ip string }
	seen, counts := map[visitor]bool{}, map[string]int64{}
	for _, e := range s.accessLog.between(from, to) {
		v := visitor{e.Country, e.IP}
		if e.IP != "" && e.OwnerID == ownerID && !seen[v] {
			seen[v] = true
			counts[e.Country]++
		}
	}
	return counts, nil
}

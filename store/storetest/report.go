package storetest

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	reports "github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// ReportStore is what reports read, with the catalog that is written.
type ReportStore interface {
	CatalogStore
	catalog.LogStore
	catalog.AccessStore
	reports.Store
}

// TestReports shows that open returns empty stores that count and sum as
// [report.Store] promises.
func TestReports(t *testing.T, open Open[ReportStore]) {
	reportPromises.run(t, open.one)
	promises[ReportStore]{"sums of amounts up to the highest are exact": checkReportSums}.run(t, open.one)
}

// confirmAt stores a payment that was confirmed at a time.
func confirmAt(t require.TestingT, s catalog.PaymentStore, tb testing.TB, p catalog.Payment, when time.Time) {
	_, _, err := s.AddProductPayment(tb.Context(), p, "tester", when)
	require.NoError(t, err)
	_, err = s.UpdateProductPayment(tb.Context(), p.ID, func(of *catalog.Payment) ([]store.Event, error) {
		of.Status, of.ConfirmedAt, of.Refunded = catalog.PaymentConfirmed, when, p.Refunded
		return nil, nil
	})
	require.NoError(t, err)
}

// hours are n+1 bounds from the hour of at on.
func hours(n int) []time.Time {
	bounds := make([]time.Time, n+1)
	for i := range bounds {
		bounds[i] = at.Truncate(time.Hour).Add(time.Duration(i) * time.Hour)
	}
	return bounds
}

var reportPromises = promises[ReportStore]{
	"views are counted by hour, product and owner, also of products that are gone": func(t *testing.T, s ReportStore) {
		addProducts(t, s, newProduct("ann", 0), newProduct("ann", 1), newProduct("bob", 2))
		b := hours(100) // more than one statement names
		for i, n := range map[int]int64{0: 1, 1: 10, 99: 100} {
			views := map[string]int64{"product-ann-0": n, "product-ann-1": 2 * n, "product-bob-2": 7}
			require.NoError(t, s.CountViews(t.Context(), views, b[i].Add(59*time.Minute), noViews))
			require.NoError(t, s.CountViews(t.Context(), views, b[i], noViews))
		}
		require.NoError(t, s.DeleteProduct(t.Context(), "product-ann-1", func(catalog.Product) ([]store.Event, error) { return nil, nil }))
		views := func(f reports.Filter, bounds []time.Time) []int64 {
			got, err := s.ReportViews(t.Context(), f, bounds)
			require.NoError(t, err)
			return got
		}
		all := views(reports.Filter{OwnerID: "ann"}, b)
		require.Len(t, all, 100)
		require.Equal(t, []int64{6, 60, 0, 600}, []int64{all[0], all[1], all[2], all[99]})
		require.Equal(t, []int64{22}, views(reports.Filter{OwnerID: "ann", ProductID: "product-ann-0"}, []time.Time{b[0], b[99]}))
		require.Equal(t, []int64{0, 22}, views(reports.Filter{OwnerID: "ann", ProductID: "product-ann-0"}, []time.Time{b[0].Add(-time.Hour), b[0], b[2]}))
	},
	"views are kept for two years": func(t *testing.T, s ReportStore) {
		addProducts(t, s, newProduct("ann", 0))
		b := []time.Time{hours(1)[0].Add(-reports.ViewsKept - time.Hour), hours(1)[0].Add(-reports.ViewsKept), hours(1)[1]}
		for _, when := range []time.Time{b[0], b[1], at} {
			require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-0": 1}, when, noViews))
		}
		got, err := s.ReportViews(t.Context(), reports.Filter{OwnerID: "ann"}, b)
		require.NoError(t, err)
		require.Equal(t, []int64{0, 2}, got)
	},
	"visitors are the different addresses of a period": func(t *testing.T, s ReportStore) {
		b := hours(2)
		entry := func(n int, ip, product, country string) catalog.LogEntry {
			return logged(n, func(e *catalog.LogEntry) { e.IP, e.ProductID, e.Country = ip, product, country })
		}
		other := logged(9, func(e *catalog.LogEntry) { e.OwnerID = "o2" })
		addLog(t, s, entry(1, "a", "p1", "US"), entry(2, "a", "p1", "US"), entry(3, "b", "p1", "DE"), entry(4, "c", "p2", "US"), entry(5, "", "p1", ""), entry(6, "d", "p1", ""), other)
		for product, want := range map[string]int64{"": 4, "p1": 3, "p2": 1, "p3": 0} {
			got, err := s.ReportVisitors(t.Context(), reports.Filter{OwnerID: "o1", ProductID: product}, b)
			require.NoError(t, err)
			require.Equal(t, []int64{want, 0}, got, product)
		}
		countries, err := s.ReportCountries(t.Context(), "o1", b[0], b[1])
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"US": 2, "DE": 1, "": 1}, countries)
		countries, err = s.ReportCountries(t.Context(), "o1", b[1], b[2])
		require.NoError(t, err)
		require.Empty(t, countries)
	},
	"only what is confirmed still is a sale": func(t *testing.T, s ReportStore) {
		stock(t, s, "product-1")
		for n, status := range catalog.PaymentStatuses {
			_, _, err := s.AddProductPayment(t.Context(), newPayment(n), "tester", at)
			require.NoError(t, err)
			_, err = s.UpdateProductPayment(t.Context(), newPayment(n).ID, func(p *catalog.Payment) ([]store.Event, error) {
				p.Status, p.ConfirmedAt = status, at
				return nil, nil
			})
			require.NoError(t, err)
		}
		sales, err := s.ReportSales(t.Context(), reports.Filter{OwnerID: "owner-1"}, hours(1))
		require.NoError(t, err)
		require.Equal(t, []reports.Sale{{
			Chain: "base-sepolia", Network: x402.BaseSepolia, Currency: "USDC", Count: 1,
			Amount: big.NewInt(10_000), Refunded: new(big.Int), Fees: big.NewInt(250),
		}}, plainSales(sales))
		for owner, want := range map[string]int64{"owner-1": 1, "owner-2": 0} {
			n, err := s.ReportCustomers(t.Context(), owner, hours(1)[0], hours(1)[1])
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
	},
	"a customer is new once": func(t *testing.T, s ReportStore) {
		stock(t, s, "product-1")
		b := hours(2)
		for n, c := range []struct {
			user, payer string
			hour        int
		}{{"u1", "0xAA", 0}, {"u1", "0xBB", 1}, {"", "0xAA", 1}, {"", "0xaa", 1}, {"", "0xCC", 0}, {"", "0xcc", 1}, {"u2", "0xCC", 1}} {
			confirmAt(t, s, t, newPayment(n, func(p *catalog.Payment) { p.UserID, p.Payer = c.user, c.payer }), b[c.hour])
		}
		for i, want := range []int64{2, 2} { // u1 and 0xcc; then 0xaa and u2
			n, err := s.ReportCustomers(t.Context(), "owner-1", b[i], b[i+1])
			require.NoError(t, err)
			require.Equal(t, want, n, i)
		}
	},
	"nothing is reported to a caller who is gone": func(t *testing.T, s ReportStore) {
		_, err := s.ReportViews(cancelled(t), reports.Filter{OwnerID: "o1"}, hours(1))
		require.Error(t, err)
		_, err = s.ReportSales(cancelled(t), reports.Filter{OwnerID: "o1"}, hours(1))
		require.Error(t, err)
	},
}

// plainSales gives equal amounts one form.
func plainSales(sales []reports.Sale) []reports.Sale {
	for i := range sales {
		for _, n := range []**big.Int{&sales[i].Amount, &sales[i].Refunded, &sales[i].Fees} {
			same, _ := new(big.Int).SetString((*n).String(), 10)
			*n = same
		}
	}
	return sales
}

// checkReportSums compares sums of random amounts with those of big numbers.
func checkReportSums(t *testing.T, s ReportStore) {
	highest := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	amount := func(rt *rapid.T, name string) x402.Amount {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(rt, name))
		if rapid.IntRange(0, 5).Draw(rt, name+" at most") == 0 {
			n = highest
		}
		a, err := x402.AmountFromBig(n)
		require.NoError(rt, err)
		return a
	}
	stock(t, s, "p0", "p1", "p2")
	count, b := 0, hours(3)
	check(t, func(rt *rapid.T) {
		owner, want := fmt.Sprint("owner-", count), map[string]reports.Sale{}
		for range rapid.IntRange(1, 8).Draw(rt, "payments") {
			period, product := rapid.IntRange(-1, 3).Draw(rt, "period"), fmt.Sprint("p", rapid.IntRange(0, 2).Draw(rt, "product"))
			p := newPayment(count, func(p *catalog.Payment) {
				p.OwnerID, p.ProductID = owner, product
				p.Amount, p.Fee, p.Refunded = amount(rt, "amount"), amount(rt, "fee"), amount(rt, "refunded")
			})
			count++
			confirmAt(rt, s, t, p, b[0].Add(time.Duration(period)*time.Hour))
			if period < 0 || period > 2 {
				continue
			}
			key := fmt.Sprint(period, product)
			sale, known := want[key]
			if !known {
				sale = reports.Sale{Amount: new(big.Int), Refunded: new(big.Int), Fees: new(big.Int)}
			}
			sale.Count++
			sale.Amount.Add(sale.Amount, p.Amount.Big())
			sale.Refunded.Add(sale.Refunded, p.Refunded.Big())
			sale.Fees.Add(sale.Fees, p.Fee.Big())
			want[key] = sale
		}
		count++
		got, err := s.ReportSales(t.Context(), reports.Filter{OwnerID: owner, EachProduct: true}, b)
		require.NoError(rt, err)
		require.Len(rt, got, len(want))
		for _, sale := range got {
			of := want[fmt.Sprint(sale.Period, sale.ProductID)]
			require.Equal(rt, fmt.Sprint(of.Count, of.Amount, of.Refunded, of.Fees), fmt.Sprint(sale.Count, sale.Amount, sale.Refunded, sale.Fees))
		}
	})
}

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// purchaseStore keeps products and payments.
type purchaseStore interface {
	PaymentStore
	catalog.InsightStore
}

// bought confirms the nth payment, which edits make, at a time.
func bought(t *testing.T, s purchaseStore, n int, when time.Time, edits ...func(*catalog.Payment)) catalog.Payment {
	t.Helper()
	p := addPayment(t, s, newPayment(n, edits...))
	proof := proofOf(p, n, 0)
	p, _, err := s.ConfirmProductPayment(t.Context(), p.ID, proof, confirming(proof, when))
	require.NoError(t, err)
	return p
}

// sale is what ProductSales says of n payments like p.
func sale(p catalog.Payment, n int64) catalog.SaleCount {
	return catalog.SaleCount{ProductID: p.ProductID, Network: p.Network, Currency: p.Currency, Amount: p.Amount, Refunded: p.Refunded, Count: n}
}

// refundOf refunds a part of a payment.
func refundOf(t *testing.T, s purchaseStore, p catalog.Payment, amount x402.Amount, status catalog.PaymentStatus) catalog.Payment {
	t.Helper()
	p, err := s.UpdateProductPayment(t.Context(), p.ID, func(c *catalog.Payment) ([]store.Event, error) {
		c.Status, c.Refunded = status, amount
		return nil, nil
	})
	require.NoError(t, err)
	return p
}

var insightPromises = promises[purchaseStore]{
	"sales are counted by product, network, currency, amount and refund": func(t *testing.T, s purchaseStore) {
		huge, err := x402.ParseAtomic("99999999999999999999999999999999999999999999999999999999999999999999999999999"[:77])
		require.NoError(t, err)
		plain := bought(t, s, 1, at)
		bought(t, s, 2, at)
		product := bought(t, s, 3, at, func(p *catalog.Payment) { p.ProductID = "product-2" })
		network := bought(t, s, 4, at, func(p *catalog.Payment) { p.Network, p.Chain = x402.Base, "base" })
		currency := bought(t, s, 5, at, func(p *catalog.Payment) { p.Currency = "EURC" })
		amount := bought(t, s, 6, at, func(p *catalog.Payment) { p.Amount = huge })
		part := refundOf(t, s, bought(t, s, 7, at), x402.NewAmount(4), catalog.PaymentConfirmed)
		refundOf(t, s, bought(t, s, 8, at), x402.NewAmount(10_000), catalog.PaymentRefunded)
		other := bought(t, s, 10, at, func(p *catalog.Payment) { p.OwnerID = "owner-2" })
		addPayment(t, s, newPayment(11))
		mine := []catalog.SaleCount{sale(plain, 2), sale(product, 1), sale(network, 1), sale(currency, 1), sale(amount, 1), sale(part, 1)}

		got, err := s.ProductSales(t.Context(), "owner-1", at, at.Add(time.Second))
		require.NoError(t, err)
		require.ElementsMatch(t, mine, got, "not what was refunded whole, nor what is pending")
		got, err = s.ProductSales(t.Context(), "owner-2", at, at.Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, []catalog.SaleCount{sale(other, 1)}, got)
		mine[0].Count = 3
		got, err = s.ProductSales(t.Context(), "", time.Time{}, time.Time{})
		require.NoError(t, err)
		require.ElementsMatch(t, mine, got, "of all owners")
	},
	"sales are those of a range of time, whose end is not within": func(t *testing.T, s purchaseStore) {
		for n := range 3 {
			bought(t, s, n, at.Add(time.Duration(n)*time.Hour))
		}
		for _, c := range []struct {
			from, to time.Time
			want     int64
		}{
			{at, at.Add(2 * time.Hour), 2}, {at.Add(time.Microsecond), at.Add(3 * time.Hour), 2}, {at.Add(2 * time.Hour), time.Time{}, 1},
			{time.Time{}, at, 0}, {at.Add(3 * time.Hour), time.Time{}, 0},
		} {
			got, err := s.ProductSales(t.Context(), "owner-1", c.from, c.to)
			require.NoError(t, err)
			var n int64
			for _, of := range got {
				n += of.Count
			}
			require.Equal(t, c.want, n, "%v", c)
		}
	},
	"views are summed from the hour of a time, and are those of an owner": func(t *testing.T, s purchaseStore) {
		mine, second, theirs := newProduct("owner-1", 1), newProduct("owner-1", 2), newProduct("owner-2", 1)
		require.NoError(t, s.AddProducts(t.Context(), []catalog.Product{mine, second, theirs}))
		hour := at.Truncate(time.Hour)
		see := func(when time.Time, views map[string]int64) {
			require.NoError(t, s.CountViews(t.Context(), views, when, func(p catalog.Product, n int64) store.Event {
				return eventNamed(fmt.Sprint(p.ID, when, n))
			}))
		}
		see(hour, map[string]int64{mine.ID: 1, theirs.ID: 1000})
		see(hour.Add(59*time.Minute), map[string]int64{mine.ID: 10, "gone": 5})
		see(hour.Add(time.Hour), map[string]int64{mine.ID: 100, second.ID: 7})
		for _, c := range []struct {
			from time.Time
			want map[string]int64
		}{
			{hour, map[string]int64{mine.ID: 111, second.ID: 7}},
			{hour.Add(30 * time.Minute), map[string]int64{mine.ID: 111, second.ID: 7}},
			{hour.Add(time.Hour), map[string]int64{mine.ID: 100, second.ID: 7}},
			{hour.Add(2 * time.Hour), map[string]int64{}},
		} {
			got, err := s.ProductViews(t.Context(), "owner-1", c.from)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%v", c.from)
		}
	},
	"insights are not looked for after a caller has gone": func(t *testing.T, s purchaseStore) {
		_, err := s.ProductSales(cancelled(t), "", time.Time{}, time.Time{})
		require.Error(t, err)
		_, err = s.ProductViews(cancelled(t), "owner-1", at)
		require.Error(t, err)
	},
}

// purchasePromises are about products and payments in one store.
var purchasePromises = promises[purchaseStore]{
	"a product counts the payments that were confirmed, each once": func(t *testing.T, s purchaseStore) {
		p := newProduct("owner-1", 1)
		p.Purchases = 0
		require.NoError(t, s.AddProducts(t.Context(), []catalog.Product{p}))
		for n := range 3 {
			payment := addPayment(t, s, newPayment(n, func(pay *catalog.Payment) { pay.ProductID = p.ID }))
			confirm(t, s, payment, proofOf(payment, n, 0))
			proof := proofOf(payment, n, 0)
			_, _, err := s.ConfirmProductPayment(t.Context(), payment.ID, proof, confirming(proof, at))
			require.ErrorIs(t, err, errRefused)
		}
		got, err := s.Product(t.Context(), p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 3, got.Purchases)
	},
}

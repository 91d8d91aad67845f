package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var paymentListPromises = promises[PaymentStore]{
	"lists are filtered, the newest first": func(t *testing.T, s PaymentStore) {
		addPayment(t, s, newPayment(1))
		addPayment(t, s, newPayment(2, func(p *catalog.Payment) { p.OwnerID, p.Amount = "owner-2", x402.NewAmount(9) }))
		addPayment(t, s, newPayment(3, func(p *catalog.Payment) { p.UserID, p.Chain, p.Status = "user-2", "base", catalog.PaymentFailed }))
		addPayment(t, s, newPayment(4, func(p *catalog.Payment) { p.ProductID, p.Payer = "product-2", "0x"+"aB"+p.Payer[4:] }))
		ids := func(f catalog.PaymentFilter, page store.PageNumber) ([]string, int64) {
			l, err := s.ProductPayments(t.Context(), f, page)
			require.NoError(t, err)
			var list []string
			for _, p := range l.Items {
				list = append(list, p.ID[len(p.ID)-1:])
			}
			return list, l.Total
		}
		nine, many := x402.NewAmount(9), x402.NewAmount(10_000)
		for _, c := range []struct {
			filter catalog.PaymentFilter
			want   []string
		}{
			{catalog.PaymentFilter{}, []string{"4", "3", "2", "1"}},
			{catalog.PaymentFilter{OwnerID: "owner-2"}, []string{"2"}},
			{catalog.PaymentFilter{UserID: "user-2"}, []string{"3"}},
			{catalog.PaymentFilter{ProductID: "product-2"}, []string{"4"}},
			{catalog.PaymentFilter{Chain: "base"}, []string{"3"}},
			{catalog.PaymentFilter{Status: catalog.PaymentPending}, []string{"4", "2", "1"}},
			{catalog.PaymentFilter{Payer: "0xAB7b06519E91e3A54538791bDbb0E22373e36b66"}, []string{"4"}},
			{catalog.PaymentFilter{MaxAmount: &nine}, []string{"2"}},
			{catalog.PaymentFilter{MinAmount: &many}, []string{"4", "3", "1"}},
			{catalog.PaymentFilter{From: at.Add(2 * time.Millisecond), To: at.Add(4 * time.Millisecond)}, []string{"3", "2"}},
		} {
			got, total := ids(c.filter, store.PageNumber{})
			require.Equal(t, c.want, got, "%+v", c.filter)
			require.EqualValues(t, len(c.want), total)
		}
		got, total := ids(catalog.PaymentFilter{}, store.PageNumber{Page: 2, Size: 3})
		require.Equal(t, []string{"1"}, got)
		require.EqualValues(t, 4, total)
	},
	"payments are read one after another, the newest first, without those that are added between": func(t *testing.T, s PaymentStore) {
		for n := range 7 {
			addPayment(t, s, newPayment(n, func(p *catalog.Payment) { p.CreatedAt = at.Add(time.Duration(n/3) * time.Second) })) // some at once
			addPayment(t, s, newPayment(100+n, func(p *catalog.Payment) { p.OwnerID, p.CreatedAt = "owner-2", at }))
		}
		var read []string
		var last catalog.Payment
		for step := range 4 {
			list, err := s.ProductPaymentsAfter(t.Context(), catalog.PaymentFilter{OwnerID: "owner-1"}, last, 2)
			require.NoError(t, err)
			for _, p := range list {
				read, last = append(read, p.ID[len(p.ID)-1:]), p
			}
			addPayment(t, s, newPayment(200+step, func(p *catalog.Payment) { p.CreatedAt = at.Add(time.Hour) }))
		}
		require.Equal(t, []string{"6", "5", "4", "3", "2", "1", "0"}, read)
	},
	"open payments that are due are leased to one owner": func(t *testing.T, s PaymentStore) {
		addPayment(t, s, newPayment(1))
		processing, _, err := s.AddProductPayment(t.Context(), x402Payment(2), "asker", at.Add(time.Minute))
		require.NoError(t, err)
		addPayment(t, s, newPayment(3, func(p *catalog.Payment) { p.Status = catalog.PaymentFailed }))
		lease := func(owner string, now time.Time, limit int) []string {
			list, err := s.LeaseProductPayments(t.Context(), owner, now, now.Add(time.Minute), limit)
			require.NoError(t, err)
			var ids []string
			for _, p := range list {
				ids = append(ids, p.ID)
			}
			return ids
		}
		require.Empty(t, lease("a", at, 10))
		require.Equal(t, []string{processing.ID}, lease("a", at.Add(time.Minute), 10))
		require.Empty(t, lease("b", at.Add(time.Minute), 10))
		late := at.Add(15 * time.Minute)
		require.Equal(t, []string{"pay-00001"}, lease("b", late, 1))
		require.Equal(t, []string{processing.ID}, lease("b", late, 0+10))
		require.Empty(t, lease("a", late, 0))
	},
}

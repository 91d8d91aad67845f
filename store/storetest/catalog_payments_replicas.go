package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var paymentReplicaPromises = promises[[]PaymentStore]{
	"of many who store one payment at once one does": func(t *testing.T, stores []PaymentStore) {
		created, errs := together(12, func(i int) (bool, error) {
			p := x402Payment(1)
			p.ID = fmt.Sprintf("pay-%d", i)
			_, created, err := stores[i%len(stores)].AddProductPayment(t.Context(), p, "", at)
			return created, err
		})
		noErrors(t, errs)
		require.Equal(t, 1, count(created, true))
	},
	"of many who confirm payments with one transfer at once one does": func(t *testing.T, stores []PaymentStore) {
		var payments []catalog.Payment
		for n := range 12 {
			payments = append(payments, addPayment(t, stores[0], newPayment(n, func(p *catalog.Payment) { p.Amount = x402.NewAmount(uint64(100 + n)) })))
		}
		won, errs := together(len(payments), func(i int) (bool, error) {
			proof := proofOf(payments[i], 1, 0)
			_, _, err := stores[i%len(stores)].ConfirmProductPayment(t.Context(), payments[i].ID, proof, confirming(proof, at))
			if errors.Is(err, catalog.ErrProofUsed) {
				return false, nil
			}
			return err == nil, err
		})
		noErrors(t, errs)
		require.Equal(t, 1, count(won, true))
	},
	"of many who confirm by both methods with one transaction at once those of one method do": func(t *testing.T, stores []PaymentStore) {
		var payments []catalog.Payment
		for n := range 12 {
			p := x402Payment(n)
			if n%2 == 0 {
				p = newPayment(n, func(p *catalog.Payment) { p.Amount = x402.NewAmount(uint64(100 + n)) })
			}
			payments = append(payments, addPayment(t, stores[0], p))
		}
		won, errs := together(len(payments), func(i int) (bool, error) {
			proof := proofOf(payments[i], 1, int64(i))
			_, _, err := stores[i%len(stores)].ConfirmProductPayment(t.Context(), payments[i].ID, proof, confirming(proof, at))
			if errors.Is(err, catalog.ErrProofUsed) {
				return false, nil
			}
			return err == nil, err
		})
		noErrors(t, errs)
		for i := range won {
			require.Equal(t, won[i%2], won[i])
		}
		require.NotEqual(t, won[0], won[1])
	},
	"one payment is confirmed once, with one grant": func(t *testing.T, stores []PaymentStore) {
		p := addPayment(t, stores[0], newPayment(1))
		won, errs := together(12, func(i int) (bool, error) {
			proof := proofOf(p, i, 0)
			_, _, err := stores[i%len(stores)].ConfirmProductPayment(t.Context(), p.ID, proof, confirming(proof, at))
			if errors.Is(err, errRefused) {
				return false, nil
			}
			return err == nil, err
		})
		noErrors(t, errs)
		require.Equal(t, 1, count(won, true))
		require.Len(t, slices.DeleteFunc(savedTypes(t, stores[1]), func(kind string) bool { return kind != catalog.EventPaymentConfirmed }), 1)
	},
	"a grant for three accesses gives three to many at once": func(t *testing.T, stores []PaymentStore) {
		p := addPayment(t, stores[0], newPayment(1))
		_, g := confirm(t, stores[0], p, proofOf(p, 1, 0)) // one of them
		used, errs := together(12, func(i int) (bool, error) {
			_, ok, err := stores[i%len(stores)].UseAccessGrant(t.Context(), g.ID, at)
			return ok, err
		})
		noErrors(t, errs)
		require.Equal(t, 2, count(used, true))
	},
	"of many who repeat an access at once as many do as may": func(t *testing.T, stores []PaymentStore) {
		p := addPayment(t, stores[0], newPayment(1))
		_, g := confirm(t, stores[0], p, proofOf(p, 1, 0))
		repeated, errs := together(12, func(i int) (bool, error) {
			return stores[i%len(stores)].RepeatAccessGrant(t.Context(), g.ID, at.Add(-time.Second), 3)
		})
		noErrors(t, errs)
		require.Equal(t, 3, count(repeated, true))
	},
	"of many who take a payment at once one does": func(t *testing.T, stores []PaymentStore) {
		p := addPayment(t, stores[0], x402Payment(1))
		taken, errs := together(12, func(i int) (bool, error) {
			_, ok, err := stores[i%len(stores)].TakeProductPayment(t.Context(), p.ID, fmt.Sprint(i), at.Add(time.Second), at.Add(time.Hour))
			return ok, err
		})
		noErrors(t, errs)
		require.Equal(t, 1, count(taken, true))
	},
	"no product is erased that somebody pays for at the same time": func(t *testing.T, stores []PaymentStore) {
		done, errs := together(12, func(i int) (bool, error) {
			s := stores[i%len(stores)]
			if i%2 == 0 {
				err := s.DeleteProduct(t.Context(), "product-1", func(catalog.Product) ([]store.Event, error) { return nil, nil })
				if errors.Is(err, catalog.ErrProductSold) || errors.Is(err, store.ErrNotFound) {
					return false, nil
				}
				return err == nil, err
			}
			_, created, err := s.AddProductPayment(t.Context(), newPayment(i), "", at)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return created, err
		})
		noErrors(t, errs)
		erased, paid := false, false
		for i, ok := range done {
			erased, paid = erased || ok && i%2 == 0, paid || ok && i%2 == 1
		}
		require.NotEqual(t, erased, paid, "either or")
	},
	"an open payment is leased to one replica": func(t *testing.T, stores []PaymentStore) {
		for n := range 20 {
			addPayment(t, stores[0], x402Payment(n))
		}
		leased, errs := together(9, func(i int) ([]catalog.Payment, error) {
			return stores[i%len(stores)].LeaseProductPayments(t.Context(), fmt.Sprint(i), at.Add(time.Second), at.Add(time.Hour), 4)
		})
		noErrors(t, errs)
		seen := map[string]bool{}
		for _, list := range leased {
			for _, p := range list {
				require.False(t, seen[p.ID])
				seen[p.ID] = true
			}
		}
	},
}

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

// PaymentStore is what keeps the payments of a catalog and the products that they
// are for, with the outbox that their events go to.
type PaymentStore interface {
	catalog.AccessStore
	catalog.ProductStore
	store.Outbox
}

// TestPayments shows that open returns empty stores that keep payments and grants
// as [catalog.PaymentStore] promises, on so many replicas as are asked for.
func TestPayments(t *testing.T, open func(t *testing.T, replicas int) []PaymentStore) {
	stocked := func(t *testing.T, replicas int) []PaymentStore {
		stores := open(t, replicas)
		stock(t, stores[0], "product-1", "product-2")
		return stores
	}
	whole := func(t *testing.T) purchaseStore {
		s, ok := stocked(t, 1)[0].(purchaseStore)
		require.True(t, ok, "the store has insights too")
		return s
	}
	purchasePromises.run(t, whole)
	insightPromises.run(t, whole)
	one := func(t *testing.T) PaymentStore { return stocked(t, 1)[0] }
	paymentPromises.run(t, one)
	proofPromises.run(t, one)
	grantPromises.run(t, one)
	t.Run("Replicas", func(t *testing.T) {
		paymentReplicaPromises.run(t, func(t *testing.T) []PaymentStore { return stocked(t, 3) })
	})
	t.Run("Model", func(t *testing.T) { checkPaymentModel(t, stocked(t, 2)) })
}

// stock adds products that payments are for.
func stock(t *testing.T, s catalog.ProductStore, ids ...string) {
	t.Helper()
	for n, id := range ids {
		p := newProduct("owner-1", n)
		p.ID, p.Slug = id, id
		require.NoError(t, s.AddProducts(t.Context(), []catalog.Product{p}))
	}
}

// newPayment is the nth payment, which is pending, by transaction.
func newPayment(n int, edits ...func(*catalog.Payment)) catalog.Payment {
	p := catalog.Payment{
		ID: fmt.Sprintf("pay-%05d", n), ProductID: "product-1", OwnerID: "owner-1", UserID: "user-1", Method: catalog.MethodTransaction,
		Status: catalog.PaymentPending, Scheme: catalog.SchemeExact, Chain: "base-sepolia", Network: x402.BaseSepolia, Currency: "USDC",
		Asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e", Payer: "0x857b06519E91e3A54538791bDbb0E22373e36b66",
		Payee: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", Amount: x402.NewAmount(10_000), Fee: x402.NewAmount(250), Refunded: x402.NewAmount(0),
		ExternalReference: "order – “1”", AccessDuration: 24 * time.Hour, MaxAccesses: 3,
		CreatedAt: at.Add(time.Duration(n) * time.Millisecond), ExpiresAt: at.Add(15 * time.Minute), UpdatedAt: at,
	}
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

// x402Payment is the nth payment through x402, which is being settled.
func x402Payment(n int) catalog.Payment {
	return newPayment(n, func(p *catalog.Payment) {
		p.Method, p.Status, p.Key, p.Digest = catalog.MethodX402, catalog.PaymentProcessing, fmt.Sprintf("key-%d", n), "digest"
		p.Payload = []byte(`{"x402Version":2}`)
	})
}

func addPayment(t *testing.T, s PaymentStore, p catalog.Payment) catalog.Payment {
	t.Helper()
	stored, created, err := s.AddProductPayment(t.Context(), p, "", at)
	require.NoError(t, err)
	require.True(t, created)
	return stored
}

// proofOf is the transfer with a log index in the nth transaction.
func proofOf(p catalog.Payment, n int, log int64) catalog.Proof {
	return catalog.Proof{Method: p.Method, Network: p.Network, Transaction: fmt.Sprintf("0x%064x", n), LogIndex: log}
}

func paymentEvent(kind string, p *catalog.Payment) store.Event {
	return store.Event{ID: kind + p.ID, Type: kind, Subject: p.ID, Data: []byte(`{}`), CreatedAt: at}
}

// confirming confirms a payment at a time, with a grant that is used once.
func confirming(proof catalog.Proof, now time.Time) func(*catalog.Payment) (*catalog.Grant, []store.Event, error) {
	return func(p *catalog.Payment) (*catalog.Grant, []store.Event, error) {
		if !p.Status.May(catalog.PaymentConfirmed) {
			return nil, nil, errRefused
		}
		p.Status, p.Transaction, p.LogIndex, p.Block, p.Confirmations = catalog.PaymentConfirmed, proof.Transaction, proof.LogIndex, 7, 3
		p.ConfirmedAt, p.UpdatedAt = now, now
		g := catalog.Grant{
			ID: "grant-" + p.ID, ProductID: p.ProductID, PaymentID: p.ID, UserID: p.UserID, Payer: "0x857b06519e91e3a54538791bdbb0e22373e36b66",
			Paid:      catalog.Paid{Amount: p.Amount, Network: p.Network, Transaction: p.Transaction, Confirmations: 3},
			CreatedAt: now, ExpiresAt: now.Add(p.AccessDuration), MaxAccesses: p.MaxAccesses, Accesses: 1, LastAccessAt: now,
		}
		if p.AccessDuration == 0 {
			g.ExpiresAt = time.Time{}
		}
		return &g, []store.Event{paymentEvent(catalog.EventPaymentConfirmed, p)}, nil
	}
}

func confirm(t *testing.T, s PaymentStore, p catalog.Payment, proof catalog.Proof) (catalog.Payment, catalog.Grant) {
	t.Helper()
	confirmed, g, err := s.ConfirmProductPayment(t.Context(), p.ID, proof, confirming(proof, at))
	require.NoError(t, err)
	require.NotNil(t, g)
	return confirmed, *g
}

// savedTypes are those in the outbox, the oldest first.
func savedTypes(t *testing.T, s PaymentStore) []string {
	t.Helper()
	events, err := s.LeaseEvents(t.Context(), "reader", at, at, 1000)
	require.NoError(t, err)
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

var paymentPromises = promises[PaymentStore]{
	"a payment is stored as it was given, with its events, and found by ID and key": func(t *testing.T, s PaymentStore) {
		p := x402Payment(1)
		p.Amount, _ = x402.ParseAtomic("115792089237316195423570985008687907853269984665640564039457584007913129639935")
		stored, created, err := s.AddProductPayment(t.Context(), p, "me", at.Add(time.Minute), paymentEvent("created", &p))
		require.NoError(t, err)
		require.True(t, created)
		require.Equal(t, p, stored)
		for _, find := range []func() (catalog.Payment, error){
			func() (catalog.Payment, error) { return s.ProductPayment(t.Context(), p.ID) },
			func() (catalog.Payment, error) { return s.ProductPaymentByKey(t.Context(), p.Key) },
		} {
			got, err := find()
			require.NoError(t, err)
			require.Equal(t, p, got)
		}
		require.Equal(t, []string{"created"}, savedTypes(t, s))
	},
	"of two payments with one key the first is stored": func(t *testing.T, s PaymentStore) {
		first := addPayment(t, s, x402Payment(1))
		second := x402Payment(2)
		second.Key, second.ProductID = first.Key, "product-2"
		stored, created, err := s.AddProductPayment(t.Context(), second, "", at, paymentEvent("created", &second))
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, first, stored)
		_, err = s.ProductPayment(t.Context(), second.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Empty(t, savedTypes(t, s))
	},
	"payments without a key are all different": func(t *testing.T, s PaymentStore) {
		addPayment(t, s, newPayment(1))
		addPayment(t, s, newPayment(2))
		_, err := s.ProductPaymentByKey(t.Context(), "")
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"a change keeps what a payment is of": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		got, err := s.UpdateProductPayment(t.Context(), p.ID, func(c *catalog.Payment) ([]store.Event, error) {
			require.Equal(t, p, *c)
			*c = catalog.Payment{Status: catalog.PaymentFailed, FailureCode: "X", FailureReason: "why", Refunded: x402.NewAmount(1), UpdatedAt: at.Add(time.Second), Signed: true}
			return []store.Event{paymentEvent("failed", c)}, nil
		})
		require.NoError(t, err)
		p.Status, p.FailureCode, p.FailureReason, p.Refunded, p.UpdatedAt, p.Signed = catalog.PaymentFailed, "X", "why", x402.NewAmount(1), at.Add(time.Second), true
		require.Equal(t, p, got)
		got, err = s.ProductPayment(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p, got)
		require.Equal(t, []string{"failed"}, savedTypes(t, s))
	},
	"a payment is for a product that is there, and keeps it there until it has failed": func(t *testing.T, s PaymentStore) {
		allowed := func(catalog.Product) ([]store.Event, error) { return nil, nil }
		_, created, err := s.AddProductPayment(t.Context(), newPayment(1, func(p *catalog.Payment) { p.ProductID = "gone" }), "", at, eventNamed("created"))
		require.ErrorIs(t, err, store.ErrNotFound)
		require.False(t, created)
		for n, status := range catalog.PaymentStatuses {
			p := addPayment(t, s, newPayment(n, func(p *catalog.Payment) { p.Status = status }))
			err := s.DeleteProduct(t.Context(), p.ProductID, allowed)
			if status == catalog.PaymentFailed {
				require.NoError(t, err)
				stock(t, s, p.ProductID)
				continue
			}
			require.ErrorIs(t, err, catalog.ErrProductSold, "%s", status)
			_, err = s.UpdateProductPayment(t.Context(), p.ID, func(p *catalog.Payment) ([]store.Event, error) {
				p.Status = catalog.PaymentFailed
				return nil, nil
			})
			require.NoError(t, err)
		}
		require.Empty(t, savedTypes(t, s))
	},
	"an open payment is one owner's until that frees it, or its time is over": func(t *testing.T, s PaymentStore) {
		p := x402Payment(1)
		_, _, err := s.AddProductPayment(t.Context(), p, "a", at.Add(time.Minute))
		require.NoError(t, err)
		take := func(owner string, now time.Time) bool {
			got, ok, err := s.TakeProductPayment(t.Context(), p.ID, owner, now, now.Add(time.Minute))
			require.NoError(t, err)
			require.Equal(t, p.ID, got.ID)
			return ok
		}
		require.False(t, take("b", at))
		require.True(t, take("a", at.Add(time.Second)), "it is a's, for longer")
		require.False(t, take("b", at.Add(time.Minute)))
		require.NoError(t, s.FreeProductPayment(t.Context(), p.ID, "b"))
		require.False(t, take("b", at))
		require.True(t, take("b", at.Add(time.Minute+time.Second)))
		require.NoError(t, s.FreeProductPayment(t.Context(), p.ID, "b"))
		require.True(t, take("c", at))
		list, err := s.LeaseProductPayments(t.Context(), "d", at, at.Add(time.Minute), 10)
		require.NoError(t, err)
		require.Empty(t, list)
		confirm(t, s, p, proofOf(p, 1, 0))
		require.False(t, take("c", at.Add(time.Hour)), "it is decided")
		_, _, err = s.TakeProductPayment(t.Context(), "none", "a", at, at)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"an error of a change undoes it": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		_, err := s.UpdateProductPayment(t.Context(), p.ID, func(c *catalog.Payment) ([]store.Event, error) {
			c.Status = catalog.PaymentFailed
			return []store.Event{paymentEvent("failed", c)}, errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, _, err = s.ConfirmProductPayment(t.Context(), p.ID, proofOf(p, 1, 0), func(c *catalog.Payment) (*catalog.Grant, []store.Event, error) {
			c.Status = catalog.PaymentConfirmed
			return nil, nil, errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, err = s.AddPaymentRefund(t.Context(), catalog.Refund{ID: "r", PaymentID: p.ID, CreatedAt: at}, func(*catalog.Payment) ([]store.Event, error) {
			return nil, errRefused
		})
		require.ErrorIs(t, err, errRefused)
		got, err := s.ProductPayment(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p, got)
		refunds, err := s.PaymentRefunds(t.Context(), p.ID)
		require.NoError(t, err)
		require.Empty(t, refunds)
		require.Empty(t, savedTypes(t, s))
		confirm(t, s, p, proofOf(p, 1, 0)) // the proof was not used
	},
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
	"refunds are listed with their payment, and settled once paid": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		confirm(t, s, p, proofOf(p, 1, 0))
		for n := range 2 {
			r := catalog.Refund{ID: fmt.Sprint("r", n), PaymentID: p.ID, Amount: x402.NewAmount(5), Reason: "why", Actor: "admin", CreatedAt: at.Add(time.Duration(n) * time.Second)}
			got, err := s.AddPaymentRefund(t.Context(), r, func(c *catalog.Payment) ([]store.Event, error) {
				c.Refunded, _ = c.Refunded.Add(r.Amount)
				return nil, nil
			})
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(5*(n+1)), got.Refunded.String())
		}
		require.NoError(t, s.SettlePaymentRefund(t.Context(), "r0", "0xabc", at.Add(time.Hour)))
		require.ErrorIs(t, s.SettlePaymentRefund(t.Context(), "r9", "", at), store.ErrNotFound)
		list, err := s.PaymentRefunds(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, []catalog.Refund{
			{ID: "r0", PaymentID: p.ID, Amount: x402.NewAmount(5), Reason: "why", Actor: "admin", Transaction: "0xabc", CreatedAt: at, SettledAt: at.Add(time.Hour)},
			{ID: "r1", PaymentID: p.ID, Amount: x402.NewAmount(5), Reason: "why", Actor: "admin", CreatedAt: at.Add(time.Second)},
		}, list)
	},
	"what is not there is not found, and nothing is done for a context that has ended": func(t *testing.T, s PaymentStore) {
		_, err := s.ProductPayment(t.Context(), "none")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.UpdateProductPayment(t.Context(), "none", nil)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, _, err = s.ConfirmProductPayment(t.Context(), "none", catalog.Proof{}, nil)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.AccessGrant(t.Context(), "none")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.AccessGrantOfPayment(t.Context(), "none")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.AccessGrantOf(t.Context(), "none", "user-1", "", at)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, _, err = s.UseAccessGrant(t.Context(), "none", at)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, _, err = s.AddProductPayment(cancelled(t), newPayment(1), "", at)
		require.Error(t, err)
		_, err = s.ProductPayment(t.Context(), "pay-00001")
		require.ErrorIs(t, err, store.ErrNotFound)
	},
}

var proofPromises = promises[PaymentStore]{
	"a payment is confirmed with its grant and its events": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		proof := proofOf(p, 1, 4)
		confirmed, g := confirm(t, s, p, proof)
		p.Status, p.Transaction, p.LogIndex, p.Block, p.Confirmations = catalog.PaymentConfirmed, proof.Transaction, 4, 7, 3
		p.ConfirmedAt, p.UpdatedAt = at, at
		require.Equal(t, p, confirmed)
		for _, find := range []func() (catalog.Grant, error){
			func() (catalog.Grant, error) { return s.AccessGrant(t.Context(), g.ID) },
			func() (catalog.Grant, error) { return s.AccessGrantOfPayment(t.Context(), p.ID) },
		} {
			got, err := find()
			require.NoError(t, err)
			require.Equal(t, g, got)
		}
		require.Equal(t, []string{catalog.EventPaymentConfirmed}, savedTypes(t, s))
	},
	"one transfer proves one payment, and another of the same transaction another": func(t *testing.T, s PaymentStore) {
		a, b := addPayment(t, s, newPayment(1)), addPayment(t, s, newPayment(2))
		confirm(t, s, a, proofOf(a, 1, 4))
		_, _, err := s.ConfirmProductPayment(t.Context(), b.ID, proofOf(b, 1, 4), confirming(proofOf(b, 1, 4), at))
		require.ErrorIs(t, err, catalog.ErrProofUsed)
		got, err := s.ProductPayment(t.Context(), b.ID)
		require.NoError(t, err)
		require.Equal(t, b, got)
		confirm(t, s, b, proofOf(b, 1, 5))
	},
	"a transaction proves payments of one method": func(t *testing.T, s PaymentStore) {
		a, b, c := addPayment(t, s, x402Payment(1)), addPayment(t, s, newPayment(2)), addPayment(t, s, x402Payment(3))
		confirm(t, s, a, proofOf(a, 1, 0))
		_, _, err := s.ConfirmProductPayment(t.Context(), b.ID, proofOf(b, 1, 4), confirming(proofOf(b, 1, 4), at))
		require.ErrorIs(t, err, catalog.ErrProofUsed)
		confirm(t, s, c, proofOf(c, 1, 0)) // several x402 payments may share a transaction
		confirm(t, s, b, proofOf(b, 2, 4))
		d := addPayment(t, s, x402Payment(4))
		_, _, err = s.ConfirmProductPayment(t.Context(), d.ID, proofOf(d, 2, 0), confirming(proofOf(d, 2, 0), at))
		require.ErrorIs(t, err, catalog.ErrProofUsed)
	},
	"a transfer proves the earlier of two payments, unless the payer has signed": func(t *testing.T, s PaymentStore) {
		early := addPayment(t, s, newPayment(1))
		late := addPayment(t, s, newPayment(2, func(p *catalog.Payment) { p.Payer = "0x857B06519E91E3A54538791BDBB0E22373E36B66" }))
		other := addPayment(t, s, newPayment(3, func(p *catalog.Payment) { p.Amount = x402.NewAmount(7) }))
		proof := proofOf(late, 1, 0)
		_, _, err := s.ConfirmProductPayment(t.Context(), late.ID, proof, confirming(proof, at))
		require.ErrorIs(t, err, catalog.ErrEarlierPayment)
		confirm(t, s, other, proofOf(other, 2, 0))
		proof.Signed = true
		confirm(t, s, late, proof)
		confirm(t, s, early, proofOf(early, 3, 0))
	},
	"a transfer goes to the payment that it fits best": func(t *testing.T, s PaymentStore) {
		worth := func(n uint64) func(*catalog.Payment) {
			return func(p *catalog.Payment) { p.Amount = x402.NewAmount(n) }
		}
		cheap, right, dear := addPayment(t, s, newPayment(1, worth(9))), addPayment(t, s, newPayment(2, worth(100))), addPayment(t, s, newPayment(3, worth(101)))
		for n, p := range []catalog.Payment{cheap, right} {
			proof := proofOf(p, n, 0)
			proof.Amount = x402.NewAmount(100)
			_, _, err := s.ConfirmProductPayment(t.Context(), p.ID, proof, confirming(proof, at))
			if p.ID == cheap.ID {
				require.ErrorIs(t, err, catalog.ErrEarlierPayment)
			} else {
				require.NoError(t, err, "what is dearer than the transfer is in nobody's way")
			}
		}
		proof := proofOf(cheap, 0, 0)
		proof.Amount = x402.NewAmount(100)
		confirm(t, s, cheap, proof)
		confirm(t, s, dear, proofOf(dear, 3, 0))
	},
	"an earlier payment that is over is in nobody's way": func(t *testing.T, s PaymentStore) {
		addPayment(t, s, newPayment(1, func(p *catalog.Payment) { p.Status = catalog.PaymentFailed }))
		late := addPayment(t, s, newPayment(2))
		confirm(t, s, late, proofOf(late, 1, 0))
	},
	"money that buys nothing is proven too": func(t *testing.T, s PaymentStore) {
		a, b := addPayment(t, s, newPayment(1)), addPayment(t, s, newPayment(2))
		_, g, err := s.ConfirmProductPayment(t.Context(), a.ID, proofOf(a, 1, 0), func(p *catalog.Payment) (*catalog.Grant, []store.Event, error) {
			p.Status = catalog.PaymentDisputed
			return nil, nil, nil
		})
		require.NoError(t, err)
		require.Nil(t, g)
		_, _, err = s.ConfirmProductPayment(t.Context(), b.ID, proofOf(b, 1, 0), confirming(proofOf(b, 1, 0), at))
		require.ErrorIs(t, err, catalog.ErrProofUsed)
	},
	"a refunded or disputed payment loses its grant": func(t *testing.T, s PaymentStore) {
		for n, status := range []catalog.PaymentStatus{catalog.PaymentRefunded, catalog.PaymentDisputed} {
			p := addPayment(t, s, newPayment(n))
			_, g := confirm(t, s, p, proofOf(p, n, 0))
			_, err := s.UpdateProductPayment(t.Context(), p.ID, func(p *catalog.Payment) ([]store.Event, error) {
				p.Status, p.UpdatedAt = status, at.Add(time.Minute)
				return nil, nil
			})
			require.NoError(t, err)
			got, err := s.AccessGrant(t.Context(), g.ID)
			require.NoError(t, err)
			g.RevokedAt, g.RevokedReason = at.Add(time.Minute), string(status)
			require.Equal(t, g, got)
			require.Equal(t, catalog.GrantRevoked, got.Status(at))
			_, ok, err := s.UseAccessGrant(t.Context(), g.ID, at)
			require.NoError(t, err)
			require.False(t, ok)
		}
	},
}

var grantPromises = promises[PaymentStore]{
	"a grant is used until it is exhausted, expired or gone": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		_, g := confirm(t, s, p, proofOf(p, 1, 0))
		for n := range 3 {
			used, ok, err := s.UseAccessGrant(t.Context(), g.ID, at.Add(time.Second))
			require.NoError(t, err)
			require.Equal(t, n < 2, ok)
			g.Accesses, g.LastAccessAt = min(int64(n)+2, 3), at.Add(time.Second)
			require.Equal(t, g, used)
		}
		require.Equal(t, catalog.GrantExhausted, g.Status(at))
		q := addPayment(t, s, newPayment(2))
		_, g = confirm(t, s, q, proofOf(q, 2, 0))
		_, ok, err := s.UseAccessGrant(t.Context(), g.ID, g.ExpiresAt)
		require.NoError(t, err)
		require.False(t, ok)
	},
	"a grant is started once, while it is live": func(t *testing.T, s PaymentStore) {
		for n, edit := range []func(*catalog.Grant){
			func(*catalog.Grant) {}, func(g *catalog.Grant) { g.RevokedAt = at }, func(g *catalog.Grant) { g.ExpiresAt = at },
		} {
			p := addPayment(t, s, newPayment(n))
			_, g, err := s.ConfirmProductPayment(t.Context(), p.ID, proofOf(p, n, 0), func(c *catalog.Payment) (*catalog.Grant, []store.Event, error) {
				g, events, err := confirming(proofOf(p, n, 0), at)(c)
				g.Accesses, g.LastAccessAt = 0, time.Time{}
				edit(g)
				return g, events, err
			})
			require.NoError(t, err)
			want := *g
			if n == 0 {
				want.Accesses, want.LastAccessAt = 1, at.Add(time.Second)
			}
			for d := range 2 {
				got, err := s.StartAccessGrant(t.Context(), g.ID, at.Add(time.Duration(d+1)*time.Second))
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
		_, err := s.StartAccessGrant(t.Context(), "none", at)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"the last access is repeated so often and for so long": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		_, g := confirm(t, s, p, proofOf(p, 1, 0))
		repeat := func(since time.Time) bool {
			ok, err := s.RepeatAccessGrant(t.Context(), g.ID, since, 2)
			require.NoError(t, err)
			return ok
		}
		require.False(t, repeat(at), "it was not later")
		require.Equal(t, []bool{true, true, false}, []bool{repeat(at.Add(-1)), repeat(at.Add(-time.Second)), repeat(at.Add(-time.Second))})
		_, ok, err := s.UseAccessGrant(t.Context(), g.ID, at.Add(time.Second))
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, repeat(at), "another one")
		got, err := s.AccessGrant(t.Context(), g.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, got.Accesses)
		ok, err = s.RepeatAccessGrant(t.Context(), "none", at, 2)
		require.NoError(t, err)
		require.False(t, ok)
	},
	"the live grant that lasts longest is found by user or payer": func(t *testing.T, s PaymentStore) {
		const payer = "0x857b06519e91e3a54538791bdbb0e22373e36b66"
		var ids []string
		for n, d := range []time.Duration{time.Hour, 0, 2 * time.Hour} {
			p := addPayment(t, s, newPayment(n, func(p *catalog.Payment) { p.AccessDuration, p.MaxAccesses = d, 0 }))
			_, g := confirm(t, s, p, proofOf(p, n, 0))
			ids = append(ids, g.ID)
		}
		find := func(product, user, payer string, now time.Time) string {
			g, err := s.AccessGrantOf(t.Context(), product, user, payer, now)
			if errors.Is(err, store.ErrNotFound) {
				return ""
			}
			require.NoError(t, err)
			return g.ID
		}
		require.Equal(t, ids[1], find("product-1", "user-1", "", at))
		require.Equal(t, ids[1], find("product-1", "", payer, at.Add(1000*time.Hour)))
		require.Empty(t, find("product-1", "", "", at))
		require.Empty(t, find("product-1", "user-2", "0x00", at))
		require.Empty(t, find("product-2", "user-1", payer, at))
		list, err := s.AccessGrants(t.Context(), "product-1", "user-1", "", at.Add(90*time.Minute))
		require.NoError(t, err)
		require.Len(t, list, 2)
		for _, c := range []struct {
			buyers []string
			want   bool
		}{{nil, false}, {[]string{"user-2"}, false}, {[]string{"user-2", "user-1"}, true}, {[]string{payer}, true}, {[]string{""}, false}} {
			bought, err := s.HasBought(t.Context(), "product-1", c.buyers)
			require.NoError(t, err)
			require.Equal(t, c.want, bought, "%v", c.buyers)
		}
	},
	"a buyer who is not a user has no user's grants": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1, func(p *catalog.Payment) { p.UserID = "" }))
		confirm(t, s, p, proofOf(p, 1, 0))
		_, err := s.AccessGrantOf(t.Context(), "product-1", "", "0x01", at)
		require.ErrorIs(t, err, store.ErrNotFound)
		bought, err := s.HasBought(t.Context(), "product-1", []string{""})
		require.NoError(t, err)
		require.False(t, bought)
	},
	"quotes are found until they expire, the newest first, and then purged": func(t *testing.T, s PaymentStore) {
		for n := range 12 {
			require.NoError(t, s.AddAccessQuote(t.Context(), catalog.Quote{
				ID: fmt.Sprintf("q%02d", n), ProductID: "p", Requester: "r", Resource: "/x", Amount: x402.NewAmount(uint64(n)),
				CreatedAt: at.Add(time.Duration(n) * time.Second), ExpiresAt: at.Add(time.Duration(n) * time.Minute),
			}))
		}
		list, err := s.AccessQuotes(t.Context(), "p", "r", "/x", at.Add(9*time.Minute))
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, catalog.Quote{
			ID: "q11", ProductID: "p", Requester: "r", Resource: "/x", Amount: x402.NewAmount(11), CreatedAt: at.Add(11 * time.Second), ExpiresAt: at.Add(11 * time.Minute),
		}, list[0])
		list, err = s.AccessQuotes(t.Context(), "p", "r", "/x", at.Add(-time.Hour))
		require.NoError(t, err)
		require.Len(t, list, catalog.MaxQuotes)
		for _, c := range [][3]string{{"q", "r", "/x"}, {"p", "s", "/x"}, {"p", "r", "/y"}} {
			list, err := s.AccessQuotes(t.Context(), c[0], c[1], c[2], at)
			require.NoError(t, err)
			require.Empty(t, list)
		}
		n, err := s.PurgeAccessQuotes(t.Context(), at.Add(5*time.Minute), 4)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		n, err = s.PurgeAccessQuotes(t.Context(), at.Add(5*time.Minute), 100)
		require.NoError(t, err)
		require.Equal(t, 2, n)
	},
}

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

func count[T comparable](list []T, want T) int {
	n := 0
	for _, v := range list {
		if v == want {
			n++
		}
	}
	return n
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

type purchaseStore interface {
	PaymentStore
	catalog.InsightStore
}

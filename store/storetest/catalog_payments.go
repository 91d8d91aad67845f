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

// PaymentStore is what keeps the payments of a catalog and the products that they
// are for, with the outbox that their events go to.
type PaymentStore interface {
	catalog.AccessStore
	catalog.ProductStore
	store.Outbox
}

// TestPayments shows that open returns empty stores that keep payments and grants
// as [catalog.PaymentStore] promises, on so many replicas as are asked for.
func TestPayments(t *testing.T, open Open[PaymentStore]) {
	var stocked Open[PaymentStore] = func(t *testing.T, replicas int) []PaymentStore {
		stores := open(t, replicas)
		stock(t, stores[0], "product-1", "product-2")
		return stores
	}
	whole := func(t *testing.T) purchaseStore {
		s, ok := stocked.one(t).(purchaseStore)
		require.True(t, ok, "the store has insights too")
		return s
	}
	purchasePromises.run(t, whole)
	insightPromises.run(t, whole)
	paymentPromises.run(t, stocked.one)
	paymentListPromises.run(t, stocked.one)
	proofPromises.run(t, stocked.one)
	grantPromises.run(t, stocked.one)
	quotePromises.run(t, stocked.one)
	paymentReplicaPromises.run(t, stocked.some(3))
	promises[[]PaymentStore]{"payments do what a simple model does": checkPaymentModel}.run(t, stocked.some(2))
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

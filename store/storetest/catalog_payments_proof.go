package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

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

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// paymentModel is payments in their simplest form: a status each, what proves
// what, and how often each grant may be used.
type paymentModel struct {
	stores []PaymentStore
	round  int
	now    time.Time
	open   []*modelPayment
	proofs map[[2]int]string // payment, by transaction and log
	by     map[int]catalog.PaymentMethod
}

type modelPayment struct {
	id      string
	method  catalog.PaymentMethod
	status  catalog.PaymentStatus
	amount  uint64
	grant   string
	expires time.Time
	left    int64 // accesses
	revoked bool
}

// checkPaymentModel does random steps on payments and on a model.
func checkPaymentModel(t *testing.T, stores []PaymentStore) {
	ctx := t.Context()
	round := 0
	check(t, func(t *rapid.T) {
		round++
		m := &paymentModel{stores: stores, round: round, now: at, proofs: map[[2]int]string{}, by: map[int]catalog.PaymentMethod{}}
		pick := func(t *rapid.T) *modelPayment {
			if len(m.open) == 0 {
				t.Skip("no payment yet")
			}
			return m.open[rapid.IntRange(0, len(m.open)-1).Draw(t, "payment")]
		}
		any := func(t *rapid.T) PaymentStore { return m.stores[rapid.IntRange(0, len(m.stores)-1).Draw(t, "replica")] }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p := m.payment(rapid.Bool().Draw(t, "x402"))
				_, created, err := any(t).AddProductPayment(ctx, p, "", m.now)
				require.NoError(t, err)
				require.True(t, created)
				m.open = append(m.open, &modelPayment{id: p.ID, method: p.Method, status: p.Status, amount: uint64(len(m.open) + 1)})
			},
			"move": func(t *rapid.T) {
				p := pick(t)
				to := rapid.SampledFrom(catalog.PaymentStatuses).Draw(t, "to")
				if to == catalog.PaymentConfirmed {
					t.Skip("that is another step")
				}
				may := p.status.May(to)
				got, err := any(t).UpdateProductPayment(ctx, p.id, func(c *catalog.Payment) ([]store.Event, error) {
					if !c.Status.May(to) {
						return nil, errRefused
					}
					c.Status = to
					return nil, nil
				})
				require.Equal(t, may, err == nil, "%s to %s: %v", p.status, to, err)
				if may {
					p.status = to
					p.revoked = p.revoked || p.grant != "" && (to == catalog.PaymentRefunded || to == catalog.PaymentDisputed)
					require.Equal(t, to, got.Status)
				}
			},
			"confirm": func(t *rapid.T) { m.confirm(t, any(t), pick(t)) },
			"use": func(t *rapid.T) {
				p := pick(t)
				if p.grant == "" {
					t.Skip("it has bought nothing")
				}
				_, ok, err := any(t).UseAccessGrant(t.Context(), p.grant, m.now)
				require.NoError(t, err)
				require.Equal(t, !p.revoked && p.left > 0 && m.now.Before(p.expires), ok)
				if ok {
					p.left--
				}
			},
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "minutes")) * time.Minute)
			},
			"": func(t *rapid.T) {
				for _, p := range m.open {
					got, err := any(t).ProductPayment(ctx, p.id)
					require.NoError(t, err)
					require.Equal(t, p.status, got.Status)
				}
			},
		})
	})
}

func (m *paymentModel) payment(byX402 bool) catalog.Payment {
	n := len(m.open) + 1
	p := newPayment(n)
	if byX402 {
		p = x402Payment(n)
		p.Key = fmt.Sprintf("key-%d-%d", m.round, n)
	}
	p.ID, p.Amount = fmt.Sprintf("pay-%d-%d", m.round, n), x402.NewAmount(uint64(n)) // no two wait for the same transfer
	return p
}

func (m *paymentModel) confirm(t *rapid.T, s PaymentStore, p *modelPayment) {
	transaction, log := rapid.IntRange(0, 3).Draw(t, "transaction"), rapid.IntRange(0, 1).Draw(t, "log")
	proof := catalog.Proof{Method: p.method, Network: x402.BaseSepolia, Transaction: fmt.Sprintf("0x%d-%d", m.round, transaction), LogIndex: int64(log)}
	_, g, err := s.ConfirmProductPayment(t.Context(), p.id, proof, confirming(proof, m.now))
	by, used := m.by[transaction]
	switch {
	case !p.status.May(catalog.PaymentConfirmed):
		require.ErrorIs(t, err, errRefused)
	case used && by != p.method, p.method == catalog.MethodTransaction && m.proofs[[2]int{transaction, log}] != "" && m.proofs[[2]int{transaction, log}] != p.id:
		require.ErrorIs(t, err, catalog.ErrProofUsed)
	default:
		require.NoError(t, err)
		require.NotNil(t, g)
		if p.grant == "" {
			p.grant, p.expires, p.left = g.ID, g.ExpiresAt, g.MaxAccesses-g.Accesses
		}
		require.Equal(t, p.left, g.MaxAccesses-g.Accesses)
		p.status, p.revoked, m.by[transaction] = catalog.PaymentConfirmed, false, p.method
		if p.method == catalog.MethodTransaction {
			m.proofs[[2]int{transaction, log}] = p.id
		}
	}
}

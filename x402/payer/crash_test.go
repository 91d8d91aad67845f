package payer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// crash is what a process that dies leaves on its stack.
type crash struct{}

// mortal counts the steps of a process towards the outside and dies before or
// after one of them.
type mortal struct {
	dieAt int // in half steps: 2n is before step n, 2n+1 after it
	step  int
}

func (m *mortal) do(f func()) {
	if m.dieAt == 2*m.step {
		panic(crash{})
	}
	f()
	m.step++
	if m.dieAt == 2*m.step-1 {
		panic(crash{})
	}
}

type mortalLedger struct {
	payer.Ledger
	m *mortal
}

func (l mortalLedger) Reserve(ctx context.Context, s payer.Spending, limits []payer.Limit) (err error) {
	l.m.do(func() { err = l.Ledger.Reserve(ctx, s, limits) })
	return err
}

func (l mortalLedger) Sign(ctx context.Context, id string, payload json.RawMessage) (err error) {
	l.m.do(func() { err = l.Ledger.Sign(ctx, id, payload) })
	return err
}

func (l mortalLedger) Finish(ctx context.Context, id string, state payer.State, transaction string) (err error) {
	l.m.do(func() { err = l.Ledger.Finish(ctx, id, state, transaction) })
	return err
}

type mortalTransport struct {
	http.RoundTripper
	m *mortal
}

func (t mortalTransport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	t.m.do(func() { resp, err = t.RoundTripper.RoundTrip(req) })
	return resp, err
}

type mortalSigner struct {
	payer.Signer
	m *mortal
}

func (s mortalSigner) Sign(ctx context.Context, version int, r x402.PaymentRequirements, now time.Time) (payload json.RawMessage, err error) {
	s.m.do(func() { payload, err = s.Signer.Sign(ctx, version, r, now) })
	return payload, err
}

// TestACrashBetweenAnyTwoStepsNeverPaysTwice kills the payer before and after
// each step towards ledger, signer and seller, for several courses of events,
// and lets its successors ask again with the same key.
func TestACrashBetweenAnyTwoStepsNeverPaysTwice(t *testing.T) {
	t.Parallel()
	for name, script := range map[string][]behaviour{
		"served":                   {serve},
		"settled, but hung up":     {takesMoneyThen(hangUp), serve},
		"pending, then served":     {takesMoneyThen(settleFails("settlement_pending", "0x1")), serve},
		"502 twice, then served":   {status(502), takesMoneyThen(status(502)), serve},
		"second 402, then served":  {takesMoneyThen(refuse("Payment required")), serve},
		"hung up, then served":     {hangUp, serve},
		"served late, then always": {takesMoneyThen(hangUp), takesMoneyThen(hangUp), takesMoneyThen(hangUp), takesMoneyThen(hangUp), takesMoneyThen(hangUp), serve},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			died := 0
			for dieAt := 0; ; dieAt++ {
				if !dies(t, fmt.Sprintf("%s, half step %d", name, dieAt), dieAt, script) {
					break
				}
				died++
			}
			assert.GreaterOrEqual(t, died, 12, "reserve, sign, record, two sendings, finish")
		})
	}
}

// dies lets a payer die at a step and its successors finish; it says whether
// there was such a step.
func dies(t *testing.T, what string, dieAt int, script []behaviour) (died bool) {
	path, s, signer := ledgerFile(t), newShop(x402.V2, script...), &fakeSigner{}
	ctx := payer.WithKey(t.Context(), "order 7")
	life := func(m *mortal) (served, died bool) {
		l, err := payer.OpenFile(path)
		require.NoError(t, err, what)
		defer func() {
			require.NoError(t, l.Close()) // as the end of a process does
			if p := recover(); p == (crash{}) {
				died = true
			} else if p != nil {
				panic(p)
			}
		}()
		p, err := payer.New(payer.Config{
			Signers: []payer.Signer{mortalSigner{signer, m}}, Base: mortalTransport{inProcess{s}, m}, Ledger: mortalLedger{l, m},
			Backoff: time.Microsecond, Limits: payer.Limits{Budgets: []payer.Budget{{Max: "$0.01"}}},
		})
		require.NoError(t, err)
		_, err = get(t, p, ctx)
		if err != nil {
			require.ErrorIs(t, err, payer.ErrUnknownOutcome, what)
		}
		return err == nil, false
	}
	served, died := life(&mortal{dieAt: dieAt})
	for again := 0; !served; again++ {
		require.Less(t, again, 10, "%s: it must end some time", what)
		served, _ = life(&mortal{dieAt: -1})
	}
	assert.Equal(t, 1, s.movedCount(), what)
	assert.Len(t, s.sentNonces(), 1, what)
	l := openFile(t, path)
	assert.Equal(t, payer.Paid, only(t, l).State, what)
	return died
}

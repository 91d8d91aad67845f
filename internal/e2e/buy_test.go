package e2e_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

func TestAnAgentBuysFromAGuardedHandler(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	signer, err := evm.ParseSigner(s.chain.Payer.Key)
	require.NoError(t, err)
	var receipts []*x402.SettleResponse
	p, err := payer.New(payer.Config{
		Signers: []payer.Signer{signer},
		OnPaid:  func(_ context.Context, _ payer.Spending, r *x402.SettleResponse) { receipts = append(receipts, r) },
	})
	require.NoError(t, err)
	for i := range 3 {
		w, err := p.Client().Do(usual.request(s, i))
		require.NoError(t, err)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		require.Equal(t, 200, w.StatusCode, "%s", body)
		require.Equal(t, "the goods for alice", string(body))
	}
	require.Len(t, receipts, 3)
	require.Equal(t, 3, s.transfers())
	require.EqualValues(t, 3, s.ran.Load())
}

func TestOfTwoHundredIdenticalRequestsAtOnceOneIsServedAsNew(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	signature := s.sign(usual)
	answers := make([]bought, 200)
	var g errgroup.Group
	for i := range answers {
		g.Go(func() (err error) {
			answers[i], err = s.send(usual, i, signature)
			return err
		})
	}
	require.NoError(t, g.Wait())
	asNew := 0
	for _, a := range answers {
		require.Equal(t, 200, a.status, "%+v", a)
		require.Equal(t, "the goods for alice", a.body)
		require.True(t, a.settled.Success)
		require.Equal(t, answers[0].settled.Transaction, a.settled.Transaction)
		if !a.replayed {
			asNew++
		}
	}
	require.Equal(t, 1, asNew)
	require.EqualValues(t, 1, s.ran.Load())
	require.Equal(t, 1, s.transfers())
}

// others are orders that a payment for the usual one does not buy.
var others = map[string]order{
	"route":  {"POST", "/other?of=1", "alice"},
	"method": {"PUT", "/quote?of=1", "alice"},
	"query":  {"POST", "/quote?of=2", "alice"},
	"body":   {"POST", "/quote?of=1", "bob"},
}

func TestAPaymentThatWasUsedBuysNothingElse(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	signature := s.sign(usual)
	first, err := s.send(usual, 0, signature)
	require.NoError(t, err)
	require.Equal(t, 200, first.status, "%+v", first)
	for what, o := range others {
		for site := range s.sites {
			got, err := s.send(o, site, signature)
			require.NoError(t, err)
			require.Equal(t, 402, got.status, "another %s", what)
			require.NotEmpty(t, got.refused)
			require.NotContains(t, got.body, "goods")
		}
	}
	require.EqualValues(t, 1, s.ran.Load())
	require.Equal(t, 1, s.transfers())
	again, err := s.send(usual, 1, signature)
	require.NoError(t, err)
	require.True(t, again.replayed)
	require.Equal(t, first.settled, again.settled)
}

func TestAnUnusedPaymentForOneResourceBuysNoOther(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	signature := s.sign(usual)
	for _, what := range []string{"route", "query"} {
		got, err := s.send(others[what], 0, signature)
		require.NoError(t, err)
		require.Equal(t, 402, got.status, "another %s", what)
		require.Equal(t, x402.ReasonResourceMismatch, got.refused)
	}
	require.Zero(t, s.ran.Load())
	require.Zero(t, s.transfers())
	got, err := s.send(usual, 0, signature)
	require.NoError(t, err)
	require.Equal(t, 200, got.status, "%+v", got)
	require.Equal(t, 1, s.transfers())
}

func TestOfDifferentOrdersAtOnceWithOnePaymentOneIsServed(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	signature := s.sign(usual)
	orders := []order{usual, others["method"], others["body"]}
	answers := make([]bought, 150)
	var g errgroup.Group
	for i := range answers {
		g.Go(func() (err error) {
			answers[i], err = s.send(orders[i%len(orders)], i/len(orders), signature)
			return err
		})
	}
	require.NoError(t, g.Wait())
	served := map[int]bool{}
	for i, a := range answers {
		if a.status == 200 {
			served[i%len(orders)] = true
		} else {
			require.Equal(t, 402, a.status, "%+v", a)
		}
	}
	require.Len(t, served, 1, "one payment bought several things")
	require.EqualValues(t, 1, s.ran.Load())
	require.Equal(t, 1, s.transfers())
}

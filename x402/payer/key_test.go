package payer_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

func TestAKeyContinuesTheSamePaymentAfterARestart(t *testing.T) {
	t.Parallel()
	for _, version := range []int{x402.V1, x402.V2} {
		path := ledgerFile(t)
		s := newShop(version, takesMoneyThen(hangUp), takesMoneyThen(hangUp), serve)
		ctx := payer.WithKey(t.Context(), "order 7")

		first, err := payer.OpenFile(path)
		require.NoError(t, err)
		p, _ := pays(t, s, func(c *payer.Config) { c.Ledger, c.Resends = first, -1 })
		_, err = get(t, p, ctx)
		require.ErrorIs(t, err, payer.ErrUnknownOutcome)
		require.NoError(t, first.Close())

		second := openFile(t, path)
		q, signer := pays(t, s, func(c *payer.Config) { c.Ledger = second })
		s.offers[0] = offer(x402.Base, "0.5") // whatever it costs now
		for range 2 {                         // and again once it is paid
			resp, err := get(t, q, ctx)
			require.NoError(t, err)
			assert.Equal(t, "goods", text(t, resp))
		}
		assert.Zero(t, signer.count(), "nothing new is signed")
		assert.Equal(t, 1, s.unpaid, "the payment goes with the first request")
		assert.Len(t, s.sentNonces(), 1)
		assert.Equal(t, 1, s.movedCount())
		assert.Equal(t, payer.Paid, only(t, second).State)
	}
}

func TestAKeyBelongsToOneMethodAndURL(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, signer := pays(t, s, nil)
	ctx := payer.WithKey(t.Context(), "k")
	_, err := get(t, p, ctx)
	require.NoError(t, err)
	for method, url := range map[string]string{
		"GET":  "https://shop.example/other",
		"PUT":  "https://shop.example/thing",
		"POST": "https://shop.example/thing?x=1",
		"HEAD": "https://thief.example/thing",
	} {
		_, err = p.RoundTrip(request(t, ctx, method, url, nil))
		require.ErrorIs(t, err, payer.ErrKeyReused, method)
	}
	assert.Equal(t, 1, signer.count())
	assert.Equal(t, 1, s.sendings(), "the payment was never shown elsewhere")
}

func TestARefusedKeyMayPayAnew(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2, refuse("insufficient_funds"), serve), payer.NewMemoryLedger()
	p, signer := pays(t, s, func(c *payer.Config) { c.Ledger = ledger })
	ctx := payer.WithKey(t.Context(), "k")
	_, err := get(t, p, ctx)
	require.ErrorIs(t, err, payer.ErrRefused)
	_, err = get(t, p, ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, signer.count())
	assert.Equal(t, 1, s.movedCount())
	assert.Equal(t, payer.Paid, only(t, ledger).State)
}

func TestASellerWhoWantsMoneyAgainForWhatIsPaidGetsNone(t *testing.T) {
	t.Parallel()
	for _, script := range [][]behaviour{
		{serve, refuse("invalid_exact_evm_signature")},
		{serve, refuse("Payment required")},
		{serve, paidBut402},
	} {
		s, ledger := newShop(x402.V2, script...), payer.NewMemoryLedger()
		p, signer := pays(t, s, func(c *payer.Config) {
			c.Ledger = ledger
			c.OnUnknown = func(context.Context, payer.Spending) { t.Error("it is known to be paid") }
		})
		ctx := payer.WithKey(t.Context(), "k")
		_, err := get(t, p, ctx)
		require.NoError(t, err)
		_, err = get(t, p, ctx)
		require.Error(t, err)
		assert.Equal(t, 1, signer.count())
		assert.Equal(t, payer.Paid, only(t, ledger).State)
	}
}

func TestRequestsOfOneKeyAtOncePayOnce(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, signer := pays(t, s, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := get(t, p, payer.WithKey(t.Context(), "k"))
			if assert.NoError(t, err) {
				assert.Equal(t, "goods", text(t, resp))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, signer.count())
	assert.Equal(t, 1, s.movedCount())
}

func TestWaitingForAKeyEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(x402.V2, slow(serve))
		p, _ := pays(t, s, nil)
		ctx := payer.WithKey(t.Context(), "k")
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := get(t, p, ctx)
			assert.NoError(t, err)
		})
		synctest.Wait()
		impatient, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := get(t, p, impatient)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		wg.Wait()
	})
}

func TestAKeyHasBounds(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, _ := pays(t, s, nil)
	for _, key := range []string{"", strings.Repeat("k", 201), "\xff"} {
		_, err := get(t, p, payer.WithKey(t.Context(), key))
		require.ErrorContains(t, err, "a key has 1 to 200 bytes")
	}
	_, err := get(t, p, payer.WithKey(t.Context(), strings.Repeat("k", 200)))
	require.NoError(t, err)
}

// TestAnotherProcessAtWorkOnTheKey plays the other process on the ledger.
func TestAnotherProcessAtWorkOnTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
		ctx := payer.WithKey(t.Context(), "k")
		stop, _ := pays(t, s, func(c *payer.Config) {
			c.Ledger = stopsAt{ledger, "sign"}
		})
		_, err := get(t, stop, ctx)
		require.Error(t, err)
		reserved := only(t, ledger)
		require.Equal(t, payer.Reserved, reserved.State)

		p, signer := pays(t, s, func(c *payer.Config) { c.Ledger = ledger })
		_, err = get(t, p, ctx)
		require.ErrorIs(t, err, payer.ErrInProgress, "the other may be about to send its payment")
		assert.Zero(t, signer.count())

		time.Sleep(time.Until(reserved.ExpiresAt))
		resp, err := get(t, p, ctx)
		require.NoError(t, err, "by now it would be worth nothing")
		assert.Equal(t, "goods", text(t, resp))
		assert.Equal(t, 1, s.movedCount())
	})
}

// TestOfTwoProcessesThatSignOneSpendingOneWins lets another process record its
// payment while this one signs.
func TestOfTwoProcessesThatSignOneSpendingOneWins(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
	var theirs fakePayment
	theirs.Authorization.Value, theirs.Authorization.Nonce = "10000", "0xtheirs"
	p, _ := pays(t, s, func(c *payer.Config) {
		c.Ledger = ledger
		c.Signers = []payer.Signer{hookSigner{c.Signers[0], func() {
			part, err := json.Marshal(theirs)
			require.NoError(t, err)
			payload, err := json.Marshal(x402.PaymentPayload{Accepted: s.offers[0], Payload: part})
			require.NoError(t, err)
			require.NoError(t, ledger.Sign(t.Context(), "k", payload))
		}}}
	})
	_, err := get(t, p, payer.WithKey(t.Context(), "k"))
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"0xtheirs": true}, s.sentNonces())
	assert.Equal(t, 1, s.movedCount())
}

// stopsAt is a ledger of a process that dies before a step.
type stopsAt struct {
	payer.Ledger
	step string
}

func (l stopsAt) Sign(ctx context.Context, id string, payload json.RawMessage) error {
	if l.step == "sign" {
		return context.Canceled
	}
	return l.Ledger.Sign(ctx, id, payload)
}

func (l stopsAt) Finish(ctx context.Context, id string, state payer.State, transaction string) error {
	return context.Canceled
}

func TestALedgerThatFailsAfterPayingDoesNotWithholdTheGoods(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
	p, _ := pays(t, s, func(c *payer.Config) { c.Ledger = stopsAt{ledger, "finish"} })
	resp, err := get(t, p, t.Context())
	require.NoError(t, err)
	assert.Equal(t, "goods", text(t, resp))
	assert.Equal(t, payer.Reserved, only(t, ledger).State, "it counts on")
}

func TestReleaseWaitsUntilNothingCanMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := payer.NewMemoryLedger()
		p, _ := pays(t, newShop(x402.V2, hangUp), func(c *payer.Config) {
			c.Ledger = ledger
			c.Limits.Budgets = []payer.Budget{{Max: "0.01"}}
		})
		_, err := get(t, p, t.Context())
		require.ErrorIs(t, err, payer.ErrUnknownOutcome)
		id := only(t, ledger).ID
		open, err := p.Unresolved(t.Context(), time.Time{})
		require.NoError(t, err)
		require.Len(t, open, 1)

		require.ErrorIs(t, p.Release(t.Context(), id), payer.ErrStillValid)
		time.Sleep(5*time.Minute + time.Second)
		_, err = get(t, p, t.Context())
		require.ErrorIs(t, err, payer.ErrOverBudget, "it counts until the caller says that nothing moved")
		require.NoError(t, p.Release(t.Context(), id))
		require.NoError(t, p.Release(t.Context(), id), "twice is once")
		open, err = p.Unresolved(t.Context(), time.Time{})
		require.NoError(t, err)
		assert.Empty(t, open)
		_, err = get(t, p, t.Context())
		require.ErrorIs(t, err, payer.ErrUnknownOutcome, "the budget is free again")

		require.ErrorIs(t, p.Release(t.Context(), "nothing"), payer.ErrUnknownSpending)
	})
}

func TestConfirmRecordsWhatWasFoundOnTheChain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := payer.NewMemoryLedger()
		p, _ := pays(t, newShop(x402.V2, hangUp), func(c *payer.Config) { c.Ledger = ledger })
		_, err := get(t, p, t.Context())
		require.ErrorIs(t, err, payer.ErrUnknownOutcome)
		id := only(t, ledger).ID
		require.NoError(t, p.Confirm(t.Context(), id, "0xfound"))
		assert.Equal(t, payer.Paid, only(t, ledger).State)
		assert.Equal(t, "0xfound", only(t, ledger).Transaction)
		time.Sleep(time.Hour)
		require.ErrorIs(t, p.Release(t.Context(), id), payer.ErrSpendingState, "what is paid stays paid")
	})
}

func TestResumeRepeatsASpendingWithoutAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2, takesMoneyThen(hangUp), serve), payer.NewMemoryLedger()
	p, signer := pays(t, s, func(c *payer.Config) { c.Ledger, c.Resends = ledger, -1 })
	req := request(t, t.Context(), http.MethodPost, "https://shop.example/thing", strings.NewReader("body"))
	_, err := p.RoundTrip(req)
	var unknown *payer.UnknownOutcomeError
	require.ErrorAs(t, err, &unknown)
	req.Body, err = req.GetBody()
	require.NoError(t, err)
	resp, err := p.Resume(req, unknown.Spending.ID)
	require.NoError(t, err)
	assert.Equal(t, "goods", text(t, resp))
	assert.Equal(t, 1, signer.count())
	assert.Equal(t, 1, s.movedCount())
}

func TestWhatWasPaidLongAgoIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	path, s := ledgerFile(t), newShop(x402.V2)
	ctx := payer.WithKey(t.Context(), "k")
	l, err := payer.OpenFile(path)
	require.NoError(t, err)
	p, _ := pays(t, s, func(c *payer.Config) {
		c.Ledger, c.Now = l, func() time.Time { return time.Now().Add(-time.Hour) }
	})
	_, err = get(t, p, ctx)
	require.NoError(t, err)
	require.NoError(t, l.Close())

	again := openFile(t, path) // forgets the payment, which has expired
	require.Empty(t, only(t, again).Payload)
	p, signer := pays(t, s, func(c *payer.Config) { c.Ledger = again })
	_, err = get(t, p, ctx)
	require.ErrorIs(t, err, payer.ErrAlreadyPaid)
	assert.Zero(t, signer.count())
	assert.Equal(t, 1, s.movedCount())
}

func TestAnUnknownSpendingWithoutItsPaymentIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
	ctx := payer.WithKey(t.Context(), "k")
	p, signer := pays(t, s, func(c *payer.Config) { c.Ledger = stopsAt{ledger, "sign"} })
	_, err := get(t, p, ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, ledger.Finish(ctx, "k", payer.Unknown, ""))
	p, _ = pays(t, s, func(c *payer.Config) { c.Ledger, c.Signers = ledger, []payer.Signer{signer} })
	_, err = get(t, p, ctx)
	require.ErrorIs(t, err, payer.ErrUnknownOutcome)
	assert.Zero(t, s.sendings())
}

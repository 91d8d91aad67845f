package facilitator_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func TestAPaymentIsSettledOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		s := newService(t, journal, "a", newChain(k, journal, "a"))
		run(t, s)
		p := pay(x402.V2, 1)

		first, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, first.Success, "%+v", first)
		require.Equal(t, alice, first.Payer)
		require.Equal(t, network, first.Network)
		hash, _ := k.by(key(t, p))
		require.Equal(t, hash, first.Transaction)

		again, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Equal(t, 1, k.count())
		require.Equal(t, []string{facilitator.EventConfirmed}, events(journal, settlementID(t, first)))
	})
}

func TestTheAnswerIsTheSameAfterARestartAndAfterThePaymentExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		first := newService(t, journal, "a", newChain(k, journal, "a"))
		stop := run(t, first)
		p := pay(x402.V2, 1)
		want, err := first.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, want.Success)
		stop()
		_, err = first.Settle(t.Context(), pay(x402.V2, 2))
		require.ErrorIs(t, err, facilitator.ErrStopping)

		time.Sleep(time.Hour)
		c := newChain(k, journal, "b")
		second, err := facilitator.New(facilitator.Config{
			Chains: []facilitator.Chain{c}, Journal: journal, Owner: "b",
			Policy: facilitator.Policy{PayTo: []string{relayer}}, // introduced since
		})
		require.NoError(t, err)
		got, err := second.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Zero(t, c.settles.Load())
		require.Zero(t, c.verifies.Load())

		forged := pay(x402.V2, 1, func(b *payload, _ *x402.PaymentRequirements) { b.Signature = "bad" })
		got, err = second.Settle(t.Context(), forged)
		require.NoError(t, err)
		require.False(t, got.Success)
		require.Equal(t, x402.ReasonEVMSignature, got.ErrorReason)
	})
}

func TestTwoHundredConcurrentIdenticalCallsSettleOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		c.asking = 10 * time.Millisecond
		s := newService(t, journal, "a", c)
		run(t, s)
		p := pay(x402.V2, 1)
		answers := make([]x402.SettleResponse, 200)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				var err error
				answers[i], err = s.Settle(t.Context(), p)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		for _, a := range answers {
			require.True(t, a.Success)
			require.Equal(t, answers[0], a)
		}
		require.EqualValues(t, 1, c.settles.Load())
		require.EqualValues(t, 1, c.verifies.Load())
		require.Equal(t, 1, k.count())
	})
}

func TestManyPaymentsShareTheJournalsCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newToken()
		journal := &process{Journal: memory.New(), delay: 10 * time.Millisecond}
		s := newService(t, journal, "a", newChain(k, journal, "a"))
		run(t, s)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				a, err := s.Settle(t.Context(), pay(x402.V2, i))
				require.NoError(t, err)
				require.True(t, a.Success)
			})
		}
		wg.Wait()
		require.Equal(t, 100, k.count())
		require.LessOrEqual(t, journal.calls("ReserveSettlements"), 5)
	})
}

func TestTwoReplicasSettleAPaymentOnceAndAnswerAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		ca, cb := newChain(k, journal, "a"), newChain(k, journal, "b")
		a, b := newService(t, journal, "a", ca), newService(t, journal, "b", cb)
		run(t, a)
		run(t, b)
		for i := range 20 {
			p := pay(x402.V2, i)
			answers := make([]x402.SettleResponse, 10)
			var wg sync.WaitGroup
			for j := range answers {
				wg.Go(func() {
					s := a
					if j%2 == 1 {
						s = b
					}
					var err error
					answers[j], err = s.Settle(t.Context(), p)
					require.NoError(t, err)
				})
			}
			wg.Wait()
			for _, answer := range answers {
				require.True(t, answer.Success, "%+v", answer)
				require.Equal(t, answers[0], answer)
			}
		}
		require.Equal(t, 20, k.count())
		require.EqualValues(t, 20, ca.settles.Load()+cb.settles.Load())
	})
}

// overtaken is a chain that refuses a payment after another replica has settled it.
type overtaken struct {
	*chain
	settle func(facilitator.Transfer)
	reason x402.Reason
}

func (c *overtaken) Verify(_ context.Context, t facilitator.Transfer) error {
	c.settle(t)
	return &x402.Error{Reason: c.reason}
}

func (c *overtaken) FindSettled(context.Context, facilitator.Transfer) (*facilitator.Found, error) {
	return nil, errDown // a node that serves no logs
}

func TestAPaymentThatAnotherReplicaSettlesMeanwhileIsNotRefused(t *testing.T) {
	t.Parallel()
	for _, reason := range []x402.Reason{
		x402.ReasonEVMNonceUsed, x402.ReasonEVMInsufficientFunds, x402.ReasonEVMSimulation, x402.ReasonRelayerUnavailable,
	} {
		synctest.Test(t, func(t *testing.T) {
			journal, k := memory.New(), newToken()
			a := newService(t, journal, "a", newChain(k, journal, "a"))
			run(t, a)
			var first x402.SettleResponse
			b := newService(t, journal, "b", &overtaken{chain: newChain(k, journal, "b"), reason: reason, settle: func(transfer facilitator.Transfer) {
				var err error
				first, err = a.Settle(t.Context(), transfer.Payment)
				require.NoError(t, err)
			}})
			run(t, b)
			second, err := b.Settle(t.Context(), pay(x402.V2, 1))
			require.NoError(t, err)
			require.True(t, second.Success, "%s: %+v", reason, second)
			require.Equal(t, first, second)
			require.Equal(t, 1, k.count())
		})
	}
}

func TestANonceIsNotSettledUnderOtherTerms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		s := newService(t, journal, "a", newChain(k, journal, "a"))
		run(t, s)
		first, err := s.Settle(t.Context(), pay(x402.V2, 1))
		require.NoError(t, err)
		require.True(t, first.Success)

		for name, edit := range map[string]func(*payload, *x402.PaymentRequirements){
			"amount": func(b *payload, q *x402.PaymentRequirements) {
				b.Authorization.Value, q.Amount = "20000", x402.NewAmount(20000)
			},
			"recipient": func(b *payload, q *x402.PaymentRequirements) { b.Authorization.To, q.PayTo = relayer, relayer },
		} {
			got, err := s.Settle(t.Context(), pay(x402.V2, 1, edit))
			require.NoError(t, err)
			require.False(t, got.Success, name)
			require.Equal(t, x402.ReasonDuplicateSettlement, got.ErrorReason, name)
			require.Contains(t, got.ErrorMessage, settlementID(t, first))
			require.Empty(t, got.Transaction)
		}

		// The same right to pay, spelled otherwise or sent in the other version.
		respelled := pay(x402.V1, 1, func(b *payload, q *x402.PaymentRequirements) {
			b.Authorization.From, q.PayTo, q.Asset = upper(alice), upper(shop), upper(usdc)
		})
		got, err := s.Settle(t.Context(), respelled)
		require.NoError(t, err)
		require.Equal(t, first, got)
		require.Equal(t, 1, k.count())
	})
}

func TestOfTwoTermsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		s := newService(t, journal, "a", newChain(k, journal, "a"))
		run(t, s)
		dear := func(b *payload, q *x402.PaymentRequirements) {
			b.Authorization.Value, q.Amount = "20000", x402.NewAmount(20000)
		}
		answers := make([]x402.SettleResponse, 2)
		var wg sync.WaitGroup
		for i, p := range []x402.Payment{pay(x402.V2, 1), pay(x402.V2, 1, dear)} {
			wg.Go(func() {
				var err error
				answers[i], err = s.Settle(t.Context(), p)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.NotEqual(t, answers[0].Success, answers[1].Success)
		require.Equal(t, 1, k.count())
	})
}

func TestARefusedPaymentLeavesNoTraceAndCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		s := newService(t, journal, "a", &refusing{chain: c, reason: x402.ReasonEVMInsufficientFunds, times: 1})
		run(t, s)
		p := pay(x402.V2, 1)
		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, x402.ReasonEVMInsufficientFunds, got.ErrorReason)
		require.Equal(t, alice, got.Payer)
		require.Equal(t, network, got.Network)
		_, err = journal.SettlementByKey(t.Context(), key(t, p))
		require.Error(t, err)
		require.Zero(t, c.findings.Load(), "only a used or expired payment is looked for on the chain")

		got, err = s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, got.Success)
	})
}

func TestAPaymentThatSomebodyElseSubmittedCountsAsSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		s := newService(t, journal, "a", c)
		run(t, s)
		p := pay(x402.V2, 1)
		require.True(t, k.execute(key(t, p), "0xsomebody"))

		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, got.Success, "%+v", got)
		require.Equal(t, "0xsomebody", got.Transaction)
		require.Zero(t, c.settles.Load())
		id := settlementID(t, got)
		row, err := s.Settlement(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, facilitator.Confirmed, row.State)
		require.EqualValues(t, 7, row.Block)
		require.Equal(t, []string{facilitator.EventConfirmed}, events(journal, id))

		again, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.EqualValues(t, 1, c.findings.Load())
	})
}

func TestACancelledPaymentIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		s := newService(t, journal, "a", newChain(k, journal, "a"))
		run(t, s)
		p := pay(x402.V2, 1)
		k.cancelled[key(t, p)] = true
		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, x402.ReasonEVMNonceUsed, got.ErrorReason)
		_, err = journal.SettlementByKey(t.Context(), key(t, p))
		require.Error(t, err)
	})
}

func TestAFailedSettlementStaysFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		s := newService(t, journal, "a", &cancelling{chain: c})
		run(t, s)
		p := pay(x402.V2, 1)
		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.False(t, got.Success)
		require.Equal(t, x402.ReasonEVMNonceUsed, got.ErrorReason)
		require.Equal(t, x402.ReasonEVMNonceUsed.Description(), got.ErrorMessage)
		require.NotEmpty(t, got.Transaction, "the reverted transaction is named")

		again, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.Equal(t, []string{facilitator.EventFailed}, events(journal, settlementID(t, got)))
	})
}

func TestASlowChainIsAnsweredAsPendingAndTheWorkGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		c.mining = 2 * time.Minute
		s := newService(t, journal, "a", c)
		run(t, s)
		p := pay(x402.V2, 1)
		start := time.Now()
		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, 60*time.Second, time.Since(start))
		require.False(t, got.Success)
		require.Equal(t, x402.ReasonSettlementPending, got.ErrorReason)
		require.NotEmpty(t, got.Transaction)

		again, err := s.Settle(t.Context(), p) // waits for the rest
		require.NoError(t, err)
		require.Equal(t, x402.ReasonSettlementPending, again.ErrorReason)
		last, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, last.Success)
		require.Equal(t, got.Transaction, last.Transaction)
		require.InDelta(t, (2 * time.Minute).Seconds(), time.Since(start).Seconds(), 1.5)
		require.EqualValues(t, 1, c.settles.Load())
	})
}

func TestAPaymentThatWasInTimeGetsItsAnswerThoughVerifyingTookLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		c.asking = 5 * time.Second
		s := newService(t, journal, "a", c)
		run(t, s)
		p := pay(x402.V2, 1, func(b *payload, _ *x402.PaymentRequirements) {
			b.Authorization.ValidBefore = strconv.FormatInt(time.Now().Add(8*time.Second).Unix(), 10)
		})
		first, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, first.Success, "%+v", first)
		again, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}

func TestACallerThatHangsUpDoesNotStopTheSettlement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newToken()
		journal := &process{Journal: memory.New(), delay: 10 * time.Millisecond}
		s := newService(t, journal, "a", newChain(k, journal, "a"))
		run(t, s)
		p := pay(x402.V2, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := s.Settle(ctx, p)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		row, err := journal.SettlementByKey(t.Context(), key(t, p))
		require.NoError(t, err)
		require.Equal(t, facilitator.Confirmed, row.State)
	})
}

func TestWhenTheChainCannotBeAskedThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		s := newService(t, journal, "a", c)
		run(t, s)
		p := pay(x402.V2, 1)
		c.down.Store(true)
		_, err := s.Settle(t.Context(), p)
		require.ErrorIs(t, err, errDown)
		_, err = s.Verify(t.Context(), p)
		require.ErrorIs(t, err, errDown)
		c.down.Store(false)
		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, got.Success)
	})
}

// refusing refuses the first verifications with a reason.
type refusing struct {
	*chain
	reason x402.Reason
	times  int
}

func (c *refusing) Verify(ctx context.Context, t facilitator.Transfer) error {
	if c.times > 0 {
		c.times--
		return &x402.Error{Reason: c.reason}
	}
	return c.chain.Verify(ctx, t)
}

// cancelling has the payer cancel between verification and settlement.
type cancelling struct{ *chain }

func (c *cancelling) Settle(ctx context.Context, s facilitator.Settlement) (facilitator.Settlement, error) {
	c.token.mu.Lock()
	c.token.cancelled[s.Key] = true
	c.token.mu.Unlock()
	return c.chain.Settle(ctx, s)
}

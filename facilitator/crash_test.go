package facilitator_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// TestNoFaultOfTheJournalLosesOrRepeatsASettlement puts each fault at each call
// that a settlement makes. Whatever happens, the payment moves once, and within
// a minute the same payment gets a final answer, from this process if it lives
// and from another if it does not.
func TestNoFaultOfTheJournalLosesOrRepeatsASettlement(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		for at := 1; ; at++ {
			reached := false
			ok := t.Run(fmt.Sprintf("%s call %d", name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { reached = settleWithFault(t, f, at) })
			})
			if !ok || !reached {
				require.Greater(t, at, 4, "the faults were not reached")
				break
			}
		}
	}
}

// settleWithFault reports whether the call of the fault was made.
func settleWithFault(t *testing.T, f fault, at int) (reached bool) {
	journal, k := memory.New(), newToken()
	first := &process{Journal: journal, fault: f, at: at}
	a := newService(t, first, "a", newChain(k, first, "a"))
	stop := run(t, a)
	p := pay(x402.V2, 1)

	answer, err := a.Settle(t.Context(), p)
	reached = first.total() >= at
	if err == nil && f != dieBefore && f != dieAfter {
		require.True(t, answer.Success || answer.ErrorReason == x402.ReasonSettlementPending, "%+v", answer)
	}
	last := a
	if first.isDead() {
		stop()
		last = newService(t, journal, "b", newChain(k, journal, "b"))
		run(t, last)
	}
	first.heal()
	final := settleUntilFinal(t, last, p)
	require.True(t, final.Success, "%+v", final)
	require.Equal(t, 1, k.count())
	if answer.Success {
		require.Equal(t, answer, final)
	}
	row, err := journal.SettlementByKey(t.Context(), key(t, p))
	require.NoError(t, err)
	require.Equal(t, facilitator.Confirmed, row.State)
	require.Equal(t, []string{facilitator.EventConfirmed}, events(journal, row.ID))
	return reached
}

// settleUntilFinal sends the same payment again, as a client should.
func settleUntilFinal(t *testing.T, s *facilitator.Service, p x402.Payment) x402.SettleResponse {
	t.Helper()
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(time.Second) {
		answer, err := s.Settle(t.Context(), p)
		if err == nil && answer.ErrorReason != x402.ReasonSettlementPending {
			return answer
		}
	}
	require.Fail(t, "the settlement hangs")
	return x402.SettleResponse{}
}

// TestWhatIsInTheJournalEndsWithoutBeingAskedFor is the same without a client
// that comes back.
func TestWhatIsInTheJournalEndsWithoutBeingAskedFor(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		for at := 1; at <= 4; at++ {
			t.Run(fmt.Sprintf("%s call %d", name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					journal, k := memory.New(), newToken()
					first := &process{Journal: journal, fault: f, at: at}
					a := newService(t, first, "a", newChain(k, first, "a"))
					stop := run(t, a)
					p := pay(x402.V2, 1)
					_, _ = a.Settle(t.Context(), p)
					if first.isDead() {
						stop()
						run(t, newService(t, journal, "b", newChain(k, journal, "b")))
					}
					time.Sleep(time.Minute)
					row, err := journal.SettlementByKey(t.Context(), key(t, p))
					if err != nil { // never reserved
						require.Zero(t, k.count())
						return
					}
					require.True(t, row.State.Final(), "%s", row.State)
					require.Equal(t, 1, k.count())
				})
			})
		}
	}
}

func TestAPanicOfTheChainIsNoAnswerAndTheSettlementIsResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		c := newChain(k, journal, "a")
		c.panics.Store(true)
		s := newService(t, journal, "a", c)
		run(t, s)
		p := pay(x402.V2, 1)
		_, err := s.Settle(t.Context(), p)
		require.ErrorContains(t, err, "panic")
		got, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.True(t, got.Success, "%+v", got)
		require.Equal(t, 1, k.count())
	})
}

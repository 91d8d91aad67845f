package evm_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// deafJournal does not take the end of settlements while it is down.
type deafJournal struct {
	facilitator.Journal
	down  atomic.Bool
	asked atomic.Int64
}

func (j *deafJournal) FinishSettlements(ctx context.Context, outcomes []facilitator.Outcome) ([]bool, error) {
	if j.down.Load() {
		j.asked.Add(1)
		return nil, errors.New("the disk is full")
	}
	return j.Journal.FinishSettlements(ctx, outcomes)
}

func TestASettlementEndsOnceTheJournalIsBackAndIsNotPressedMeanwhile(t *testing.T) {
	t.Parallel()
	journal := &deafJournal{Journal: memory.New()}
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) {
		c.Journal, c.ResendAfter, c.LeaseFor = journal, 2*time.Second, time.Minute
	}).run()
	journal.down.Store(true)
	start := time.Now()
	p, done := r.pay(usdc, 9), make(chan x402.SettleResponse, 1)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.received() == 9 }, patience, 5*time.Millisecond)
	time.Sleep(5 * time.Second)
	require.Empty(t, done)
	asked, took := journal.asked.Load(), time.Since(start)
	require.LessOrEqual(t, asked, 2*int64(took/time.Second), "once for its block, then about once a second; not at every tick")
	journal.down.Store(false)
	require.True(t, (<-done).Success)
	require.EqualValues(t, 9, r.received())
}

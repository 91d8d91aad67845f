package facilitator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// fullJournal can be read, but takes no new settlements while it is full.
type fullJournal struct {
	facilitator.Journal
	full  atomic.Bool
	asked atomic.Int64
}

func (j *fullJournal) ReserveSettlements(ctx context.Context, s []facilitator.Settlement, lease facilitator.Lease) ([]facilitator.Settlement, []bool, error) {
	if j.full.Load() {
		j.asked.Add(int64(len(s)))
		return nil, nil, errors.New("the disk is full")
	}
	return j.Journal.ReserveSettlements(ctx, s, lease)
}

func TestAJournalThatTakesNothingDoesNotFillTheMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal := &fullJournal{Journal: memory.New()}
		s := newService(t, journal, "a", newChain(newToken(), journal, "a"))
		defer run(t, s)()
		journal.full.Store(true)
		for i := range 6000 {
			_, err := s.Settle(t.Context(), pay(x402.V2, i))
			require.Error(t, err)
		}
		require.LessOrEqual(t, journal.asked.Load(), int64(4096), "more are not even tried, and not kept")
		journal.full.Store(false)
		time.Sleep(time.Hour) // those that were never stored are forgotten
		got, err := s.Settle(t.Context(), pay(x402.V2, 6001))
		require.NoError(t, err)
		require.True(t, got.Success, got.ErrorMessage)
	})
}

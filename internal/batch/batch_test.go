package batch_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/batch"
)

func TestCallsThatComeWhileABatchIsUnderWayShareTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		b := batch.New(100, 1, func(_ context.Context, in []int) ([]int, error) {
			sizes = append(sizes, len(in))
			time.Sleep(time.Second)
			out := make([]int, len(in))
			for i, v := range in {
				out[i] = 2 * v
			}
			return out, nil
		})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				out, err := b.Do(t.Context(), i)
				require.NoError(t, err)
				require.Equal(t, 2*i, out)
			})
		}
		wg.Wait()
		require.Equal(t, []int{1, 9}, sizes)
	})
}

func TestABatchIsNoLargerThanItsMaximum(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	largest, total := 0, 0
	b := batch.New(4, 2, func(_ context.Context, in []int) ([]int, error) {
		mu.Lock()
		defer mu.Unlock()
		largest, total = max(largest, len(in)), total+len(in)
		return in, nil
	})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			out, err := b.Do(t.Context(), i)
			require.NoError(t, err)
			require.Equal(t, i, out)
		})
	}
	wg.Wait()
	require.Equal(t, 200, total)
	require.LessOrEqual(t, largest, 4)
}

func TestAnErrorOfTheBatchIsEveryCallersError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	b := batch.New(4, 1, func(context.Context, []int) ([]int, error) { return nil, broken })
	_, err := b.Do(t.Context(), 1)
	require.ErrorIs(t, err, broken)

	short := batch.New(4, 1, func(context.Context, []int) ([]int, error) { return nil, nil })
	_, err = short.Do(t.Context(), 1)
	require.ErrorContains(t, err, "0 outputs for 1 inputs")
}

func TestACallerThatHangsUpDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(4, 1, func(ctx context.Context, in []int) ([]int, error) {
			time.Sleep(time.Second)
			return in, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := b.Do(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		out, err := b.Do(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, 2, out)
	})
}

package e2e_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/internal/devchain"
)

// penniless has no ether to pay gas with.
var penniless = devchain.TestAccount(200)

// newDesk is one facilitator in this process and the clients that ask it.
func newDesk(t *testing.T, w *world, change func(*setup)) *fleet {
	t.Helper()
	j, err := openJournal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	s := setup{Network: w.network, URLs: []string{w.chain.URL()}, Keys: []string{w.chain.Relayer.Key}, Owner: t.Name()}
	if change != nil {
		change(&s)
	}
	f := &fleet{world: w, journal: j}
	f.clients.bases = serveFacilitator(t, s, j)
	return f
}

// settleAll settles n good payments at once.
func (f *fleet) settleAll(t *testing.T, n int) []*payment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	asking, ctx := errgroup.WithContext(ctx)
	payments := make([]*payment, n)
	for i := range payments {
		payments[i] = f.good(i)
		f.ask(ctx, asking, payments[i])
	}
	require.NoError(t, asking.Wait())
	for _, p := range payments {
		require.True(t, p.answer.Success, "%+v", p.answer)
	}
	return payments
}

// senders counts the transactions that moved the payments by who sent them.
func (f *fleet) senders(t *testing.T, payments []*payment) map[common.Address]int {
	t.Helper()
	out := map[common.Address]int{}
	for _, p := range payments {
		s, err := f.journal.SettlementByKey(t.Context(), p.key)
		require.NoError(t, err)
		tx, _, err := f.client.TransactionByHash(t.Context(), common.HexToHash(s.Transaction))
		require.NoError(t, err)
		from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), tx)
		require.NoError(t, err)
		out[from]++
	}
	return out
}

func TestTwoRelayerKeysShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	second := w.chain.Accounts[5]
	f := newDesk(t, w, func(s *setup) { s.Keys = append(s.Keys, second.Key) })
	payments := f.settleAll(t, 200)
	w.audit(t, f.journal, payments)
	by := f.senders(t, payments)
	require.Greater(t, by[w.chain.Relayer.Address], 20, "%v", by)
	require.Greater(t, by[second.Address], 20, "%v", by)
}

func TestARelayerWithoutFundsLeavesTheWorkToTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	f := newDesk(t, w, func(s *setup) { s.Keys = []string{penniless.Key, w.chain.Relayer.Key} })
	payments := f.settleAll(t, 60)
	w.audit(t, f.journal, payments)
	require.Equal(t, map[common.Address]int{w.chain.Relayer.Address: 60}, f.senders(t, payments))
}

func TestASettlementWaitsForARelayerToBeFunded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	f := newDesk(t, w, func(s *setup) { s.Keys = []string{penniless.Key} })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := w.good(1)
	asking, ctx := errgroup.WithContext(ctx)
	f.ask(ctx, asking, p)
	require.Eventually(t, func() bool { // it has been tried
		s, err := f.journal.SettlementByKey(ctx, p.key)
		return err == nil && len(s.Transactions) > 0
	}, patience, 10*time.Millisecond)
	w.fund(ctx, penniless.Address)
	require.NoError(t, asking.Wait())
	w.audit(t, f.journal, []*payment{p})
}

func TestSixtyFourSettlementsAtOnceShareABlock(t *testing.T) {
	t.Parallel()
	const n = 64
	w := newWorld(t, devchain.Config{})
	f := newDesk(t, w, func(s *setup) { s.ResendAfter, s.ReplaceAfter = time.Minute, patience })
	first := f.settleAll(t, 1) // the chain is known
	w.chain.SetMining(false)
	var mining sync.WaitGroup
	mining.Go(func() {
		defer w.chain.SetMining(true)
		assert.Eventually(t, func() bool {
			mined, err := w.client.NonceAt(t.Context(), w.chain.Relayer.Address, nil)
			sent, err2 := w.client.PendingNonceAt(t.Context(), w.chain.Relayer.Address)
			return err == nil && err2 == nil && sent == mined+n
		}, patience, 10*time.Millisecond, "all of them are sent before one is mined")
	})
	payments := f.settleAll(t, n)
	mining.Wait()
	blocks := map[uint64]int{}
	for _, p := range payments {
		s, err := f.journal.SettlementByKey(t.Context(), p.key)
		require.NoError(t, err)
		blocks[s.Block]++
		require.Len(t, s.Transactions, 1, "none was sent anew or replaced")
	}
	require.Len(t, blocks, 1)
	w.audit(t, f.journal, append(first, payments...))
}

func TestReplicasThatTakeTurnsWithOneKeyDoNotHoldEachOtherUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	j, err := openJournal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	const lookAfter = time.Minute // what is stuck
	var desks []*fleet
	for _, owner := range []string{"one", "two"} {
		f := &fleet{world: w, journal: j}
		f.clients.bases = serveFacilitator(t, setup{
			Network: w.network, URLs: []string{w.chain.URL()}, Keys: []string{w.chain.Relayer.Key}, Owner: owner,
			LeaseFor: 15 * time.Second, ResendAfter: lookAfter, ReplaceAfter: 2 * lookAfter,
		}, j)
		desks = append(desks, f)
	}
	var payments []*payment
	var took []time.Duration
	for i := range 20 {
		start := time.Now()
		payments = append(payments, desks[i%2].settleAll(t, 1)...)
		took = append(took, time.Since(start))
	}
	w.audit(t, j, payments)
	slices.Sort(took)
	t.Logf("median %s, longest %s", took[10], took[19])
	require.Less(t, took[19], lookAfter, "%v", took)
}

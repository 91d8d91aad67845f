package e2e_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/internal/pgtest"
)

func TestKilledAtRandomMomentsAFacilitatorSettlesEachPaymentOnce(t *testing.T) {
	t.Parallel()
	newWorld(t, devchain.Config{}).killAndSettle(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), 1)
}

func TestTwoReplicasWithOneKeyAndOneFileKilledAtRandomSettleEachPaymentOnce(t *testing.T) {
	t.Parallel()
	newWorld(t, devchain.Config{}).killAndSettle(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), 2)
}

func TestTwoReplicasWithOneKeyOnPostgreSQLKilledAtRandomSettleEachPaymentOnce(t *testing.T) {
	t.Parallel()
	newWorld(t, devchain.Config{}).killAndSettle(t, pgtest.Database(t), 2)
}

func TestTwoReplicasBehindFaultyNodesKilledAtRandomSettleEachPaymentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	one, other := newChaos(t, w.chain.URL(), w.random.Uint64()), newChaos(t, w.chain.URL(), w.random.Uint64())
	w.killAndSettle(t, pgtest.Database(t), 2, one, other)
}

// patience is how long the clients ask at most, on a machine that has other
// things to do; some ten seconds where nothing else runs.
const patience = 8 * time.Minute

// killAndSettle lets clients settle 200 payments with replicas on one journal
// and one relayer key, which are killed again and again, behind proxies if any.
func (w *world) killAndSettle(t *testing.T, name string, replicas int, proxies ...*chaos) {
	j, err := openJournal(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	s := setup{Network: w.network, Keys: []string{w.chain.Relayer.Key}, Journal: name}
	for _, c := range proxies {
		s.URLs, s.RPCTimeout = append(s.URLs, c.URL), chaosTimeout
	}
	if len(proxies) == 0 {
		s.URLs = []string{w.chain.URL()}
	}
	f := newFleet(t, w, j, s, replicas)

	waves := soak(t, 16)
	payments := make([]*payment, soak(t, 200))
	w.fundTight(len(payments))
	ctx, cancel := context.WithTimeout(t.Context(), patience*time.Duration(soak(t, 1)))
	defer cancel()
	asking, ctx := errgroup.WithContext(ctx)
	for i := range payments {
		if i%(len(payments)/waves) == 0 && i > 0 {
			f.killSome()
		}
		payments[i] = w.mixture(i)
		f.ask(ctx, asking, payments[i])
	}
	for _, c := range proxies {
		c.calm()
		c.report(t)
	}
	require.NoError(t, asking.Wait())
	require.GreaterOrEqual(t, f.kills, 10)
	require.Positive(t, f.caught, "no kill met a settlement under way")
	t.Logf("%d kills met %v", f.kills, f.met)
	f.askAgain(payments)
	f.rest(t, payments)
	f.stop()
	sum := w.audit(t, j, payments)
	require.Greater(t, sum.confirmed, len(payments)/2)
	require.Greater(t, sum.refused+sum.failed, len(payments)/20)
}

// fleet is replicas on one journal, and the clients that ask them.
type fleet struct {
	*world
	clients
	journal  journal
	replicas []*replica
	keys     []string // of the payments asked for
	kills    int
	caught   int                       // settlements that a kill found unfinished
	met      map[facilitator.State]int // states of what was asked for, at the kills
}

func newFleet(t *testing.T, w *world, j journal, s setup, n int) *fleet {
	f := &fleet{world: w, journal: j, met: map[facilitator.State]int{}}
	f.clients.bases = f.bases
	f.clients.http.Timeout = 10 * time.Second
	for range n {
		r := newReplica(t, s)
		f.replicas = append(f.replicas, r)
		require.NoError(t, r.start())
	}
	for _, r := range f.replicas {
		require.NoError(t, r.ready())
	}
	return f
}

func (f *fleet) bases() []string {
	var up []string
	for _, r := range f.replicas {
		if base := r.base(); base != "" {
			up = append(up, base)
		}
	}
	return up
}

// ask has clients settle p, and somebody else submit it if that is its nature.
func (f *fleet) ask(ctx context.Context, asking *errgroup.Group, p *payment) {
	f.keys = append(f.keys, p.key)
	for p := p; p != nil; p = p.again {
		asking.Go(func() (err error) {
			p.answer, err = f.settle(ctx, p)
			return err
		})
	}
	if p.name == "submitted by another" {
		f.submit(ctx, p)
	}
}

// killSome kills one replica or all at a random moment, and starts them again;
// sometimes it kills them while they start.
func (f *fleet) killSome() {
	moment := 120 * time.Millisecond // while payments are being sent
	if f.random.IntN(3) == 0 {
		moment = 1500 * time.Millisecond // while they are being taken over
	}
	time.Sleep(upTo(f.random, moment))
	victims := f.replicas
	if one := f.random.IntN(len(victims) + 1); one < len(victims) {
		victims = victims[one : one+1]
	}
	f.kill(victims)
	if f.random.IntN(3) == 0 {
		for _, r := range victims {
			require.NoError(f.t, r.start())
		}
		time.Sleep(upTo(f.random, 500*time.Millisecond))
		f.kill(victims)
	}
	for _, r := range victims {
		require.NoError(f.t, r.start())
	}
	for _, r := range victims {
		require.NoError(f.t, r.ready())
	}
}

func (f *fleet) kill(victims []*replica) {
	for _, r := range victims {
		r.kill()
		f.kills++
	}
	for _, key := range f.keys {
		s, err := f.journal.SettlementByKey(context.Background(), key)
		if err != nil {
			continue // not reserved
		}
		f.met[s.State]++
		if !s.State.Final() {
			f.caught++
		}
	}
}

// askAgain wants the same answer once more for every payment.
func (f *fleet) askAgain(payments []*payment) {
	for _, p := range payments {
		ctx, cancel := context.WithTimeout(f.t.Context(), mendedIn)
		again, err := f.settle(ctx, p)
		cancel()
		require.NoError(f.t, err)
		require.Equal(f.t, p.answer.Success, again.Success, "%s payment: first %+v, then %+v", p.name, p.answer, again)
		require.Equal(f.t, p.answer.Transaction, again.Transaction)
	}
}

func (f *fleet) stop() {
	for _, r := range f.replicas {
		r.kill()
	}
}

package e2e_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/devchain"
)

func TestThroughAFaultyNodeEachPaymentSettlesOnce(t *testing.T) {
	t.Parallel()
	settleInChaos(t, 1)
}

func TestThroughTwoNodesThatDisagreeEachPaymentSettlesOnce(t *testing.T) {
	t.Parallel()
	settleInChaos(t, 2)
}

const (
	chaosLasts   = 12 * time.Second
	chaosTimeout = 2 * time.Second // of one request, less than the longest delay
	mendedIn     = 5 * time.Minute // after the chaos; some 2 s where nothing else runs
)

// settleInChaos lets clients settle 100 payments through misbehaving proxies.
// When these come to rest, so does everything within a bounded time.
func settleInChaos(t *testing.T, proxies int) {
	w := newWorld(t, devchain.Config{})
	j, err := openJournal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	s := setup{Network: w.network, Keys: []string{w.chain.Relayer.Key}, Owner: t.Name(), RPCTimeout: chaosTimeout}
	var all []*chaos
	for range proxies {
		c := newChaos(t, w.chain.URL(), w.random.Uint64())
		all = append(all, c)
		s.URLs = append(s.URLs, c.URL)
	}
	f := &fleet{world: w, journal: j}
	f.clients.bases = serveFacilitator(t, s, j)

	payments := make([]*payment, soak(t, 100))
	w.fundTight(len(payments))
	lasts := chaosLasts * time.Duration(soak(t, 1))
	ctx, cancel := context.WithTimeout(t.Context(), lasts+mendedIn)
	defer cancel()
	asking, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for i := range payments {
		payments[i] = w.mixture(i)
		f.ask(ctx, asking, payments[i])
		time.Sleep(upTo(w.random, 2*lasts/time.Duration(len(payments))))
	}
	time.Sleep(time.Until(start.Add(lasts)))
	for _, c := range all {
		c.calm()
		c.report(t)
	}
	require.NoError(t, asking.Wait())
	t.Logf("all is settled %s after the chaos", time.Since(start.Add(lasts)).Round(time.Millisecond))
	f.askAgain(payments)
	f.rest(t, payments)
	w.audit(t, j, payments)
}

// serveFacilitator serves one in this process and returns where.
func serveFacilitator(t *testing.T, s setup, j facilitator.Journal) (bases func() []string) {
	t.Helper()
	log := newLog(t)
	service, _, err := newService(s, j, log)
	require.NoError(t, err)
	server := httptest.NewServer(service.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := service.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		server.Close()
	})
	return func() []string { return []string{server.URL} }
}

// rest waits until the journal holds nothing unfinished.
func (f *fleet) rest(t *testing.T, payments []*payment) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, p := range payments {
			if s, err := f.journal.SettlementByKey(context.Background(), p.key); err == nil && !s.State.Final() {
				return false
			}
		}
		return true
	}, mendedIn, 50*time.Millisecond)
}

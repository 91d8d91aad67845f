package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
)

// receiver counts what it gets, by path and event.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]int
	all int
	on  func(total int) // called with each
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.got[req.URL.Path+" "+req.Header.Get("webhook-id")]++
		r.all++
		on, total := r.on, r.all
		r.mu.Unlock()
		if on != nil {
			on(total)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) each(on func(total int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = on
}

// received is how many requests came, and how many different ones.
func (r *receiver) received() (all, distinct int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all, len(r.got)
}

// openSQLite opens a file until the test ends.
func openSQLite(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// overTheWire sends over the network of this machine, at once and at a time.
func overTheWire(later time.Duration) func(*webhook.Config) {
	return func(c *webhook.Config) {
		c.Transport, c.AllowLocalhost, c.Poll = nil, true, 100*time.Millisecond
		c.Now = func() time.Time { return time.Now().Add(later) }
	}
}

const hooks, happened = 4, 120

// prepare registers endpoints at the receiver's, and saves events.
func prepare(t *testing.T, s backend, url string) {
	t.Helper()
	r := rigOn(t, s, overTheWire(0))
	for n := range hooks {
		r.hook(ann, fmt.Sprint(url, "/", n))
	}
	var events []store.Event
	for n := range happened {
		events = append(events, confirmed(ann, n))
	}
	emit(t, s, events...)
}

// requireAllDelivered requires that every event was delivered to each endpoint.
func requireAllDelivered(t *testing.T, s backend, to *receiver) {
	t.Helper()
	require.Eventually(t, func() bool {
		if _, distinct := to.received(); distinct < hooks*happened {
			return false // spares the store the question
		}
		l, err := s.WebhookDeliveries(context.Background(), webhook.DeliveryFilter{Status: webhook.DeliveryDelivered}, store.PageNumber{Size: 1})
		return err == nil && l.Total == hooks*happened
	}, 10*time.Minute, 100*time.Millisecond)
	l, err := s.WebhookDeliveries(context.Background(), webhook.DeliveryFilter{}, store.PageNumber{Size: 1})
	require.NoError(t, err)
	require.EqualValues(t, hooks*happened, l.Total)
	_, distinct := to.received()
	require.Equal(t, hooks*happened, distinct)
}

// The process that is killed is told the file, and how much later it is.
const (
	victimFile  = "V402_TEST_WEBHOOK_VICTIM"
	victimLater = "V402_TEST_WEBHOOK_LATER"
)

func TestAPublisherThatIsKilledLosesNothing(t *testing.T) {
	if path := os.Getenv(victimFile); path != "" {
		later, err := strconv.Atoi(os.Getenv(victimLater))
		require.NoError(t, err)
		rigOn(t, openSQLite(t, path), overTheWire(time.Duration(later)*time.Minute)).run()
		select {} // until it is killed
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	to := newReceiver(t)
	s := openSQLite(t, path)
	prepare(t, s, to.URL)

	const kills = 4
	for n := range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), victimFile+"="+path, victimLater+"="+strconv.Itoa(n*2)) // the leases of the one before have run out
		require.NoError(t, cmd.Start())
		reached := make(chan struct{})
		var once sync.Once
		to.each(func(total int) {
			if total >= 40+n*50 {
				once.Do(func() { close(reached) })
			}
		})
		<-reached
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait(), "it was killed")
	}
	to.each(nil)
	defer rigOn(t, s, overTheWire(kills*2*time.Minute)).run()()
	requireAllDelivered(t, s, to)
	all, distinct := to.received()
	require.LessOrEqual(t, all-distinct, kills*hooks*4, "at most what was under way at each kill is sent twice")
}

func TestReplicasShareTheWorkAndSendEachEventOnce(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) []backend{
		"sqlite": func(t *testing.T) []backend {
			path := filepath.Join(t.TempDir(), "v402.db")
			return []backend{openSQLite(t, path), openSQLite(t, path), openSQLite(t, path)}
		},
		"postgres": func(t *testing.T) []backend {
			database := pgtest.Database(t)
			var list []backend
			for range 3 {
				s, err := postgres.Open(t.Context(), database)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				list = append(list, s)
			}
			return list
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := newReceiver(t)
			stores := open(t)
			prepare(t, stores[0], to.URL)
			for _, s := range stores {
				defer rigOn(t, s, overTheWire(0)).run()()
			}
			requireAllDelivered(t, stores[0], to)
			all, distinct := to.received()
			require.Equal(t, distinct, all)
		})
	}
}

func TestAStoreThatFailsNowAndThenLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	s := openSQLite(t, path)
	to := newReceiver(t)
	prepare(t, s, to.URL)
	u := &unreliable{backend: s}
	r := rigOn(t, u, overTheWire(0), func(c *webhook.Config) { c.Now = u.now })
	defer r.run()()
	requireAllDelivered(t, s, to)
}

// unreliable fails every third call that records something, half of the times
// after it was done. Then so much time goes by that all leases run out.
type unreliable struct {
	backend
	mu    sync.Mutex
	n     int
	later time.Duration
}

func (u *unreliable) now() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Now().Add(u.later)
}

var errAway = errors.New("the store is away")

func (u *unreliable) record(do func() error) error {
	u.mu.Lock()
	u.n++
	n := u.n % 6
	if n == 2 || n == 5 {
		u.later += 2 * time.Minute
	}
	u.mu.Unlock()
	switch n {
	case 2:
		return errAway
	case 5:
		if err := do(); err != nil {
			return err
		}
		return errAway
	default:
		return do()
	}
}

func (u *unreliable) PublishEvents(ctx context.Context, holder string, list []webhook.Publication, now time.Time) error {
	return u.record(func() error { return u.backend.PublishEvents(ctx, holder, list, now) })
}

func (u *unreliable) FinishDeliveries(ctx context.Context, holder, queue string, outcomes []webhook.Outcome,
	change func(*webhook.Endpoint, *webhook.Standing) account.Trail, now time.Time) error {
	return u.record(func() error { return u.backend.FinishDeliveries(ctx, holder, queue, outcomes, change, now) })
}

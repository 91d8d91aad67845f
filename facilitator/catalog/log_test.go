package catalog_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// logbook is a store whose access log can fail.
type logbook struct {
	*memory.Store

	mu      sync.Mutex
	entries []catalog.LogEntry
	left    map[string]int64
	events  []store.Event
	batches int
	broken  error         // what is answered in place of storing
	slow    time.Duration // how long it takes
	purged  []time.Time
	old     int // entries that can still be purged
}

func (l *logbook) AddLog(ctx context.Context, b catalog.LogBatch) error {
	time.Sleep(l.slow)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := cmp.Or(ctx.Err(), l.broken); err != nil {
		return err
	}
	l.batches++
	l.entries, l.events = append(l.entries, b.Entries...), append(l.events, b.Events...)
	for _, g := range b.Left {
		if l.left == nil {
			l.left = map[string]int64{}
		}
		l.left[g.OwnerID] += g.Count
	}
	return nil
}

func (l *logbook) PurgeLog(_ context.Context, before time.Time, limit int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.purged = append(l.purged, before)
	n := min(limit, l.old)
	l.old -= n
	return n, nil
}

// stored are the entries so far, and how many attempts were left out.
func (l *logbook) stored() (entries []catalog.LogEntry, left int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.left {
		left += n
	}
	return l.entries, left
}

func (l *logbook) breakDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

// book is a catalog over a logbook.
func book(t testing.TB, l *logbook, c catalog.LogConfig, edits ...func(*catalog.Config)) *catalog.Service {
	t.Helper()
	l.Store = memory.New()
	config := catalog.Config{Store: l, Log: c, Logger: slog.New(slog.DiscardHandler)}
	for _, edit := range edits {
		edit(&config)
	}
	s, err := catalog.New(config)
	require.NoError(t, err)
	return s
}

var tutorial = catalog.Product{ID: "p1", OwnerID: "o1", Price: x402.NewAmount(5), Currency: "ETH"}

func asked(s *catalog.Service, n int) {
	for range n {
		s.Record(tutorial, catalog.LogEntry{Status: catalog.LogRequested}, "192.0.2.1:99")
	}
}

// running runs a service until end is called, which waits for it.
func running(t *testing.T, s *catalog.Service) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

func TestAnAttemptIsStoredWithinTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{FlushEvery: 2 * time.Second})
		defer running(t, s)()
		began := time.Now()
		s.Record(tutorial, catalog.LogEntry{Status: catalog.LogPaid, UserAgent: "Crawler/1.0", PaymentID: "pay-1", Payer: "0x1"}, "192.0.2.1:4711")
		require.Equal(t, began, time.Now(), "and nobody waited")
		time.Sleep(2*time.Second + time.Millisecond)
		entries, _ := l.stored()
		require.Len(t, entries, 1)
		require.True(t, strings.HasPrefix(entries[0].ID, "log-"))
		require.GreaterOrEqual(t, entries[0].ID, catalog.FirstLogID(began))
		entries[0].ID = ""
		require.Equal(t, catalog.LogEntry{
			ProductID: "p1", OwnerID: "o1", Status: catalog.LogPaid, IP: "192.0.2.1", UserAgent: "Crawler/1.0", PaymentID: "pay-1", Payer: "0x1",
			Price: x402.NewAmount(5), Currency: "ETH", CreatedAt: began.UTC().Truncate(time.Millisecond),
		}, entries[0])
	})
}

func TestAProcessThatIsKilledLosesNoMoreThanTheLastInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{Rate: 10_000, FlushEvery: time.Second})
		defer running(t, s)()
		synctest.Wait()
		began := time.Now()
		const step = 30 * time.Millisecond
		for n := range 200 {
			asked(s, 40)
			time.Sleep(step)
			synctest.Wait()
			entries, left := l.stored() // what is there if it is killed now
			whole := int((time.Since(began) - time.Second) / step)
			require.GreaterOrEqual(t, len(entries), 40*max(0, whole), "after %d steps", n)
			require.Zero(t, left)
		}
	})
}

func TestManyAttemptsAreStoredAtOnceAndInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{FlushEvery: time.Hour})
		defer running(t, s)()
		asked(s, 1000)
		synctest.Wait()
		entries, left := l.stored()
		require.Len(t, entries, 1000)
		require.Zero(t, left)
		for i := range entries[1:] {
			require.Less(t, entries[i].ID, entries[i+1].ID)
		}
	})
}

func TestWhatWasNotedLastIsStoredAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{FlushEvery: time.Hour})
		end := running(t, s)
		synctest.Wait()
		asked(s, 3)
		end()
		entries, _ := l.stored()
		require.Len(t, entries, 3)
	})
}

// flood asks 10,000 times a second, for so many seconds.
func flood(s *catalog.Service, seconds int) (attempts int) {
	for range seconds * 1000 {
		asked(s, 10)
		time.Sleep(time.Millisecond)
		attempts += 10
	}
	return attempts
}

func TestOfAFloodASampleIsStoredAndTheRestIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{Rate: 50, Burst: 2000})
		end := running(t, s)
		attempts := flood(s, 20)
		end()
		entries, left := l.stored()
		require.EqualValues(t, attempts, len(entries)+int(left), "each is stored or counted")
		require.LessOrEqual(t, len(entries), 2000+21*50)
		require.GreaterOrEqual(t, len(entries), 2000+19*50)
		require.Equal(t, map[string]int64{"o1": left}, l.left)
	})
}

func TestEachAttemptOfAnIntervalIsAsLikelyToBeKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{Rate: 1, Burst: 900, FlushEvery: time.Hour})
		end := running(t, s)
		for third := range 3 {
			for range 3000 {
				s.Record(tutorial, catalog.LogEntry{Status: catalog.LogRequested, UserAgent: fmt.Sprint(third)}, "")
			}
		}
		end()
		kept := map[string]int{}
		entries, _ := l.stored()
		for _, e := range entries {
			kept[e.UserAgent]++
		}
		for third := range 3 { // 300 of each are expected, give or take 14
			require.InDelta(t, 300, kept[fmt.Sprint(third)], 100)
		}
	})
}

func TestAFloodOfRequestsDoesNotCrowdOutPayments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{Rate: 10, Burst: 100})
		end := running(t, s)
		flood(s, 2)
		for range 10 {
			asked(s, 1000)
			s.Record(tutorial, catalog.LogEntry{Status: catalog.LogPaid}, "")
		}
		end()
		paid := 0
		entries, _ := l.stored()
		for _, e := range entries {
			if e.Granted() {
				paid++
			}
		}
		require.Equal(t, 10, paid)
	})
}

func TestAFloodTakesNoMoreMemoryThanASecondOfIt(t *testing.T) {
	l := &logbook{broken: errors.New("the disk is full")}
	s := book(t, l, catalog.LogConfig{})
	note := func(n int) {
		for i := range n {
			// As net/http hands it over: a header is a part of a large text.
			agent := strings.Repeat("x", 8<<10)[:300]
			s.Record(catalog.Product{ID: "p1", OwnerID: fmt.Sprint("o", i%5000)}, catalog.LogEntry{Status: catalog.LogRequested, UserAgent: agent}, "192.0.2.1:99")
			if i%10_000 == 0 {
				require.Error(t, s.FlushLog(t.Context()))
			}
		}
	}
	note(30_000)
	before := heap()
	note(300_000)
	require.Less(t, heap()-before, 4.0, "MiB, for 30 seconds at 10,000 a second while nothing can be stored")
	require.Less(t, heap(), 64.0, "MiB, in all")
	runtime.KeepAlive(s)
}

// heap is how many MiB are in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func TestWhatCannotBeStoredWaitsAndNobodyWaitsForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &logbook{broken: errors.New("the database is away")}
		var log bytes.Buffer
		s := book(t, l, catalog.LogConfig{Burst: 10}, func(c *catalog.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		end := running(t, s)
		asked(s, 5)
		time.Sleep(5 * time.Second)
		asked(s, 25)
		time.Sleep(5 * time.Second)
		l.breakDown(nil)
		time.Sleep(2 * time.Second)
		end()
		entries, left := l.stored()
		require.Len(t, entries, 15)
		require.EqualValues(t, 15, left)
		require.Equal(t, 1, strings.Count(log.String(), "the database is away"), "it is told once: %s", &log)
	})
}

func TestASlowStoreDoesNotSlowRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &logbook{slow: 4 * time.Second}
		s := book(t, l, catalog.LogConfig{})
		end := running(t, s)
		asked(s, 1)
		time.Sleep(2 * time.Second) // it is being stored
		began := time.Now()
		asked(s, 20_000)
		require.Equal(t, began, time.Now())
		end()
		entries, left := l.stored()
		require.EqualValues(t, 20_001, len(entries)+int(left))
	})
}

func TestEachAttemptIsStoredOrCountedOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{Rate: rapid.IntRange(1, 50).Draw(rt, "rate"), Burst: rapid.IntRange(1, 50).Draw(rt, "burst")})
		attempts := map[string]int64{}
		rt.Repeat(map[string]func(*rapid.T){
			"attempts": func(rt *rapid.T) {
				owner := rapid.SampledFrom([]string{"o1", "o2", "o3"}).Draw(rt, "owner")
				status := rapid.SampledFrom([]catalog.LogStatus{catalog.LogRequested, catalog.LogPaid, catalog.LogDenied, catalog.LogError}).Draw(rt, "status")
				for range rapid.IntRange(1, 60).Draw(rt, "n") {
					s.Record(catalog.Product{ID: "p", OwnerID: owner}, catalog.LogEntry{Status: status}, "")
					attempts[owner]++
				}
			},
			"flush": func(rt *rapid.T) { _ = s.FlushLog(context.Background()) },
			"break": func(*rapid.T) { l.breakDown(errors.New("broken")) },
			"mend":  func(*rapid.T) { l.breakDown(nil) },
		})
		l.breakDown(nil)
		require.NoError(rt, s.FlushLog(context.Background()))
		entries, _ := l.stored()
		got := map[string]int64{}
		ids := map[string]bool{}
		for owner, n := range l.left {
			got[owner] += n
		}
		for _, e := range entries {
			got[e.OwnerID]++
			ids[e.ID] = true
		}
		require.Equal(rt, attempts, got)
		require.Len(rt, ids, len(entries))
	})
}

func TestOwnersWhoAreTooManyAreCountedTogether(t *testing.T) {
	t.Parallel()
	l := new(logbook)
	s := book(t, l, catalog.LogConfig{Rate: 1, Burst: 1})
	for n := range 5000 {
		s.Record(catalog.Product{OwnerID: fmt.Sprint(n)}, catalog.LogEntry{Status: catalog.LogRequested}, "")
	}
	require.NoError(t, s.FlushLog(t.Context()))
	require.LessOrEqual(t, len(l.left), 1001)
	_, left := l.stored()
	require.EqualValues(t, 4999, left)
}

func TestAnAddressIsKeptAsConfigured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ remote, whole, truncated string }{
		{"192.168.1.100:443", "192.168.1.100", "192.168.1.0"},
		{"192.168.1.100", "192.168.1.100", "192.168.1.0"},
		{"[2001:db8:1:2:3::4]:443", "2001:db8:1:2:3::4", "2001:db8:1::"},
		{"::ffff:10.1.2.3", "10.1.2.3", "10.1.2.0"},
		{"[fe80::1%eth0]:1", "fe80::1", "fe80::"},
		{"", "", ""},
		{"a proxy", "", ""},
		{"@", "", ""},
	} {
		for want, truncate := range map[string]bool{c.whole: false, c.truncated: true} {
			if c.whole == c.truncated {
				truncate = true
			}
			l := new(logbook)
			var asked netip.Addr
			s := book(t, l, catalog.LogConfig{TruncateIP: truncate, Country: func(a netip.Addr) string { asked = a; return "us" }})
			s.Record(tutorial, catalog.LogEntry{Status: catalog.LogRequested}, c.remote)
			require.NoError(t, s.FlushLog(t.Context()))
			require.Equal(t, want, l.entries[0].IP, c.remote)
			if c.whole == "" {
				require.Empty(t, l.entries[0].Country)
				continue
			}
			require.Equal(t, "US", l.entries[0].Country)
			require.Equal(t, c.whole, asked.String(), "the country is that of the whole address")
		}
	}
}

func TestOfAUserAgentTheBeginningIsKept(t *testing.T) {
	t.Parallel()
	l := new(logbook)
	s := book(t, l, catalog.LogConfig{})
	for _, agent := range []string{strings.Repeat("a", 300), strings.Repeat("é", 200), strings.Repeat("a", 255) + "é"} {
		s.Record(tutorial, catalog.LogEntry{Status: catalog.LogRequested, UserAgent: agent}, "")
	}
	require.NoError(t, s.FlushLog(t.Context()))
	require.Equal(t, strings.Repeat("a", 256), l.entries[0].UserAgent)
	require.Equal(t, strings.Repeat("é", 128), l.entries[1].UserAgent)
	require.Equal(t, strings.Repeat("a", 255), l.entries[2].UserAgent)
}

func TestEntriesArePurgedWhenTheyAreTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &logbook{old: 12_000}
		end := running(t, book(t, l, catalog.LogConfig{Retention: 24 * time.Hour}))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, l.old, "by and by")
		require.Len(t, l.purged, 3)
		for _, before := range l.purged {
			require.WithinDuration(t, time.Now().Add(-24*time.Hour), before, time.Minute)
		}
		end()
		l = new(logbook)
		end = running(t, book(t, l, catalog.LogConfig{Retention: -1}))
		time.Sleep(time.Hour)
		end()
		require.Empty(t, l.purged, "never, if so configured")
	})
}

// BenchmarkRecord is what the log costs a request: 10,000 of them a second must
// be a small part of one core.
func BenchmarkRecord(b *testing.B) {
	s := book(b, new(logbook), catalog.LogConfig{})
	asked(s, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		s.Record(tutorial, catalog.LogEntry{Status: catalog.LogRequested, UserAgent: "Mozilla/5.0 (compatible; AI-Crawler/1.0)"}, "192.0.2.1:99")
	}
}

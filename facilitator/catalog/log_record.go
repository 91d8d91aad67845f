package catalog

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/store"
)

// Bounds of a recorder.
const (
	flushAt   = 1000             // entries that do not wait for the end of the interval
	maxOwners = 1000             // whose gaps are told apart in one batch
	purgeStep = 5000             // entries that are deleted at once
	purgeRest = 10 * time.Minute // between purges
	lastFlush = 10 * time.Second // that the flush at the end may take
)

// recorder collects entries of the access log and stores them by and by. No
// request waits for the store, and what is held is bounded: two samples of at
// most Burst entries, those that were granted and the others, and the same once
// more on its way to the store.
type recorder struct {
	store LogStore
	c     LogConfig
	now   func() time.Time
	log   *slog.Logger
	full  chan struct{} // told when a batch need not wait

	mu      sync.Mutex
	granted sample
	others  sample
	left    map[string]int64 // attempts that were not kept, by owner
	denied  denials
	since   time.Time // when this interval began

	saving sync.Mutex // held by whoever stores; over what follows
	unsent LogBatch   // that was not stored yet
	random *ulid.MonotonicEntropy
	failed bool      // the last try
	purged time.Time // when there was nothing to purge
}

// newRecorder returns one that collects. It stores what it has when asked, or
// while it runs.
func newRecorder(store LogStore, c LogConfig, now func() time.Time, log *slog.Logger) *recorder {
	c = c.withDefaults()
	r := &recorder{store: store, c: c, now: now, log: log, full: make(chan struct{}, 1), left: map[string]int64{}, denied: denials{}, since: now()}
	r.random = ulid.Monotonic(rand.Reader, 0)
	r.granted, r.others = newSample(c), newSample(c)
	return r
}

// withDefaults is c with what its zero fields stand for.
func (c LogConfig) withDefaults() LogConfig {
	if c.Rate <= 0 {
		c.Rate = 100
	}
	if c.Burst <= 0 {
		c.Burst = 10_000
	}
	if c.FlushEvery <= 0 {
		c.FlushEvery = time.Second
	}
	if c.Retention == 0 {
		c.Retention = 90 * 24 * time.Hour
	}
	return c
}

// add takes note of an attempt by a caller at the address remote, with or without
// a port. ID, IP, Country and CreatedAt of e are not used.
func (r *recorder) add(e LogEntry, remote string) {
	now := r.now().UTC().Truncate(time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	e.CreatedAt = now
	if e.Status == LogDenied {
		r.denied.add(&e)
	}
	s := &r.others
	if e.Granted() {
		s = &r.granted
	}
	at, left := s.place()
	if left {
		r.leave(e.OwnerID, s, at)
	}
	if at < 0 {
		return
	}
	e.UserAgent = agent(e.UserAgent)
	s.entries[at] = attempt{e, address(remote)}
	if len(s.entries) == flushAt && !left {
		select {
		case r.full <- struct{}{}:
		default:
		}
	}
}

// leave counts the attempt that is not kept: the one in the place at, or a new
// one of owner if there is none.
func (r *recorder) leave(owner string, s *sample, at int) {
	if at >= 0 {
		owner = s.entries[at].OwnerID
	}
	if _, known := r.left[owner]; !known && len(r.left) >= maxOwners {
		owner = ""
	}
	r.left[owner]++
}

// run stores what was collected until ctx ends, and then the last of it, and
// deletes what is too old. It never fails: what cannot be stored waits.
func (r *recorder) run(ctx context.Context) {
	tick := time.NewTicker(r.c.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			r.tell(r.flush(ctx))
			return
		case <-tick.C:
		case <-r.full:
		}
		err := r.flush(ctx)
		if err == nil {
			err = r.purge(ctx)
		}
		if ctx.Err() == nil {
			r.tell(err)
		}
	}
}

// tell logs the first of several errors in a row.
func (r *recorder) tell(err error) {
	if err != nil && !r.failed {
		r.log.Error("catalog: the access log cannot be stored; it is tried again, and what exceeds the buffer is only counted", "error", err)
	}
	r.failed = err != nil
}

// flush stores what was collected so far.
func (r *recorder) flush(ctx context.Context) error {
	r.saving.Lock()
	defer r.saving.Unlock()
	for range 2 { // what could not be stored before, and what came since
		if r.unsent.empty() {
			r.unsent = r.take()
		}
		if r.unsent.empty() {
			return nil
		}
		if err := r.store.AddLog(ctx, r.unsent); err != nil {
			return err
		}
		r.unsent = LogBatch{}
	}
	return nil
}

// take ends the interval and returns what it brought, as it is stored.
func (r *recorder) take() LogBatch {
	attempts, left, events := r.swap()
	slices.SortStableFunc(attempts, func(a, b attempt) int { return a.CreatedAt.Compare(b.CreatedAt) })
	b := LogBatch{Events: events}
	for _, a := range attempts {
		e := a.LogEntry
		e.ID, e.IP = r.newID(e.CreatedAt), r.c.shown(a.addr)
		if r.c.Country != nil && a.addr.IsValid() {
			e.Country = country(r.c.Country(a.addr))
		}
		b.Entries = append(b.Entries, e)
	}
	for owner, n := range left {
		b.Left = append(b.Left, LogGap{OwnerID: owner, At: b.Entries[0].CreatedAt, Count: n})
	}
	slices.SortFunc(b.Left, func(a, b LogGap) int { return strings.Compare(a.OwnerID, b.OwnerID) })
	return b
}

// newID is one for an entry of the time t, above the last one if that was of the
// same time.
func (r *recorder) newID(t time.Time) string {
	return logPrefix + ulid.MustNew(ulid.Timestamp(t), r.random).String()
}

func (r *recorder) swap() ([]attempt, map[string]int64, []store.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	passed := max(now.Sub(r.since), 0) // a clock may be set back
	attempts := append(r.others.take(r.c, passed), r.granted.take(r.c, passed)...)
	left := r.left
	r.left, r.since = map[string]int64{}, now
	return attempts, left, r.denied.take(now.UTC())
}

// country is a code as it is kept, or nothing.
func country(code string) string {
	if len(code) != 2 {
		return ""
	}
	return strings.ToUpper(code)
}

// purge deletes some of what is too old.
func (r *recorder) purge(ctx context.Context) error {
	now := r.now()
	if r.c.Retention < 0 || now.Sub(r.purged) < purgeRest {
		return nil
	}
	n, err := r.store.PurgeLog(ctx, now.Add(-r.c.Retention), purgeStep)
	if err == nil && n < purgeStep {
		r.purged = now
	}
	return err
}

// attempt is an entry whose address is not yet as it will be stored.
type attempt struct {
	LogEntry
	addr netip.Addr
}

// sample keeps attempts of an interval: all while there is room, and then each
// as likely as any other (Vitter, algorithm R).
type sample struct {
	entries []attempt
	room    int
	seen    int     // attempts in this interval
	tokens  float64 // how many may be stored at once, at its begin
}

func newSample(c LogConfig) sample {
	return sample{room: c.Burst, tokens: float64(c.Burst)}
}

// place says where the next attempt goes, negative if nowhere, and whether
// because of that one is left out: the one that is there, or else the new one.
func (s *sample) place() (at int, left bool) {
	s.seen++
	if len(s.entries) < s.room {
		s.entries = append(s.entries, attempt{})
		return len(s.entries) - 1, false
	}
	if at = mathrand.IntN(s.seen); at >= len(s.entries) {
		at = -1
	}
	return at, true
}

// take empties s for the next interval. Its room is what Rate and Burst leave,
// and never nothing, so that what is left out is known by what is not.
func (s *sample) take(c LogConfig, passed time.Duration) []attempt {
	entries := s.entries
	s.tokens = min(float64(c.Burst), s.tokens+passed.Seconds()*float64(c.Rate)) - float64(len(entries))
	next := s.tokens + c.FlushEvery.Seconds()*float64(c.Rate)
	s.entries, s.seen, s.room = nil, 0, min(max(int(next), 1), c.Burst)
	return entries
}

package catalog

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/v402/v402/store"
)

// views counts what was seen, so that to look at a product is no write. What
// was counted since the last flush is lost with the process.
type views struct {
	full chan struct{} // wakes whoever stores them

	mu     sync.Mutex
	counts map[string]int64 // by product ID
	events *rate.Limiter
}

// Bounds of what anybody can cause.
const (
	// maxViewed is of how many products views are kept: then they are stored at
	// once, and those of further products are not counted until they are.
	maxViewed = 10_000
	// viewEvents is how many events a second there are of views in the long run, and
	// maxViewEvents how many at once.
	viewEvents    = 100
	maxViewEvents = 1000
)

func newViews() *views {
	return &views{full: make(chan struct{}, 1), counts: map[string]int64{}, events: rate.NewLimiter(viewEvents, maxViewEvents)}
}

func (v *views) add(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.counts[id]; !known && len(v.counts) >= maxViewed {
		select {
		case v.full <- struct{}{}:
		default:
		}
		return
	}
	v.counts[id]++
}

// take returns what was counted, and begins again.
func (v *views) take() map[string]int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	counts := v.counts
	v.counts = map[string]int64{}
	return counts
}

// putBack adds what could not be stored, as far as there is room.
func (v *views) putBack(counts map[string]int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, n := range counts {
		if _, known := v.counts[id]; known || len(v.counts) < maxViewed {
			v.counts[id] += n
		}
	}
}

// tell says of which products there are events: of all or, if they are too many,
// of those that were viewed most.
func (v *views) tell(counts map[string]int64, now time.Time) map[string]bool {
	ids := byCount(counts)
	ids = ids[:min(len(ids), max(int(v.events.TokensAt(now)), 0))]
	v.events.AllowN(now, len(ids))
	told := make(map[string]bool, len(ids))
	for _, id := range ids {
		told[id] = true
	}
	return told
}

// FlushViews stores the views that were counted and not stored yet. [Service.Run]
// does so every Config.ViewsEvery.
func (s *Service) FlushViews(ctx context.Context) error {
	counts := s.views.take()
	if len(counts) == 0 {
		return nil
	}
	now := s.now()
	told := s.views.tell(counts, now)
	err := s.store.CountViews(ctx, counts, now, func(p Product, n int64) store.Event {
		if !told[p.ID] {
			return store.Event{}
		}
		data := newProductEvent(&p, now)
		data.Views = n
		return newEvent(EventProductViewed, p.ID, data, now)
	})
	if err != nil {
		s.views.putBack(counts)
	}
	return refusal(err, nil, "store views")
}

// runViews flushes until ctx ends, and once more then.
func (s *Service) runViews(ctx context.Context) error {
	tick := time.NewTicker(s.options.ViewsEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-s.views.full:
		case <-ctx.Done():
		}
		if err := s.FlushViews(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("catalog: views not stored", "error", err)
		}
	}
	return nil
}

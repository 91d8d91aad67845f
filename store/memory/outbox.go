package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/v402/v402/store"
)

// event is an event and who delivers it.
type event struct {
	store.Event
	owner       string
	leasedUntil time.Time
}

// save puts e into the outbox, once.
func (s *Store) save(e store.Event) {
	if _, known := s.saved[e.ID]; known {
		return
	}
	s.saved[e.ID] = struct{}{}
	e.Data = bytes.Clone(e.Data)
	s.outbox = append(s.outbox, &event{Event: e})
}

// LeaseEvents implements [store.Outbox].
func (s *Store) LeaseEvents(ctx context.Context, owner string, now, until time.Time, limit int) ([]store.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var leased []store.Event
	for _, e := range s.outbox {
		if len(leased) >= limit {
			break
		}
		if e.leasedUntil.After(now) {
			continue
		}
		e.owner, e.leasedUntil = owner, until
		c := e.Event
		c.Data = bytes.Clone(c.Data)
		leased = append(leased, c)
	}
	return leased, nil
}

// AckEvents implements [store.Outbox].
func (s *Store) AckEvents(ctx context.Context, owner string, ids []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	acked := make(map[string]bool, len(ids))
	for _, id := range ids {
		acked[id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox = slices.DeleteFunc(s.outbox, func(e *event) bool {
		if !acked[e.ID] || e.owner != owner {
			return false
		}
		delete(s.saved, e.ID)
		return true
	})
	return nil
}

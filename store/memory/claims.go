package memory

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"time"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
)

// claim is a claim and what came of it.
type claim struct {
	middleware.Claim
	attempts   int
	settlement []byte
	outcome    *middleware.Outcome
	index      int // in expiries
}

// forgetAtOnce bounds how many expired claims one new claim clears away.
const forgetAtOnce = 4

// Claim implements [middleware.Claims].
func (s *Store) Claim(ctx context.Context, c middleware.Claim, now time.Time) (middleware.Claimed, error) {
	if err := ctx.Err(); err != nil {
		return middleware.Claimed{}, err
	}
	if c.Key == "" || c.Owner == "" {
		return middleware.Claimed{}, fmt.Errorf("memory: claim a payment: it needs a key and an owner")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.claims[c.Key]
	switch {
	case held == nil || !held.Expires.After(now):
		s.forget(held)
		held = &claim{Claim: c, attempts: 1}
		for range forgetAtOnce {
			if len(s.expiring) > 0 && !s.expiring[0].useless().After(now) {
				s.forget(s.expiring[0])
			}
		}
		s.claims[c.Key] = held
		heap.Push(&s.expiring, held)
		return held.claimed(true, false), nil
	case held.outcome == nil && held.Fingerprint == c.Fingerprint && !held.LeasedUntil.After(now):
		held.Claim = c
		held.attempts++
		heap.Fix(&s.expiring, held.index)
		return held.claimed(true, true), nil
	default:
		return held.claimed(false, false), nil
	}
}

func (c *claim) claimed(won, retaken bool) middleware.Claimed {
	return middleware.Claimed{
		Won: won, Retaken: retaken, Attempts: c.attempts, Fingerprint: c.Fingerprint,
		Settlement: bytes.Clone(c.settlement), Outcome: cloneOutcome(c.outcome),
	}
}

func (s *Store) forget(c *claim) {
	if c != nil {
		heap.Remove(&s.expiring, c.index)
		delete(s.claims, c.Key)
	}
}

// Renew implements [middleware.Claims].
func (s *Store) Renew(ctx context.Context, key, owner string, until time.Time) error {
	return s.holding(ctx, "renew", key, owner, func(c *claim) {
		c.LeasedUntil = until
		heap.Fix(&s.expiring, c.index)
	})
}

// Settled implements [middleware.Claims].
func (s *Store) Settled(ctx context.Context, key, owner string, settlement []byte) error {
	return s.holding(ctx, "record the settlement of", key, owner, func(c *claim) {
		c.settlement = append([]byte{}, settlement...)
	})
}

// Fulfil implements [middleware.Claims].
func (s *Store) Fulfil(ctx context.Context, key, owner string, o middleware.Outcome) error {
	return s.holding(ctx, "fulfil", key, owner, func(c *claim) { c.outcome = cloneOutcome(&o) })
}

// Release implements [middleware.Claims].
func (s *Store) Release(ctx context.Context, key, owner string) error {
	return s.holding(ctx, "release", key, owner, s.forget)
}

// holding changes a claim that owner holds.
func (s *Store) holding(ctx context.Context, what, key, owner string, change func(*claim)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.claims[key]
	if c == nil || c.Owner != owner || c.outcome != nil {
		return fmt.Errorf("memory: %s claim %s: %w: it is not held by %s", what, key, store.ErrConflict, owner)
	}
	change(c)
	return nil
}

func cloneOutcome(o *middleware.Outcome) *middleware.Outcome {
	if o == nil {
		return nil
	}
	c := *o
	c.Header, c.Body = o.Header.Clone(), bytes.Clone(o.Body)
	return &c
}

// useless is when nobody needs c any more: it has expired, and so has its lease.
func (c *claim) useless() time.Time {
	if c.LeasedUntil.After(c.Expires) {
		return c.LeasedUntil
	}
	return c.Expires
}

// expiries is a heap of claims, the first to become useless on top.
type expiries []*claim

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].useless().Before(e[j].useless()) }
func (e expiries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

// Push implements [heap.Interface].
func (e *expiries) Push(c any) {
	c.(*claim).index = len(*e)
	*e = append(*e, c.(*claim))
}

// Pop implements [heap.Interface].
func (e *expiries) Pop() any {
	last := len(*e) - 1
	c := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return c
}

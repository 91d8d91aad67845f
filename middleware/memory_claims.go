package middleware

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"
)

// Errors of [MemoryClaims]. The guard answers 503 to all of them.
var (
	ErrClaimsFull = errors.New("middleware: too many payments to remember")
	ErrClaimLost  = errors.New("middleware: the claim is held by another owner")
)

// Defaults of [MemoryClaims].
const (
	DefaultMaxClaims = 500_000
	DefaultMaxBytes  = 64 << 20
)

// MemoryClaims are the [Claims] of one process. Expired ones are removed as
// others come; no goroutine runs.
//
// With MaxClaims live ones a new payment is refused with [ErrClaimsFull], so
// that no claim is forgotten while its payment is valid. Beyond MaxBytes the
// oldest answers are dropped: their payments stay used, but a repeated request
// no longer gets the answer.
type MemoryClaims struct {
	MaxClaims int // default DefaultMaxClaims; set it before the first use
	MaxBytes  int // of answers, and again of those that wait for a settlement; default DefaultMaxBytes; set it before the first use

	mu      sync.Mutex
	byKey   map[string]*memoryClaim
	expiry  expiryHeap
	answers []*memoryClaim // those with an outcome, oldest first
	bytes   int            // of all outcomes
	held    int            // bytes of all settlements
}

// NewMemoryClaims returns claims with the default bounds.
func NewMemoryClaims() *MemoryClaims { return &MemoryClaims{} }

type memoryClaim struct {
	Claim
	attempts   int
	settlement []byte
	outcome    *Outcome
	index      int // in the heap; -1 once removed
}

var _ Claims = (*MemoryClaims)(nil)

// Claim implements [Claims].
func (m *MemoryClaims) Claim(_ context.Context, c Claim, now time.Time) (Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	have, ok := m.byKey[c.Key]
	switch {
	case !ok:
		if len(m.byKey) >= cmp.Or(m.MaxClaims, DefaultMaxClaims) {
			return Claimed{}, ErrClaimsFull
		}
		m.insert(&memoryClaim{Claim: c, attempts: 1})
		return Claimed{Won: true, Attempts: 1, Fingerprint: c.Fingerprint}, nil
	case have.Fingerprint == c.Fingerprint && have.outcome == nil && !have.LeasedUntil.After(now):
		have.Claim = c
		have.attempts++
		heap.Fix(&m.expiry, have.index)
		return Claimed{Won: true, Retaken: true, Attempts: have.attempts, Fingerprint: c.Fingerprint, Settlement: have.settlement}, nil
	default:
		return Claimed{Attempts: have.attempts, Fingerprint: have.Fingerprint, Settlement: have.settlement, Outcome: have.outcome}, nil
	}
}

func (m *MemoryClaims) insert(c *memoryClaim) {
	if m.byKey == nil {
		m.byKey = map[string]*memoryClaim{}
	}
	m.byKey[c.Key] = c
	heap.Push(&m.expiry, c)
}

// Renew implements [Claims].
func (m *MemoryClaims) Renew(_ context.Context, key, owner string, until time.Time) error {
	return m.update(key, owner, func(c *memoryClaim) { c.LeasedUntil = until })
}

// Settled implements [Claims].
func (m *MemoryClaims) Settled(_ context.Context, key, owner string, settlement []byte) error {
	full := false
	err := m.update(key, owner, func(c *memoryClaim) {
		const small = 4 << 10 // is kept in any case
		held := m.held - len(c.settlement) + len(settlement)
		if full = len(settlement) > small && held > cmp.Or(m.MaxBytes, DefaultMaxBytes); !full {
			c.settlement, m.held = settlement, held
		}
	})
	if full {
		return ErrClaimsFull
	}
	return err
}

// Fulfil implements [Claims].
func (m *MemoryClaims) Fulfil(_ context.Context, key, owner string, o Outcome) error {
	return m.update(key, owner, func(c *memoryClaim) {
		m.held -= len(c.settlement)
		c.outcome, c.settlement = &o, nil
		m.bytes += o.size()
		m.answers = append(m.answers, c)
		m.dropAnswers()
	})
}

// Release implements [Claims].
func (m *MemoryClaims) Release(_ context.Context, key, owner string) error {
	return m.update(key, owner, m.remove)
}

// Len is the number of payments that are remembered.
func (m *MemoryClaims) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byKey)
}

// update changes a claim that owner holds.
func (m *MemoryClaims) update(key, owner string, change func(*memoryClaim)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.byKey[key]
	if !ok || c.Owner != owner || c.outcome != nil {
		return ErrClaimLost
	}
	change(c)
	return nil
}

func (m *MemoryClaims) remove(c *memoryClaim) {
	heap.Remove(&m.expiry, c.index)
	c.index = -1
	delete(m.byKey, c.Key)
	m.held -= len(c.settlement)
	if c.outcome != nil && c.outcome != &lostAnswer {
		m.bytes -= c.outcome.size()
	}
	c.outcome = nil
}

// lostAnswer stands for all that were dropped.
var lostAnswer = Outcome{Lost: true}

// dropAnswers makes room, oldest first; the newest answer is kept in any case.
func (m *MemoryClaims) dropAnswers() {
	for len(m.answers) > 1 && (m.bytes > cmp.Or(m.MaxBytes, DefaultMaxBytes) || m.answers[0].index < 0) {
		c := m.answers[0]
		m.answers[0] = nil
		m.answers = m.answers[1:]
		if c.index >= 0 {
			m.bytes -= c.outcome.size()
			c.outcome = &lostAnswer
		}
	}
}

// sweep removes what has expired and is not being served.
func (m *MemoryClaims) sweep(now time.Time) {
	for len(m.expiry) > 0 {
		c := m.expiry[0]
		switch {
		case c.Expires.After(now):
			return
		case c.outcome == nil && c.LeasedUntil.After(now):
			c.Expires = c.LeasedUntil
			heap.Fix(&m.expiry, 0)
		default:
			m.remove(c)
		}
	}
}

// size is about what o takes in memory.
func (o *Outcome) size() int {
	n := 128 + len(o.Body)
	for k, values := range o.Header {
		n += len(k) + 32
		for _, v := range values {
			n += len(v) + 16
		}
	}
	return n
}

// expiryHeap has what expires first on top.
type expiryHeap []*memoryClaim

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *expiryHeap) Push(x any) {
	c := x.(*memoryClaim)
	c.index = len(*h)
	*h = append(*h, c)
}
func (h *expiryHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return c
}

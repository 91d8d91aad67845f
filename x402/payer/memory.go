package payer

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// MemoryLedger is a [Ledger] that lasts as long as the process. It keeps all
// spendings, but not the payments that were made and have expired.
type MemoryLedger struct {
	mu   sync.Mutex
	book book
}

var _ Ledger = (*MemoryLedger)(nil)

// NewMemoryLedger returns an empty ledger.
func NewMemoryLedger() *MemoryLedger { return &MemoryLedger{} }

// Reserve implements [Ledger].
func (l *MemoryLedger) Reserve(ctx context.Context, s Spending, limits []Limit) error {
	return l.step(ctx, func() (Spending, error) { return l.book.reserve(s, limits) })
}

// Sign implements [Ledger].
func (l *MemoryLedger) Sign(ctx context.Context, id string, payload json.RawMessage) error {
	return l.step(ctx, func() (Spending, error) { return l.book.sign(id, payload) })
}

// Finish implements [Ledger].
func (l *MemoryLedger) Finish(ctx context.Context, id string, state State, transaction string) error {
	return l.step(ctx, func() (Spending, error) { return l.book.finish(id, state, transaction) })
}

func (l *MemoryLedger) step(ctx context.Context, check func() (Spending, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := check()
	if err != nil {
		return err
	}
	l.book.put(s)
	return nil
}

// Spending implements [Ledger].
func (l *MemoryLedger) Spending(ctx context.Context, id string) (Spending, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.spending(id)
}

// Spendings implements [Ledger].
func (l *MemoryLedger) Spendings(ctx context.Context, since time.Time) ([]Spending, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.since(since), nil
}

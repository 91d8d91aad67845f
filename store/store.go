// Package store holds what every store shares: the errors that callers test,
// the outbox through which changes reach other parts, and paging.
//
// Each domain package defines the small interface that it needs; the backends
// in store/memory, store/sqlite and store/postgres implement all of them on one
// type. One method is one atomic business operation: there are no transactions
// to pass around. The suite in store/storetest holds for every backend.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Errors that every store returns, wrapped.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict") // another holder, another state or a duplicate
)

// Event is something that happened, saved in the outbox with the change that
// caused it and delivered at least once: consumers are idempotent by ID.
type Event struct {
	ID        string          // unique, such as a UUID
	Type      string          // such as "settlement.confirmed"
	Subject   string          // the ID of the thing it happened to
	Data      json.RawMessage // a JSON object
	CreatedAt time.Time
}

// Outbox hands events to consumers, in the order in which they were saved as
// far as the backend knows it.
type Outbox interface {
	// LeaseEvents gives consumer owner up to limit events that nobody holds,
	// and holds them until then.
	LeaseEvents(ctx context.Context, owner string, now, until time.Time, limit int) ([]Event, error)
	// AckEvents removes events that owner holds; those it lost are left alone.
	AckEvents(ctx context.Context, owner string, ids []string) error
}

// Page asks for one page of a list: at most Limit entries (a backend's default
// if zero) after Cursor, which is empty or was returned with the last page.
type Page struct {
	Limit  int
	Cursor string
}

// DefaultLimit and MaxLimit bound pages.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Size is the number of entries that p asks for, within the bounds.
func (p Page) Size() int {
	switch {
	case p.Limit <= 0:
		return DefaultLimit
	case p.Limit > MaxLimit:
		return MaxLimit
	default:
		return p.Limit
	}
}

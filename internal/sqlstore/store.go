// Package sqlstore is the one SQL implementation of every store, behind
// store/sqlite and store/postgres. There is one file per domain.
//
// One SQL text runs on both databases: $1 placeholders; TEXT, BIGINT and BOOLEAN
// only; times as BIGINT unix microseconds; state changes as UPDATE … WHERE id
// AND state with the result checked. Row locks, which SQLite does not need, are
// the one clause that differs.
package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402/payer"
)

// DB implements the stores on a SQL database.
type DB struct {
	name   string // of the backend, for errors
	writer writer
	read   querier
	close  func() error

	text       textIndex
	lock       string // ends a SELECT whose rows are locked, where rows are
	skipLocked string // the same, leaving out what others hold
	share      string // the same, letting others change all but the key
	names      int    // how many IDs a statement had best name
	rows       int    // how many rows it had best write

	saved  atomic.Int64 // seq of the newest event
	claims atomic.Int64 // how many claims were made
}

var (
	_ facilitator.Journal = (*DB)(nil)
	_ middleware.Claims   = (*DB)(nil)
	_ payer.Ledger        = (*DB)(nil)
	_ store.Outbox        = (*DB)(nil)
)

// NewPostgres brings the schema of db up to date and returns the stores in it.
// Closing the DB leaves db open.
func NewPostgres(ctx context.Context, db *sql.DB) (*DB, error) {
	if err := migratePostgres(ctx, db); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return &DB{
		name: "postgres", writer: rowWriter{db}, read: texts{db}, close: func() error { return nil }, text: tsvector{},
		lock: " FOR UPDATE", skipLocked: " FOR UPDATE SKIP LOCKED", share: " FOR KEY SHARE", names: 1024, rows: 128,
	}, nil
}

// NewSQLite brings the schema up to date and returns the stores in it. The
// pools write and read are of one file and may be the same. If dedicated is set
// one connection of write is kept until Close. Closing the DB leaves both open.
func NewSQLite(ctx context.Context, write, read *sql.DB, dedicated bool) (*DB, error) {
	if err := migrateSQLite(ctx, write); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	w := newGroupWriter(write, dedicated)
	prepared := newPrepared(read.PrepareContext)
	closeAll := func() error {
		prepared.forget()
		return w.close()
	}
	return &DB{name: "sqlite", writer: w, read: texts{prepared}, close: closeAll, text: fts5{}, names: 64, rows: 8}, nil
}

// Close gives back what the DB holds of its pools, after what has begun.
func (s *DB) Close() error { return s.close() }

// change runs do as one transaction. Do may run again, from the start, and its
// context may outlive ctx: what has begun is finished.
func (s *DB) change(ctx context.Context, do func(ctx context.Context, tx querier) error) error {
	return s.writer.change(ctx, do)
}

// errorf wraps an error with the backend and what was tried.
func (s *DB) errorf(format string, args ...any) error {
	return fmt.Errorf(s.name+": "+format, args...)
}

// nextSeq is a number above all that this process gave, and above those that
// other processes gave before now as far as the clocks agree.
func (s *DB) nextSeq() int64 {
	for {
		last := s.saved.Load()
		next := max(last+1, time.Now().UnixMicro())
		if s.saved.CompareAndSwap(last, next) {
			return next
		}
	}
}

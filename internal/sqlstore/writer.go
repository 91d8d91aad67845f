package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

// writer runs changes, each of them whole or not at all.
type writer interface {
	change(ctx context.Context, do func(ctx context.Context, tx querier) error) error
}

// errAgain asks for a transaction to be run again.
var errAgain = errors.New("the database changed meanwhile")

// patience is how long a change gives way to others before it fails. Whoever cannot
// wait so long has a context that ends.
const patience = time.Minute

// rowWriter runs each change in a transaction of its own: the database locks
// rows.
type rowWriter struct{ db *sql.DB }

func (w rowWriter) change(ctx context.Context, do func(context.Context, querier) error) error {
	start := time.Now()
	for n := 1; ; n++ {
		err := w.try(ctx, do)
		if err == nil || !again(err) || time.Since(start) > patience {
			return err
		}
		if !pause(ctx, n) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (w rowWriter) try(ctx context.Context, do func(context.Context, querier) error) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := do(ctx, texts{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

// again says whether err means that nothing was changed only because of others:
// a serialization failure, a deadlock (PostgreSQL, SQLSTATE class 40) or a busy
// file (SQLite, SQLITE_BUSY).
func again(err error) bool {
	if errors.Is(err, errAgain) {
		return true
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == "40001" || state.SQLState() == "40P01"
	}
	return busy(err)
}

func busy(err error) bool {
	const sqliteBusy = 5 // SQLite, "Result and Error Codes"; extended codes are above the low byte
	var code interface{ Code() int }
	return errors.As(err, &code) && code.Code()&0xff == sqliteBusy
}

// pause waits before attempt n and reports whether ctx still runs.
func pause(ctx context.Context, n int) bool {
	most := min(time.Millisecond<<min(n, 10), 100*time.Millisecond)
	t := time.NewTimer(most/2 + rand.N(most/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// groupWriter is for SQLite, where one connection writes at a time. Changes that
// wait for each other share one transaction, each behind a savepoint: a commit
// costs a wait for the disk, and so it is paid once for all of them.
type groupWriter struct {
	db        *sql.DB
	dedicated bool

	lead    chan struct{} // holds a token while somebody writes
	mu      sync.Mutex
	waiting []*work
	closed  bool

	// The token's holder only:
	conn *sql.Conn
	tx   querier
	stop func() // gives up what tx holds
}

// work is a change on its way.
type work struct {
	ctx      context.Context // ends only the wait for a turn
	do       func(context.Context, querier) error
	err      error
	panicked any
	done     chan struct{}
}

// errClosed is the error of a store that was closed.
var errClosed = errors.New("the store is closed")

func newGroupWriter(db *sql.DB, dedicated bool) *groupWriter {
	return &groupWriter{db: db, dedicated: dedicated, lead: make(chan struct{}, 1)}
}

func (w *groupWriter) change(ctx context.Context, do func(context.Context, querier) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	job := &work{ctx: ctx, do: do, done: make(chan struct{})}
	w.mu.Lock()
	w.waiting = append(w.waiting, job)
	w.mu.Unlock()
	select {
	case <-job.done:
	case w.lead <- struct{}{}:
		w.takeTurn()
	case <-ctx.Done():
		if w.withdraw(job) {
			return ctx.Err()
		}
	}
	<-job.done
	if job.panicked != nil {
		panic(job.panicked)
	}
	return job.err
}

// takeTurn writes what waits, for the holder of the token, and returns it.
func (w *groupWriter) takeTurn() {
	defer func() { <-w.lead }()
	w.write(w.take())
}

// take returns all that waits, which may be nothing.
func (w *groupWriter) take() []*work {
	w.mu.Lock()
	defer w.mu.Unlock()
	jobs := w.waiting
	w.waiting = nil
	return jobs
}

// withdraw removes job, unless it was taken.
func (w *groupWriter) withdraw(job *work) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting, job)
	if i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	return i >= 0
}

// write carries out jobs in one transaction and tells whoever waits for them,
// even if one of them ends the goroutine.
func (w *groupWriter) write(jobs []*work) {
	ctx := context.Background()
	jobs, err := w.begin(ctx, jobs)
	if err != nil || len(jobs) == 0 {
		for _, job := range jobs {
			job.finish(err)
		}
		return
	}
	ended := false
	defer func() {
		if !ended {
			err = errors.Join(errors.New("a change ended its goroutine"), w.end(ctx, false))
		}
		for _, job := range jobs {
			job.finish(err)
		}
	}()
	if len(jobs) == 1 {
		jobs[0].call(w.tx)
		err = w.end(ctx, jobs[0].err == nil)
	} else {
		err = w.runAll(ctx, jobs)
		err = errors.Join(err, w.end(ctx, err == nil))
	}
	ended = true
}

// finish tells whoever waits for j; err is that of the transaction.
func (j *work) finish(err error) {
	if err != nil {
		j.err = errors.Join(j.err, err)
	}
	close(j.done)
}

// runAll carries out jobs, each behind a savepoint, and undoes those that failed.
// The error means that nothing is certain any more, and all must be undone: on a
// full disk SQLite gives up the whole transaction by itself.
func (w *groupWriter) runAll(ctx context.Context, jobs []*work) error {
	for _, job := range jobs {
		if _, err := w.tx.ExecContext(ctx, "SAVEPOINT v402"); err != nil {
			return err
		}
		job.call(w.tx)
		if job.err != nil {
			if _, err := w.tx.ExecContext(ctx, "ROLLBACK TO v402"); err != nil {
				return err
			}
		}
		if _, err := w.tx.ExecContext(ctx, "RELEASE v402"); err != nil {
			return err
		}
	}
	return nil
}

// call keeps a panic for the goroutine that it belongs to.
func (j *work) call(tx querier) {
	defer func() {
		if p := recover(); p != nil {
			j.panicked, j.err = p, fmt.Errorf("panic: %v", p)
		}
	}()
	j.err = j.do(context.WithoutCancel(j.ctx), tx)
}

// attempts bounds how often a connection is made anew.
const attempts = 10

// queue is how long a change waits for other processes that write: SQLite gives its
// lock to whoever asks at the right moment, not to whoever waits longest. The longest
// change that there is, to net a million royalties, takes seconds.
const queue = 5 * time.Minute

// begin opens a transaction that holds the write lock from the start, and
// returns the jobs for it: those whose context ended meanwhile are left out.
func (w *groupWriter) begin(ctx context.Context, jobs []*work) ([]*work, error) {
	start := time.Now()
	for n := 1; ; n++ {
		jobs = slices.DeleteFunc(jobs, (*work).gone)
		if len(jobs) == 0 {
			w.rest()
			return nil, nil
		}
		err := w.connect(ctx)
		if err == nil {
			_, err = w.tx.ExecContext(ctx, "BEGIN IMMEDIATE")
		}
		switch {
		case err == nil:
			return jobs, nil
		case busy(err) && time.Since(start) < queue:
			pause(ctx, min(n, 5))
		case (errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)) && n <= attempts:
			w.disconnect()
		default:
			w.disconnect()
			return jobs, err
		}
	}
}

// gone ends a job that nobody waits for and that has not begun.
func (j *work) gone() bool {
	err := j.ctx.Err()
	if err != nil {
		j.finish(err)
	}
	return err != nil
}

// end commits, or undoes everything.
func (w *groupWriter) end(ctx context.Context, commit bool) error {
	var err error
	if commit {
		_, err = w.tx.ExecContext(ctx, "COMMIT")
	}
	if !commit || err != nil {
		if _, undo := w.tx.ExecContext(ctx, "ROLLBACK"); undo != nil {
			w.discard()
		}
	}
	w.rest()
	return err
}

func (w *groupWriter) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return errClosed
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.tx, w.stop = conn, texts{conn}, func() {}
	if w.dedicated {
		p := newPrepared(conn.PrepareContext)
		w.tx, w.stop = texts{p}, p.forget
	}
	return nil
}

// discard makes the pool throw the connection away: it is in doubt.
func (w *groupWriter) discard() {
	if w.conn != nil {
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
		w.disconnect()
	}
}

// rest gives the connection back, unless it is kept.
func (w *groupWriter) rest() {
	if !w.dedicated {
		w.disconnect()
	}
}

func (w *groupWriter) disconnect() {
	if w.conn != nil {
		w.stop()
		_ = w.conn.Close() // back to the pool
		w.conn = nil
	}
}

// close lets what has begun finish and gives the connection back.
func (w *groupWriter) close() error {
	w.lead <- struct{}{}
	defer func() { <-w.lead }()
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.disconnect()
	return nil
}

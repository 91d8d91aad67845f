package payer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrLocked is returned by [OpenFile] for a ledger that another process, or
// another part of this one, has open.
var ErrLocked = errors.New("payer: ledger file is in use")

var errBroken = errors.New("payer: the ledger file could not be written; open it again")

// FileLedger is a [Ledger] in a file of JSON lines. Each change is one line,
// on disk before the method returns.
type FileLedger struct {
	mu   sync.Mutex
	book book
	file *os.File
	lock *os.File
	err  error // why nothing more is written
}

var _ Ledger = (*FileLedger)(nil)

// OpenFile opens the ledger at path, or makes one that only its owner can
// read. It holds path + ".lock" locked until Close, and returns an error that
// matches [ErrLocked] if somebody else does, and [ErrDamaged] if the file is
// not a ledger or a line of it cannot be read. A last line torn by a crash is
// left out: what it would have recorded had not been acted upon.
//
// Nobody else can be at work on what an earlier process left Reserved, so it
// becomes Released where no payment was signed, and Unknown where one was. The
// file is written anew if it has lines that no longer hold.
func OpenFile(path string) (*FileLedger, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("payer: opening ledger %s: %w", path, err)
	}
	l := &FileLedger{lock: lock}
	if err := l.load(path, time.Now()); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("payer: opening ledger %s: %w", path, err)
	}
	return l, nil
}

// load reads, settles and compacts the file, and opens it for appending.
func (l *FileLedger) load(path string, now time.Time) error {
	data, err := os.ReadFile(path)
	fresh := errors.Is(err, os.ErrNotExist)
	if err != nil && !fresh {
		return err
	}
	if !fresh {
		var lines int
		var torn bool
		if l.book, lines, torn, err = decodeLedger(data); err != nil {
			return err
		}
		changed := l.book.restart(now)
		fresh = torn || changed || lines > len(l.book.lines)
	}
	if fresh {
		if err := l.book.rewrite(path); err != nil {
			return err
		}
	}
	l.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// restart settles what an earlier process left behind, and forgets payments
// that are of no use any more. It says whether anything changed.
func (b *book) restart(now time.Time) (changed bool) {
	for i := range b.lines {
		s := &b.lines[i].Spending
		if s.State == Reserved {
			s.State, changed = Released, true
			if len(s.Payload) > 0 {
				s.State = Unknown
			}
		}
	}
	return b.forget(now) || changed
}

// rewrite replaces the file at path by one with a line for each spending.
func (b *book) rewrite(path string) error {
	var text bytes.Buffer
	text.WriteString(fileHeader + "\n")
	for _, l := range b.lines {
		j, err := encodeSpending(l.Spending)
		if err != nil {
			return err
		}
		text.Write(j)
	}
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Close closes the file and lets others open it.
func (l *FileLedger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Close(), l.lock.Close())
	l.file, l.err = nil, os.ErrClosed
	return err
}

// Reserve implements [Ledger].
func (l *FileLedger) Reserve(ctx context.Context, s Spending, limits []Limit) error {
	return l.step(ctx, func() (Spending, error) { return l.book.reserve(s, limits) })
}

// Sign implements [Ledger].
func (l *FileLedger) Sign(ctx context.Context, id string, payload json.RawMessage) error {
	return l.step(ctx, func() (Spending, error) { return l.book.sign(id, payload) })
}

// Finish implements [Ledger].
func (l *FileLedger) Finish(ctx context.Context, id string, state State, transaction string) error {
	return l.step(ctx, func() (Spending, error) { return l.book.finish(id, state, transaction) })
}

// step writes what check allows, then believes it. After a failed write nobody
// knows what is on disk, so nothing more is written.
func (l *FileLedger) step(ctx context.Context, check func() (Spending, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	s, err := check()
	if err != nil {
		return err
	}
	text, err := encodeSpending(s)
	if err != nil {
		return err
	}
	if _, err = l.file.Write(text); err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.err = fmt.Errorf("%w: %w", errBroken, err)
		return l.err
	}
	l.book.put(s)
	return nil
}

// Spending implements [Ledger].
func (l *FileLedger) Spending(ctx context.Context, id string) (Spending, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.spending(id)
}

// Spendings implements [Ledger].
func (l *FileLedger) Spendings(ctx context.Context, since time.Time) ([]Spending, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.since(since), nil
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/sqlstore"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402/payer"
)

// ErrNewer is returned for a database that a newer program has upgraded.
var ErrNewer = sqlstore.ErrNewer

// Store is the stores in one SQLite file. It is safe for concurrent use.
type Store struct {
	*db
	pools []*sql.DB
}

type db = sqlstore.DB

var (
	_ facilitator.Journal = (*Store)(nil)
	_ middleware.Claims   = (*Store)(nil)
	_ payer.Ledger        = (*Store)(nil)
	_ registry.Store      = (*Store)(nil)
	_ store.Outbox        = (*Store)(nil)
)

// Open opens the database in the file at path, creates it if it is not there,
// and upgrades its schema. The directory must exist and be writable. It returns
// [ErrNewer] if a newer program has upgraded it.
func Open(ctx context.Context, path string) (*Store, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("sqlite: a path is needed; store/memory is for what may be forgotten")
	}
	write, err := pool(path, 1, 100*time.Millisecond) // the stores wait longer, as long as they are asked to
	if err != nil {
		return nil, err
	}
	read, err := pool(path, max(4, runtime.GOMAXPROCS(0)), 10*time.Second)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	s, err := open(ctx, write, read, true)
	if err != nil {
		return nil, errors.Join(err, write.Close(), read.Close())
	}
	s.pools = []*sql.DB{read, write}
	return s, nil
}

// New puts the stores into a database that is open already, and upgrades their
// schema; their tables begin with "v402_". The pool is one of the driver
// modernc.org/sqlite on a file, not on a memory database, and had best set
// journal_mode=WAL, synchronous=FULL and a busy_timeout. Closing the Store leaves
// db open. [Open] is faster, since it keeps prepared statements.
func New(ctx context.Context, db *sql.DB) (*Store, error) {
	return open(ctx, db, db, false)
}

func open(ctx context.Context, write, read *sql.DB, dedicated bool) (*Store, error) {
	db, err := sqlstore.NewSQLite(ctx, write, read, dedicated)
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// pool opens up to n connections, each of which waits so long for a lock. Every commit is on the disk before it is
// reported (synchronous=FULL), and readers do not wait for the writer (WAL).
func pool(path string, n int, wait time.Duration) (*sql.DB, error) {
	options := url.Values{
		"_txlock":       {"immediate"},
		"_busy_timeout": {strconv.FormatInt(wait.Milliseconds(), 10)},
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_pragma":       {"wal_autocheckpoint(4000)"}, // pages of 4 KiB
	}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// Close closes the database after what has begun. It returns what a pool
// returned on closing.
func (s *Store) Close() error {
	err := s.db.Close()
	for _, pool := range s.pools {
		err = errors.Join(err, pool.Close())
	}
	return err
}

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/sqlstore"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402/payer"
)

// ErrNewer is returned for a database that a newer program has upgraded.
var ErrNewer = sqlstore.ErrNewer

// Connections is the size of the pool that [Open] makes.
const Connections = 16

// Store is the stores in one PostgreSQL database. It is safe for concurrent use.
type Store struct {
	*db
	pool *sql.DB // nil if it is not ours
}

type db = sqlstore.DB

var (
	_ facilitator.Journal = (*Store)(nil)
	_ middleware.Claims   = (*Store)(nil)
	_ payer.Ledger        = (*Store)(nil)
	_ registry.Store      = (*Store)(nil)
	_ store.Outbox        = (*Store)(nil)
)

// Open connects to the database at a URL such as
// "postgres://user:secret@host:5432/v402", or with the keywords of libpq, and
// upgrades its schema. It keeps at most [Connections] connections. It returns
// [ErrNewer] if a newer program has upgraded the database.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(Connections)
	pool.SetMaxIdleConns(Connections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	s, err := New(ctx, pool)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	s.pool = pool
	return s, nil
}

// New puts the stores into a database that is open already, by the driver of
// pgx, and upgrades their schema; their tables begin with "v402_". Closing the
// Store leaves db open.
func New(ctx context.Context, db *sql.DB) (*Store, error) {
	s, err := sqlstore.NewPostgres(ctx, db)
	if err != nil {
		return nil, err
	}
	return &Store{db: s}, nil
}

// Close closes the connections that Open made, after what has begun.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.pool != nil {
		err = errors.Join(err, s.pool.Close())
	}
	return err
}

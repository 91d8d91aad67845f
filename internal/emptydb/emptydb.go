// Package emptydb gives tests databases with the schema of the stores and nothing
// else. They are copied or used again rather than migrated for each test, which
// takes a fraction of the time: with the race detector more than a second less.
package emptydb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
)

// SQLite returns the path of a file that is deleted when the test ends.
func SQLite(t testing.TB) string {
	t.Helper()
	empty, err := sqliteFile()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "v402.db")
	require.NoError(t, os.WriteFile(path, empty, 0o600))
	return path
}

// sqliteFile is the content of an empty database.
var sqliteFile = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "v402")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "empty.db")
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// Postgres returns the URL of a database that belongs to t until it ends.
func Postgres(t testing.TB) string {
	t.Helper()
	return postgresDatabases.Database(t)
}

var postgresDatabases = pgtest.NewPrepared(func(url string) error {
	s, err := postgres.Open(context.Background(), url)
	if err != nil {
		return err
	}
	return s.Close()
})

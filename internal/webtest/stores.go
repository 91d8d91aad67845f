package webtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
)

// Stores open an empty store of each kind, as what a test needs of it, until the
// test ends: "memory", "sqlite" and "postgres".
func Stores[S any]() map[string]func(t testing.TB) S {
	return map[string]func(t testing.TB) S{
		"memory": func(testing.TB) S { return any(memory.New()).(S) },
		"sqlite": func(t testing.TB) S {
			empty, err := emptyFile()
			require.NoError(t, err)
			file := filepath.Join(t.TempDir(), "v402.db")
			require.NoError(t, os.WriteFile(file, empty, 0o600))
			s, err := sqlite.Open(t.Context(), file)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return any(s).(S)
		},
		"postgres": func(t testing.TB) S {
			s, err := postgres.Open(t.Context(), pgtest.Database(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return any(s).(S)
		},
	}
}

// emptyFile is a SQLite database with the schema and nothing else. To copy it
// takes a fraction of the time of the migrations that made it.
var emptyFile = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "v402")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "empty.db")
	s, err := sqlite.Open(context.Background(), file)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// OverEachStore runs a test over an empty store of each kind, side by side.
func OverEachStore[S any](t *testing.T, test func(t *testing.T, s S)) {
	t.Parallel()
	for name, open := range Stores[S]() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

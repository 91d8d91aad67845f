package webtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
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
			s, err := sqlite.Open(t.Context(), emptydb.SQLite(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return any(s).(S)
		},
		"postgres": func(t testing.TB) S {
			s, err := postgres.Open(t.Context(), emptydb.Postgres(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return any(s).(S)
		},
	}
}

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

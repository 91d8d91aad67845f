package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T, replicas int) []storetest.Store {
		path := emptydb.SQLite(t)
		stores := make([]storetest.Store, replicas)
		for i := range stores {
			stores[i] = open(t, path)
		}
		return stores
	})
}

// open opens the database at path until the test ends.
func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

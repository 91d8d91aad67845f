package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T, replicas int) []storetest.Store {
		database := emptydb.Postgres(t)
		stores := make([]storetest.Store, replicas)
		for i := range stores {
			stores[i] = open(t, database)
		}
		return stores
	})
}

// open opens a database until the test ends.
func open(t testing.TB, database string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

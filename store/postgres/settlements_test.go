package postgres_test

import (
	"testing"

	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/store/storetest"
)

func TestSettlements(t *testing.T) {
	t.Parallel()
	storetest.TestSettlements(t, func(t *testing.T, replicas int) []storetest.RegistryStore {
		database := pgtest.Database(t)
		stores := make([]storetest.RegistryStore, replicas)
		for i := range stores {
			stores[i] = open(t, database)
		}
		return stores
	})
}

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/v402/v402/store/storetest"
)

func TestSettlements(t *testing.T) {
	t.Parallel()
	storetest.TestSettlements(t, func(t *testing.T, replicas int) []storetest.RegistryStore {
		path := filepath.Join(t.TempDir(), "v402.db")
		stores := make([]storetest.RegistryStore, replicas)
		for i := range stores {
			stores[i] = open(t, path)
		}
		return stores
	})
}

package memory_test

import (
	"testing"

	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/storetest"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	storetest.TestRegistry(t, func(_ *testing.T, replicas int) []storetest.RegistryStore {
		s := memory.New()
		stores := make([]storetest.RegistryStore, replicas)
		for i := range stores {
			stores[i] = s
		}
		return stores
	})
}

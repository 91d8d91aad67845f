package memory_test

import (
	"testing"

	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(_ *testing.T, replicas int) []storetest.Store {
		s := memory.New()
		stores := make([]storetest.Store, replicas)
		for i := range stores {
			stores[i] = s
		}
		return stores
	})
}

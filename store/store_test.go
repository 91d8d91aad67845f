package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/store"
)

func TestAPageIsNeverEmptyNorUnbounded(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{
		-1: store.DefaultLimit, 0: store.DefaultLimit, 1: 1, store.MaxLimit: store.MaxLimit, store.MaxLimit + 1: store.MaxLimit,
	} {
		require.Equal(t, want, store.Page{Limit: limit}.Size())
	}
}

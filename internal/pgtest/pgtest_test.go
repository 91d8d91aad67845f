package pgtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/pgtest"
)

func TestEachDatabaseIsFreshAndItsOwn(t *testing.T) {
	t.Parallel()
	one, other := pgtest.Pool(t, pgtest.Database(t)), pgtest.Pool(t, pgtest.Database(t))
	_, err := one.ExecContext(t.Context(), "CREATE TABLE mine (id BIGINT)")
	require.NoError(t, err)
	_, err = other.ExecContext(t.Context(), "SELECT * FROM mine")
	require.ErrorContains(t, err, "does not exist")
}

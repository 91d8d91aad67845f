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

func TestAPreparedDatabaseIsForEachTestAsItWasPrepared(t *testing.T) {
	t.Parallel()
	prepared := 0
	databases := pgtest.NewPrepared(func(url string) error {
		prepared++
		_, err := pgtest.Pool(t, url).ExecContext(t.Context(), `CREATE TABLE ids (newest BIGINT); INSERT INTO ids VALUES (7);
			CREATE TABLE parents (id BIGINT PRIMARY KEY); CREATE TABLE children (parent BIGINT REFERENCES parents (id))`)
		return err
	})
	for range 3 {
		t.Run("", func(t *testing.T) {
			db := pgtest.Pool(t, databases.Database(t))
			var newest, parents int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT newest, (SELECT COUNT(*) FROM parents) FROM ids").Scan(&newest, &parents))
			require.Equal(t, []int{7, 0}, []int{newest, parents})
			_, err := db.ExecContext(t.Context(), "UPDATE ids SET newest = 8; INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1)")
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), "INSERT INTO children VALUES (2)")
			require.ErrorContains(t, err, "foreign key")
		})
	}
	require.Equal(t, 1, prepared)
}

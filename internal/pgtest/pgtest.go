// Package pgtest gives tests a PostgreSQL: one cluster for a test binary, and for
// each test a schema of its own, which is as good as a database: an empty one, or one
// of [Prepared].
//
// The server is that at V402_TEST_POSTGRES (the URL of a database whose user may
// create schemas), or else a throwaway cluster made with the machine's own
// initdb and postgres, which vanishes with the tests. Where there is neither,
// tests are skipped, except under CI, where they fail.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/stretchr/testify/require"
)

// external names the server that is there already.
const external = "V402_TEST_POSTGRES"

// server is the URL of the server, found or started once.
var server = sync.OnceValues(func() (string, error) {
	if u := os.Getenv(external); u != "" {
		return u, nil
	}
	return start()
})

var names atomic.Int64

// unique is a name that nothing on the server has.
func unique() string {
	return fmt.Sprintf("v402_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), names.Add(1))
}

// address is the URL of the server, without which t ends.
func address(t testing.TB) string {
	t.Helper()
	base, err := server()
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no PostgreSQL: %v; install it or set %s", err, external)
		}
		t.Fatalf("no PostgreSQL: %v", err)
	}
	return base
}

// Database makes an empty schema and returns the URL of a database whose tables
// are those in it. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	name, database := schema(t)
	t.Cleanup(func() { require.NoError(t, execute(database, "DROP SCHEMA "+name+" CASCADE")) })
	return database
}

// schema makes an empty schema.
func schema(t testing.TB) (name, database string) {
	t.Helper()
	base, name := address(t), unique()
	require.NoError(t, execute(base, "CREATE SCHEMA "+name))
	u, err := url.Parse(base)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return name, u.String()
}

// execute runs statements, also in a test's clean-up, when its context has ended.
func execute(database, statements string) error {
	db, err := sql.Open("pgx", database)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = db.ExecContext(ctx, statements)
	return err
}

// Pool opens a pool on a database until the test ends.
func Pool(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

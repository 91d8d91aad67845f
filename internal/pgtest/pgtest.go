// Package pgtest gives tests a PostgreSQL: one cluster for a test binary, and for
// each test a schema of its own, which is as good as a database.
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

// server is the URL of the server, found or started once.
var server = sync.OnceValues(func() (string, error) {
	if u := os.Getenv("V402_TEST_POSTGRES"); u != "" {
		return u, nil
	}
	return start()
})

var schemas atomic.Int64

// Database makes an empty schema and returns the URL of a database whose tables
// are those in it. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	base, err := server()
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no PostgreSQL: %v; install it or set V402_TEST_POSTGRES", err)
		}
		t.Fatalf("no PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("v402_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), schemas.Add(1))
	run(t, base, "CREATE SCHEMA "+name)
	t.Cleanup(func() { run(t, base, "DROP SCHEMA "+name+" CASCADE") })
	u, err := url.Parse(base)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String()
}

// run executes one statement on the server.
func run(t testing.TB, base, statement string) {
	t.Helper()
	admin, err := sql.Open("pgx", base)
	require.NoError(t, err)
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also in clean-up, when t.Context has ended
	defer cancel()
	_, err = admin.ExecContext(ctx, statement)
	require.NoError(t, err)
}

// Pool opens a pool on a database until the test ends.
func Pool(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// Package pgtest gives tests a PostgreSQL: one cluster for a test binary, a
// fresh database for each test.
//
// It is the server at V402_TEST_POSTGRES (a URL whose user may create
// databases), or else a throwaway cluster made with the machine's own initdb
// and postgres, which vanishes with the tests. Where there is neither, tests
// are skipped, except under CI, where they fail.
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

var databases atomic.Int64

// Database creates an empty database and returns its URL. It is dropped when
// the test ends.
func Database(t testing.TB) string {
	t.Helper()
	base, err := server()
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no PostgreSQL: %v; install it or set V402_TEST_POSTGRES", err)
		}
		t.Fatalf("no PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("v402_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), databases.Add(1))
	run(t, base, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u, err := url.Parse(base)
	require.NoError(t, err)
	u.Path = "/" + name
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

package pgtest

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Prepared is databases that are prepared once and emptied between tests, which
// takes a fraction of the time. There are as many as tests that run at once.
type Prepared struct {
	prepare func(url string) error
	mu      sync.Mutex
	free    []preparedDatabase
}

type preparedDatabase struct {
	url   string
	empty string // statements that delete what tests have stored
}

// NewPrepared returns databases of which prepare has made the tables. What it has
// stored in them is for each test as it was.
func NewPrepared(prepare func(url string) error) *Prepared {
	return &Prepared{prepare: prepare}
}

// Database returns the URL of a database that belongs to t until it ends. On a
// server that is not ours, where nothing must be left behind, it is prepared anew.
func (p *Prepared) Database(t testing.TB) string {
	t.Helper()
	if os.Getenv(external) != "" {
		url := Database(t)
		require.NoError(t, p.prepare(url))
		return url
	}
	db := p.take(t)
	t.Cleanup(func() {
		require.NoError(t, execute(db.url, db.empty))
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, db)
	})
	return db.url
}

// take takes a database that is free, or makes one, which the server keeps.
func (p *Prepared) take(t testing.TB) preparedDatabase {
	t.Helper()
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		db := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return db
	}
	p.mu.Unlock()
	_, url := schema(t)
	require.NoError(t, p.prepare(url))
	empty, err := emptying(url)
	require.NoError(t, err)
	return preparedDatabase{url, empty}
}

// emptying keeps a copy of what is stored, and returns the statements that bring
// the tables back to it.
func emptying(url string) (string, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return "", err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rows, err := db.QueryContext(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	var copies, empty strings.Builder
	empty.WriteString("SET session_replication_role = replica;") // foreign keys are not in the way
	for _, name := range tables {
		copies.WriteString("CREATE TABLE kept_" + name + " AS TABLE " + name + ";")
		empty.WriteString("DELETE FROM " + name + "; INSERT INTO " + name + " TABLE kept_" + name + ";")
	}
	_, err = db.ExecContext(ctx, copies.String())
	return empty.String(), err
}

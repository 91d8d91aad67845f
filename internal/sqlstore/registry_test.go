package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/v402/v402/registry"
)

// counter counts the statements of changes.
type counter struct {
	writer
	statements, changes int
}

func (c *counter) change(ctx context.Context, do func(context.Context, querier) error) error {
	c.changes++
	return c.writer.change(ctx, func(ctx context.Context, tx querier) error { return do(ctx, counted{tx, c}) })
}

type counted struct {
	querier
	counter *counter
}

func (c counted) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	c.counter.statements++
	return c.querier.ExecContext(ctx, query, args...)
}

func (c counted) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	c.counter.statements++
	return c.querier.QueryContext(ctx, query, args...)
}

func TestARegistrationIsOneTransactionOfFewStatementsHoweverManyContractsThereAre(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "v402.db")+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	db, err := NewSQLite(ctx, pool, pool, false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	service, err := registry.New(registry.Config{Store: db})
	require.NoError(t, err)
	p, err := db.AddPlatform(ctx, registry.Platform{Email: "a@example.com", CreatedAt: time.Now(), UpdatedAt: time.Now()},
		func(registry.Platform) registry.Trail { return registry.Trail{} })
	require.NoError(t, err)
	register := func(batch, n int) (statements int, err error) {
		count := &counter{writer: db.writer}
		db.writer = count
		defer func() { db.writer = count.writer }()
		r := registry.Registration{IPFSHash: "QmWork", MetadataCID: "QmMeta"}
		for i := range n {
			r.ContractHashes = append(r.ContractHashes, fmt.Sprintf("hash-%d-%d", batch, i))
		}
		_, err = service.RegisterContracts(ctx, p, r)
		require.Equal(t, 1, count.changes)
		return count.statements, err
	}
	// IDs of the contracts and of the audit entry, both logs, and one insert for
	// each power of two in the number of contracts.
	for n, want := range map[int]int{1: 5, 2: 5, 128: 5, 129: 6, registry.MaxBatch: 4 + 6} {
		statements, err := register(n, n)
		require.NoError(t, err)
		require.Equal(t, want, statements)
	}
	statements, err := register(registry.MaxBatch, registry.MaxBatch)
	require.Error(t, err, "they are taken")
	require.LessOrEqual(t, statements, 13)
}

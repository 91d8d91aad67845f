package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/sqlite"
)

// counted is a database of one connection that counts the statements it runs.
type counted struct {
	driver.Connector
	statements atomic.Int64
}

func (c *counted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &countedConn{conn, c}, err
}

type countedConn struct {
	driver.Conn
	counted *counted
}

func (c *countedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (c *countedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.counted.statements.Add(1)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.counted.statements.Add(1)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return &countedStmt{stmt, c.counted}, err
}

type countedStmt struct {
	driver.Stmt
	counted *counted
}

func (s *countedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.counted.statements.Add(1)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *countedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.counted.statements.Add(1)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// connector opens a file by the driver of a pool.
type connector struct {
	driver driver.Driver
	name   string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }
func (c connector) Driver() driver.Driver                        { return c.driver }

func openCounted(t *testing.T) (*sqlite.Store, *counted) {
	t.Helper()
	pool, err := sql.Open("sqlite", "")
	require.NoError(t, err)
	name := "file:" + emptydb.SQLite(t) + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)"
	c := &counted{Connector: connector{pool.Driver(), name}}
	require.NoError(t, pool.Close())
	db := sql.OpenDB(c)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s, err := sqlite.New(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, c
}

func TestRegisteringABatchTakesAFewStatementsWhateverIsThere(t *testing.T) {
	t.Parallel()
	s, c := openCounted(t)
	p, err := s.AddPlatform(t.Context(), registry.Platform{Status: registry.PlatformActive, PlatformName: "P", Email: "p@example.com", CreatedAt: june},
		func(registry.Platform) registry.Trail { return registry.Trail{} })
	require.NoError(t, err)
	service, err := registry.New(registry.Config{Store: s, Now: func() time.Time { return june }})
	require.NoError(t, err)
	register := func(batch, n int) int64 {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("%d-%d", batch, i))
		}
		before := c.statements.Load()
		_, err := service.RegisterContracts(t.Context(), p, registry.Registration{IPFSHash: "QmWork", MetadataCID: "QmMeta", ContractHashes: list})
		require.NoError(t, err)
		return c.statements.Load() - before
	}
	const few = 12 // with BEGIN and COMMIT
	full := register(0, registry.MaxBatch)
	require.LessOrEqual(t, full, int64(few))
	require.LessOrEqual(t, register(1, 1), full)
	for batch := range 8 {
		require.Equal(t, full, register(2+batch, registry.MaxBatch))
	}

	before := c.statements.Load()
	_, err = service.ValidateContract(t.Context(), registry.ContractQuery{ContractHash: "2-200"})
	require.NoError(t, err)
	require.EqualValues(t, 1, c.statements.Load()-before, "to validate is one read")
}

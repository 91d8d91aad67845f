package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/store/storetest"
	"github.com/v402/v402/x402"
)

func TestStoreInAPoolOfTheUser(t *testing.T) {
	t.Parallel()
	openAll := func(t *testing.T, replicas int) []storetest.Store {
		path := emptydb.SQLite(t)
		stores := make([]storetest.Store, replicas)
		for i := range stores {
			s, err := sqlite.New(t.Context(), raw(t, path+"?_journal_mode=WAL&_synchronous=OFF"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			stores[i] = s
		}
		return stores
	}
	storetest.TestClaims(t, storetest.As[middleware.Claims](openAll))
	storetest.TestOutbox(t, storetest.As[storetest.EventJournal](openAll))
	storetest.TestReplicas(t, openAll)
}

// raw opens a file without this package.
func raw(t *testing.T, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestWhatWasStoredIsThereAfterClosing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c#d%20.db")
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	reserve(t, s, 0, 3)
	require.NoError(t, s.Close())
	require.FileExists(t, path)
	_, err = open(t, path).Settlement(t.Context(), "settlement-2")
	require.NoError(t, err)
}

func TestProcessesThatOpenANewFileAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	path := emptydb.SQLite(t)
	errs := make(chan error)
	for range 8 {
		go func() {
			s, err := sqlite.Open(t.Context(), path)
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
	reserve(t, open(t, path), 0, 1)
}

func TestAFileOfANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	reserve(t, open(t, path), 0, 1)
	_, err := raw(t, path).ExecContext(t.Context(), "INSERT INTO v402_goose (version_id, is_applied) VALUES (99999, 1)")
	require.NoError(t, err)
	_, err = sqlite.Open(t.Context(), path)
	require.ErrorIs(t, err, sqlite.ErrNewer)
	require.ErrorContains(t, err, "99999")
}

func TestAFileOfAnOlderProgramIsUpgraded(t *testing.T) {
	t.Parallel()
	path := emptydb.SQLite(t)
	open(t, path)
	db := raw(t, path)
	var tables []string // all but goose's own, as before the first migration
	rows, err := db.QueryContext(t.Context(), "SELECT name FROM pragma_table_list WHERE type IN ('table', 'virtual') AND name LIKE 'v402_%' AND name <> 'v402_goose'")
	require.NoError(t, err)
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Close())
	require.Contains(t, tables, "v402_settlements")
	for _, name := range tables {
		_, err := db.ExecContext(t.Context(), "DROP TABLE "+name)
		require.NoError(t, err)
	}
	_, err = db.ExecContext(t.Context(), "DELETE FROM v402_goose WHERE version_id > 0")
	require.NoError(t, err)
	reserve(t, open(t, path), 0, 1)
}

func TestAChangeThatEndsItsGoroutineLeavesTheStoreUsable(t *testing.T) {
	t.Parallel()
	s := open(t, emptydb.SQLite(t))
	reserve(t, s, 0, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.SubmitSettlements(t.Context(), facilitator.Account{Network: x402.Base, Address: "0x1"}, "me", 0, []string{"settlement-0"},
			func(*facilitator.Settlement, uint64) (facilitator.Transaction, error) {
				runtime.Goexit()
				panic("not reached")
			})
	}()
	<-done
	got, err := s.Settlement(t.Context(), "settlement-0")
	require.NoError(t, err)
	require.Equal(t, facilitator.Reserved, got.State)
	reserve(t, s, 1, 2)
}

func TestAFileWithTablesOfOthersIsLeftToThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	db := raw(t, path)
	_, err := db.ExecContext(t.Context(), "CREATE TABLE goose_db_version (mine TEXT); CREATE TABLE settlements (mine TEXT)")
	require.NoError(t, err)
	reserve(t, open(t, path), 0, 1)
	var others []string
	rows, err := db.QueryContext(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'v402_%' ORDER BY name")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		others = append(others, name)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"goose_db_version", "settlements"}, others)
}

func TestAPathThatCannotBeOpenedIsAClearError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte(strings.Repeat("this is no database", 100)), 0o600))
	for _, path := range []string{"", ":memory:", filepath.Join(dir, "no", "such", "dir.db"), dir, garbage} {
		_, err := sqlite.Open(t.Context(), path)
		require.ErrorContains(t, err, "sqlite:", path)
	}
}

func TestClosingTheStoreLeavesAPoolOfTheUserOpen(t *testing.T) {
	t.Parallel()
	db := raw(t, filepath.Join(t.TempDir(), "user.db"))
	s, err := sqlite.New(t.Context(), db)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, db.PingContext(t.Context()))
}

func TestAClosedStoreReturnsErrors(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), emptydb.SQLite(t))
	require.NoError(t, err)
	reserve(t, s, 0, 1)
	require.NoError(t, s.Close())
	_, err = s.RenewLeases(t.Context(), x402.Base, facilitator.Lease{Owner: "me"})
	require.Error(t, err)
	_, err = s.Settlement(t.Context(), "settlement-0")
	require.Error(t, err)
}

func TestSettlementsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	path := emptydb.SQLite(t)
	open(t, path)
	db := raw(t, path)
	for where, index := range map[string]string{
		"id = $1":          "sqlite_autoindex_v402_settlements_1",
		"payment_key = $1": "sqlite_autoindex_v402_settlements_2",
		"network = $1 AND state IN ('reserved', 'submitted', 'unknown') AND leased_until <= $2 ORDER BY created_at, id": "v402_settlements_unfinished",
		"network = $1 AND relayer = $2 AND nonce >= $3 AND state IN ('submitted', 'unknown')":                           "v402_settlements_nonces",
	} {
		var a, b, c int
		var plan string
		row := db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN SELECT * FROM v402_settlements WHERE "+where, "", "", "")
		require.NoError(t, row.Scan(&a, &b, &c, &plan))
		require.Contains(t, plan, "SEARCH v402_settlements USING INDEX "+index, where)
	}
}

func TestEveryConnectionWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	open(t, path)
	var mode string
	require.NoError(t, raw(t, path).QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "wal", mode)
}

func TestExpiredClaimsAreDeletedAsNewOnesComeIn(t *testing.T) {
	t.Parallel()
	path := emptydb.SQLite(t)
	s := open(t, path)
	start := time.Now()
	for i := range 400 {
		now := start.Add(time.Duration(i) * time.Minute)
		claimed, err := s.Claim(t.Context(), middleware.Claim{
			Key: fmt.Sprint("payment-", i), Owner: "me", LeasedUntil: now.Add(time.Second), Expires: now.Add(2 * time.Minute),
		}, now)
		require.NoError(t, err)
		require.True(t, claimed.Won)
	}
	var n int
	require.NoError(t, raw(t, path).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM v402_claims").Scan(&n))
	require.Less(t, n, 40)
}

func TestAWriterThatWaitsForAnotherProcessGetsItsTurn(t *testing.T) {
	t.Parallel()
	path := emptydb.SQLite(t)
	s := open(t, path)
	conn, err := raw(t, path).Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, _, err := s.ReserveSettlements(t.Context(), settlements(0, 1), facilitator.Lease{Owner: "me"})
		done <- err
	}()
	_, err = s.Settlement(t.Context(), "settlement-0")
	require.ErrorContains(t, err, "not found", "a reader does not wait")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.RenewLeases(ctx, x402.Base, facilitator.Lease{Owner: "me"})
	require.ErrorIs(t, err, context.DeadlineExceeded, "one need not wait")
	_, err = conn.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, <-done)
}

// settlements are settlements of Base from first to before last.
func settlements(first, last int) []facilitator.Settlement {
	list := make([]facilitator.Settlement, 0, last-first)
	for n := first; n < last; n++ {
		requirements := x402.PaymentRequirements{
			Scheme: x402.SchemeExact, Network: x402.Base, Amount: x402.NewAmount(10000), MaxTimeoutSeconds: 60,
			Asset: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", PayTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
			Extra: []byte(`{"name":"USD Coin","version":"2"}`),
		}
		list = append(list, facilitator.Settlement{
			ID: fmt.Sprint("settlement-", n), Key: fmt.Sprint("key-", n), Network: x402.Base, Scheme: x402.SchemeExact,
			Payer: "0x857b06519E91e3A54538791bDbb0E22373e36b66", PayTo: requirements.PayTo, Asset: requirements.Asset,
			Amount: requirements.Amount,
			Payment: x402.Payment{Requirements: requirements, Payload: x402.PaymentPayload{
				Version: x402.V2, Accepted: requirements,
				Payload: fmt.Appendf(nil, `{"signature":"0x%0130x","authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66",`+
					`"to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000","validAfter":"0","validBefore":"1740672154","nonce":"0x%064x"}}`, n, n),
			}},
		})
	}
	return list
}

func reserve(t testing.TB, s *sqlite.Store, first, last int) {
	t.Helper()
	_, created, err := s.ReserveSettlements(t.Context(), settlements(first, last), facilitator.Lease{Owner: "me", Until: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.NotContains(t, created, false)
}

func TestOnAFullDiskAChangeIsStoredOrRefusedAndNothingBetween(t *testing.T) {
	t.Parallel()
	path := emptydb.SQLite(t)
	var pages int
	require.NoError(t, raw(t, path).QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	s, err := sqlite.New(t.Context(), raw(t, fmt.Sprintf("%s?_journal_mode=WAL&_pragma=max_page_count(%d)", path, pages+100)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	detail := []byte(`"` + strings.Repeat("x", 20_000) + `"`)
	errs := make([]error, 200)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.AddAudit(context.Background(), registry.AuditEntry{At: time.Now(), Actor: "me", Action: "test", Subject: fmt.Sprint(i), Detail: detail})
		})
	}
	wg.Wait()
	stored := map[string]bool{}
	list, err := s.AuditEntries(t.Context(), registry.AuditFilter{Actor: "me"}, registry.PageOptions{PerPage: registry.MaxPerPage})
	require.NoError(t, err)
	for _, e := range list.Items {
		stored[e.Subject] = true
	}
	require.NotEmpty(t, stored)
	require.Less(t, len(stored), len(errs), "the disk was full")
	for i, err := range errs {
		require.Equal(t, err == nil, stored[fmt.Sprint(i)], "%d: %v", i, err)
	}
}

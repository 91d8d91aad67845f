package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/sqlite"
)

const platforms = 200

// loaded is a registry of so many contracts, sales and royalties by 200
// platforms, all of it made in SQL.
type loaded struct {
	service *registry.Service
	sellers []registry.Platform
	path    string
	rows    int
	reports int
}

// june is the month in which they sell.
var june = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func load(b *testing.B, rows int) *loaded {
	b.Helper()
	path := filepath.Join(b.TempDir(), "registry.db")
	s := open(b, path)
	fill(b, path, rows)
	service, err := registry.New(registry.Config{Store: s, Now: func() time.Time { return june.AddDate(0, 2, 0) }})
	require.NoError(b, err)
	l := &loaded{service: service, path: path, rows: rows}
	for id := range int64(platforms) {
		l.sellers = append(l.sellers, registry.Platform{ID: id + 1, Status: registry.PlatformActive})
	}
	return l
}

// fill writes the rows. The nth is a contract of one platform and its sale by
// another, in the order of time.
func fill(b *testing.B, path string, rows int) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	month := june.AddDate(0, 1, 0).Sub(june).Microseconds()
	series := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d),
		r AS (SELECT i, 1 + i %% %d AS seller, 1 + (i %% %d + 1 + (i / %d) %% %d) %% %d AS origin,
			1 + (i * 7919) %% 5000 AS royalty, %d + i * (%d / %d) AS at FROM n) `,
		rows, platforms, platforms, platforms, platforms-1, platforms, june.UnixMicro(), month, rows+1)
	for _, statement := range []string{
		fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO v402_registry_platforms SELECT i, 'active', 'p', 'p' || i, 'p' || i, 'Platform ' || i, 'platform ' || i,
			'', '', '', '', '', '', '', 'key' || i, '', 0, 0, 1, 0, 0, '', '' FROM n`, platforms),
		series + `INSERT INTO v402_registry_contracts
			SELECT i, '0x' || i, '0x' || i, 'Qm' || (i / 100), 'QmMeta', origin, 'active', NULL, at, 0, '' FROM r`,
		series + `INSERT INTO v402_registry_sales
			SELECT i, i, i, '0x' || i, seller, origin, '', 10000, royalty, 'tx' || i, '', NULL, 'reported', at, at, 0, '', 'tx' || i FROM r`,
		series + `INSERT INTO v402_registry_royalties
			SELECT i, i, seller, origin, royalty, 'pending', 0, 0, FALSE, '', at, at, at FROM r`,
		fmt.Sprintf("UPDATE v402_registry_ids SET newest = CASE kind WHEN 'platform' THEN %d ELSE %d END WHERE kind IN ('platform', 'contract', 'sale', 'royalty')",
			platforms, rows),
		"PRAGMA wal_checkpoint(TRUNCATE)",
	} {
		_, err := db.Exec(statement)
		require.NoError(b, err)
	}
}

// validate looks up the nth of contracts that lie far from each other.
func (l *loaded) validate(b *testing.B, n int) {
	hash := "0x" + strconv.Itoa(1+n*7919%l.rows)
	_, err := l.service.ValidateContract(b.Context(), registry.ContractQuery{ContractHash: hash})
	require.NoError(b, err)
}

// report reports a sale of one of them, with a transaction of its own.
func (l *loaded) report(b *testing.B, n int) {
	l.reports++
	_, err := l.service.ReportSale(b.Context(), l.sellers[n%platforms], registry.SaleReport{
		ContractHash: "0x" + strconv.Itoa(1+n*7919%l.rows), TransactionHash: fmt.Sprint("new", l.reports),
		SaleAmount: registry.Dollars(100_00), RoyaltyAmount: registry.Dollars(2_99), SoldAt: june,
	})
	require.NoError(b, err)
}

// BenchmarkRegistryAtScale does the same with 1,000 and with 1,000,000
// contracts and sales by turns, and reports how many times longer it takes with
// the many: what should stay within 2.
func BenchmarkRegistryAtScale(b *testing.B) {
	few, many := load(b, 1_000), load(b, 1_000_000)
	for _, c := range []struct {
		what string
		do   func(l *loaded, b *testing.B, n int)
	}{{"validate", (*loaded).validate}, {"report", (*loaded).report}} {
		b.Run(c.what, func(b *testing.B) {
			var short, long time.Duration
			n := 0
			for b.Loop() {
				start := time.Now()
				c.do(few, b, n)
				between := time.Now()
				c.do(many, b, n)
				short, long = short+between.Sub(start), long+time.Since(between)
				n++
			}
			b.ReportMetric(float64(short.Nanoseconds())/float64(n), "ns/1000rows")
			b.ReportMetric(float64(long.Nanoseconds())/float64(n), "ns/1000000rows")
			b.ReportMetric(float64(long)/float64(short), "ratio")
		})
	}
}

// BenchmarkNetting nets a month of 1,000,000 royalties among 200 platforms, and
// reports the most memory that Go held and by how much the process grew, which
// includes the memory of SQLite. Meanwhile another handle on the file, as another
// process has it, reports sales: none may fail, and the longest wait is reported.
func BenchmarkNetting(b *testing.B) {
	l := load(b, 1_000_000)
	elsewhere, err := registry.New(registry.Config{Store: open(b, l.path), Now: func() time.Time { return june.AddDate(0, 2, 0) }})
	require.NoError(b, err)
	for _, mode := range []registry.SettlementMode{registry.Multilateral, registry.Bilateral} {
		for _, dry := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/dry=%t", mode, dry), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					l.reopen(b)
					before, watch := resident(b), watchHeap()
					waited := l.sellMeanwhile(b, elsewhere)
					b.StartTimer()
					r, err := l.service.RunSettlements(b.Context(), "admin:test", registry.RunRequest{
						From: june, To: june.AddDate(0, 1, 0), Mode: mode, DryRun: dry,
					})
					b.StopTimer()
					b.ReportMetric(waited().Seconds(), "s-longest-wait")
					require.NoError(b, err)
					require.NotEmpty(b, r.Settlements)
					b.ReportMetric(watch()/(1<<20), "MiB-heap")
					b.ReportMetric((resident(b)-before)/(1<<20), "MiB-grown")
					b.ReportMetric(float64(len(r.Settlements)), "documents")
					b.StartTimer()
				}
			})
		}
	}
}

// sellMeanwhile reports sales of the next month, a hundred a second, until the
// function that it returns is called, which returns the longest that one took.
func (l *loaded) sellMeanwhile(b *testing.B, service *registry.Service) (waited func() time.Duration) {
	stop, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		var most time.Duration
		for {
			select {
			case <-stop:
				longest <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
			start := time.Now()
			_, err := service.ReportSale(b.Context(), l.sellers[0], registry.SaleReport{
				ContractHash: "0x1", SaleAmount: registry.Dollars(100_00), RoyaltyAmount: registry.Dollars(2_99), SoldAt: june.AddDate(0, 1, 1),
			})
			if err != nil {
				b.Error(err)
			}
			most = max(most, time.Since(start))
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-longest
	}
}

// reopen makes all royalties pending again, if a run has taken them.
func (l *loaded) reopen(b *testing.B) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+l.path+"?_pragma=busy_timeout(10000)")
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	for _, statement := range []string{
		"UPDATE v402_registry_royalties SET status = 'pending', run_id = 0 WHERE run_id <> 0",
		"DELETE FROM v402_registry_settlements", "DELETE FROM v402_registry_runs", "DELETE FROM v402_outbox", "PRAGMA wal_checkpoint(TRUNCATE)",
	} {
		_, err := db.Exec(statement)
		require.NoError(b, err)
	}
}

// watchHeap returns a function that ends the watch and returns the most bytes
// that were on the heap.
func watchHeap() (most func() float64) {
	runtime.GC()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var highest uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			highest = max(highest, m.HeapAlloc)
			select {
			case <-stop:
				result <- highest
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(stop)
		return float64(<-result)
	}
}

// resident is how many bytes of the process are in memory; 0 where Linux's
// /proc is missing.
func resident(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	require.NoError(b, err)
	return kib * 1024
}

var _ registry.Store = (*sqlite.Store)(nil)

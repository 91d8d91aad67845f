package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
)

// loggedRows is an access log of so many entries by 1,000 owners, who have the
// same share, but for the first, who has a share of its own.
type loggedRows struct {
	store *sqlite.Store
	rows  int
	next  int
}

// end is when the newest entry was made; each is 0.6 seconds after the one before.
var end = time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)

func loadLog(b *testing.B, rows, ofFirst int) *loggedRows {
	b.Helper()
	path := filepath.Join(b.TempDir(), "log.db")
	s := open(b, path)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	const batch = 100_000
	every := rows / ofFirst // entry is the first owner's
	for first := 0; first < rows; first += batch {
		tx, err := db.Begin()
		require.NoError(b, err)
		insert, err := tx.Prepare(`INSERT INTO v402_access_log VALUES ($1, $2, $3, $4, $5, 'Mozilla/5.0 (compatible; AI-Crawler/1.0)', 'US', '', '',
			'5000000000000000000', 'ETH', $6)`)
		require.NoError(b, err)
		for n := first; n < min(first+batch, rows); n++ {
			at := end.Add(-time.Duration(rows-n) * 600 * time.Millisecond)
			owner, status := 1+n%999, catalog.LogRequested
			if n%every == 0 {
				owner = 0
			}
			if n%50 == 49 {
				status = catalog.LogPaid
			}
			id := catalog.FirstLogID(at)
			_, err := insert.Exec(id[:len(id)-7]+fmt.Sprintf("%07d", n), fmt.Sprintf("p%d-%d", owner, n%7), fmt.Sprint("o", owner), string(status),
				fmt.Sprintf("10.0.%d.%d", n%3, n/every%100), at.UnixMicro())
			require.NoError(b, err)
		}
		require.NoError(b, tx.Commit())
	}
	for _, query := range []string{
		`INSERT INTO v402_access_demand SELECT owner_id, ip, product_id, price, currency, created_at / 21600000000, COUNT(*), MIN(id), MAX(id)
			FROM v402_access_log WHERE status = 'requested' GROUP BY 1, 2, 3, 4, 5, 6`,
		"PRAGMA wal_checkpoint(TRUNCATE)",
	} {
		_, err = db.Exec(query)
		require.NoError(b, err)
	}
	return &loggedRows{store: s, rows: rows}
}

func (l *loggedRows) list(b *testing.B) {
	f := catalog.LogFilter{OwnerID: "o0", Unpaid: true}
	_, err := l.store.CountLog(b.Context(), f)
	require.NoError(b, err)
	list, err := l.store.LogEntries(b.Context(), f, "", 0, 50)
	require.NoError(b, err)
	require.Len(b, list, 50)
}

func (l *loggedRows) analyse(b *testing.B) {
	n := 0
	f := catalog.UnpaidFilter{OwnerID: "o0", From: end.Add(-catalog.MaxDemandHours * time.Hour)}
	require.NoError(b, l.store.Unpaid(b.Context(), f, func(catalog.UnpaidCount) error { n++; return nil }))
	require.NotZero(b, n)
}

func (l *loggedRows) add(b *testing.B) {
	entries := make([]catalog.LogEntry, 100)
	for i := range entries {
		l.next++
		id := catalog.FirstLogID(end.Add(time.Duration(l.next) * time.Millisecond))
		entries[i] = catalog.LogEntry{ID: id, ProductID: "p", OwnerID: fmt.Sprint("o", i), Status: catalog.LogRequested, IP: "10.0.0.1", CreatedAt: end.Add(time.Duration(l.next) * time.Millisecond)}
	}
	require.NoError(b, l.store.AddLog(b.Context(), catalog.LogBatch{Entries: entries}))
}

// BenchmarkAccessLogAtScale does the same for an owner of 1,000 entries among
// 1,000 and among 1,000,000 of them by turns, and reports how many times longer
// it takes with the many: what should stay within 3.
func BenchmarkAccessLogAtScale(b *testing.B) {
	few, many := loadLog(b, 1_000, 1_000), loadLog(b, 1_000_000, 1_000)
	for _, c := range []struct {
		what string
		do   func(l *loggedRows, b *testing.B)
	}{{"list", (*loggedRows).list}, {"analyse", (*loggedRows).analyse}, {"add100", (*loggedRows).add}} {
		b.Run(c.what, func(b *testing.B) {
			var short, long time.Duration
			n := 0
			for b.Loop() {
				start := time.Now()
				c.do(few, b)
				between := time.Now()
				c.do(many, b)
				short, long = short+between.Sub(start), long+time.Since(between)
				n++
			}
			b.ReportMetric(float64(short.Nanoseconds())/float64(n), "ns/1000rows")
			b.ReportMetric(float64(long.Nanoseconds())/float64(n), "ns/1000000rows")
			b.ReportMetric(float64(long)/float64(short), "ratio")
		})
	}
}

// BenchmarkUnpaidDemand analyses a week of one owner whose products 300 addresses
// asked for 1,000,000 times, and sometimes paid for.
func BenchmarkUnpaidDemand(b *testing.B) {
	l := loadLog(b, 1_000_000, 1_000_000)
	service, err := catalog.New(catalog.Config{Store: l.store, Now: func() time.Time { return end }})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		d, err := service.UnpaidDemand(b.Context(), "o0", catalog.DemandQuery{Hours: catalog.MaxDemandHours}, store.PageNumber{Size: 50})
		require.NoError(b, err)
		require.Len(b, d.Requesters.Items, 50)
	}
}

// BenchmarkUnpaidRequest tells the price to whoever asks, over HTTP, with the
// access log running, and reports how many requests a second that makes, on one
// core with -cpu 1, and by how many MiB memory has grown after the first 20,000 of
// them: by none.
func BenchmarkUnpaidRequest(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "v402.db"))
	grantAccess(b, s, 0, 0)
	service, err := catalog.New(catalog.Config{Store: s, Chains: []catalog.Chain{quietChain{}}, Payments: catalog.PaymentConfig{Secret: make([]byte, 32)}})
	require.NoError(b, err)
	require.NoError(b, s.PutWallet(b.Context(), catalog.Wallet{OwnerID: "ann", Network: x402.Ethereum, Address: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", UpdatedAt: end}))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	handler := service.Handler()
	ask := func(n int) {
		r := httptest.NewRequest("GET", "/api/v1/clients/access/course", nil)
		r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1234", n>>8&255, n&255)
		r.Header.Set("User-Agent", "Mozilla/5.0 (compatible; AI-Crawler/1.0)")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != http.StatusPaymentRequired {
			b.Fatal(w.Code, w.Body)
		}
	}
	for n := range 20_000 {
		ask(n)
	}
	before, n := heap(), 0
	b.ReportAllocs()
	for b.Loop() {
		ask(n)
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(heap()-before, "MiB")
	cancel()
	require.NoError(b, <-done)
}

// quietChain is Ethereum before anything happened on it.
type quietChain struct{}

func (quietChain) Network() x402.Network { return x402.Ethereum }

func (quietChain) Transaction(context.Context, string) (x402.Transaction, error) {
	return x402.Transaction{}, x402.ErrTransactionNotFound
}

// heap is how many MiB are in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

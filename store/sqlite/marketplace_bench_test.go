package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

// marketOf is a marketplace without a cache, of so many entitlements, one for
// each wallet.
func marketOf(b *testing.B, rows int) *marketplace.Service {
	b.Helper()
	path := filepath.Join(b.TempDir(), "market.db")
	service := openMarket(b, open(b, path))
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	_, err = db.Exec(fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO v402_marketplace_entitlements SELECT 'ent:8453:' || w || ':000001', 'edut.offer', 'edut.firstparty', w, w, 'org' || (i / 10), 'human',
			'org_root_owner', '', 'module_license', 'wallet', 'active', 'connected', 'active', 'abcd', FALSE, 0, FALSE, 0, 0, 8453, 'tx', 'cq', '', 0, 0, 0
		FROM (SELECT i, printf('0x%%040x', i) AS w FROM n)`, rows))
	require.NoError(b, err)
	_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(b, err)
	return service
}

// BenchmarkEntitlementsAtScale verifies the same among 1,000 and among 1,000,000
// entitlements by turns, without a cache, and reports how many times longer it
// takes among the many: what should stay within 2.
func BenchmarkEntitlementsAtScale(b *testing.B) {
	rows := map[string]int{"few": 1_000, "many": 1_000_000}
	few, many := marketOf(b, rows["few"]), marketOf(b, rows["many"])
	verify := func(s *marketplace.Service, n, rows int) {
		v, err := s.VerifyEntitlement(b.Context(), marketplace.VerifyRequest{Wallet: marketWallet(1 + n*7919%rows), OfferID: "edut.offer"})
		if err != nil || !v.Valid {
			b.Fatal(v.Code, err)
		}
	}
	var short, long time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		verify(few, n, rows["few"])
		between := time.Now()
		verify(many, n, rows["many"])
		short, long = short+between.Sub(start), long+time.Since(between)
		n++
	}
	b.ReportMetric(float64(short.Nanoseconds())/float64(n), "ns/1000rows")
	b.ReportMetric(float64(long.Nanoseconds())/float64(n), "ns/1000000rows")
	b.ReportMetric(float64(long)/float64(short), "ratio")
}

package sqlite_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// BenchmarkDiscover finds products among 100,000, by turns through the catalog
// and by the bare full-text query, and reports how many times longer the first
// takes: what should stay within 3. The common word is in every tenth product,
// the rare one in every thousandth.
func BenchmarkDiscover(b *testing.B) {
	path := filepath.Join(b.TempDir(), "v402.db")
	s := open(b, path)
	stock(b, s, 100_000)
	service, err := catalog.New(catalog.Config{Store: s})
	require.NoError(b, err)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	bare, err := db.Prepare(`SELECT rowid FROM v402_catalog_text WHERE v402_catalog_text MATCH ? ORDER BY bm25(v402_catalog_text, 16, 8, 4, 1) LIMIT 20`)
	require.NoError(b, err)
	for _, c := range []struct {
		name  string
		query catalog.Query
		match string
	}{
		{"common", catalog.Query{Text: "common"}, `"common"*`},
		{"rare", catalog.Query{Text: "rare"}, `"rare"*`},
		{"two-words", catalog.Query{Text: "common word77"}, `"common" AND "word77"*`},
		{"in-category", catalog.Query{Text: "common", Category: "category0"}, `"common"*`},
	} {
		b.Run(c.name, func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				start := time.Now()
				found, err := service.Discover(b.Context(), c.query, store.PageNumber{Size: 20})
				between := time.Now()
				require.NoError(b, err)
				require.NotEmpty(b, found.Items)
				require.Positive(b, match(b, bare, c.match))
				theirs += time.Since(between)
				ours += between.Sub(start)
			}
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/discover")
			b.ReportMetric(float64(theirs.Nanoseconds())/float64(b.N), "ns/bare")
			b.ReportMetric(float64(ours)/float64(theirs), "ratio")
		})
	}
}

// match counts what the bare query finds.
func match(b *testing.B, query *sql.Stmt, words string) int {
	b.Helper()
	rows, err := query.QueryContext(b.Context(), words)
	require.NoError(b, err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		var id int64
		require.NoError(b, rows.Scan(&id))
		n++
	}
	require.NoError(b, rows.Err())
	return n
}

// stock puts products on sale.
func stock(b *testing.B, s catalog.ProductStore, products int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < products; {
		var batch []catalog.Product
		for range 1000 {
			words := make([]string, 40)
			for i := range words {
				words[i] = fmt.Sprintf("word%d", random.IntN(5000))
			}
			switch {
			case n%1000 == 0:
				words[20] = "rare"
			case n%10 == 0:
				words[20] = "common"
			}
			batch = append(batch, catalog.Product{
				ID: fmt.Sprint("product-", n), OwnerID: fmt.Sprint("owner-", n%500), Title: strings.Join(words[:5], " "), Tags: words[5:8],
				Category: fmt.Sprint("category", n%20), Description: strings.Join(words[8:], " "), Price: x402.NewAmount(uint64(n)), Currency: "USDC",
				Status: catalog.ProductActive, CreatedAt: june, UpdatedAt: june, PublishedAt: june,
			})
			n++
		}
		require.NoError(b, s.AddProducts(b.Context(), batch))
	}
}

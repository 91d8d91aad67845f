package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

// checkUnpaid shows that unpaid requests are counted exactly, however entries are
// spread over a week and over batches, and whatever was paid between them.
func checkUnpaid(t *testing.T, s catalog.LogStore) {
	count := 0
	check(t, func(rt *rapid.T) {
		count++
		owner := fmt.Sprint("model-", count)
		var entries []catalog.LogEntry
		for n := range rapid.IntRange(1, 60).Draw(rt, "entries") {
			entries = append(entries, askedAtRandom(rt, count, n))
		}
		for batch := range slices.Chunk(entries, rapid.IntRange(1, 60).Draw(rt, "batch")) { // in any order of time
			slices.SortFunc(batch, func(a, b catalog.LogEntry) int { return strings.Compare(a.ID, b.ID) })
			require.NoError(rt, s.AddLog(t.Context(), catalog.LogBatch{Entries: batch}))
		}
		for range 3 {
			f := catalog.UnpaidFilter{OwnerID: owner, ProductID: rapid.SampledFrom([]string{"", "", "p1"}).Draw(rt, "product")}
			f.From = rapid.SampledFrom(entries).Draw(rt, "from").CreatedAt.Add(time.Duration(rapid.IntRange(-1, 1).Draw(rt, "edge")) * time.Millisecond)
			require.Equal(rt, unpaidAmong(entries, f), unpaidBy(t, s, f))
		}
	})
}

// askedAtRandom is the nth entry of the model's owner, of some time in a week.
func askedAtRandom(rt *rapid.T, owner, n int) catalog.LogEntry {
	when := at.Truncate(time.Hour).Add(-time.Duration(rapid.IntRange(0, catalog.MaxDemandHours*60).Draw(rt, "minutes")) * time.Minute)
	first := catalog.FirstLogID(when)
	return catalog.LogEntry{
		ID: fmt.Sprintf("%s%06d%04d", first[:len(first)-10], owner, n), OwnerID: fmt.Sprint("model-", owner), CreatedAt: when, Currency: "ETH",
		ProductID: rapid.SampledFrom([]string{"p1", "p2"}).Draw(rt, "of"), IP: rapid.SampledFrom([]string{"", "10.0.0.1"}).Draw(rt, "ip"),
		Price:  x402.NewAmount(uint64(rapid.IntRange(1, 2).Draw(rt, "price"))),
		Status: rapid.SampledFrom([]catalog.LogStatus{catalog.LogRequested, catalog.LogRequested, catalog.LogRequested, catalog.LogPaid, catalog.LogDenied}).Draw(rt, "status"),
	}
}

// unpaidAmong counts by the definition.
func unpaidAmong(entries []catalog.LogEntry, f catalog.UnpaidFilter) []string {
	paid := func(e catalog.LogEntry) bool {
		return slices.ContainsFunc(entries, func(of catalog.LogEntry) bool {
			return of.Status == catalog.LogPaid && of.IP == e.IP && of.ProductID == e.ProductID && of.ID > e.ID
		})
	}
	counts := map[string]catalog.UnpaidCount{}
	for _, e := range entries {
		if e.CreatedAt.Before(f.From) || e.Status != catalog.LogRequested || f.ProductID != "" && e.ProductID != f.ProductID || paid(e) {
			continue
		}
		key := fmt.Sprint(e.IP, "|", e.ProductID, "|", e.Price)
		c := counts[key]
		counts[key] = catalog.UnpaidCount{IP: e.IP, ProductID: e.ProductID, Price: e.Price, Currency: e.Currency, Count: c.Count + 1, LastID: max(c.LastID, e.ID)}
	}
	var list []string
	for c := range maps.Values(counts) {
		list = append(list, unpaidText(c))
	}
	slices.Sort(list)
	return list
}

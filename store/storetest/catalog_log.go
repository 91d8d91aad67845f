package storetest

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// TestAccessLog shows that open returns empty stores that keep an access log as
// [catalog.LogStore] promises, on so many replicas as are asked for.
func TestAccessLog(t *testing.T, open Open[catalog.LogStore]) {
	accessLogPromises.run(t, open.one)
	promises[catalog.LogStore]{"unpaid demand is what a simple model says": checkUnpaid}.run(t, open.one)
	promises[[]catalog.LogStore]{"entries of two replicas are one list, and what was left out is one sum": twoReplicasLog}.run(t, open.some(2))
}

// logged is the nth entry, n milliseconds after the epoch.
func logged(n int, edits ...func(*catalog.LogEntry)) catalog.LogEntry {
	when := at.Truncate(time.Second).Add(time.Duration(n) * time.Millisecond)
	price, err := x402.ParseAtomic("5000000000000000000")
	if err != nil {
		panic(err) // the fixture is wrong
	}
	first := catalog.FirstLogID(when)
	e := catalog.LogEntry{
		ID: first[:len(first)-4] + "ABCD", ProductID: "p1", OwnerID: "o1", Status: catalog.LogRequested, IP: "192.168.1.100",
		UserAgent: "Mozilla/5.0 (compatible; AI-Crawler/1.0)", Country: "US", Price: price, Currency: "ETH", CreatedAt: when,
	}
	for _, edit := range edits {
		edit(&e)
	}
	return e
}

func addLog(t *testing.T, s catalog.LogStore, entries ...catalog.LogEntry) {
	t.Helper()
	require.NoError(t, s.AddLog(t.Context(), catalog.LogBatch{Entries: entries}))
}

func logIDs(entries []catalog.LogEntry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

var accessLogPromises = promises[catalog.LogStore]{
	"an entry is read as it was stored": func(t *testing.T, s catalog.LogStore) {
		e := logged(1, func(e *catalog.LogEntry) {
			e.PaymentID, e.Payer = "pay-1", "0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9"
			e.Price, _ = x402.AmountFromBig(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))
		})
		addLog(t, s, e)
		list, err := s.LogEntries(t.Context(), catalog.LogFilter{}, "", 0, 10)
		require.NoError(t, err)
		require.Equal(t, []catalog.LogEntry{e}, list)
		list, err = s.LogEntriesByID(t.Context(), []string{"log-unknown", e.ID})
		require.NoError(t, err)
		require.Equal(t, []catalog.LogEntry{e}, list)
	},
	"a batch that is stored again is stored once": func(t *testing.T, s catalog.LogStore) {
		b := catalog.LogBatch{Entries: []catalog.LogEntry{logged(1), logged(2)}, Left: []catalog.LogGap{{OwnerID: "o1", At: at, Count: 7}}}
		require.NoError(t, s.AddLog(t.Context(), b))
		require.NoError(t, s.AddLog(t.Context(), b))
		n, err := s.CountLog(t.Context(), catalog.LogFilter{})
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		left, err := s.LogGaps(t.Context(), "o1", time.Time{}, time.Time{})
		require.NoError(t, err)
		require.EqualValues(t, 7, left)
	},
	"entries are listed newest first, whenever they were stored": func(t *testing.T, s catalog.LogStore) {
		addLog(t, s, logged(2), logged(4))
		addLog(t, s, logged(1), logged(3))
		list, err := s.LogEntries(t.Context(), catalog.LogFilter{}, "", 1, 2)
		require.NoError(t, err)
		require.Equal(t, []string{logged(3).ID, logged(2).ID}, logIDs(list))
		list, err = s.LogEntries(t.Context(), catalog.LogFilter{}, logged(3).ID, 0, 10)
		require.NoError(t, err)
		require.Equal(t, []string{logged(2).ID, logged(1).ID}, logIDs(list))
	},
	"each filter selects what it names": filteredLog,
	"what was left out is counted by owner and hour, with what belongs to nobody": func(t *testing.T, s catalog.LogStore) {
		hour := at.Truncate(time.Hour)
		for n, gaps := range [][]catalog.LogGap{
			{{OwnerID: "o1", At: hour.Add(time.Minute), Count: 1}, {OwnerID: "", At: hour, Count: 10}},
			{{OwnerID: "o1", At: hour.Add(59 * time.Minute), Count: 100}, {OwnerID: "o2", At: hour, Count: 1000}},
			{{OwnerID: "o1", At: hour.Add(time.Hour), Count: 10000}},
		} {
			require.NoError(t, s.AddLog(t.Context(), catalog.LogBatch{Entries: []catalog.LogEntry{logged(n)}, Left: gaps}))
		}
		for _, c := range []struct {
			from, to time.Time
			want     int64
		}{
			{time.Time{}, time.Time{}, 10111}, {hour.Add(time.Minute), time.Time{}, 10111}, {hour.Add(time.Hour), time.Time{}, 10000},
			{time.Time{}, hour.Add(time.Hour), 111}, {hour, hour.Add(time.Minute), 111},
		} {
			got, err := s.LogGaps(t.Context(), "o1", c.from, c.to)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%v", c)
		}
	},
	"what is too old is purged by and by": func(t *testing.T, s catalog.LogStore) {
		addLog(t, s, logged(1), logged(2), logged(3), logged(4))
		before := logged(4).CreatedAt
		for _, want := range []int{2, 1, 0} {
			n, err := s.PurgeLog(t.Context(), before, 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		list, err := s.LogEntries(t.Context(), catalog.LogFilter{}, "", 0, 10)
		require.NoError(t, err)
		require.Equal(t, []string{logged(4).ID}, logIDs(list))
	},
	"gaps are purged as entries are": func(t *testing.T, s catalog.LogStore) {
		require.NoError(t, s.AddLog(t.Context(), catalog.LogBatch{Entries: []catalog.LogEntry{logged(1)}, Left: []catalog.LogGap{{OwnerID: "o1", At: at, Count: 7}}}))
		_, err := s.PurgeLog(t.Context(), at.Add(2*time.Hour), 10)
		require.NoError(t, err)
		left, err := s.LogGaps(t.Context(), "o1", time.Time{}, time.Time{})
		require.NoError(t, err)
		require.Zero(t, left)
	},
	"events are saved with entries or without, once": func(t *testing.T, s catalog.LogStore) {
		b := catalog.LogBatch{Entries: []catalog.LogEntry{logged(1)}, Events: []store.Event{eventNamed("first")}}
		alone := catalog.LogBatch{Events: []store.Event{eventNamed("second")}}
		for range 2 {
			require.NoError(t, s.AddLog(t.Context(), b))
			require.NoError(t, s.AddLog(t.Context(), alone))
		}
		require.ElementsMatch(t, []string{"first", "second"}, eventTypes(t, s.(store.Outbox)))
	},
	"unpaid requests are counted by address, product and price": unpaidLog,
	"a request that was followed by a payment is not unpaid":    paidLog,
	"an error of the caller ends the count and is returned": func(t *testing.T, s catalog.LogStore) {
		addLog(t, s, logged(1), logged(2, func(e *catalog.LogEntry) { e.IP = "10.0.0.1" }))
		calls, stop := 0, errors.New("stop")
		err := s.Unpaid(t.Context(), catalog.UnpaidFilter{OwnerID: "o1"}, func(catalog.UnpaidCount) error {
			calls++
			return stop
		})
		require.Equal(t, stop, err)
		require.Equal(t, 1, calls)
	},
	"nothing is done for a caller who is gone": func(t *testing.T, s catalog.LogStore) {
		require.Error(t, s.AddLog(cancelled(t), catalog.LogBatch{Entries: []catalog.LogEntry{logged(1)}}))
		_, err := s.LogEntries(cancelled(t), catalog.LogFilter{}, "", 0, 1)
		require.Error(t, err)
		n, err := s.CountLog(t.Context(), catalog.LogFilter{})
		require.NoError(t, err)
		require.Zero(t, n)
	},
}

func filteredLog(t *testing.T, s catalog.LogStore) {
	addLog(t, s,
		logged(1, func(e *catalog.LogEntry) { e.OwnerID = "o2" }),
		logged(2, func(e *catalog.LogEntry) { e.ProductID = "p2" }),
		logged(3, func(e *catalog.LogEntry) { e.Status = catalog.LogPaid }),
		logged(4, func(e *catalog.LogEntry) { e.Status = catalog.LogDenied }),
		logged(5, func(e *catalog.LogEntry) { e.IP = "2001:db8::1" }),
		logged(6, func(e *catalog.LogEntry) { e.Country = "DE" }),
		logged(7, func(e *catalog.LogEntry) { e.Status = catalog.LogError }),
	)
	for name, c := range map[string]struct {
		filter catalog.LogFilter
		want   []int
	}{
		"all":      {catalog.LogFilter{}, []int{7, 6, 5, 4, 3, 2, 1}},
		"owner":    {catalog.LogFilter{OwnerID: "o2"}, []int{1}},
		"product":  {catalog.LogFilter{ProductID: "p2"}, []int{2}},
		"status":   {catalog.LogFilter{Status: catalog.LogDenied}, []int{4}},
		"paid":     {catalog.LogFilter{Paid: true}, []int{3}},
		"unpaid":   {catalog.LogFilter{Unpaid: true}, []int{7, 6, 5, 4, 2, 1}},
		"both":     {catalog.LogFilter{Paid: true, Unpaid: true}, nil},
		"address":  {catalog.LogFilter{IP: "2001:db8::1"}, []int{5}},
		"country":  {catalog.LogFilter{Country: "DE"}, []int{6}},
		"from":     {catalog.LogFilter{From: logged(6).CreatedAt}, []int{7, 6}},
		"after":    {catalog.LogFilter{From: logged(6).CreatedAt.Add(time.Microsecond)}, []int{7}},
		"to":       {catalog.LogFilter{To: logged(2).CreatedAt}, []int{1}},
		"until":    {catalog.LogFilter{To: logged(2).CreatedAt.Add(time.Microsecond)}, []int{2, 1}},
		"together": {catalog.LogFilter{OwnerID: "o1", Status: catalog.LogRequested, From: logged(3).CreatedAt, Country: "US"}, []int{5}},
		"nothing":  {catalog.LogFilter{From: logged(7).CreatedAt, To: logged(1).CreatedAt}, nil},
	} {
		list, err := s.LogEntries(t.Context(), c.filter, "", 0, 10)
		require.NoError(t, err)
		want := []string{}
		for _, n := range c.want {
			want = append(want, logged(n).ID)
		}
		require.Equal(t, want, logIDs(list), name)
		n, err := s.CountLog(t.Context(), c.filter)
		require.NoError(t, err)
		require.EqualValues(t, len(c.want), n, name)
	}
}

// unpaidBy lists what is counted by requester, as text.
func unpaidBy(t *testing.T, s catalog.LogStore, f catalog.UnpaidFilter) []string {
	t.Helper()
	var list []string
	var last string
	require.NoError(t, s.Unpaid(t.Context(), f, func(c catalog.UnpaidCount) error {
		require.LessOrEqual(t, last, c.IP, "in the order of addresses")
		last = c.IP
		list = append(list, unpaidText(c))
		return nil
	}))
	slices.Sort(list)
	return list
}

func unpaidText(c catalog.UnpaidCount) string {
	return strings.TrimSpace(fmt.Sprint(c.IP, " ", c.ProductID, " ", c.Price, c.Currency, " ", c.Count, " ", c.LastID))
}

func unpaidLog(t *testing.T, s catalog.LogStore) {
	huge, err := x402.ParseAtomic(strings.Repeat("9", 77))
	require.NoError(t, err)
	addLog(t, s,
		logged(1), logged(2), logged(3, func(e *catalog.LogEntry) { e.ProductID = "p2" }),
		logged(4, func(e *catalog.LogEntry) { e.Price = huge }), logged(5, func(e *catalog.LogEntry) { e.Currency = "USDC" }),
		logged(6, func(e *catalog.LogEntry) { e.IP = "10.0.0.1" }), logged(7, func(e *catalog.LogEntry) { e.OwnerID = "o2" }),
		logged(8, func(e *catalog.LogEntry) { e.Status = catalog.LogDenied }),
	)
	const eth = " 5000000000000000000ETH "
	all := catalog.UnpaidFilter{OwnerID: "o1"}
	require.Equal(t, []string{
		"10.0.0.1 p1" + eth + "1 " + logged(6).ID,
		"192.168.1.100 p1" + eth + "2 " + logged(2).ID,
		"192.168.1.100 p1 5000000000000000000USDC 1 " + logged(5).ID,
		"192.168.1.100 p1 " + huge.String() + "ETH 1 " + logged(4).ID,
		"192.168.1.100 p2" + eth + "1 " + logged(3).ID,
	}, unpaidBy(t, s, all))
	require.Equal(t, []string{"192.168.1.100 p2" + eth + "1 " + logged(3).ID}, unpaidBy(t, s, catalog.UnpaidFilter{OwnerID: "o1", ProductID: "p2"}))
	require.Equal(t, []string{"192.168.1.100 p1" + eth + "1 " + logged(2).ID},
		unpaidBy(t, s, catalog.UnpaidFilter{OwnerID: "o1", From: logged(2).CreatedAt})[1:2], "since then")
}

func paidLog(t *testing.T, s catalog.LogStore) {
	paid := func(e *catalog.LogEntry) { e.Status = catalog.LogPaid }
	addLog(t, s,
		logged(1), logged(2), logged(3, paid), logged(4),
		logged(5, func(e *catalog.LogEntry) { e.ProductID = "p2" }),
		logged(6, func(e *catalog.LogEntry) { e.IP = "10.0.0.1" }), logged(7, paid, func(e *catalog.LogEntry) { e.IP = "10.0.0.1" }),
		logged(8, paid, func(e *catalog.LogEntry) { e.OwnerID = "o2" }),
	)
	const eth = " 5000000000000000000ETH "
	require.Equal(t, []string{
		"192.168.1.100 p1" + eth + "1 " + logged(4).ID,
		"192.168.1.100 p2" + eth + "1 " + logged(5).ID,
	}, unpaidBy(t, s, catalog.UnpaidFilter{OwnerID: "o1"}))
	require.Equal(t, []string{"192.168.1.100 p2" + eth + "1 " + logged(5).ID}, unpaidBy(t, s, catalog.UnpaidFilter{OwnerID: "o1", From: logged(5).CreatedAt}))
}

func twoReplicasLog(t *testing.T, s []catalog.LogStore) {
	_, errs := together(8, func(i int) (struct{}, error) {
		return struct{}{}, s[i%2].AddLog(t.Context(), catalog.LogBatch{
			Entries: []catalog.LogEntry{logged(2 * i), logged(2*i + 1)},
			Left:    []catalog.LogGap{{OwnerID: "", At: at, Count: 1}, {OwnerID: "o1", At: at, Count: 10}},
		})
	})
	noErrors(t, errs)
	for _, replica := range s {
		n, err := replica.CountLog(t.Context(), catalog.LogFilter{OwnerID: "o1"})
		require.NoError(t, err)
		require.EqualValues(t, 16, n)
		left, err := replica.LogGaps(t.Context(), "o1", time.Time{}, time.Time{})
		require.NoError(t, err)
		require.EqualValues(t, 88, left)
	}
}

package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
)

// askedAt is an entry of somebody who asked at a time.
func askedAt(when time.Time, ip string) catalog.LogEntry {
	first := catalog.FirstLogID(when)
	return catalog.LogEntry{ID: first[:len(first)-4] + "ABCD", ProductID: "p", OwnerID: "o", Status: catalog.LogRequested, IP: ip, CreatedAt: when}
}

func TestWhoAskedIsForgottenWithTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	s := open(t, path)
	known := func() (ips string) {
		rows, err := raw(t, path).QueryContext(t.Context(), "SELECT DISTINCT ip FROM v402_access_demand ORDER BY ip")
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var ip string
			require.NoError(t, rows.Scan(&ip))
			ips += ip
		}
		require.NoError(t, rows.Err())
		return ips
	}
	begin := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	var entries []catalog.LogEntry
	for n, ip := range []string{"a", "b", "c", "b"} {
		entries = append(entries, askedAt(begin.Add(time.Duration(n)*time.Hour), ip))
	}
	require.NoError(t, s.AddLog(t.Context(), catalog.LogBatch{Entries: entries}))
	require.Equal(t, "abc", known())
	_, err := s.PurgeLog(t.Context(), begin.Add(150*time.Minute), 100)
	require.NoError(t, err)
	require.Equal(t, "b", known(), "who asked again later stays")
	later := askedAt(begin.Add(15*24*time.Hour), "d")
	require.NoError(t, s.AddLog(t.Context(), catalog.LogBatch{Entries: []catalog.LogEntry{later}}))
	require.Equal(t, "d", known(), "counts are kept for a week")
}

func TestRequestsThatAnOlderProgramStoredAreCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v402.db")
	s := open(t, path)
	var entries []catalog.LogEntry
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for n := range 10 {
		entries = append(entries, askedAt(begin.Add(time.Duration(n)*2*time.Hour), "a"))
	}
	require.NoError(t, s.AddLog(t.Context(), catalog.LogBatch{Entries: entries}))
	migration, err := os.ReadFile("../../internal/sqlstore/migrations/sqlite/00018_access_demand.sql")
	require.NoError(t, err)
	for _, query := range []string{"DROP TABLE v402_access_demand", "DROP INDEX v402_access_log_asked", string(migration)} {
		_, err := raw(t, path).ExecContext(t.Context(), query)
		require.NoError(t, err)
	}
	counted := ""
	err = s.Unpaid(t.Context(), catalog.UnpaidFilter{OwnerID: "o", From: begin.Add(time.Hour)}, func(c catalog.UnpaidCount) error {
		counted += fmt.Sprint(c.IP, c.Count, c.LastID)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "a9"+entries[9].ID, counted)
}

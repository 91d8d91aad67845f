package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/store/sqlite"
)

// logVictim names the file in the process that is killed.
const logVictim = "V402_TEST_SQLITE_LOG_VICTIM"

// logInterval is how often the victim stores its log.
const logInterval = 300 * time.Millisecond

func TestAKillLosesTheLastIntervalOfTheAccessLog(t *testing.T) {
	if path := os.Getenv(logVictim); path != "" {
		note(t, path)
	}
	t.Parallel()
	path := emptydb.SQLite(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), logVictim+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var began time.Time
	var s *sqlite.Store
	for lines := bufio.NewScanner(out); lines.Scan(); { // kill it once something was stored
		at, err := time.Parse(time.RFC3339Nano, lines.Text())
		require.NoError(t, err, lines.Text())
		switch {
		case began.IsZero():
			began = at
		case at.Sub(began) < 5*logInterval:
		case s == nil:
			s = open(t, path)
		default:
			n, err := s.CountLog(t.Context(), catalog.LogFilter{})
			require.NoError(t, err)
			if n > 0 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
	}
	require.Error(t, cmd.Wait(), "it was killed")

	entries, err := s.LogEntries(t.Context(), catalog.LogFilter{}, "", 0, 1_000_000)
	require.NoError(t, err)
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Payer] = true
	}
	for n := range len(entries) {
		require.True(t, there[fmt.Sprint(n)], "what is lost is the last of it, and %d is not", n)
	}
}

// note notes attempts and prints when, until it is killed.
func note(t *testing.T, path string) {
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	service, err := catalog.New(catalog.Config{Store: s, Log: catalog.LogConfig{FlushEvery: logInterval}})
	require.NoError(t, err)
	go func() { _ = service.Run(t.Context()) }()
	for n := 0; ; n++ {
		at := time.Now()
		service.Record(catalog.Product{ID: "p1", OwnerID: "o1"}, catalog.LogEntry{Status: catalog.LogRequested, Payer: fmt.Sprint(n)}, "192.0.2.1:1")
		fmt.Println(at.Format(time.RFC3339Nano))
		time.Sleep(2 * time.Millisecond)
	}
}

package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/store/sqlite"
)

// victim names the file in the process that is killed.
const victim = "V402_TEST_SQLITE_VICTIM"

func TestWhatAProcessReportedSurvivesItsBeingKilled(t *testing.T) {
	if path := os.Getenv(victim); path != "" {
		report(t, path)
	}
	t.Parallel()
	path := emptydb.SQLite(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), victim+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	reported := 0
	for lines := bufio.NewScanner(out); lines.Scan(); reported++ {
		if reported == 30 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait(), "it was killed")
	require.Greater(t, reported, 30)
	s := open(t, path)
	for n := range reported {
		_, err := s.Settlement(t.Context(), fmt.Sprint("settlement-", n))
		require.NoError(t, err)
	}
}

// report stores settlements and prints a line for each, until it is killed.
func report(t *testing.T, path string) {
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	for n := 0; ; n++ {
		reserve(t, s, n, n+1)
		fmt.Println(n)
	}
}

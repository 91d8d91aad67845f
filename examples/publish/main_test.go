package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var command = regexp.MustCompile(`go run \./examples/publish (-url \S+ -key \S+)\n`)

func TestAnArticleIsPublishedFoundPaidAndRead(t *testing.T) {
	t.Parallel()
	args := startServer(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), args, &out, &out), "%s", &out)
	require.Regexp(t, `(?s)provider: .*published: "Dune.*found: .*paid: +0x[0-9a-f]{64}\n.*read: +`+regexp.QuoteMeta(article), out.String())
	require.Equal(t, 1, strings.Count(out.String(), "paid: "))
}

func TestWithoutAKeyNothingIsBegun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-key", ""}, &out, &out), "no key")
	require.ErrorContains(t, run(t.Context(), []string{"-key", "01", "-url", "http://127.0.0.1:1"}, &out, &out), "the provider: ")
}

// startServer starts examples/server in dev mode until the test ends, and returns
// the arguments that it names for this program.
func startServer(t *testing.T) []string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	built, err := exec.Command("go", "build", "-o", binary, "../server").CombinedOutput()
	require.NoError(t, err, "%s", built)
	cmd := exec.Command(binary, "-addr", "127.0.0.1:0", "-store", "memory:")
	cmd.Env = append(os.Environ(), "V402_DEV_CHAIN_ADDR=127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // its status says only how it was ended
	})
	var said strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if found := command.FindStringSubmatch(said.String()); found != nil {
			return strings.Fields(found[1])
		}
	}
	require.Fail(t, "the server does not start", "%s", said.String())
	return nil
}

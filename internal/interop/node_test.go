package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	installLimit = 15 * time.Minute
	startLimit   = 2 * time.Minute
	runLimit     = 2 * time.Minute
)

// installed is what npm writes last.
var installed = filepath.Join("node_modules", ".package-lock.json")

// install sees to it that the packages of package.json are there, once.
var install = sync.OnceValue(func() error {
	wanted, err := os.Stat("package.json")
	if err != nil {
		return err
	}
	if got, err := os.Stat(installed); err == nil && got.ModTime().After(wanted.ModTime()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), installLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts").CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm install: %w\n%s", err, out)
	}
	return nil
})

// needNode skips the test where the JavaScript packages are missing and nobody
// asked for them to be installed.
func needNode(t *testing.T) {
	t.Helper()
	wanted := os.Getenv("CI") != "" || os.Getenv("V402_INTEROP") != ""
	if wanted {
		require.NoError(t, install())
		return
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("Node.js is not installed; it drives the official clients and servers")
	}
	if _, err := os.Stat(installed); err != nil {
		t.Skip("the official packages are not installed: V402_INTEROP=1 go test ./internal/interop installs them (about 750 MB)")
	}
}

// serve starts a script that listens until the test ends, and returns its URL.
func serve(t *testing.T, script string, env []string) string {
	t.Helper()
	cmd := exec.Command("node", script)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &testLog{t: t, name: script}
	lifeline, err := cmd.StdinPipe()
	require.NoError(t, err)
	said, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = lifeline.Close() // it ends by itself then
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Wait() // its status says only how it was ended
	})
	line := make(chan []byte, 1)
	go func() {
		scanner := bufio.NewScanner(said)
		if scanner.Scan() {
			line <- bytes.Clone(scanner.Bytes())
		}
		close(line)
		_, _ = io.Copy(io.Discard, said)
	}()
	select {
	case text := <-line:
		var ready struct{ URL string }
		require.NoError(t, json.Unmarshal(text, &ready), "%s said %q", script, text)
		return ready.URL
	case <-time.After(startLimit):
		t.Fatalf("%s does not start", script)
		return ""
	}
}

// answer is what a buyer script prints.
type answer struct {
	Status     int
	Body       string
	Refusal    string
	Settlement *struct {
		Success     bool
		Transaction string
		Network     string
		Payer       string
	}
}

// buy runs a buyer script to its end.
func buy(t *testing.T, script, key, url string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script, url}, args...)...)
	cmd.Env = append(os.Environ(), "KEY="+key)
	var told, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &complaints
	require.NoError(t, cmd.Run(), "%s: %s", script, &complaints)
	var got answer
	require.NoError(t, json.Unmarshal(told.Bytes(), &got), "%s said %q", script, &told)
	return got
}

// testLog passes on what a script complains about.
type testLog struct {
	t    *testing.T
	name string
}

func (l *testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s: %s", l.name, bytes.TrimSpace(p))
	return len(p), nil
}

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// replicaEnv holds the setup of a process that is a facilitator and no test.
const replicaEnv = "V402_E2E_REPLICA"

func TestMain(m *testing.M) {
	if s := os.Getenv(replicaEnv); s != "" {
		if err := serveReplica(s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveReplica serves a facilitator over HTTP, says on its standard output
// where, and ends with its standard input, should the test die first.
func serveReplica(encoded string) error {
	var s setup
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	j, err := openJournal(ctx, s.Journal)
	if err != nil {
		return err
	}
	service, _, err := newService(s, j, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", service.Handler())
	mux.HandleFunc("GET /heap", writeHeap)
	go func() { _ = http.Serve(listener, mux) }()
	fmt.Println("http://" + listener.Addr().String())
	return service.Run(ctx)
}

// writeHeap answers with the bytes that are in use after a garbage collection.
func writeHeap(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	runtime.GC() // what sync.Pool held is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprint(w, m.HeapAlloc)
}

// replica is a facilitator in a process of its own.
type replica struct {
	setup string
	log   *os.File

	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.Closer
	out   io.ReadCloser
	url   string // empty while it does not listen
}

func newReplica(t testing.TB, s setup) *replica {
	t.Helper()
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	log, err := os.CreateTemp(t.TempDir(), "replica*.log")
	require.NoError(t, err)
	r := &replica{setup: string(encoded), log: log}
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Log(tail(log.Name()))
		}
		_ = log.Close()
	})
	return r
}

// start starts the process and does not wait for it to listen.
func (r *replica) start() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), replicaEnv+"="+r.setup)
	cmd.Stderr = r.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cmd, r.stdin, r.out = cmd, stdin, out
	return nil
}

// ready waits until the process listens.
func (r *replica) ready() error {
	line, err := bufio.NewReader(r.out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the replica did not start: %w\n%s", err, tail(r.log.Name()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.url = strings.TrimSpace(line)
	return nil
}

// kill sends SIGKILL and waits for the end of the process.
func (r *replica) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return
	}
	r.url = ""
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	_ = r.stdin.Close()
	r.cmd = nil
}

// base is where the process listens, or empty.
func (r *replica) base() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.url
}

// tail is the end of a log.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-20_000):])
}

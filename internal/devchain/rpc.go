package devchain

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	maxRequestBody = 5 << 20
	staleAfter     = 2 * time.Second // the age at which a latest block no longer tells the time
)

// serve answers JSON-RPC over HTTP until the server is closed.
func (c *Chain) serve() error {
	server, err := c.api()
	if err != nil {
		return err
	}
	c.http = &http.Server{Handler: c.guard(server), ReadHeaderTimeout: 10 * time.Second}
	c.tasks.Go(func() {
		defer server.Stop()
		if err := c.http.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
			_ = c.listener.Close() // nothing else to tell: whoever calls now gets a refused connection
		}
	})
	return nil
}

// guard refuses requests that a browser was tricked into (the name of another
// host), and sees to it that calls are run against the present time.
func (c *Chain) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !isLoopback(host) {
			http.Error(w, "this chain answers to loopback names only", http.StatusForbidden)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		if err != nil {
			http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
			return
		}
		if runsCode(body) {
			c.freshen()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// runsCode reports whether a request may execute a contract against the latest
// block, and so see its time.
func runsCode(body []byte) bool {
	return bytes.Contains(body, []byte("eth_call")) || bytes.Contains(body, []byte("eth_estimateGas")) ||
		bytes.Contains(body, []byte("eth_simulate"))
}

package evm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
)

// stingy passes requests on to a chain, but for batches of more than most calls,
// to which it gives the answer of refuse.
type stingy struct {
	most   int
	refuse http.HandlerFunc

	mu    sync.Mutex
	proxy *httputil.ReverseProxy
}

func (s *stingy) lead(t testing.TB, to string) {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proxy = httputil.NewSingleHostReverseProxy(target)
}

func (s *stingy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var calls []json.RawMessage
	r.Body = io.NopCloser(bytes.NewReader(body))
	if json.Unmarshal(body, &calls) == nil && len(calls) > s.most {
		s.refuse(w, r)
		return
	}
	s.mu.Lock()
	proxy := s.proxy
	s.mu.Unlock()
	proxy.ServeHTTP(w, r)
}

func TestANodeThatLimitsBatchesServesHundredsOfSettlementsAtOnce(t *testing.T) {
	t.Parallel()
	const message = `{"jsonrpc":"2.0","id":%s,"error":{"code":-32014,"message":"maximum 10 calls in 1 batch"}}`
	for name, refuse := range map[string]http.HandlerFunc{
		"one error":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, message, "null") },
		"status 400": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "too many", http.StatusBadRequest) },
		"status 413": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusRequestEntityTooLarge) },
		"an error for the first": func(w http.ResponseWriter, r *http.Request) {
			var calls []struct {
				ID json.RawMessage `json:"id"`
			}
			_ = json.NewDecoder(r.Body).Decode(&calls)
			fmt.Fprintf(w, "["+message+"]", calls[0].ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := &stingy{most: 10, refuse: refuse}
			server := httptest.NewServer(node)
			t.Cleanup(server.Close)
			r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.URLs = []string{server.URL} })
			node.lead(t, r.dev.URL())
			r.run()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					answer := r.settle(r.pay(usdc, 1))
					require.True(t, answer.Success, answer.ErrorMessage)
				})
			}
			wg.Wait()
			require.EqualValues(t, 100, r.received())
		})
	}
}

package interop_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	facevm "github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	x402payer "github.com/v402/v402/x402/payer"
)

// startFacilitator runs our facilitator on the chain until the test ends.
func startFacilitator(t *testing.T, c *chain) *facilitator.Service {
	t.Helper()
	journal := memory.New()
	onChain, err := facevm.New(facevm.Config{
		Network: x402.BaseSepolia, URLs: []string{c.url}, Keys: []string{relayer.Key}, Journal: journal, Owner: t.Name(),
	})
	require.NoError(t, err)
	require.NoError(t, onChain.Check(t.Context()))
	service, err := facilitator.New(facilitator.Config{Chains: []facilitator.Chain{onChain}, Journal: journal, Owner: t.Name()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return service
}

// shop is a website of ours that sells through our facilitator.
type shop struct {
	url    string
	served atomic.Int64 // how often a handler ran
}

func openShop(t *testing.T, c *chain) *shop {
	t.Helper()
	price := []middleware.Offer{{Network: x402.BaseSepolia, Price: "$0.001", PayTo: payTo.Address.Hex()}}
	guard, err := middleware.New(middleware.Config{
		Facilitator: startFacilitator(t, c),
		Routes: []middleware.Route{
			{Pattern: "GET /paid", Offers: price, Resource: x402.ResourceInfo{Description: "a word", MimeType: "application/json"}},
			{Pattern: "POST /echo", Offers: price},
			{Pattern: "GET /broken", Offers: price},
			{Pattern: "GET /stream", Offers: price, Mode: middleware.SettleBefore},
		},
	})
	require.NoError(t, err)

	s := new(shop)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /paid", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"word":"sesame"}`)
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "broken", http.StatusInternalServerError)
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		paid, ok := middleware.PaymentFrom(r.Context())
		if ok && paid.Settled {
			_, _ = io.WriteString(w, "settled before")
		}
	})
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		mux.ServeHTTP(w, r)
	})
	server := httptest.NewServer(guard.Wrap(counted))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// serveFacilitator puts our facilitator behind its HTTP API.
func serveFacilitator(t *testing.T, c *chain) string {
	t.Helper()
	server := httptest.NewServer(startFacilitator(t, c).Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// ourBuyer pays with the account's key.
func ourBuyer(t *testing.T, key string) *http.Client {
	t.Helper()
	signer, err := evm.ParseSigner(key)
	require.NoError(t, err)
	p, err := x402payer.New(x402payer.Config{Signers: []x402payer.Signer{signer}})
	require.NoError(t, err)
	t.Cleanup(p.CloseIdleConnections)
	return p.Client()
}

package middleware_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

// discard is a ResponseWriter that costs nothing, so that the guard shows.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}`))
}

// guarded is a mux with a free and a paid route behind n guarded ones.
func guarded(b *testing.B, f x402.Facilitator, n int) http.Handler {
	cfg := middleware.Config{Facilitator: f}
	for i := range n {
		pattern := fmt.Sprintf("GET /paid/%d/{id}", i)
		if i == 0 {
			pattern = "GET /paid"
		}
		cfg.Routes = append(cfg.Routes, middleware.Route{
			Pattern: pattern, Offers: []middleware.Offer{cents("$0.01")},
			Resource: x402.ResourceInfo{Description: "a benchmark", MimeType: "application/json"},
		})
	}
	g, err := middleware.New(cfg)
	require.NoError(b, err)
	return g.Wrap(plainMux())
}

func plainMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /paid", hello)
	mux.HandleFunc("GET /free/{id}", hello)
	return mux
}

// run serves the same request over and over, with a recorder or without.
func run(b *testing.B, h http.Handler, recorder bool, target string, header ...string) {
	r := request("GET", target, "", header...)
	w := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if recorder {
			h.ServeHTTP(httptest.NewRecorder(), r)
			continue
		}
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkGuard(b *testing.B) {
	browser := []string{"Accept", "text/html", "User-Agent", "Mozilla/5.0"}
	for _, recorder := range []bool{true, false} {
		kind := map[bool]string{true: "recorder", false: "discard"}[recorder]
		b.Run(kind+"/plain_mux", func(b *testing.B) { run(b, plainMux(), recorder, "/free/1") })
		for _, n := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/not_guarded_%d_routes", kind, n), func(b *testing.B) { run(b, guarded(b, &fake{}, n), recorder, "/free/1") })
		}
		b.Run(kind+"/static_402", func(b *testing.B) { run(b, guarded(b, &fake{}, 1), recorder, "/paid") })
		b.Run(kind+"/static_402_1000_routes", func(b *testing.B) { run(b, guarded(b, &fake{}, 1000), recorder, "/paid/777/x") })
		b.Run(kind+"/browser_402", func(b *testing.B) { run(b, guarded(b, &fake{}, 1), recorder, "/paid", browser...) })
	}
}

// BenchmarkPaid pays each request anew. The facilitator is a stub over HTTP on
// the loopback interface, or one in process.
func BenchmarkPaid(b *testing.B) {
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/verify" {
			fmt.Fprintf(w, `{"isValid":true,"payer":%q}`, buyer)
			return
		}
		fmt.Fprintf(w, `{"success":true,"payer":%q,"transaction":%q,"network":"eip155:84532"}`, buyer, hash)
	}))
	defer stub.Close()
	client, err := x402.NewClient(x402.ClientConfig{URL: stub.URL})
	require.NoError(b, err)
	for name, f := range map[string]x402.Facilitator{"over_http": client, "in_process": &fake{}} {
		b.Run(name, func(b *testing.B) {
			h := guarded(b, f, 1)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request("GET", "/paid", ""))
			c := challenge(b, w.Header())
			headers := make([]string, 20_000)
			for i := range headers {
				headers[i] = encode(b, c)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if i == len(headers) {
					b.StopTimer()
					for i := range headers {
						headers[i] = encode(b, c)
					}
					i = 0
					b.StartTimer()
				}
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", "/paid", nil)
				r.Header["Payment-Signature"] = headers[i : i+1]
				h.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
				i++
			}
		})
	}
}

func encode(b *testing.B, c x402.PaymentRequired) string {
	s, err := x402.EncodeHeader(struct {
		Version  int                      `json:"x402Version"`
		Resource x402.ResourceInfo        `json:"resource"`
		Accepted x402.PaymentRequirements `json:"accepted"`
		Payload  json.RawMessage          `json:"payload"`
	}{2, c.Resource, c.Accepts[0], authorization("10000")})
	require.NoError(b, err)
	return s
}

func TestRequestsThatAreNotGuardedCostNoAllocation(t *testing.T) {
	g, err := routes(t, "GET /paid", "/a/{id}", "/Files/*")
	require.NoError(t, err)
	h := g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := &discard{h: http.Header{}}
	for _, target := range []string{"/", "/free/1", "/FREE/x/y/z/", "/.well-known/a.b", "/a", "/paid/x"} {
		r := request("GET", target, "")
		require.Zero(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }), target)
	}
	if !pools {
		return
	}
	r := request("GET", "/paid?a=b", "")
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { clear(w.h); h.ServeHTTP(w, r) }), 4.0, "a static 402")
}

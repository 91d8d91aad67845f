package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

const (
	payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
	buyer = "0x1111111111111111111111111111111111111111"
	hash  = "0x89c91c789e57059b17285e7ba1716a1f5ff4c5dace0ea5a5135f26158d0421b9"
)

// fake is a facilitator that says what it is told to and counts.
type fake struct {
	onVerify   func(context.Context, x402.Payment) (x402.VerifyResponse, error)
	onSettle   func(context.Context, x402.Payment) (x402.SettleResponse, error)
	supports   x402.Supported
	supportErr error

	verified, settled, asked atomic.Int64

	mu   sync.Mutex
	seen []x402.Payment
}

func (f *fake) Verify(ctx context.Context, p x402.Payment) (x402.VerifyResponse, error) {
	f.verified.Add(1)
	f.mu.Lock()
	f.seen = append(f.seen, p)
	f.mu.Unlock()
	if f.onVerify != nil {
		return f.onVerify(ctx, p)
	}
	return x402.VerifyResponse{IsValid: true, Payer: buyer}, nil
}

func (f *fake) Settle(ctx context.Context, p x402.Payment) (x402.SettleResponse, error) {
	f.settled.Add(1)
	if f.onSettle != nil {
		return f.onSettle(ctx, p)
	}
	return success(p), nil
}

func (f *fake) Supported(context.Context) (x402.Supported, error) {
	f.asked.Add(1)
	return f.supports, f.supportErr
}

func (f *fake) last() x402.Payment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[len(f.seen)-1]
}

func success(p x402.Payment) x402.SettleResponse {
	return x402.SettleResponse{Success: true, Payer: buyer, Transaction: hash, Network: p.Requirements.Network}
}

func failure(reason x402.Reason, transaction string) func(context.Context, x402.Payment) (x402.SettleResponse, error) {
	return func(context.Context, x402.Payment) (x402.SettleResponse, error) {
		return x402.SettleResponse{ErrorReason: reason, Transaction: transaction}, nil
	}
}

func invalid(reason x402.Reason, message string) func(context.Context, x402.Payment) (x402.VerifyResponse, error) {
	return func(context.Context, x402.Payment) (x402.VerifyResponse, error) {
		return x402.VerifyResponse{InvalidReason: reason, InvalidMessage: message}, nil
	}
}

// cents is an offer in USDC on Base Sepolia.
func cents(price string) middleware.Offer {
	return middleware.Offer{Network: x402.BaseSepolia, Price: price, PayTo: payTo}
}

// shop is a guarded mux with a fake facilitator behind it.
type shop struct {
	*fake
	http.Handler
	guard  *middleware.Guard
	claims *middleware.MemoryClaims
	ran    atomic.Int64
}

// open guards handler; edit may change the configuration.
func open(t testing.TB, handler http.HandlerFunc, edit func(*middleware.Config)) *shop {
	t.Helper()
	s := &shop{fake: &fake{}, claims: middleware.NewMemoryClaims()}
	cfg := middleware.Config{
		Facilitator: s.fake,
		Claims:      s.claims,
		Logger:      slog.New(slog.DiscardHandler),
		Routes:      []middleware.Route{{Pattern: "/paid", Offers: []middleware.Offer{cents("$0.01")}}},
	}
	if edit != nil {
		edit(&cfg)
	}
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the goods") }
	}
	var err error
	s.guard, err = middleware.New(cfg)
	require.NoError(t, err)
	s.Handler = s.guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ran.Add(1)
		handler(w, r)
	}))
	return s
}

// mode sets the mode of the first route.
func mode(m middleware.Mode) func(*middleware.Config) {
	return func(cfg *middleware.Config) { cfg.Routes[0].Mode = m }
}

// do sends one request; header holds names and values.
func (s *shop) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := request(method, target, body, header...)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func request(method, target, body string, header ...string) *http.Request {
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, b)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// challenge decodes the v2 challenge of an answer.
func challenge(t testing.TB, h http.Header) x402.PaymentRequired {
	t.Helper()
	var c x402.PaymentRequired
	require.NoError(t, x402.DecodeHeader(h.Get(x402.HeaderPaymentRequired), &c), "header %q", h.Get(x402.HeaderPaymentRequired))
	require.NoError(t, c.Validate())
	return c
}

var nonces atomic.Int64

// authorization is an EIP-3009 payload with a nonce of its own. The fake does
// not look at it.
func authorization(value string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"signature":"0x%0130d","authorization":{"from":%q,"to":%q,"value":%q,"validAfter":"0","validBefore":"4000000000","nonce":"0x%064x"}}`,
		1, buyer, payTo, value, nonces.Add(1)))
}

// pay answers the challenge of target with a new v2 payment.
func (s *shop) pay(t testing.TB, method, target string) (name, value string) {
	t.Helper()
	p := s.payload(t, method, target)
	value, err := x402.EncodeHeader(p)
	require.NoError(t, err)
	return x402.HeaderPaymentSignature, value
}

func (s *shop) payload(t testing.TB, method, target string) x402.PaymentPayload {
	t.Helper()
	w := s.do(method, target, "")
	require.Equal(t, http.StatusPaymentRequired, w.Code, w.Body)
	c := challenge(t, w.Header())
	return x402.PaymentPayload{
		Version: x402.V2, Resource: &c.Resource, Accepted: c.Accepts[0],
		Payload: authorization(c.Accepts[0].Amount.String()),
	}
}

// payV1 is a new v1 payment on a network.
func payV1(t testing.TB, network string) (name, value string) {
	t.Helper()
	value, err := x402.EncodeHeader(map[string]any{
		"x402Version": 1, "scheme": "exact", "network": network, "payload": authorization("10000"),
	})
	require.NoError(t, err)
	return x402.HeaderPaymentV1, value
}

// settlement decodes the v2 settlement header.
func settlement(t testing.TB, h http.Header) x402.SettleResponse {
	t.Helper()
	var s x402.SettleResponse
	require.NoError(t, x402.DecodeHeader(h.Get(x402.HeaderPaymentResponse), &s), "header %q", h.Get(x402.HeaderPaymentResponse))
	return s
}

// reason is the "error" of a JSON body, or else of the v2 challenge.
func reason(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body struct{ Error string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), w.Body)
	return body.Error
}

package payer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

const shopAddress = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"

// fakeSigner pays scheme exact on EVM chains with a counter for a nonce.
type fakeSigner struct {
	mu     sync.Mutex
	signed int
	times  []time.Time
	err    error
}

type fakePayment struct {
	Authorization struct {
		From        string `json:"from"`
		To          string `json:"to"`
		Value       string `json:"value"`
		ValidBefore int64  `json:"validBefore"`
		Nonce       string `json:"nonce"`
	} `json:"authorization"`
}

func (s *fakeSigner) Accepts(r x402.PaymentRequirements) bool {
	return r.Scheme == x402.SchemeExact && r.Network.Namespace() == "eip155"
}

func (s *fakeSigner) Sign(ctx context.Context, version int, r x402.PaymentRequirements, now time.Time) (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.signed++
	s.times = append(s.times, now)
	var p fakePayment
	p.Authorization.From, p.Authorization.To, p.Authorization.Value = "0xpayer", r.PayTo, r.Amount.String()
	p.Authorization.ValidBefore = now.Add(r.MaxTimeoutSeconds.Duration()).Unix()
	p.Authorization.Nonce = fmt.Sprintf("0x%064d", s.signed)
	return json.Marshal(p)
}

func (s *fakeSigner) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signed
}

// shop sells one thing. Each paid request is answered by the next behaviour of
// its script, the last of them again and again.
type shop struct {
	version int
	offers  []x402.PaymentRequirements
	script  []behaviour

	mu       sync.Mutex
	moved    map[string]x402.Amount // nonce → what moved on the chain, once at most
	received []string               // nonces, as they came in
	headers  []http.Header
	bodies   []string
	unpaid   int
}

type behaviour func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload)

func newShop(version int, script ...behaviour) *shop {
	return &shop{
		version: version, offers: []x402.PaymentRequirements{offer(x402.BaseSepolia, "0.01")},
		script: script, moved: map[string]x402.Amount{},
	}
}

// offer is an offer in the default asset of a network, in its units.
func offer(n x402.Network, price string) x402.PaymentRequirements {
	a, err := x402.DefaultAssets().Default(n)
	if err != nil {
		panic(err)
	}
	amount, err := a.Price(price)
	if err != nil {
		panic(err)
	}
	return a.Requirements(amount, shopAddress)
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.headers, s.bodies = append(s.headers, r.Header.Clone()), append(s.bodies, string(body))
	s.mu.Unlock()
	name := x402.HeaderPaymentSignature
	if s.version == x402.V1 {
		name = x402.HeaderPaymentV1
	}
	value := r.Header.Get(name)
	if value == "" {
		s.mu.Lock()
		s.unpaid++
		s.mu.Unlock()
		s.challenge(w, "Payment required")
		return
	}
	var p x402.PaymentPayload
	if err := x402.DecodeHeader(value, &p); err != nil {
		panic(err)
	}
	s.mu.Lock()
	i := min(len(s.received), len(s.script)-1)
	s.received = append(s.received, nonceOf(p))
	s.mu.Unlock()
	if i < 0 {
		serve(s, w, r, p)
		return
	}
	s.script[i](s, w, r, p)
}

// challenge answers 402 in the shop's version.
func (s *shop) challenge(w http.ResponseWriter, reason string) {
	c := x402.PaymentRequired{
		Version: s.version, Error: reason,
		Resource: x402.ResourceInfo{URL: "https://shop.example/thing"}, Accepts: s.offers,
	}
	body := []byte("{}")
	w.Header().Set("Content-Type", "application/json")
	if s.version == x402.V1 {
		body, _ = json.Marshal(c)
	} else {
		h, err := x402.EncodeHeader(c)
		if err != nil {
			panic(err)
		}
		w.Header().Set(x402.HeaderPaymentRequired, h)
	}
	w.WriteHeader(http.StatusPaymentRequired)
	_, _ = w.Write(body)
}

// settle moves the money of p, once.
func (s *shop) settle(p x402.PaymentPayload) (transaction string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var f fakePayment
	if err := json.Unmarshal(p.Payload, &f); err != nil {
		panic(err)
	}
	amount, err := x402.ParseAtomic(f.Authorization.Value)
	if err != nil {
		panic(err)
	}
	s.moved[f.Authorization.Nonce] = amount
	return "0xtx" + f.Authorization.Nonce
}

func nonceOf(p x402.PaymentPayload) string {
	var f fakePayment
	if err := json.Unmarshal(p.Payload, &f); err != nil {
		panic(err)
	}
	return f.Authorization.Nonce
}

// report sets the settlement header of the shop's version.
func (s *shop) report(w http.ResponseWriter, r x402.SettleResponse) {
	r.Network = x402.BaseSepolia
	h, err := x402.EncodeHeader(r)
	if err != nil {
		panic(err)
	}
	name := x402.HeaderPaymentResponse
	if s.version == x402.V1 {
		name = x402.HeaderPaymentResponseV1
	}
	w.Header().Set(name, h)
}

// movedCount is the number of payments that moved.
func (s *shop) movedCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.moved)
}

// sentNonces are the different payments that arrived.
func (s *shop) sentNonces() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[string]bool{}
	for _, n := range s.received {
		m[n] = true
	}
	return m
}

func (s *shop) sendings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.received)
}

// serve settles and hands over the goods; the same payment gets the same.
func serve(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
	s.report(w, x402.SettleResponse{Success: true, Transaction: s.settle(p), Payer: "0xpayer"})
	_, _ = io.WriteString(w, "goods")
}

// refuse answers 402 with a reason, without settling.
func refuse(reason string) behaviour {
	return func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) { s.challenge(w, reason) }
}

// status answers with a status, without settling.
func status(code int) behaviour {
	return func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		http.Error(w, "sorry", code)
	}
}

// takesMoneyThen settles and answers by next.
func takesMoneyThen(next behaviour) behaviour {
	return func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		s.settle(p)
		next(s, w, r, p)
	}
}

// settleFails answers 402 with a settlement that did not succeed.
func settleFails(reason, transaction string) behaviour {
	return func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		s.report(w, x402.SettleResponse{ErrorReason: x402.Reason(reason), Transaction: transaction})
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, "{}")
	}
}

// hangUp breaks the connection off.
func hangUp(*shop, http.ResponseWriter, *http.Request, x402.PaymentPayload) {
	panic(http.ErrAbortHandler)
}

// inProcess sends requests straight to a handler, so that tests may run in a
// synctest bubble. A handler that aborts is a broken connection.
type inProcess struct{ http.Handler }

func (t inProcess) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if req.Body != nil {
		if _, err := body.ReadFrom(req.Body); err != nil {
			return nil, err
		}
	}
	in := httptest.NewRequest(req.Method, req.URL.String(), &body).WithContext(req.Context())
	in.Header = req.Header.Clone()
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			resp, err = nil, io.ErrUnexpectedEOF
		} else if p != nil {
			panic(p)
		}
	}()
	t.ServeHTTP(w, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp = w.Result()
	resp.Request = req
	return resp, nil
}

// pays returns a payer of a handler, with a quick back-off.
func pays(t testing.TB, h http.Handler, change func(*payer.Config)) (*payer.Payer, *fakeSigner) {
	t.Helper()
	signer := &fakeSigner{}
	cfg := payer.Config{Signers: []payer.Signer{signer}, Base: inProcess{h}, Backoff: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	p, err := payer.New(cfg)
	require.NoError(t, err)
	return p, signer
}

// get requests the shop's thing.
func get(t testing.TB, p *payer.Payer, ctx context.Context) (*http.Response, error) {
	t.Helper()
	return p.RoundTrip(request(t, ctx, http.MethodGet, "https://shop.example/thing", nil))
}

func request(t testing.TB, ctx context.Context, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	require.NoError(t, err)
	return req
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(b)
}

// only is the one spending of a ledger.
func only(t testing.TB, l payer.Ledger) payer.Spending {
	t.Helper()
	all, err := l.Spendings(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func ledgerFile(t testing.TB) string { return filepath.Join(t.TempDir(), "ledger.jsonl") }

func openFile(t testing.TB, path string) *payer.FileLedger {
	t.Helper()
	l, err := payer.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func amount(t testing.TB, s string) x402.Amount {
	t.Helper()
	a, err := x402.ParseAmount(strings.TrimPrefix(s, "$"), 6)
	require.NoError(t, err)
	return a
}

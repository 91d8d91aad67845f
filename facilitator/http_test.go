package facilitator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// api is a facilitator behind its handler.
type api struct {
	chain   *chain
	token   *token
	journal *memory.Store
	service *facilitator.Service
	handler http.Handler
	log     *bytes.Buffer
}

// newAPI is one whose answers are checked against the specification.
func newAPI(t *testing.T, edits ...func(*facilitator.Config)) *api {
	a := newBareAPI(t, edits...)
	a.handler = specified(t, a.handler)
	return a
}

func newBareAPI(t testing.TB, edits ...func(*facilitator.Config)) *api {
	t.Helper()
	a := &api{token: newToken(), journal: memory.New(), log: new(bytes.Buffer)}
	a.chain = newChain(a.token, a.journal, "a")
	a.chain.mining = 0
	c := facilitator.Config{Chains: []facilitator.Chain{a.chain}, Journal: a.journal, Owner: "a", Logger: slog.New(slog.NewTextHandler(a.log, nil))}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	a.service, err = facilitator.New(c)
	require.NoError(t, err)
	a.handler = a.service.Handler()
	return a
}

func (a *api) do(method, path, body string, edits ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, edit := range edits {
		edit(r)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// body is p as the resource server sends it.
func body(t testing.TB, p x402.Payment) string {
	t.Helper()
	j, err := json.Marshal(p)
	require.NoError(t, err)
	return string(j)
}

func TestBothVersionsAreVerifiedAndSettledOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for version, network := range map[int]string{x402.V1: "base-sepolia", x402.V2: "eip155:84532"} {
		p := body(t, pay(version, version))
		require.Contains(t, p, network)
		w := a.do("POST", "/verify", p)
		require.Equal(t, 200, w.Code)
		require.JSONEq(t, `{"isValid":true,"payer":"`+alice+`"}`, w.Body.String())

		w = a.do("POST", "/settle", p)
		require.Equal(t, 200, w.Code)
		var got map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, true, got["success"])
		require.Equal(t, network, got["network"])
		require.NotEmpty(t, got["transaction"])
		require.Equal(t, alice, got["payer"])
		require.Equal(t, w.Body.String(), a.do("POST", "/settle", p).Body.String())
	}
	require.Equal(t, 2, a.token.count())
}

func TestAPaymentSentManyTimesAtOnceGetsOneAnswerFromAllReplicas(t *testing.T) {
	t.Parallel()
	journal, k := memory.New(), newToken()
	var replicas [2]http.Handler
	for i, owner := range []string{"a", "b"} {
		c := newChain(k, journal, owner)
		c.mining = time.Millisecond
		s := newService(t, journal, owner, c)
		run(t, s)
		replicas[i] = s.Handler()
	}
	for nonce := range 10 {
		sent := [2]string{body(t, pay(x402.V2, nonce)), body(t, pay(x402.V2, nonce, func(b *payload, _ *x402.PaymentRequirements) {
			b.Authorization.From = upper(alice) // the same payment in other bytes
		}))}
		answers := make([]string, 20)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				w := httptest.NewRecorder()
				replicas[i%2].ServeHTTP(w, httptest.NewRequest("POST", "/settle", strings.NewReader(sent[i/2%2])))
				assert.Equal(t, 200, w.Code)
				answers[i] = w.Body.String()
			})
		}
		wg.Wait()
		require.Contains(t, answers[0], `"success":true`)
		for _, answer := range answers {
			require.Equal(t, answers[0], answer)
		}
		require.Equal(t, nonce+1, k.count())
	}
}

func TestARefusedPaymentIsAnswered200(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	p := body(t, pay(x402.V1, 1, func(b *payload, _ *x402.PaymentRequirements) { b.Signature = "bad" }))
	w := a.do("POST", "/verify", p)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"isValid":false,"invalidReason":"invalid_exact_evm_signature","invalidMessage":"the signature is not the payer's","payer":"`+strings.ToLower(alice)+`"}`, w.Body.String())
	w = a.do("POST", "/settle", p)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"success":false,"errorReason":"invalid_exact_evm_signature","errorMessage":"the signature is not the payer's",
		"payer":"`+strings.ToLower(alice)+`","transaction":"","network":"base-sepolia"}`, w.Body.String())
}

func TestUnknownMembersAndNullsAndContentTypesAreAccepted(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	p := body(t, pay(x402.V2, 1))
	p = strings.Replace(p, `{"x402Version":2`, `{"future":{"a":[1]},"x402Version":2`, 1)
	p = strings.Replace(p, `"payload":{`, `"resource":null,"extensions":null,"new":1,"payload":{`, 1)
	w := a.do("POST", "/verify", p)
	require.JSONEq(t, `{"isValid":true,"payer":"`+alice+`"}`, w.Body.String())
	w = httptest.NewRecorder()
	a.service.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/verify", strings.NewReader(p)))
	require.Equal(t, 200, w.Code, "without a content type")
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, w := range []*httptest.ResponseRecorder{
		a.do("POST", "/verify", "{"), a.do("POST", "/settle", body(t, pay(x402.V2, 1))), a.do("GET", "/verify", ""),
		a.do("GET", "/supported", ""), a.do("GET", "/nowhere", ""), a.do("GET", "/health", ""), a.do("GET", "/openapi.yaml", ""),
	} {
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
		require.Equal(t, "1; mode=block", w.Header().Get("X-XSS-Protection"))
		require.Equal(t, "max-age=31536000; includeSubDomains", w.Header().Get("Strict-Transport-Security"))
		require.Equal(t, "default-src 'self'", w.Header().Get("Content-Security-Policy"))
	}
}

func TestOtherMethodsAndPathsAreRefusedInJSON(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/verify", 405, "POST"}, {"PUT", "/settle", 405, "POST"}, {"OPTIONS", "/settle", 405, "POST"},
		{"POST", "/supported", 405, "GET, HEAD"}, {"DELETE", "/settlements/x", 405, "GET, HEAD"}, {"POST", "/health", 405, "GET, HEAD"},
		{"GET", "/", 404, ""}, {"GET", "/settlements", 404, ""}, {"POST", "/verify/x", 404, ""}, {"GET", "/settlements/unknown", 404, ""},
	} {
		w := a.do(c.method, c.path, "")
		require.Equal(t, c.status, w.Code, "%s %s", c.method, c.path)
		require.Equal(t, c.allow, w.Header().Get("Allow"))
		var e struct{ Error string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e))
		require.NotEmpty(t, e.Error)
	}
	require.Equal(t, 200, a.do("HEAD", "/supported", "").Code)
}

func TestSupportedWritesV1NamesAndFamilies(t *testing.T) {
	t.Parallel()
	w := newAPI(t).do("GET", "/supported", "")
	require.JSONEq(t, `{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"},{"x402Version":1,"scheme":"exact","network":"base-sepolia"}],
		"extensions":[],"signers":{"eip155:*":["`+relayer+`"]}}`, w.Body.String())
}

func TestASettlementCanBeLookedUp(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	p := pay(x402.V2, 1)
	settled, err := a.service.Settle(t.Context(), p)
	require.NoError(t, err)
	id := settlementID(t, settled)
	w := a.do("GET", "/settlements/"+id, "")
	require.Equal(t, 200, w.Code)
	var got map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	for member, want := range map[string]string{
		"id": id, "state": "confirmed", "network": string(network), "scheme": "exact", "payer": alice, "payTo": shop,
		"asset": usdc, "amount": "10000", "transaction": settled.Transaction,
	} {
		require.Equal(t, want, got[member], member)
	}
	created, err := time.Parse(time.RFC3339, got["createdAt"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), created, time.Minute)
	require.Equal(t, time.UTC, created.Location())
	require.NotContains(t, w.Body.String(), "raw")
	require.NotContains(t, w.Body.String(), "signature")
}

func TestWhenTheChainCannotBeAskedTheAnswerIs503WithoutTheCause(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.chain.down.Store(true)
	for _, path := range []string{"/verify", "/settle"} {
		w := a.do("POST", path, body(t, pay(x402.V2, 1)))
		require.Equal(t, 503, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.NotContains(t, w.Body.String(), "secret")
		require.NotContains(t, w.Body.String(), "success")
	}
	require.Contains(t, a.log.String(), "connection refused")
}

func TestAuthorizeGuardsVerifyAndSettleOnly(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *facilitator.Config) { c.Authorize = facilitator.BearerToken("s3cret") })
	bearer := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	p := body(t, pay(x402.V2, 1))
	for _, value := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret "} {
		w := a.do("POST", "/settle", p, bearer(value))
		require.Equal(t, 401, w.Code, "%q", value)
		require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
		require.Equal(t, 401, a.do("POST", "/verify", p, bearer(value)).Code)
	}
	require.Zero(t, a.token.count())
	require.Equal(t, 200, a.do("POST", "/settle", p, bearer("bearer s3cret")).Code)
	require.Equal(t, 200, a.do("GET", "/supported", "").Code)
	require.Error(t, facilitator.BearerToken("")(httptest.NewRequest("POST", "/", nil)), "an empty token admits nobody")
}

func TestHealthTellsLoadBalancersOfTheEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	require.JSONEq(t, `{"status":"ok"}`, a.do("GET", "/health", "").Body.String())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, a.service.Run(ctx))
	w := a.do("GET", "/health", "")
	require.Equal(t, 503, w.Code)
	require.JSONEq(t, `{"status":"stopping"}`, w.Body.String())
	require.Equal(t, 503, a.do("POST", "/settle", body(t, pay(x402.V2, 1))).Code)
}

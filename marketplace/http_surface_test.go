package marketplace_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

func TestARequestWithAKeyIsCarriedOutOnce(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		ask := func(key, body string) *httptest.ResponseRecorder {
			return d.do("POST", "/marketplace/checkout/quote", body, "Idempotency-Key", key)
		}
		first := ask("k1", quoteBody(buyer))
		d.want(first, 200)
		d.pass(time.Hour)
		again := ask("k1", quoteBody(buyer))
		d.want(again, 200)
		require.Equal(t, first.Body.String(), again.Body.String())
		require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
		require.Empty(t, first.Header().Get("Idempotent-Replayed"))
		d.refused(ask("k1", quoteBody(sponsor)), 422, "idempotency_key_reused")
		other := ask("k2", quoteBody(buyer))
		d.want(other, 200)
		require.NotEqual(t, first.Body.String(), other.Body.String())
		d.refused(ask(strings.Repeat("k", 256), quoteBody(buyer)), 400, "invalid_request")
		d.pass(23 * time.Hour)
		require.NotEqual(t, first.Body.String(), ask("k1", quoteBody(buyer)).Body.String(), "it was forgotten after a day")

		// A refusal is not kept: what was wrong may be right later.
		q := d.quote(buyer)
		confirm := func() *httptest.ResponseRecorder {
			return d.do("POST", "/marketplace/checkout/confirm", confirmBody(q, buyer, 1), "Idempotency-Key", "k3")
		}
		d.refused(confirm(), 409, "tx_not_found")
		d.chain.mine(d.paid(q, 1))
		d.want(confirm(), 200)
		d.want(confirm(), 200)

		create := func(key string) *httptest.ResponseRecorder {
			return d.do("POST", "/marketplace/offers", newOffer("keyed", "1"), "Idempotency-Key", "k1", "Authorization", "Bearer "+key)
		}
		d.want(create(issuerKey), 201)
		d.want(create(issuerKey), 201)
		d.refused(create(adminKey), 409, "offer_exists") // the key is each actor's own
	})
}

func TestOfManyRequestsWithOneKeyAtOnceOneIsCarriedOut(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	answers := make([]*httptest.ResponseRecorder, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			r := httptest.NewRequest("POST", "/marketplace/checkout/quote", strings.NewReader(quoteBody(buyer)))
			r.Header.Set("Idempotency-Key", "k")
			answers[i] = httptest.NewRecorder()
			d.service.Handler().ServeHTTP(answers[i], r)
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, w := range answers {
		if w.Code == 200 {
			seen[w.Body.String()] = true
			continue
		}
		d.refused(w, 409, "idempotency_key_in_use")
	}
	require.Len(t, seen, 1)
}

func TestStrangersAreLimitedAndIssuersAreNot(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *config) { c.RateLimit = 3 })
	for range 3 {
		d.want(d.do("POST", "/marketplace/checkout/quote", quoteBody(buyer)), 200)
	}
	w := d.do("POST", "/marketplace/checkout/quote", quoteBody(buyer))
	d.refused(w, 429, "rate_limited")
	require.Equal(t, "20", w.Header().Get("Retry-After"))
	d.want(d.do("GET", "/marketplace/offers", ""), 200)
	for range 5 {
		d.want(d.issuer("POST", "/marketplace/checkout/quote", quoteBody(buyer)), 200)
		d.want(d.do("POST", "/marketplace/entitlements/verify", `{"wallet":"`+buyer+`","offer_id":"x"}`), 200)
	}
	d.pass(20 * time.Second)
	d.want(d.do("POST", "/marketplace/checkout/quote", quoteBody(buyer)), 200)
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, request := range []string{"GET /marketplace/offers", "GET /nothing", "PUT /marketplace/offers", "POST /marketplace/checkout/quote", "GET /marketplace/openapi.yaml"} {
		method, path, _ := strings.Cut(request, " ")
		h := d.do(method, path, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'self'",
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
		} {
			require.Equal(t, want, h.Get(name), request)
		}
	}
	w := d.do("PUT", "/marketplace/offers", "")
	require.Equal(t, "GET, HEAD, POST", w.Header().Get("Allow"))
	require.Regexp(t, "^req_", w.Header().Get("X-Correlation-Id"))
	require.Equal(t, 200, d.do("HEAD", "/marketplace/offers", "").Code)
}

func TestTheMarketplaceWorksUnderAPrefix(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	h := http.StripPrefix("/shop", d.service.Handler())
	for path, want := range map[string]int{"/shop/marketplace/offers/" + offerID: 200, "/shop/nothing": 404, "/marketplace/offers": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, want, w.Code, path)
	}
}

func TestAFailureIsLoggedAndNotTold(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	q := d.quote(buyer)
	d.chain.stop(errDown)
	w := d.do("POST", "/marketplace/checkout/confirm", confirmBody(q, buyer, 1))
	d.refused(w, 503, "chain_unavailable")
	require.NotContains(t, w.Body.String(), errDown.Error())
	require.Contains(t, w.Body.String(), `"details":{"retryable":true}`)
	require.Contains(t, d.log.String(), errDown.Error())
	require.Contains(t, d.log.String(), w.Header().Get("X-Correlation-Id"))
}

func TestTheSpecificationIsServedAsItIs(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	w := openDesk(t).do("GET", "/marketplace/openapi.yaml", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, string(want), w.Body.String())
}

func TestWhatIsSpecifiedIsServed(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	d := openDesk(t)
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		if strings.HasSuffix(path, "/pay/{quote_id}") {
			continue // served by the till
		}
		for method, operation := range item.Operations() {
			w := d.do(method, parameter.ReplaceAllString(path, "1"), "")
			var got struct{ Code string }
			_ = json.Unmarshal(w.Body.Bytes(), &got) // openapi.yaml is none
			require.NotEqual(t, "not_found", got.Code, "%s %s", method, path)
			require.NotEqual(t, 405, w.Code, "%s %s", method, path)
			security := *cmp.Or(operation.Security, &doc.Security)
			if len(security) > 0 && len(security[0]) > 0 {
				require.GreaterOrEqual(t, w.Code, 400, "%s %s: strangers may not", method, path)
			}
		}
	}
}

// FuzzHandler sends anything, as an issuer or a stranger.
func FuzzHandler(f *testing.F) {
	bodies := []string{
		``, `{}`, quoteBody(buyer), newOffer("new.offer", "1"), `{"wallet":"` + buyer + `"}`, `{"quote_id":"cq_1","wallet":"` + buyer + `","tx_hash":"` + hash(1) + `","chain_id":1e400}`,
		`{"status":"active"}`, `{"expires_at":"2026-03-01T00:00:00Z"}`, `{"instance_id":"\u0000"}`, `{"policies":{"member_only":null}}`, `[`, "\xff",
	}
	for i, path := range []string{
		"/marketplace/offers", "/marketplace/offers/x/status", "/marketplace/checkout/quote", "/marketplace/checkout/confirm", "/marketplace/entitlements/verify",
		"/marketplace/entitlements?wallet=" + buyer + "&limit=1", "/marketplace/entitlements/ent:1/extend", "/marketplace/entitlements/x/activations", "/secret/wallet/intent",
		"/secret/wallet/verify", "/secret/membership/quote", "/marketplace/memberships/%2F", "/marketplace/issuers/a.b", "/",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			f.Add(method, path, bodies[i%len(bodies)])
		}
	}
	d := openDesk(f)
	h := d.service.Handler()
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || method == "" || strings.ContainsAny(method, " \r\n\t") {
			return // what the server of net/http refuses
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		if len(body)%2 == 0 {
			r.Header.Set("Authorization", "Bearer "+issuerKey)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 503 {
			return // no contract, no chain
		}
		require.Less(t, w.Code, 500, "%s%s", w.Body, d.log)
		if w.Header().Get("Content-Type") != "application/json" {
			return
		}
		require.True(t, json.Valid(w.Body.Bytes()), "%s", w.Body)
		if w.Code >= 400 {
			var got struct {
				Error, Message, Code string
				ID                   string `json:"correlation_id"`
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
			require.NotEmpty(t, got.Message)
			require.NotEmpty(t, got.ID)
			require.Equal(t, got.Error, got.Code)
		}
	})
}

func TestOnlyTheWholeTokenIsOfAnActor(t *testing.T) {
	t.Parallel()
	authenticate := marketplace.BearerTokens(map[string]marketplace.Actor{adminKey: {Admin: true}, "": {Admin: true}})
	for header, want := range map[string]bool{"Bearer " + adminKey: true, "bearer " + adminKey: true, "Basic " + adminKey: false, "": false, "Bearer ": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		actor, err := authenticate(r)
		require.NoError(t, err, header)
		require.Equal(t, want, actor.Admin, header)
	}
	for _, header := range []string{"Bearer " + adminKey + "x", "Bearer " + adminKey[1:], "Bearer guess"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		_, err := authenticate(r)
		require.Error(t, err, header)
	}
}

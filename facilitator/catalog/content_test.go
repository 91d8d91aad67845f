package catalog_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/catalog/content"
	"github.com/v402/v402/x402"
)

func TestAGuardedHandlerServesThoseWhoPaid(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("api", func(p *catalog.Product) { p.MaxAccesses = 3 })
	ran := 0
	guarded := s.service.Guard("api")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ran++
		a, ok := catalog.AccessFrom(r.Context())
		require.True(t, ok)
		_, _ = fmt.Fprint(w, "the goods by ", a.Grant.ID)
	}))
	ask := func(headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/premium?of=1", nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		return w
	}
	w := ask()
	v2, _ := challenge(t, w)
	require.Equal(t, "https://shop.example/premium?of=1", v2.Resource.URL)
	header, value := s.sign(x402.V2, w)
	w = ask(header, value)
	require.Equal(t, 200, w.Code, "%s", w.Body)
	require.Contains(t, w.Body.String(), "the goods by grant-")
	require.NotEmpty(t, w.Header().Get(x402.HeaderPaymentResponse))
	token := w.Header().Get(catalog.HeaderAccessToken)
	require.Equal(t, 200, ask(header, value).Code, "the answer was perhaps lost: this is not another access")
	s.wait(time.Minute)
	require.Equal(t, "PAYMENT_ALREADY_USED", refused(t, ask(header, value), 403, "FORBIDDEN")["code"])
	for range 2 {
		require.Equal(t, 200, ask(catalog.HeaderAccessToken, token).Code)
	}
	require.Equal(t, "ACCESS_EXHAUSTED", refused(t, ask(header, value), 403, "FORBIDDEN")["code"])
	refused(t, ask("Authorization", "Bearer "+token), 403, "FORBIDDEN")
	require.Equal(t, 4, ran)
	require.Equal(t, 1, s.facilitator.count())
	s.sell("other")
	header, value = s.sign(x402.V2, s.access("other"))
	require.Equal(t, 402, ask(header, value).Code, "a payment for another resource")
	refused(t, ask("Authorization", "Bearer eve"), 403, "ACCOUNT_SUSPENDED")
}

// origin is where content is kept: it serves those who bring a signed URL.
func origin(t *testing.T, s *kiosk, serve http.HandlerFunc) *httptest.Server {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := content.Verifier{Keys: []string{s.service.ContentKey("ann")}, Now: s.now}
		if _, err := v.Request("course", r); err != nil {
			http.Error(w, err.Error(), http.StatusPaymentRequired)
			return
		}
		serve(w, r)
	}))
	t.Cleanup(site.Close)
	return site
}

func loopback(c *catalog.Config) { c.Payments.AllowLoopback = true }

func TestContentIsPassedOnToThoseWhoPaid(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, loopback)
	site := origin(t, s, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("X-Forwarded-For")+r.Header.Get(catalog.HeaderAccessToken) != "" {
			http.Error(w, "what is the buyer's own is not passed on", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Set-Cookie", "a=b")
		http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("the whole course"))
	})
	s.sell("course", func(p *catalog.Product) { p.ContentURL = site.URL + "/course?part=1" })
	w, _, _ := s.buy("course")
	token := answer(t, w)["access_token"].(string)
	stream := "/api/v1/clients/content/course/stream"
	w = s.send("GET", stream, nil, catalog.HeaderAccessToken, token, "Cookie", "c=d", "Range", "bytes=4-8")
	require.Equal(t, 206, w.Code, "%s", w.Body)
	require.Equal(t, "whole", w.Body.String())
	require.Empty(t, w.Header().Get("Set-Cookie"))
	require.Equal(t, "sandbox; default-src 'none'", w.Header().Get("Content-Security-Policy"))
	require.Equal(t, "the whole course", s.send("GET", stream+"?token="+token, nil).Body.String())

	w = s.send("GET", "/api/v1/clients/content/course/redirect?token="+token, nil)
	require.Equal(t, 302, w.Code)
	u, err := url.Parse(w.Header().Get("Location"))
	require.NoError(t, err)
	require.Equal(t, site.URL, u.Scheme+"://"+u.Host)
	require.Equal(t, "/course", u.Path)
	require.True(t, strings.HasPrefix(u.RawQuery, "part=1&token=v1."))
	for _, way := range []string{"stream", "redirect"} {
		require.Equal(t, 402, s.send("GET", "/api/v1/clients/content/course/"+way, nil).Code)
		refused(t, s.send("GET", "/api/v1/clients/content/course/"+way+"?token=x", nil), 403, "FORBIDDEN")
		refused(t, s.send("GET", "/api/v1/clients/content/none/"+way+"?token="+token, nil), 404, "NOT_FOUND")
	}
}

func TestAnAccessIsFetchedForAWhileAndThenCountsAgain(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", func(p *catalog.Product) { p.MaxAccesses = 2 })
	w, _, _ := s.buy("course")
	fetch := func() int {
		return s.send("GET", "/api/v1/clients/content/course/redirect?token="+answer(t, w)["access_token"].(string), nil).Code
	}
	for range 5 {
		require.Equal(t, 302, fetch())
	}
	s.wait(15 * time.Minute)
	for range 2 {
		require.Equal(t, 302, fetch(), "the second access")
	}
	s.wait(15 * time.Minute)
	require.Equal(t, 403, fetch())
}

func TestAConfirmationThatIsRepeatedGivesNoAccessThatDoesNotCount(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether, func(p *catalog.Product) { p.MaxAccesses = 2 })
	id, hash := s.create("course"), s.chain.put(1, kioskOpening)
	got := 0
	for range 5 {
		status, v := s.confirm(id, hash)
		require.Equal(t, 200, status, "%v", v)
		if token, ok := v["access_token"].(string); ok && s.send("GET", "/api/v1/clients/content/course/redirect?token="+token, nil).Code == 302 {
			got++
		}
		s.wait(16 * time.Minute)
	}
	require.Equal(t, 2, got)
}

func TestATokenForANumberOfAccessesIsNoProofAtTheProvider(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	s.sell("api", func(p *catalog.Product) { p.MaxAccesses = 1 })
	verifier := content.Verifier{Keys: []string{s.service.ContentKey("ann")}, Now: s.now}
	for product, want := range map[string]error{"course": nil, "api": content.ErrCounted} {
		w, _, _ := s.buy(product)
		token := answer(t, w)["access_token"].(string)
		for _, way := range []func(*http.Request){
			func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
			func(r *http.Request) { r.URL.RawQuery = "token=" + token },
			func(r *http.Request) { r.URL.RawQuery = "token=" + token + "&page=1" },
		} {
			r := httptest.NewRequest("GET", "https://example.com/content/"+product, nil)
			way(r)
			_, err := verifier.Request(product, r)
			require.ErrorIs(t, err, want, product)
		}
		_, err := verifier.Request(product, httptest.NewRequest("GET", answer(t, w)["content_url"].(string), nil))
		require.NoError(t, err)
	}
}

func TestAProviderCannotUseUpTheGrantOfAnother(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("api", func(p *catalog.Product) { p.MaxAccesses = 2 })
	s.sell("trap", func(p *catalog.Product) { p.OwnerID = "mallory" })
	w, _, _ := s.buy("api")
	grant := answer(t, w)["grant"].(map[string]any)["id"].(string)
	for _, counted := range []bool{false, true} {
		token, err := content.Token(s.service.ContentKey("mallory"), content.Ticket{
			Grant: grant, Product: "trap", Counted: counted, IssuedAt: s.now(), Expires: s.now().Add(time.Hour),
		})
		require.NoError(t, err)
		refused(t, s.access("trap", catalog.HeaderAccessToken, token), 403, "FORBIDDEN")
		refused(t, s.send("GET", "/api/v1/clients/content/trap/redirect?token="+token, nil), 403, "FORBIDDEN")
	}
	require.Equal(t, http.StatusOK, s.access("api", catalog.HeaderAccessToken, answer(t, w)["access_token"].(string)).Code)
}

func TestContentInsideOurNetworkIsNotPassedOn(t *testing.T) {
	t.Parallel()
	asked := 0
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(site.Close)
	for _, address := range []string{site.URL, "https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "https://localhost/"} {
		s := openKiosk(t)
		s.sell("course", func(p *catalog.Product) { p.ContentURL = address })
		w, _, _ := s.buy("course")
		w = s.send("GET", "/api/v1/clients/content/course/stream?token="+answer(t, w)["access_token"].(string), nil)
		refused(t, w, 400, "INVALID_STATE")
	}
	require.Zero(t, asked)
}

func TestContentThatIsNoneIsNotPassedOn(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "stack trace", http.StatusInternalServerError)
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "101")
			_, _ = w.Write(make([]byte, 101))
		},
		"a broken line": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		s := openKiosk(t, loopback, func(c *catalog.Config) { c.Payments.MaxContent = 100 })
		site := origin(t, s, serve)
		s.sell("course", func(p *catalog.Product) { p.ContentURL = site.URL })
		w, _, _ := s.buy("course")
		w = s.send("GET", "/api/v1/clients/content/course/stream?token="+answer(t, w)["access_token"].(string), nil)
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.NotContains(t, w.Body.String(), "stack trace")
		require.NotEmpty(t, answer(t, w)["error"])
	}
}

func TestTheProxyStopsWhenTheBuyerLeaves(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, loopback)
	ended := make(chan struct{})
	site := origin(t, s, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	})
	s.sell("course", func(p *catalog.Product) { p.ContentURL = site.URL })
	w, _, _ := s.buy("course")
	front := httptest.NewServer(s.service.Handler()) // which is not held back to be checked
	t.Cleanup(front.Close)
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get(front.URL + "/api/v1/clients/content/course/stream?token=" + answer(t, w)["access_token"].(string))
	require.NoError(t, err)
	b := make([]byte, 13)
	_, err = io.ReadFull(resp.Body, b)
	require.NoError(t, err)
	require.Equal(t, "the beginning", string(b))
	require.NoError(t, resp.Body.Close())
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		require.Fail(t, "the content's server still sends")
	}
}

func TestAKeyThatChangedStillVerifiesWhatTheOldOneSigned(t *testing.T) {
	t.Parallel()
	old := []byte(strings.Repeat("o", 32))
	before := openKiosk(t, func(c *catalog.Config) { c.Payments.Secret = old })
	before.sell("course")
	w, _, _ := before.buy("course")
	after, err := catalog.New(catalog.Config{
		Store: before.store, Now: before.now, Payments: catalog.PaymentConfig{Secret: []byte(strings.Repeat("n", 32)), OldSecrets: [][]byte{old}},
	})
	require.NoError(t, err)
	request := catalog.AccessRequest{ProductID: "course", Token: answer(t, w)["access_token"].(string)}
	_, err = after.Access(t.Context(), request)
	require.NoError(t, err)
	w = before.send("GET", "/api/v1/providers/content-key", nil, "Authorization", "Bearer ann")
	require.Equal(t, before.service.ContentKey("ann"), answer(t, w)["content_key"])
	require.NotEqual(t, before.service.ContentKey("ann"), before.service.ContentKey("bob"))
}

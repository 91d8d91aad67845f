package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

func TestUnknownPathsAndMethodsAreAnsweredInTheFormOfTheAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	for _, path := range []string{"/", "/api", "/api/", "/api/nothing", "/api/sales/", "/api//sales", "/api/contracts/", "/index.php", "/api/platforms/status/", "/api/admin", "/api/sales/1/void/"} {
		method := "GET"
		if strings.Contains(path, "sales/1") {
			method = "POST"
		}
		a.same(a.do(method, path, ""), 404, `{"success":false,"message":"There is no such path; see GET /api/registry/openapi.yaml","data":null}`)
	}
	for request, allowed := range map[string]string{
		"DELETE /api/sales":                       "GET, HEAD, POST",
		"GET /api/platforms/register":             "POST",
		"POST /api/platforms/me":                  "GET, HEAD, PUT",
		"PATCH /api/contracts/x/revoke":           "GET, HEAD, PUT",
		"POST /api/platforms/status/a@b.example":  "GET, HEAD",
		"OPTIONS /api/mirrors":                    "GET, HEAD, POST",
		"PUT /api/mirrors/Qm":                     "DELETE, GET, HEAD",
		"BREW /api/contracts/x/royalty":           "DELETE, GET, HEAD, PUT",
		"PUT /api/admin/applications/1/reject":    "POST",
		"POST /api/registry/openapi.yaml":         "GET, HEAD",
		"DELETE /api/sales/export.csv":            "GET, HEAD",
		"DELETE /api/settlements/7":               "GET, HEAD",
		"POST /api/settlements/7.csv":             "GET, HEAD",
		"POST /api/admin/applications/pending":    "GET, HEAD",
		"GET /api/platforms/me/api-key/rotate":    "POST",
		"POST /api/publications/QmOriginalConten": "GET, HEAD",
	} {
		method, path, _ := strings.Cut(request, " ")
		w := a.do(method, path, "")
		a.same(w, 405, fmt.Sprintf(`{"success":false,"message":"This path answers %s only","data":null}`, allowed))
		require.Equal(t, allowed, w.Header().Get("Allow"), request)
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	m := a.join("Platform A")
	for _, w := range []*httptest.ResponseRecorder{
		a.do("GET", "/nothing", ""), a.do("DELETE", "/api/sales", ""), a.do("GET", "/api/sales", ""), a.admin("GET", "/api/admin/stats", ""),
		m.do("GET", "/api/platforms/me", ""), m.do("POST", "/api/sales", "{"), m.do("GET", "/api/sales/export.csv", ""), a.do("GET", "/api/registry/openapi.yaml", ""),
		m.do("HEAD", "/api/platforms/me", ""),
	} {
		h := w.Header()
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "DENY", h.Get("X-Frame-Options"))
		require.NotEmpty(t, h.Get("Strict-Transport-Security"))
		require.Equal(t, "default-src 'self'", h.Get("Content-Security-Policy"))
		if h.Get("Content-Type") != "application/yaml" {
			require.Equal(t, "no-store", h.Get("Cache-Control"), "keys and sums are not for caches")
		}
	}
	require.Equal(t, "Bearer", a.do("GET", "/api/admin/stats", "").Header().Get("WWW-Authenticate"))
}

func TestLargeBodiesAreRefusedWithoutReadingThemAll(t *testing.T) {
	t.Parallel()
	s := backends["memory"](t)
	a := newAPI(t, s)
	m := a.join("Platform A")
	m.publish("hash1")
	h := a.service.Handler() // without the recorder, which reads all
	for path, limit := range map[string]int{
		"/api/platforms/register": 64 << 10, "/api/contracts/register": 1 << 20, "/api/contracts/validate": 64 << 10,
		"/api/sales": 64 << 10, "/api/sales/batch": 8 << 20, "/api/mirrors": 64 << 10,
	} {
		for _, declared := range []int64{-1, 1 << 40} {
			in := &endless{}
			r := httptest.NewRequest("POST", path, in)
			r.ContentLength = declared
			r.Header.Set("X-API-Key", m.key)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			a.same(w, 413, `{"success":false,"message":"The request body is too large","data":null}`)
			require.LessOrEqual(t, in.read, 3*limit)
		}
	}
	in := &endless{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/api/sales", in))
	require.Equal(t, 401, w.Code)
	require.Zero(t, in.read, "strangers are not listened to")

	fits := `{"contract_hash":"hash1"}`
	fits += strings.Repeat(" ", 64<<10-len(fits))
	a.want(m.do("POST", "/api/contracts/validate", fits), 200)
	a.want(m.do("POST", "/api/contracts/validate", fits+" "), 413)
}

// endless is a body without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestTheStatusOfApplicationsIsToldFiveTimesAMinute(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	a.want(a.do("POST", "/api/platforms/register", application("ann@example.com", "Books")), 201)
	ask := func(client string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/api/platforms/status/ann@example.com", nil)
		r.RemoteAddr = client
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w
	}
	for i := range 5 {
		w := ask(fmt.Sprintf("192.0.2.1:%d", 1000+i))
		a.want(w, 200)
		require.Equal(t, fmt.Sprint(4-i), w.Header().Get("X-RateLimit-Remaining"))
	}
	w := ask("192.0.2.1:99")
	a.same(w, 429, `{"success":false,"message":"Too many attempts; try again later","data":null}`)
	require.Equal(t, "12", w.Header().Get("Retry-After"))
	require.Equal(t, "5", w.Header().Get("X-RateLimit-Limit"))
	a.want(ask("[::ffff:192.0.2.1]:5"), 429) // the same client
	a.want(ask("192.0.2.2:99"), 200)         // another
	a.pass(11 * time.Second)
	a.want(ask("192.0.2.1:99"), 429)
	a.pass(time.Second)
	a.want(ask("192.0.2.1:99"), 200)
	a.want(ask("192.0.2.1:99"), 429)
	a.pass(time.Minute)
	for range 5 {
		a.want(ask("192.0.2.1:99"), 200)
	}
	a.want(ask("192.0.2.1:99"), 429)

	for i := range 5 { // the addresses of one IPv6 network are one client
		a.want(ask(fmt.Sprintf("[2001:db8::%x]:1", i+1)), 200)
	}
	a.want(ask("[2001:db8::ffff:1]:1"), 429)
	a.want(ask("[2001:db8:0:1::1]:1"), 200)
	a.want(ask("@"), 200) // a socket without addresses
}

func TestOneClientAppliesTwentyTimesAMinute(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	apply := func(client, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/api/platforms/register", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = client
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w
	}
	a.want(apply("192.0.2.1:1", application("ann@example.com", "Books")), 201)
	for range 19 {
		a.want(apply("192.0.2.1:2", "{}"), 422)
	}
	w := apply("192.0.2.1:3", application("ben@example.com", "Records"))
	a.same(w, 429, `{"success":false,"message":"Too many attempts; try again later","data":null}`)
	require.Equal(t, "3", w.Header().Get("Retry-After"))
	a.want(apply("192.0.2.2:1", application("ben@example.com", "Records")), 201)
	a.pass(3 * time.Second)
	a.want(apply("192.0.2.1:3", application("eve@example.com", "Films")), 201)
}

func TestNoLogHasAnEmail(t *testing.T) {
	t.Parallel()
	a := newAPI(t, broken{backends["memory"](t)})
	a.want(a.do("GET", "/api/platforms/status/ann@example.com", ""), 500)
	require.Contains(t, a.log.String(), "GET /api/platforms/status/{email...}")
	require.Contains(t, a.log.String(), "the disk is full")
	require.NotContains(t, a.log.String(), "example.com")
}

// broken is a store that finds no e-mail.
type broken struct{ backend }

func (broken) PlatformByEmail(context.Context, string) (registry.Platform, error) {
	return registry.Platform{}, errors.New("the disk is full")
}

func TestTheRateLimitForgetsClientsRatherThanFillTheMemory(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	h := a.service.Handler()
	ask := func(client string) int {
		r := httptest.NewRequest("GET", "/api/platforms/status/ann@example.com", nil)
		r.RemoteAddr = client
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range 5 {
		require.Equal(t, 404, ask("192.0.2.1:1"))
	}
	require.Equal(t, 429, ask("192.0.2.1:1"))
	for i := range 20_000 {
		require.Equal(t, 404, ask(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)))
	}
	require.Equal(t, 404, ask("192.0.2.1:1"), "it is still remembered")
}

func TestAnEmbedderSaysWhoTheClientAndTheAdminAre(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *registry.Config) {
		c.ClientAddr = func(r *http.Request) string { return r.Header.Get("X-Real-IP") }
		c.Admin = func(r *http.Request) (string, error) {
			switch user := r.Header.Get("X-User"); user {
			case "":
				return "", registry.ErrAdminRequired
			case "eve":
				return "", registry.ErrAdminForbidden
			case "bug":
				return "", fmt.Errorf("the session store is down")
			default:
				return "user:" + user, nil
			}
		}
	})
	for i := range 6 {
		want := 404
		if i == 5 {
			want = 429
		}
		a.want(a.do("GET", "/api/platforms/status/x@example.com", "", "X-Real-IP", "192.0.2.1"), want)
	}
	a.want(a.do("GET", "/api/platforms/status/x@example.com", "", "X-Real-IP", "192.0.2.2"), 404)

	a.want(a.do("GET", "/api/admin/stats", ""), 401)
	a.want(a.do("GET", "/api/admin/stats", "", "X-User", "eve"), 403)
	a.same(a.do("GET", "/api/admin/stats", "", "X-User", "bug"), 500, `{"success":false,"message":"Internal server error","data":null}`)
	require.Contains(t, a.log.String(), "the session store is down")
	a.want(a.do("POST", "/api/platforms/register", application("ann@example.com", "Books")), 201)
	a.want(a.do("POST", "/api/admin/applications/1/approve", "", "X-User", "ada"), 200)
	require.Contains(t, a.do("GET", "/api/admin/audit?actor=user:ada", "", "X-User", "ada").Body.String(), `"action":"application.approve"`)
}

func TestWithoutConfigAdminNobodyIsAdmin(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *registry.Config) { c.Admin = nil })
	a.want(a.admin("GET", "/api/admin/stats", ""), 401)
	a = newAPI(t, backends["memory"](t), func(c *registry.Config) { c.Admin = registry.BearerToken("ada", "") })
	a.want(a.do("GET", "/api/admin/stats", "", "Authorization", "Bearer "), 401)
	a.want(a.do("GET", "/api/admin/stats", "", "Authorization", "Bearer x"), 403)
}

package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/middleware"
)

// routes guards patterns, each for its own price in units of 0.01.
func routes(t testing.TB, patterns ...string) (*middleware.Guard, error) {
	t.Helper()
	cfg := middleware.Config{Facilitator: &fake{}}
	for i, p := range patterns {
		cfg.Routes = append(cfg.Routes, middleware.Route{Pattern: p, Offers: []middleware.Offer{cents(fmt.Sprintf("0.%02d", i+1))}})
	}
	return middleware.New(cfg)
}

// ask sends a request with an encoded path and returns the status and price.
func ask(t testing.TB, h http.Handler, method, encoded string) (status int, amount string) {
	t.Helper()
	u, err := url.ParseRequestURI(encoded)
	require.NoError(t, err)
	r := httptest.NewRequest(method, "/", nil)
	r.URL = u
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusPaymentRequired {
		amount = challenge(t, w.Header()).Accepts[0].Amount.String()
	}
	return w.Code, amount
}

func TestTheMostSpecificRouteIsChosen(t *testing.T) {
	t.Parallel()
	_, err := routes(t,
		"GET /a", "/a/{id}", "GET /a/{id}", "/a/b", "/a/{id}/c", "/files/{path...}", "/files/x/*", "POST /files/x/y", "/{$}", "HEAD /a", "/deep/{x}/{y}/z", "/deep/{x}/w/{z...}")
	require.Error(t, err, "GET /a/{id} and /a/b overlap")
	require.ErrorContains(t, err, `"GET /a/{id}" and "/a/b" overlap`)
	g, err := routes(t,
		"GET /a", "/a/{id}", "GET /a/b", "/a/b", "/a/{id}/c", "/files/{path...}", "/files/x/*", "POST /files/x/y", "/{$}", "HEAD /a", "/Über/%2f")
	require.NoError(t, err)
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	for _, c := range []struct {
		method, path string
		want         int // which pattern, from 1; 0 for none
	}{
		{"GET", "/a", 1}, {"get", "/a", 1}, {"HEAD", "/a", 10}, {"POST", "/a", 0}, {"GET", "/a/", 1}, {"GET", "/A", 1},
		{"GET", "/a/1", 2}, {"DELETE", "/a/1/", 2}, {"GET", "/a/b", 3}, {"HEAD", "/a/b", 3}, {"PUT", "/a/b", 4},
		{"GET", "/a/1/c", 5}, {"GET", "/a/b/c", 5}, {"GET", "/a/1/d", 0},
		{"GET", "/files", 6}, {"GET", "/files/", 6}, {"GET", "/files/a/b/c", 6}, {"GET", "/FILES/X", 7}, {"GET", "/files/x/1/2", 7},
		{"POST", "/files/x/y", 8}, {"GET", "/files/x/y", 7}, {"POST", "/files/x/y/z", 7}, {"GET", "/filesx", 0},
		{"GET", "/", 9}, {"GET", "/b", 0}, {"GET", "/%C3%BCber/%2F", 11}, {"GET", "/%C3%9CBER/%252F", 11},
	} {
		status, amount := ask(t, h, c.method, c.path)
		if c.want == 0 {
			require.Equal(t, 200, status, "%s %s", c.method, c.path)
			continue
		}
		require.Equal(t, 402, status, "%s %s", c.method, c.path)
		require.Equal(t, fmt.Sprint(c.want*10000), amount, "%s %s", c.method, c.path)
	}
}

func TestPatternsThatOverlapWithoutAnOrderAreErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		says string
	}{
		{"/a", "/a", "same requests"},
		{"GET /a", "GET /A", "same requests"},
		{"/a", "/%61", "same requests"},
		{"/a/{x}", "/a/{y}", "same requests"},
		{"/a/", "/a/*", "same requests"},
		{"/a/{x...}", "/a/*", "same requests"},
		{"/a/{x}", "/{y}/b", "overlap"},
		{"/a/{x...}", "/{y}/b", "overlap"},
		{"GET /a/{x}", "/a/b", "overlap"},
		{"HEAD /{x}", "GET /a", "overlap"},
		{"GET /a", "POST /a", ""},
		{"/a", "/b", ""},
		{"/a", "/a/b", ""},
		{"/a/{x}", "/a/{x}/b", ""},
		{"/a/{x}", "/{y}", ""},
		{"/a", "GET /a", ""},
		{"/a/{x}", "GET /a/b", ""},
		{"/", "/{$}", ""},
		{"/a/*", "/a", ""},
	} {
		for _, pair := range [][]string{{c.a, c.b}, {c.b, c.a}} {
			_, err := routes(t, pair...)
			if c.says == "" {
				require.NoError(t, err, "%v", pair)
			} else {
				require.ErrorContains(t, err, c.says, "%v", pair)
			}
		}
	}
}

func TestBadPatternsAreErrors(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", "paid", "shop.example/paid", "GET", "get /paid", "GET paid", "OPTIONS /paid", "/a//b", "/a/../b", "/a/./b", "/{", "/{}", "/a{x}", "/{x...}/b", "/{$}/a", "/*/a", "/a*", "/a?b", "/a#b", `/a\b`, "/a;b", "/%00", "/{...}x", "/%2525252525252541", "/" + strings.Repeat("a", 9000)} {
		_, err := routes(t, p)
		require.ErrorContains(t, err, "pattern", "%q", p)
	}
}

// bypasses are spellings with which a handler behind a mux, a file server, a
// proxy or a rewrite might be reached.
var bypasses = []string{
	"/api/paid", "/api/paid/", "/API/PAID", "/Api/paid", "//api/paid", "/api//paid", "/api/./paid", "/./api/paid",
	"/x/../api/paid", "/api/x/../paid", "/api/paid/x/..", "/../api/paid", "/api/paid/.", "/api/paid//",
	"/%61pi/paid", "/api/%70%61id", "/api%2Fpaid", "/api%2fpaid", "%2Fapi/paid", "/%2Fapi%2Fpaid", "/api%252Fpaid", "/api%25252Fpaid",
	"/api/%2570aid", "/api/%252570aid", "/x/%2e%2e/api/paid", "/x/%2E%2e/api/paid", "/x/%252e%252e/api/paid", "/x%2F..%2Fapi%2Fpaid",
	"/api/%2e/paid", "/api/paid%0A", "/api/paid%0a%0a", "/api%0A/paid", "/api/paid%0D", "/api/paid%00", "/api/paid%00.html", "/api/paid%2500x",
	"/api/paid;v=1", "/api;x/paid", "/api/paid;", "/api/paid%3Bv=1", "/api/paid%3Fx", "/api/paid%23x",
	`/api\paid`, "/api%5Cpaid", "/api%255Cpaid", `\api\paid`, "/x/..%5Capi%5Cpaid", "/%5Capi/paid", "/api/pa%09id", "/api/%7F%70aid", "/api/pa\u0130d",
	"/x/..;/api/paid", "/api/x/..;a/paid",
}

func TestNoSpellingOfAPathPassesTheGuard(t *testing.T) {
	t.Parallel()
	g, err := routes(t, "/api/paid")
	require.NoError(t, err)
	mux := http.NewServeMux()
	var ran atomic.Int64
	mux.HandleFunc("/api/paid", func(http.ResponseWriter, *http.Request) { ran.Add(1) })
	h := g.Wrap(mux)
	for _, target := range bypasses {
		for _, method := range []string{"GET", "HEAD", "POST", "CONNECT", "WHATEVER", "OPTIONS"} {
			r := httptest.NewRequest(method, "/", nil)
			r.URL = bypassURL(target)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			want := 402
			if method == "OPTIONS" {
				want = 204
			}
			require.Equal(t, want, w.Code, "%s %q", method, target)
		}
	}
	require.Zero(t, ran.Load())
	for _, target := range []string{"/api/paidx", "/api", "/paid", "/api/pai", "/api/paid/x", "/x/api/paid"} {
		r := httptest.NewRequest("GET", target, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, 404, w.Code, target)
	}
}

// bypassURL reads target as a server does; what is no URL becomes a path.
func bypassURL(target string) *url.URL {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return &url.URL{Path: target}
	}
	return u
}

func TestHEADIsGuardedWithGET(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) { cfg.Routes[0].Pattern = "GET /paid" })
	require.Equal(t, 402, s.do("HEAD", "/paid", "").Code)
	require.Zero(t, s.ran.Load())
	name, value := s.pay(t, "HEAD", "/paid")
	require.Equal(t, 200, s.do("HEAD", "/paid", "", name, value).Code)
	require.Equal(t, 200, s.do("POST", "/paid", "").Code, "only GET is sold")
}

func TestReadingsThatDisagreeAreRefused(t *testing.T) {
	t.Parallel()
	g, err := routes(t, "/cheap/{x}", "/dear/{x...}", "/one/two", "/one", "/one/*")
	require.NoError(t, err)
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	for target, want := range map[string]int{
		"/cheap/..%2Fdear%2F1":   400,
		"/cheap/%2e%2e/dear/1":   402,
		"/cheap/..%5Cdear%5C1":   400,
		"/one%2Ftwo":             402,
		"/one/":                  400,
		"/one/x":                 402,
		"/%2525252525252541":     400,
		"/free/%2525252525252e":  400,
		"/free/%252e%25":         200,
		"/free/100%25":           200,
		"/free/a;b":              200,
		"/.well-known/x":         200,
		"/dear/..%2F..%2Fx":      402,
		"/free%2F..%2F..%2Fdear": 402,
	} {
		status, _ := ask(t, h, "GET", target)
		require.Equal(t, want, status, target)
	}
	status, _ := ask(t, h, "GET", "/"+strings.Repeat("%2e", 9000))
	require.Equal(t, 400, status)
}

// Whatever runs behind the guard without a payment was not guarded by any
// pattern, whether the mux has it or a handler that decodes for itself.
func TestWhereverTheMuxRunsAGuardedHandlerTheGuardWasThere(t *testing.T) {
	t.Parallel()
	segment := rapid.SampledFrom([]string{"a", "b", "paid", "{x}", "{y}", "A", "%61", "a%2Fb"})
	piece := rapid.SampledFrom([]string{"/", "a", "b", "paid", "..", ".", "%2F", "%2f", "%252F", "%61", "%0A", "%00", "%5C", ";", "%3B", "%2e", "A", "%", "25", "2F", "é", "//"})
	rapid.Check(t, func(rt *rapid.T) {
		pattern := "/" + strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(rt, "segments"), "/")
		pattern += rapid.SampledFrom([]string{"", "/", "/{rest...}", "/{$}"}).Draw(rt, "end")
		if strings.Count(pattern, "{x}") > 1 || strings.Count(pattern, "{y}") > 1 {
			rt.Skip("a name twice")
		}
		target := "/" + strings.Join(rapid.SliceOfN(piece, 0, 10).Draw(rt, "pieces"), "")
		checkGuarded(rt, pattern, target)
	})
}

func FuzzNoPathPassesTheGuard(f *testing.F) {
	for _, b := range bypasses {
		f.Add("/api/paid", b)
		f.Add("/api/{x...}", b)
		f.Add("/{x}/paid", b)
	}
	f.Fuzz(func(t *testing.T, pattern, target string) { checkGuarded(t, pattern, target) })
}

// checkGuarded sends target to a mux behind a guard, both with pattern. The
// handler tries what inner handlers do to a path.
func checkGuarded(t require.TestingT, pattern, target string) {
	mux := http.NewServeMux()
	ran := false
	if !registers(mux, pattern, func(http.ResponseWriter, *http.Request) { ran = true }) {
		return
	}
	g, err := middleware.New(middleware.Config{
		Facilitator: &fake{},
		Routes:      []middleware.Route{{Pattern: pattern, Offers: []middleware.Offer{cents("1")}}},
	})
	if err != nil {
		return // the mux accepts more
	}
	u, err := url.ParseRequestURI(target)
	if err != nil || !strings.HasPrefix(u.Path, "/") {
		return
	}
	decoded := *u
	if again, err := url.PathUnescape(u.Path); err == nil {
		decoded.Path, decoded.RawPath = again, ""
	}
	cleaned := *u
	cleaned.Path, cleaned.RawPath = strings.ReplaceAll(u.Path, "\\", "/"), ""
	inners := []http.Handler{
		mux,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.URL = &decoded; mux.ServeHTTP(w, r) }),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.URL = &cleaned; mux.ServeHTTP(w, r) }),
	}
	for i, inner := range inners {
		for _, method := range []string{"GET", "CONNECT"} {
			before := *u
			r := httptest.NewRequest("GET", "/", nil)
			r.Method, r.URL = method, &before
			g.Wrap(inner).ServeHTTP(httptest.NewRecorder(), r)
			require.False(t, ran, "%s %q ran the handler of %q behind inner handler %d", method, target, pattern, i)
		}
	}
}

// registers says whether the mux takes the pattern.
func registers(mux *http.ServeMux, pattern string, h http.HandlerFunc) (ok bool) {
	defer func() { ok = recover() == nil }()
	if strings.Contains(pattern, " ") || !strings.HasPrefix(pattern, "/") {
		panic("a path is needed")
	}
	mux.HandleFunc(pattern, h)
	return true
}

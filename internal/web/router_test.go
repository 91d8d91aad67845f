package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/web"
)

func TestTheFirstRouteThatMatchesServes(t *testing.T) {
	t.Parallel()
	served := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Pattern, "GET /things") && !strings.HasPrefix(r.Pattern, "DELETE /things") {
				name = "without its pattern"
			}
			_, _ = w.Write([]byte(name + " " + r.PathValue("id")))
		}
	}
	rt := &web.Router{
		NotFound: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		MethodNotAllowed: func(w http.ResponseWriter, _ *http.Request, allowed []string) {
			http.Error(w, strings.Join(allowed, ","), http.StatusMethodNotAllowed)
		},
	}
	rt.Handle("GET /things", served("list"))
	rt.Handle("GET /things/{id...}/parts", served("parts"))
	rt.Handle("GET /things/{id}.csv", served("table"))
	rt.Handle("GET /things/{id}", served("one"))
	rt.Handle("DELETE /things/{id}", served("delete"))
	for request, want := range map[string]string{
		"GET /things":                "list ",
		"HEAD /things":               "list ",
		"GET /things/a%2Fb":          "one a/b",
		"GET /things/../x/parts":     "parts ../x",
		"DELETE /things/ent:1:0xab":  "delete ent:1:0xab",
		"GET /things/7.csv":          "table 7",
		"GET /things/.csv":           "one .csv",
		"GET /things/7.csv.csv":      "table 7.csv",
		"GET /things/7.csv/x":        "404",
		"GET /things/a/b":            "404",
		"GET /things/":               "404",
		"GET /things/%ff":            "404",
		"GET /things/%00":            "404",
		"PUT /things/1":              "405 DELETE,GET,HEAD\n",
		"POST /things":               "405 GET,HEAD\n",
		"GET /THINGS":                "404",
		"GET /things/parts/parts":    "parts parts",
		"DELETE /things/a%2Fb/parts": "405 GET,HEAD\n",
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		got := w.Body.String()
		switch {
		case w.Code == 404:
			got = "404"
		case w.Code == 405:
			got = "405 " + got
		}
		require.Equal(t, want, got, request)
	}
}

func TestAClientGetsSoManyRequestsPerMinute(t *testing.T) {
	t.Parallel()
	l := web.NewLimits(3)
	now := time.Date(2026, 2, 17, 7, 0, 0, 0, time.UTC)
	for left := 2; left >= 0; left-- {
		ok, got, _ := l.Allow("a", now)
		require.True(t, ok)
		require.Equal(t, left, got)
	}
	ok, _, wait := l.Allow("a", now)
	require.False(t, ok)
	require.Equal(t, 20*time.Second, wait)
	ok, _, _ = l.Allow("b", now)
	require.True(t, ok, "another client")
	ok, _, _ = l.Allow("a", now.Add(wait))
	require.True(t, ok)
	ok, _, _ = l.Allow("a", now.Add(wait))
	require.False(t, ok, "one came back, not all")
}

func TestTheAddressesOfOneNetworkAreOneClient(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:55":           "192.0.2.1",
		"[::ffff:192.0.2.1]:55":  "192.0.2.1",
		"[2001:db8::1:2:3:4]:55": "2001:db8::/64",
		"[2001:db8::ffff]:1":     "2001:db8::/64",
		"@":                      "@",
	} {
		require.Equal(t, want, web.ClientOf(remote))
	}
}

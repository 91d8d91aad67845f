package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/web"
)

func TestAPathMayHaveSeveralValues(t *testing.T) {
	t.Parallel()
	var got string
	rt := &web.Router{
		NotFound:         func(http.ResponseWriter, *http.Request) { got = "not found" },
		MethodNotAllowed: func(_ http.ResponseWriter, _ *http.Request, allowed []string) { got = "not allowed:" + allowed[0] },
	}
	for _, pattern := range []string{
		"GET /a", "GET /a/{id}", "DELETE /a/{id}", "POST /a/{id}/b", "POST /a/{id}/b/{part}/again", "PUT /h/{hash...}/revoke", "GET /h/{hash...}",
	} {
		rt.Handle(pattern, func(_ http.ResponseWriter, r *http.Request) {
			got = pattern + " " + r.PathValue("id") + r.PathValue("hash") + "," + r.PathValue("part")
		})
	}
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/a", "GET /a ,"},
		{"HEAD", "/a", "GET /a ,"},
		{"GET", "/a/1", "GET /a/{id} 1,"},
		{"GET", "/a/1%2F2", "GET /a/{id} 1/2,"},
		{"GET", "/a/1/2", "not found"},
		{"GET", "/a/", "not found"},
		{"GET", "/a/%00", "not found"},
		{"GET", "/a/%ff", "not found"},
		{"POST", "/a/1/b", "POST /a/{id}/b 1,"},
		{"POST", "/a/1/b/2/again", "POST /a/{id}/b/{part}/again 1,2"},
		{"POST", "/a/1/b//again", "not found"},
		{"POST", "/a/1/b/2", "not found"},
		{"GET", "/a/1/b/2/again", "not allowed:POST"},
		{"PUT", "/a/1", "not allowed:DELETE"},
		{"PUT", "/h/x//y/revoke", "PUT /h/{hash...}/revoke x//y,"},
		{"PUT", "/h/revoke", "not allowed:GET"},
		{"GET", "/h/x/revoke", "GET /h/{hash...} x/revoke,"},
		{"GET", "/b", "not found"},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		rt.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, c.want, got, "%s %s", c.method, c.path)
	}
}

// Package webtest is what tests of HTTP APIs share: stores, a clock, a log and
// requests, and a handler that holds an API to its OpenAPI specification.
package webtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// Unspecified is a header of a request that is not checked: one whose path
// OpenAPI cannot describe, such as one with slashes in a parameter.
const Unspecified = "X-Unspecified"

// Specified returns a handler that checks every answer of h, and every request
// that it accepts, against the specification in file.
func Specified(t testing.TB, file string, h http.Handler) http.Handler {
	t.Helper()
	router, err := load(file)
	require.NoError(t, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		r.Body = io.NopCloser(bytes.NewReader(sent))
		recorded := httptest.NewRecorder()
		h.ServeHTTP(recorded, r)
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
		require.Equal(t, "nosniff", recorded.Header().Get("X-Content-Type-Options"), "the security headers")
		check(t, router, r, sent, recorded)
	})
}

func check(t testing.TB, router routers.Router, r *http.Request, sent []byte, recorded *httptest.ResponseRecorder) {
	t.Helper()
	route, params, err := router.FindRoute(r)
	if r.Method == http.MethodHead || r.Header.Get(Unspecified) != "" {
		return
	}
	if err != nil {
		refusals := []int{http.StatusNotFound, http.StatusMethodNotAllowed}
		require.True(t, slices.Contains(refusals, recorded.Code), "%s %s is not specified", r.Method, r.URL)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, ExcludeResponseBody: false,
	}}
	if recorded.Code < 300 {
		require.NoError(t, openapi3filter.ValidateRequest(context.Background(), in), "%s %s %s", r.Method, r.URL, sent)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: recorded.Code, Header: recorded.Header(), Options: in.Options}
	out.SetBodyBytes(recorded.Body.Bytes())
	require.NoError(t, openapi3filter.ValidateResponse(context.Background(), out), "%s %s: %d %s", r.Method, r.URL, recorded.Code, recorded.Body)
}

var (
	mu      sync.Mutex
	routing = map[string]routers.Router{} // by file; each is read once
)

// load reads a specification, and checks that it is one.
func load(file string) (routers.Router, error) {
	mu.Lock()
	defer mu.Unlock()
	if router, ok := routing[file]; ok {
		return router, nil
	}
	for _, plain := range []string{"text/csv", "application/yaml"} {
		openapi3filter.RegisterBodyDecoder(plain, openapi3filter.FileBodyDecoder)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(doc)
	if err == nil {
		routing[file] = router
	}
	return router, err
}

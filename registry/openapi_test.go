package registry_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// specification is openapi.yaml, read once.
var specification = sync.OnceValues(func() (routers.Router, error) {
	openapi3filter.RegisterBodyDecoder("text/csv", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/yaml", openapi3filter.FileBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// unspecified is a header that a request has whose path OpenAPI cannot describe:
// one with slashes in a parameter.
const unspecified = "X-Unspecified"

// specified checks every answer of h, and every request that it accepts,
// against openapi.yaml.
func specified(t testing.TB, h http.Handler) http.Handler {
	t.Helper()
	router, err := specification()
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

		route, params, err := router.FindRoute(r)
		if r.Method == http.MethodHead || r.Header.Get(unspecified) != "" {
			return
		}
		if err != nil {
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, recorded.Code, "%s %s is not specified", r.Method, r.URL)
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
	})
}

func TestTheSpecificationIsServedAsItIs(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	w := newAPI(t, backends["memory"](t)).do("GET", "/api/registry/openapi.yaml", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, string(want), w.Body.String())
}

func TestWhatIsSpecifiedIsServed(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	a := newAPI(t, backends["memory"](t))
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			w := a.do(method, parameter.ReplaceAllString(path, "1"), "")
			switch {
			case len(*cmp.Or(operation.Security, &doc.Security)) > 0 && len((*cmp.Or(operation.Security, &doc.Security))[0]) > 0:
				require.Equal(t, 401, w.Code, "%s %s", method, path)
			default:
				require.NotContains(t, w.Body.String(), "There is no such path", "%s %s", method, path)
				require.NotEqual(t, 405, w.Code, "%s %s", method, path)
			}
		}
	}
}

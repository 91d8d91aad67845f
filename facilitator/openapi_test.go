package facilitator_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// specified checks every answer of h, and every request that it accepts,
// against openapi.yaml.
func specified(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	router := specification(t)
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

		route, params, err := router.FindRoute(r)
		if r.Method == http.MethodHead {
			return // of every GET, by convention
		}
		if err != nil {
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, recorded.Code, "it is not specified")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
		if recorded.Code == http.StatusOK {
			require.NoError(t, openapi3filter.ValidateRequest(context.Background(), in), "%s", sent)
		}
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: recorded.Code, Header: recorded.Header(), Options: in.Options}
		out.SetBodyBytes(recorded.Body.Bytes())
		require.NoError(t, openapi3filter.ValidateResponse(context.Background(), out), "%s %s: %d %s", r.Method, r.URL, recorded.Code, recorded.Body)
	})
}

func specification(t *testing.T) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return router
}

func TestTheSpecificationIsServedAsItIs(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	w := newAPI(t).do("GET", "/openapi.yaml", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, string(want), w.Body.String())
}

func TestMalformedBodiesAreAnsweredAsSpecified(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, c := range malformed(t) {
		a.do("POST", "/verify", c.body)
		a.do("POST", "/settle", c.body)
	}
	a.chain.down.Store(true)
	require.Equal(t, 503, a.do("POST", "/verify", body(t, pay(x402.V1, 1))).Code)
}

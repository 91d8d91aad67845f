package facilitator_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// FuzzHTTP sends any body to both operations: the answer is JSON of the
// operation's form, nothing panics, and only the good signature moves money.
func FuzzHTTP(f *testing.F) {
	for _, c := range malformed(f) {
		f.Add(c.body)
	}
	f.Add(body(f, pay(x402.V1, 1)))
	f.Add(body(f, pay(x402.V2, 1)))
	f.Fuzz(func(t *testing.T, in string) {
		a := newBareAPI(t)
		for _, path := range []string{"/verify", "/settle"} {
			w := httptest.NewRecorder()
			a.service.Handler().ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(in)))
			switch w.Code {
			case 200:
				var v x402.VerifyResponse
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
			case 400, 413:
				require.NotEmpty(t, readRefusal(t, path, w.Body.Bytes()).reason)
			default:
				require.Fail(t, "unexpected status", "%d %s", w.Code, w.Body)
			}
		}
		if a.token.count() > 0 {
			require.Contains(t, in, `"good"`)
		}
	})
}

package registry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzHandler sends anything, as a platform that is also the admin.
func FuzzHandler(f *testing.F) {
	paths := []string{
		"/api/platforms/register", "/api/platforms/me", "/api/contracts/register", "/api/contracts/validate", "/api/contracts/hash1/revoke",
		"/api/contracts/hash1/royalty?sale_amount=1", "/api/sales", "/api/sales/batch", "/api/sales/1/void", "/api/sales/export.csv", "/api/mirrors", "/api/royalties/1/dispute",
		"/api/settlements/1/pay", "/api/settlements/1.csv", "/api/admin/settlements/run", "/api/admin/applications/1/approve", "/api/admin/royalties/1/resolve",
		"/api/contracts?page=2&status=x&q=%25", "/api/sales?from=2024-01-01&role=seller", "/api/platforms/status/a@b.example", "/api/mirrors/%2F%2e%2e", "/",
	}
	bodies := []string{
		``, `{}`, `{"contract_hash":"hash1","sale_amount":1e400,"royalty_amount":"2.5"}`, `{"sales":[{"contract_hash":"hash1","sale_amount":1,"royalty_amount":0.5},null]}`,
		`{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["a",1,null],"royalty":{"basis_points":1}}`, `{"from":"2024-01-01","to":"2024-01-15","dry_run":true,"minimum":0.1}`,
		`{"reason":"\u0000"}`, `{"status":"voided","reason":"x"}`, `{"basis_points":100,"payees":[{"name":"A","share":10000}]}`, `[`, "\xff",
	}
	for i, path := range paths {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			f.Add(method, path, bodies[i%len(bodies)])
		}
	}
	a := newAPI(f, backends["memory"](f))
	m := a.join("Platform A")
	m.publish("hash1", "hash2")
	m.sell("hash1", "10", "1")
	h := a.service.Handler()
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || strings.ContainsAny(method, " \r\n\t") || method == "" || strings.HasSuffix(u.Path, "/rotate") || strings.HasSuffix(u.Path, "/suspend") || strings.HasSuffix(u.Path, "/rotate-key") {
			return // what the server of net/http refuses, and what takes the key away
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "192.0.2.1:1"}
		if body != "" {
			r = httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Method, r.URL = method, u
		}
		r.Header.Set("X-API-Key", m.key)
		r.Header.Set("Authorization", "Bearer "+adminToken)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		require.Less(t, w.Code, 500, "%s%s", w.Body, a.log)
		if w.Header().Get("Content-Type") != "application/json" {
			return
		}
		var got struct {
			Success *bool
			Message *string
			Data    json.RawMessage
			Errors  map[string][]string
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), "%s", w.Body)
		require.NotNil(t, got.Success)
		require.NotNil(t, got.Message)
		require.Equal(t, w.Code < 300, *got.Success)
		require.Equal(t, w.Code == 422, len(got.Errors) > 0, "%s", w.Body)
	})
}

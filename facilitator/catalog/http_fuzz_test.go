package catalog_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDiscover asks for anything, over SQLite: its query language is the easiest
// to break out of.
func FuzzDiscover(f *testing.F) {
	for _, query := range []string{
		"query=ai&category=education", "query=%22+OR+plain", "query=a*+NEAR(b)", "query=%FF&page=x", "min_price=1&max_price=2&chain=base&currency=eth",
		"content_type=video/mp4&sort_by=price&size=100&page=9", "query=机器学习", "query=%27;--", "query=%E0%A4%B9%E0%A4%BF", "sort_by=rating&type=course", ";", "%zz",
	} {
		f.Add(query)
	}
	s := newShop(f, backends["sqlite"](f))
	for _, title := range []string{"Premium AI Tutorial", "plain", "机器学习入门", "हिन्दी पाठ", "Crème brûlée"} {
		s.sell(title, `,"tags":["ai"],"category":"education"`)
	}
	h := s.service.Handler()
	f.Fuzz(func(t *testing.T, query string) {
		r := (&http.Request{Method: "GET", URL: &url.URL{Path: "/api/v1/clients/discover", RawQuery: query}, Header: http.Header{}, Body: http.NoBody}).WithContext(t.Context())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Contains(t, []int{200, 400}, w.Code, "%s%s", w.Body, s.log)
		require.True(t, json.Valid(w.Body.Bytes()))
	})
}

// FuzzProduct creates and changes products with anything.
func FuzzProduct(f *testing.F) {
	for _, d := range badDrafts {
		f.Add("{" + d[0] + "}")
	}
	f.Add(`{"title":"T","content_url":"https://a.example","price":"5","tags":["x"],"chains":["base"],"status":"active"}`)
	s := newShop(f, backends["memory"](f))
	id := s.draft("Changed", "")
	h := s.service.Handler()
	f.Fuzz(func(t *testing.T, body string) {
		for method, path := range map[string]string{"POST": "/api/v1/providers/products", "PUT": "/api/v1/providers/products/" + id} {
			r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer ann")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Contains(t, []int{200, 201, 400, 409, 413}, w.Code, "%s%s", w.Body, s.log)
		}
	})
}

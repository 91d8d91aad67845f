package v402api_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/web/v402api"
)

// FuzzDecode shows that a body is decoded, or refused in words.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"title":"x","price":"5","count":3,"tags":["a"],"at":"2024-01-15","extra":{"a":1}}`, `{"":1}`, `{"title":1}`, `[]`, `{"at":5}`, `null`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in thing
		err := v402api.Decode(body, &in)
		var refused *v402api.Error
		require.True(t, err == nil || errors.As(err, &refused))
		if err != nil {
			require.Equal(t, 400, refused.Code.Status())
			require.NotEmpty(t, refused.Message)
		}
	})
}

// FuzzQuery shows that what a query gives without a fault is within its bounds.
func FuzzQuery(f *testing.F) {
	f.Add("page=1&size=20&status=active&search=x&start_date=2024-01-15&end_date=2024-01-31T00:00:00Z&paid=1")
	f.Add("page=-1&size=1e9&search=%ff&start_date=+&x=%zz;y")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: "/", RawQuery: query}
		q := v402api.QueryOf(r)
		page := q.Page(20, 100)
		search := q.Text("search", 5)
		status := v402api.OneOf(q, "status", "active", "draft")
		q.Time("start_date")
		q.Until("end_date")
		q.Bool("paid")
		by, _ := q.Sort("created_at", "price")
		require.Contains(t, []string{"created_at", "price"}, by)
		if q.Err() != nil {
			return
		}
		require.True(t, page.Page >= 1 && page.Size >= 1 && page.Size <= 100)
		require.True(t, utf8.ValidString(search) && utf8.RuneCountInString(search) <= 5)
		require.Contains(t, []string{"", "active", "draft"}, status)
	})
}

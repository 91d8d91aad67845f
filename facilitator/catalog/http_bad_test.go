package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/store"
)

// bad is a request that is refused for its input.
type bad struct {
	who, method, path, body string
	field, code             string
}

// badDrafts are members that spoil a product, with field and code.
var badDrafts = [][3]string{
	{`"title":""`, "title", "REQUIRED"},
	{`"title":"   "`, "title", "REQUIRED"},
	{`"title":null`, "title", "REQUIRED"},
	{`"title":7`, "title", "INVALID_TYPE"},
	{`"title":"` + strings.Repeat("x", 501) + `"`, "title", "TOO_LONG"},
	{`"title":"a\u0000b"`, "title", "INVALID_FORMAT"},
	{`"content_url":""`, "content_url", "REQUIRED"},
	{`"content_url":"ftp://example.com/x"`, "content_url", "INVALID_URL"},
	{`"content_url":"/relative"`, "content_url", "INVALID_URL"},
	{`"content_url":"https://user:secret@example.com/"`, "content_url", "INVALID_URL"},
	{`"content_url":"https://example.com/` + strings.Repeat("x", 1000) + `"`, "content_url", "TOO_LONG"},
	{`"thumbnail_url":"javascript:alert(1)"`, "thumbnail_url", "INVALID_URL"},
	{`"quote_url":"quote"`, "quote_url", "INVALID_URL"},
	{`"description":"` + strings.Repeat("x", 5001) + `"`, "description", "TOO_LONG"},
	{`"category":"` + strings.Repeat("x", 101) + `"`, "category", "TOO_LONG"},
	{`"type":"novel"`, "type", "INVALID_ENUM"},
	{`"content_type":"video"`, "content_type", "INVALID_FORMAT"},
	{`"content_type":"video/a b"`, "content_type", "INVALID_FORMAT"},
	{`"tags":"ai"`, "tags", "INVALID_TYPE"},
	{`"tags":["ok",""]`, "tags.1", "REQUIRED"},
	{`"tags":["` + strings.Repeat("x", 51) + `"]`, "tags.0", "TOO_LONG"},
	{`"tags":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 21), ",") + `]`, "tags", "TOO_LONG"},
	{`"price":""`, "price", "REQUIRED"},
	{`"price":null`, "price", "REQUIRED"},
	{`"price":"0"`, "price", "AMOUNT_TOO_LOW"},
	{`"price":"-5"`, "price", "AMOUNT_TOO_LOW"},
	{`"price":-1`, "price", "AMOUNT_TOO_LOW"},
	{`"price":"1e18"`, "price", "INVALID_FORMAT"},
	{`"price":1e18`, "price", "INVALID_FORMAT"},
	{`"price":"+5"`, "price", "INVALID_FORMAT"},
	{`"price":"05"`, "price", "INVALID_FORMAT"},
	{`"price":"5.0"`, "price", "INVALID_FORMAT"},
	{`"price":5.5`, "price", "INVALID_FORMAT"},
	{`"price":" 5"`, "price", "INVALID_FORMAT"},
	{`"price":9007199254740993`, "price", "INVALID_FORMAT"},
	{`"price":"` + strings.Repeat("9", 78) + `"`, "price", "AMOUNT_TOO_HIGH"},
	{`"price":"` + strings.Repeat("9", 400) + `"`, "price", "AMOUNT_TOO_HIGH"},
	{`"price":true`, "price", "INVALID_TYPE"},
	{`"price":{"amount":"5"}`, "price", "INVALID_TYPE"},
	{`"currency":"DOGE"`, "currency", "INVALID_ENUM"},
	{`"payment_scheme":"barter"`, "payment_scheme", "INVALID_ENUM"},
	{`"payment_scheme":"free"`, "price", "AMOUNT_TOO_HIGH"},
	{`"access_duration":-1`, "access_duration", "INVALID_RANGE"},
	{`"access_duration":9223372036854775807`, "access_duration", "INVALID_RANGE"},
	{`"access_duration":1.5`, "access_duration", "INVALID_TYPE"},
	{`"max_access_count":-1`, "max_access_count", "INVALID_RANGE"},
	{`"slug":"Not A Slug"`, "slug", "INVALID_FORMAT"},
	{`"chains":["base","narnia"]`, "chains.1", "INVALID_ENUM"},
	{`"chains":["eip155:84532"]`, "chains.0", "INVALID_ENUM"},
	{`"chains":["solana"]`, "chains", "INVALID_ENUM"}, // there is no ETH
	{`"status":"published"`, "status", "INVALID_ENUM"},
	{`"owner_id":"user-bob"`, "owner_id", "UNKNOWN_FIELD"},
	{`"view_count":1000000`, "view_count", "UNKNOWN_FIELD"},
}

// badQueries are queries of discovery, with field and code.
var badQueries = [][3]string{
	{"query=%2A%22%27", "query", "INVALID_FORMAT"},
	{"query=" + strings.Repeat("x", 201), "query", "TOO_LONG"},
	{"query=%FF", "query", "INVALID_FORMAT"},
	{"query=%zz", "query", "INVALID_FORMAT"},
	{"page=0", "page", "INVALID_RANGE"},
	{"page=x", "page", "INVALID_TYPE"},
	{"size=101", "size", "INVALID_RANGE"},
	{"size=-1", "size", "INVALID_RANGE"},
	{"min_price=1e18", "min_price", "INVALID_FORMAT"},
	{"max_price=-1", "max_price", "INVALID_FORMAT"},
	{"min_price=3&max_price=2", "min_price", "INVALID_RANGE"},
	{"content_type=novel", "content_type", "INVALID_ENUM"},
	{"sort_by=cheapness", "sort_by", "INVALID_ENUM"},
	{"chain=narnia", "chain", "INVALID_ENUM"},
	{"currency=DOGE", "currency", "INVALID_ENUM"},
}

// badLogQueries are queries of the access log and its export, with field and code.
var badLogQueries = [][3]string{
	{"unpaid_only=true&paid_only=true", "unpaid_only", "INVALID_RANGE"},
	{"unpaid_only=perhaps", "unpaid_only", "INVALID_TYPE"},
	{"paid_only=2", "paid_only", "INVALID_TYPE"},
	{"status=stolen", "status", "INVALID_ENUM"},
	{"product_id=" + strings.Repeat("x", 101), "product_id", "TOO_LONG"},
	{"ip_address=10.0.0", "ip_address", "INVALID_ADDRESS"},
	{"ip_address=example.com", "ip_address", "INVALID_ADDRESS"},
	{"country_code=USA", "country_code", "INVALID_FORMAT"},
	{"start_date=yesterday", "start_date", "INVALID_DATE"},
	{"start_date=2024-02-30", "start_date", "INVALID_DATE"},
	{"end_date=15/01/2024", "end_date", "INVALID_DATE"},
	{"start_date=2024-01-16&end_date=2024-01-14", "end_date", "INVALID_RANGE"},
}

// badDemandQueries are queries of unpaid requests and their export, with field
// and code.
var badDemandQueries = [][3]string{
	{"hours=0", "hours", "INVALID_RANGE"},
	{"hours=169", "hours", "INVALID_RANGE"},
	{"hours=-1", "hours", "INVALID_RANGE"},
	{"hours=1.5", "hours", "INVALID_TYPE"},
	{"min_requests=0", "min_requests", "INVALID_RANGE"},
	{"min_requests=many", "min_requests", "INVALID_TYPE"},
	{"product_id=" + strings.Repeat("x", 101), "product_id", "TOO_LONG"},
}

// badLists are queries of what providers look at, with field and code.
func badLists() (list []bad) {
	for path, queries := range map[string][][3]string{
		"/providers/access-logs": badLogQueries, "/providers/access-logs/export.csv": badLogQueries,
		"/providers/unpaid-requests": badDemandQueries, "/providers/unpaid-requests/export.csv": badDemandQueries,
		"/providers/products/export.csv": {{"status=sold", "status", "INVALID_ENUM"}, {"sort_order=up", "sort_order", "INVALID_ENUM"}},
		"/providers/payments/export.csv": {
			{"status=paid", "status", "INVALID_ENUM"}, {"min_amount=1e3", "min_amount", "INVALID_FORMAT"}, {"chain=narnia", "chain", "INVALID_ENUM"},
			{"end_date=soon", "end_date", "INVALID_DATE"},
		},
	} {
		for _, q := range queries {
			list = append(list, bad{"ann", "GET", path + "?" + q[0], "", q[1], q[2]})
		}
	}
	for _, path := range []string{"/providers/access-logs", "/providers/unpaid-requests"} {
		list = append(list, bad{"ann", "GET", path + "?size=501", "", "size", "INVALID_RANGE"}, bad{"ann", "GET", path + "?page=0", "", "page", "INVALID_RANGE"},
			bad{"ann", "GET", path + "?page=x", "", "page", "INVALID_TYPE"})
	}
	return append(list, bad{"ann", "GET", "/providers/unpaid-requests?page=21&size=500", "", "page", "INVALID_RANGE"})
}

// badInputs are all requests that are refused; id is a draft of ann's.
func badInputs(id string) []bad {
	list := []bad{
		{"ann", "POST", "/providers/products", `[]`, "", ""},
		{"ann", "POST", "/providers/products", `{"title":`, "", ""},
		{"ann", "POST", "/providers/products", "\xff", "", ""},
		{"ann", "POST", "/providers/products", ``, "title", "REQUIRED"},
		{"ann", "POST", "/providers/products/batch", `{}`, "products", "REQUIRED"},
		{"ann", "POST", "/providers/products/batch", `{"products":[` + strings.TrimSuffix(strings.Repeat(`{},`, 101), ",") + `]}`, "products", "TOO_LONG"},
		{"ann", "GET", "/providers/products?size=101", "", "size", "INVALID_RANGE"},
		{"ann", "GET", "/providers/products?status=sold", "", "status", "INVALID_ENUM"},
		{"ann", "GET", "/providers/products?sort_order=up", "", "sort_order", "INVALID_ENUM"},
		{"ann", "DELETE", "/providers/products/" + id + "?soft_delete=perhaps", "", "soft_delete", "INVALID_TYPE"},
		{"ann", "PUT", "/providers/wallets/base", `{}`, "address", "REQUIRED"},
		{"ann", "PUT", "/providers/wallets/base", `{"address":"0x1"}`, "address", "INVALID_ADDRESS"},
		{"ann", "PUT", "/providers/wallets/base", `{"address":"0x0000000000000000000000000000000000000000"}`, "address", "INVALID_ADDRESS"},
		{"ann", "PUT", "/providers/wallets/solana", `{"address":"0x742d35cc6634c0532925a3b844bc454e4438f44e"}`, "address", "INVALID_ADDRESS"},
		{"ann", "PUT", "/providers/wallets/narnia", `{"address":"0x742d35cc6634c0532925a3b844bc454e4438f44e"}`, "chain", "INVALID_ENUM"},
		{"ann", "PUT", "/providers/wallets/eip155:84532", `{"address":"0x742d35cc6634c0532925a3b844bc454e4438f44e"}`, "chain", "INVALID_ENUM"},
		{"eve", "POST", "/clients/products/" + id + "/reviews", `{"rating":0}`, "rating", "INVALID_RANGE"},
		{"eve", "POST", "/clients/products/" + id + "/reviews", `{"rating":6}`, "rating", "INVALID_RANGE"},
		{"eve", "POST", "/clients/products/" + id + "/reviews", `{"rating":4.5}`, "rating", "INVALID_TYPE"},
		{"eve", "POST", "/clients/products/" + id + "/reviews", `{"rating":4,"comment":"` + strings.Repeat("x", 2001) + `"}`, "comment", "TOO_LONG"},
		{"admin", "POST", "/admin/products/" + id + "/moderate", "", "moderation_action", "REQUIRED"},
		{"admin", "POST", "/admin/products/" + id + "/moderate?moderation_action=burn", "", "moderation_action", "INVALID_ENUM"},
		{"admin", "POST", "/admin/products/" + id + "/moderate?moderation_action=flag&reason=" + strings.Repeat("x", 501), "", "reason", "TOO_LONG"},
		{"admin", "GET", "/admin/products?flagged_only=maybe", "", "flagged_only", "INVALID_TYPE"},
		{"", "GET", "/clients/trending?period=1y", "", "period", "INVALID_ENUM"},
		{"", "GET", "/clients/trending?limit=51", "", "limit", "INVALID_RANGE"},
		{"", "GET", "/clients/categories?include_count=2", "", "include_count", "INVALID_TYPE"},
	}
	list = append(list, badLists()...)
	for _, q := range badQueries {
		list = append(list, bad{"", "GET", "/clients/discover?" + q[0], "", q[1], q[2]})
	}
	for _, d := range badDrafts {
		var members []string
		for _, m := range []string{`"title":"T"`, `"content_url":"https://a.example"`, `"price":"5"`} {
			name, _, _ := strings.Cut(m, ":")
			if !strings.HasPrefix(d[0], name) {
				members = append(members, m)
			}
		}
		list = append(list, bad{"ann", "POST", "/providers/products", "{" + strings.Join(append(members, d[0]), ",") + "}", d[1], d[2]})
		if !strings.HasSuffix(d[0], ":null") { // which leaves a field as it is
			list = append(list, bad{"ann", "PUT", "/providers/products/" + id, "{" + d[0] + "}", d[1], d[2]})
		}
	}
	return list
}

func TestBadInputIsRefusedInTheDocumentedFormAndChangesNothing(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.draft("Whole", "")
		before := s.want(s.do("ann", "GET", "/api/v1/providers/products/"+id, ""), 200)
		events := s.events()
		for _, b := range badInputs(id) {
			name := fmt.Sprintf("%s %.80s %.200s", b.method, b.path, b.body)
			w := s.do(b.who, b.method, "/api/v1"+b.path, b.body)
			require.Equal(t, 400, w.Code, "%s: %s%s", name, w.Body, s.log)
			s.refused(w, 400, "VALIDATION_ERROR")
			var got struct {
				Details struct{ Field, Code string }
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
			require.Equal(t, b.field, got.Details.Field, "%s: %s", name, w.Body)
			require.Equal(t, b.code, got.Details.Code, "%s: %s", name, w.Body)
		}
		require.Equal(t, before, s.want(s.do("ann", "GET", "/api/v1/providers/products/"+id, ""), 200))
		require.Equal(t, events, s.events())
		wallets, err := s.service.Wallets(t.Context(), "user-ann")
		require.NoError(t, err)
		require.Empty(t, wallets)
		require.NotContains(t, s.log.String(), "level=ERROR")
	})
}

func TestAllThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	s := newShop(t, backends["memory"](t))
	w := s.do("ann", "POST", "/api/v1/providers/products", `{"price":"0","tags":[""],"type":"novel"}`)
	var got struct {
		Details struct {
			Errors []struct{ Field, Code string }
		}
	}
	s.data(w, 400, &got)
	var told []string
	for _, e := range got.Details.Errors {
		told = append(told, e.Field+" "+e.Code)
	}
	require.ElementsMatch(t, []string{"title REQUIRED", "content_url REQUIRED", "price AMOUNT_TOO_LOW", "tags.0 REQUIRED", "type INVALID_ENUM"}, told)
}

func TestABatchIsCreatedWholeOrNotAtAll(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		good := `{"title":"T","content_url":"https://a.example","price":"5","slug":"one"}`
		w := s.do("ann", "POST", "/api/v1/providers/products/batch", `{"products":[`+good+`,{"title":"T","content_url":"https://a.example","price":"0"}]}`)
		s.refused(w, 400, "VALIDATION_ERROR")
		require.Contains(t, w.Body.String(), `"field":"products.1.price"`)
		s.refused(s.do("ann", "POST", "/api/v1/providers/products/batch", `{"products":[`+good+`,`+good+`]}`), 409, "CONFLICT")
		list, err := s.store.Products(t.Context(), filterAll, store.PageNumber{})
		require.NoError(t, err)
		require.Zero(t, list.Total)
		require.Empty(t, s.events())
		var created struct{ Items []product }
		s.data(s.do("ann", "POST", "/api/v1/providers/products/batch", `{"products":[`+good+`,{"title":"U","content_url":"https://a.example","price":"6"}]}`), 201, &created)
		require.Len(t, created.Items, 2)
		require.Equal(t, "U", created.Items[1].Title)
		require.Equal(t, []string{"product.created", "product.created"}, s.events())
	})
}

package catalog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

func (s *kiosk) root(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.roots.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// wellKnownDocument is GET /.well-known/x402 as the documentation has it.
const wellKnownDocument = `{
"version": "1.0",
"facilitator": {
"name": "v402 Facilitator",
"version": "1.0.0",
"url": "/api/v1"
},
"supported_chains": ["ethereum", "base", "polygon", "arbitrum", "optimism", "bsc", "solana"],
"supported_schemes": ["exact", "upto", "dynamic"],
"features": [
"payment_verification",
"multi_chain_support",
"batch_payments",
"webhooks",
"analytics"
],
"endpoints": {
"discovery": "/api/v1/clients/discover",
"payment": "/api/v1/clients/payments",
"access": "/api/v1/clients/access"
}
}`

func TestTheWellKnownDocumentIsTheOneThatIsDocumented(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) {
		c.Payments.WellKnown = catalog.WellKnown{
			Chains:   []string{"ethereum", "base", "polygon", "arbitrum", "optimism", "bsc", "solana"},
			Schemes:  []string{"exact", "upto", "dynamic"},
			Features: []string{"payment_verification", "multi_chain_support", "batch_payments", "webhooks", "analytics"},
		}
	})
	w := s.root("/.well-known/x402")
	require.Equal(t, 200, w.Code)
	var want bytes.Buffer
	require.NoError(t, json.Compact(&want, []byte(wellKnownDocument)))
	require.Equal(t, want.String()+"\n", w.Body.String())
}

func TestTheWellKnownDocumentSaysWhatIsServed(t *testing.T) {
	t.Parallel()
	v := answer(t, openKiosk(t).root("/.well-known/x402"))
	require.Equal(t, []any{"ethereum", "base-sepolia"}, v["supported_chains"])
	require.Equal(t, []any{"exact", "dynamic"}, v["supported_schemes"])
}

func TestDiscoveryListsGuardedRoutesAndProducts(t *testing.T) {
	t.Parallel()
	quote := x402.DiscoveredResource{
		Resource: "https://shop.example/quote", Type: "http", Description: "A quote of the day", LastUpdated: kioskOpening,
		Accepts: []x402.PaymentRequirements{{Scheme: "exact", Network: x402.Base, Amount: x402.NewAmount(5), Asset: usdc, PayTo: buyer, MaxTimeoutSeconds: 60}},
	}
	s := openKiosk(t, func(c *catalog.Config) { c.Payments.Guarded = []x402.DiscoveredResource{quote} })
	for n := range 5 {
		s.sell(fmt.Sprint("course", n), func(p *catalog.Product) { p.Purchases = int64(9 - n); p.Title = fmt.Sprint("Course number ", n) })
	}
	s.sell("hidden", func(p *catalog.Product) { p.Status = catalog.ProductDraft })
	s.sell("native", ether, func(p *catalog.Product) { p.Title = "A course for coin" })
	list := func(query string) (page x402.DiscoveryPage, names []string) {
		w := s.root("/discovery/resources?" + query)
		require.Equal(t, 200, w.Code, "%s", w.Body)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		for _, r := range page.Items {
			names = append(names, r.Resource[strings.LastIndexByte(r.Resource, '/')+1:])
		}
		return page, names
	}
	all, names := list("")
	require.Equal(t, []string{"quote", "course0", "course1", "course2", "course3", "course4", "native"}, names)
	require.Equal(t, x402.Pagination{Limit: 20, Total: 7}, all.Pagination)
	course := all.Items[1]
	require.Equal(t, "https://shop.example/api/v1/clients/access/course0", course.Resource)
	v2, _ := challenge(t, s.access("course0"))
	require.Equal(t, v2.Accepts, course.Accepts)
	require.Equal(t, "ETH", all.Items[6].Accepts[0].Asset)
	for _, offset := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8} {
		page, got := list(fmt.Sprintf("limit=3&offset=%d", offset))
		require.Equal(t, append([]string(nil), names[min(offset, 7):min(offset+3, 7)]...), got, "%d", offset)
		require.Equal(t, 7, page.Pagination.Total)
	}
	for query, want := range map[string][]string{
		"payTo=" + strings.ToLower(buyer): {"quote"},
		"network=base":                    {"quote"},
		"network=eip155:1":                {"native"},
		"scheme=upto":                     nil,
		"type=mcp":                        nil,
	} {
		_, got := list(query)
		require.Equal(t, want, got, query)
	}
	w := s.root("/discovery/resources?x402Version=1&limit=2&network=base-sepolia")
	require.Contains(t, w.Body.String(), `"maxAmountRequired":"10000"`)

	var found x402.SearchPage
	w = s.root("/discovery/search?query=course+number&limit=3")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &found))
	require.Len(t, found.Resources, 3)
	require.Equal(t, &x402.Cursor{Limit: 3, Cursor: "3"}, found.Pagination)
	w = s.root("/discovery/search?query=course+number&limit=3&cursor=3")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &found))
	require.Len(t, found.Resources, 2)
	require.Empty(t, found.Pagination.Cursor)
	w = s.root("/discovery/search?query=quote+day")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &found))
	require.Equal(t, quote.Resource, found.Resources[0].Resource)

	for _, query := range []string{"resources?limit=0", "resources?limit=101", "resources?offset=-1", "resources?network=nowhere", "search?cursor=x", "resources?x402Version=3"} {
		refused(t, s.root("/discovery/"+query), 400, "VALIDATION_ERROR")
	}
	refused(t, s.root("/discovery/nothing"), 404, "NOT_FOUND")
}

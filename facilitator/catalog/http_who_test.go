package catalog_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/webtest"
)

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	s := newShop(t, backends["memory"](t))
	id := s.sell("Ann's", "")
	own := "/api/v1/providers/products/" + id
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		code                    string
	}{
		{"", "GET", "/api/v1/providers/products", "", 401, "AUTHENTICATION_REQUIRED"},
		{"", "POST", "/api/v1/providers/products", "{}", 401, "AUTHENTICATION_REQUIRED"},
		{"nobody", "GET", "/api/v1/providers/products", "", 401, "INVALID_CREDENTIALS"},
		{"nobody", "GET", "/api/v1/clients/discover", "", 401, "INVALID_CREDENTIALS"},
		{"gone", "GET", "/api/v1/providers/products", "", 403, "ACCOUNT_SUSPENDED"},
		{"gone", "GET", "/api/v1/clients/discover", "", 403, "ACCOUNT_SUSPENDED"},
		{"eve", "GET", "/api/v1/providers/products", "", 403, "FORBIDDEN"},
		{"dan", "POST", "/api/v1/providers/products", "{}", 403, "FORBIDDEN"},
		{"ann", "GET", "/api/v1/admin/products", "", 403, "FORBIDDEN"},
		{"ann", "POST", "/api/v1/admin/products/" + id + "/moderate?moderation_action=approve", "", 403, "FORBIDDEN"},
		{"", "POST", "/api/v1/admin/products/" + id + "/moderate?moderation_action=approve", "", 401, "AUTHENTICATION_REQUIRED"},
		{"bob", "GET", own, "", 404, "NOT_FOUND"},
		{"bob", "PUT", own, `{"title":"Bob's"}`, 404, "NOT_FOUND"},
		{"bob", "DELETE", own, "", 404, "NOT_FOUND"},
		{"bob", "DELETE", own + "?soft_delete=false", "", 404, "NOT_FOUND"},
		{"bob", "POST", own + "/publish", "", 404, "NOT_FOUND"},
		{"bob", "POST", own + "/unpublish", "", 404, "NOT_FOUND"},
		{"ann", "GET", "/api/v1/providers/products/none", "", 404, "NOT_FOUND"},
		{"ann", "DELETE", "/api/v1/providers/wallets/base", "", 404, "NOT_FOUND"},
		{"admin", "POST", "/api/v1/admin/products/none/moderate?moderation_action=flag", "", 404, "NOT_FOUND"},
		{"", "GET", "/api/v1/clients/content/none", "", 404, "NOT_FOUND"},
		{"", "GET", "/api/v1/clients/products/none/reviews", "", 404, "NOT_FOUND"},
		{"", "POST", "/api/v1/clients/products/" + id + "/reviews", `{"rating":5}`, 401, "AUTHENTICATION_REQUIRED"},
		{"eve", "POST", "/api/v1/clients/products/" + id + "/reviews", `{"rating":5}`, 403, "FORBIDDEN"},
		{"", "GET", "/api/v1/nowhere", "", 404, "NOT_FOUND"},
		{"", "PATCH", "/api/v1/clients/discover", "", 405, "METHOD_NOT_ALLOWED"},
		{"ann", "POST", "/api/v1/providers/products", `{"title":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "PAYLOAD_TOO_LARGE"},
	} {
		w := s.do(c.who, c.method, c.path, c.body)
		require.Equal(t, c.status, w.Code, "%s %s %s: %s", c.who, c.method, c.path, w.Body)
		s.refused(w, c.status, c.code)
	}
	require.Equal(t, []string{"Ann's"}, s.discover("").titles())
	var read product
	s.data(s.do("admin", "GET", own, ""), 200, &read)
	require.Equal(t, id, read.ID, "admins see everything")
}

func TestRequestsAreLimitedByWhoAsks(t *testing.T) {
	t.Parallel()
	s := newShop(t, backends["memory"](t), func(c *catalog.Config) {
		c.Limits = account.NewLimits(account.Rates{Anonymous: 2, Authenticated: 3, Provider: 4})
	})
	for path, asked := range map[string]struct {
		who   string
		times int
	}{"/api/v1/clients/discover": {"eve", 3}, "/api/v1/clients/categories": {"", 2}, "/api/v1/providers/products": {"ann", 4}} {
		for range asked.times {
			s.want(s.do(asked.who, "GET", path, ""), 200)
		}
		w := s.do(asked.who, "GET", path, "")
		s.refused(w, 429, "RATE_LIMIT_EXCEEDED")
		require.NotEmpty(t, w.Header().Get("Retry-After"))
	}
	s.refused(s.do("guess", "GET", "/api/v1/providers/products", ""), 429, "RATE_LIMIT_EXCEEDED") // by address, as nobody
	s.pass(60 * 1e9)
	s.want(s.do("", "GET", "/api/v1/clients/categories", ""), 200)
}

func TestTheSpecificationIsServedAsItIs(t *testing.T) {
	t.Parallel()
	s := newShop(t, backends["memory"](t))
	require.Equal(t, read(t, "openapi.yaml"), s.do("", "GET", "/api/v1/catalog/openapi.yaml", "").Body.String())
}

func TestWhatIsSpecifiedIsServed(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	s := newShop(t, backends["memory"](t))
	h := s.service.Handler()
	parameter := regexp.MustCompile(`\{\w+\}`)
	roots := s.service.ResourceHandler()
	for path, item := range doc.Paths.Map() {
		s.handler = h
		if !strings.HasPrefix(path, "/api/") {
			s.handler = roots
		}
		for method := range item.Operations() {
			w := s.do("", method, parameter.ReplaceAllString(path, "base"), "")
			require.NotContains(t, w.Body.String(), "There is no such path", "%s %s", method, path)
			require.NotEqual(t, 405, w.Code, "%s %s", method, path)
		}
	}
}

func TestWhoseKeyEndsBeforeTheirRequestIsThereMovesNoMoneyToAnotherWallet(t *testing.T) {
	t.Parallel()
	ended := false
	s := openKiosk(t, func(c *catalog.Config) {
		c.Authenticate = func(r *http.Request) (account.User, error) {
			if ended {
				return account.User{}, account.ErrInvalidCredentials
			}
			return kioskAuthenticate(r)
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "/api/v1/providers/wallets/base-sepolia", webtest.Late(`{"address":"`+buyer+`"}`, func() { ended = true }))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer ann")
	refused(t, webtest.Send(s.service.Handler(), r), 401, "INVALID_CREDENTIALS")
	list, err := s.store.Wallets(t.Context(), "ann")
	require.NoError(t, err)
	for _, w := range list {
		require.Equal(t, payTo, w.Address)
	}
}

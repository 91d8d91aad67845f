package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// market is a catalog with its accounts, behind HTTP.
type market struct {
	url      string
	catalog  *catalog.Service
	provider account.Registered
}

func openMarket(t *testing.T, f x402.Facilitator) *market {
	t.Helper()
	s := memory.New()
	accounts, err := account.New(account.Config{Store: s})
	require.NoError(t, err)
	m := new(market)
	m.catalog, err = catalog.New(catalog.Config{
		Store: s, Authenticate: accounts.Authenticate, Facilitator: f, Networks: []x402.Network{x402.BaseSepolia},
	})
	require.NoError(t, err)
	reports, err := report.New(report.Config{Store: s, Authenticate: accounts.Authenticate, Coins: m.catalog.Coins()})
	require.NoError(t, err)
	handler, err := account.Join(accounts.Handler(), m.catalog.Handler(), reports.Handler())
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	m.url = server.URL
	m.provider, err = accounts.Register(t.Context(), account.Registration{Role: account.RoleContentProvider, Name: "The Times"})
	require.NoError(t, err)
	_, err = m.catalog.SetWallet(t.Context(), m.provider.User, x402.BaseSepolia, payTo.Address.Hex())
	require.NoError(t, err)
	return m
}

// sell puts an article on sale for $0.001.
func (m *market) sell(t *testing.T, title string) catalog.Product {
	t.Helper()
	p, err := m.catalog.CreateProduct(t.Context(), m.provider.User, catalog.Draft{
		Title: title, ContentURL: "https://times.example/" + url.PathEscape(title), Price: "1000", Currency: "USDC", Category: "education", AccessDuration: 3600,
	})
	require.NoError(t, err)
	p, err = m.catalog.Publish(t.Context(), m.provider.User, p.ID)
	require.NoError(t, err)
	return p
}

func TestOfficialClientsBuyFromOurCatalog(t *testing.T) {
	t.Parallel()
	needNode(t)
	c := startDevchain(t)
	m := openMarket(t, startFacilitator(t, c))
	for name, script := range buyers {
		p := m.sell(t, "Tutorial of "+name)
		before := c.balance(t, payTo)
		got := buy(t, script, payer.Key, m.url+"/api/v1/clients/access/"+p.ID)
		require.Equal(t, http.StatusOK, got.Status, "%s: %+v", name, got)
		require.NotNil(t, got.Settlement, name)
		require.True(t, got.Settlement.Success, name)
		c.requireTransfer(t, got.Settlement.Transaction)
		require.EqualValues(t, price, c.balance(t, payTo)-before, name)
		var access struct {
			Status     string
			ContentURL string `json:"content_url"`
			Token      string `json:"access_token"`
			Paid       struct {
				Transaction string `json:"transaction_hash"`
			} `json:"payment_info"`
		}
		require.NoError(t, json.Unmarshal([]byte(got.Body), &access))
		require.Equal(t, "success", access.Status)
		require.Contains(t, access.ContentURL, "https://times.example/")
		require.NotEmpty(t, access.Token)
		require.Equal(t, got.Settlement.Transaction, access.Paid.Transaction)

		got = buy(t, script, poor.Key, m.url+"/api/v1/clients/access/"+p.ID)
		require.Equal(t, http.StatusPaymentRequired, got.Status, "%s: %+v", name, got)
		require.EqualValues(t, price, c.balance(t, payTo)-before, name)
	}
}

func TestTheProvidersExampleOfTheDocumentationRuns(t *testing.T) {
	t.Parallel()
	needNode(t)
	m := openMarket(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "provider.mjs")
	cmd.Env = append(os.Environ(), "BASE="+m.url, "KEY="+m.provider.Secret)
	var told, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &complaints
	require.NoError(t, cmd.Run(), "%s", &complaints)
	var got struct {
		Product struct {
			Status int
			Body   struct {
				ID, Title, Status, Price string
				OwnerID                  string `json:"owner_id"`
			}
		}
		Analytics struct {
			Status int
			Body   struct {
				Summary struct {
					Products   *int         `json:"total_products"`
					Active     *int         `json:"active_products"`
					Revenue    *string      `json:"total_revenue"`
					Views      *int         `json:"total_views"`
					Purchases  *int         `json:"total_purchases"`
					Conversion *json.Number `json:"conversion_rate"`
				}
				Trends struct {
					Revenue   *json.Number `json:"revenue_growth"`
					Views     *json.Number `json:"view_growth"`
					Customers *int         `json:"new_customers"`
				}
				Top       []json.RawMessage      `json:"top_products"`
				Geography map[string]json.Number `json:"geographic_distribution"`
			}
		}
		UnpaidRequests struct {
			Status int
			Body   struct {
				Items   []json.RawMessage
				Revenue string `json:"total_potential_revenue"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(told.Bytes(), &got), "%s", &told)
	require.Equal(t, http.StatusCreated, got.Product.Status, "%s", &told)
	require.Equal(t, []string{"Premium Content", "draft", "5000000000000000000", m.provider.User.ID},
		[]string{got.Product.Body.Title, got.Product.Body.Status, got.Product.Body.Price, got.Product.Body.OwnerID})
	require.Equal(t, http.StatusOK, got.Analytics.Status, "%s", &told)
	summary, trends := got.Analytics.Body.Summary, got.Analytics.Body.Trends
	require.Equal(t, []int{1, 0, 0, 0, 0}, []int{*summary.Products, *summary.Active, *summary.Views, *summary.Purchases, *trends.Customers}, "%s", &told)
	require.Equal(t, "0", *summary.Revenue)
	require.Equal(t, []json.Number{"0", "0", "0"}, []json.Number{*summary.Conversion, *trends.Revenue, *trends.Views})
	require.NotNil(t, got.Analytics.Body.Top)
	require.NotNil(t, got.Analytics.Body.Geography)
	require.Equal(t, http.StatusOK, got.UnpaidRequests.Status, "%s", &told)
	require.Equal(t, "0", got.UnpaidRequests.Body.Revenue)
	require.NotNil(t, got.UnpaidRequests.Body.Items)
}

// documentedClient is the Python client of the documentation, in Go.
type documentedClient struct {
	baseURL string
	headers map[string]string
}

func newDocumentedClient(baseURL, publicKey string) documentedClient {
	c := documentedClient{baseURL: baseURL, headers: map[string]string{}}
	if publicKey != "" {
		c.headers["Authorization"] = "Bearer " + publicKey
	}
	return c
}

func (c documentedClient) discoverContent(t *testing.T, query, category string, priceRange map[string]string) map[string]any {
	t.Helper()
	params := url.Values{"query": {query}}
	if category != "" {
		params.Set("category", category)
	}
	for name, v := range priceRange {
		params.Set(name, v)
	}
	response := c.get(t, "/clients/discover?"+params.Encode(), "")
	defer response.Body.Close()
	var found map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&found))
	return found
}

func (c documentedClient) accessContent(t *testing.T, productID, paymentHeader string) *http.Response {
	t.Helper()
	return c.get(t, "/clients/access/"+productID, paymentHeader)
}

func (c documentedClient) get(t *testing.T, path, paymentHeader string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.baseURL+path, nil)
	require.NoError(t, err)
	for name, v := range c.headers {
		r.Header.Set(name, v)
	}
	if paymentHeader != "" {
		r.Header.Set("X-PAYMENT", paymentHeader)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	return response
}

func TestTheClientsExampleOfTheDocumentationFindsAndAsks(t *testing.T) {
	t.Parallel()
	m := openMarket(t, startFacilitator(t, startDevchain(t)))
	p := m.sell(t, "AI tutorials for everybody")
	for name, key := range map[string]string{"nobody": "", "somebody": m.provider.Secret} {
		client := newDocumentedClient(m.url+"/api/v1", key)
		found := client.discoverContent(t, "AI tutorials", "education", nil)
		require.EqualValues(t, 1, found["total"], name)
		require.Equal(t, p.ID, found["items"].([]any)[0].(map[string]any)["id"])
		require.EqualValues(t, 0, client.discoverContent(t, "AI tutorials", "education", map[string]string{"min_price": "1001"})["total"])
		require.EqualValues(t, 1, client.discoverContent(t, "AI tutorials", "", map[string]string{"min_price": "1", "max_price": "1000"})["total"])

		response := client.accessContent(t, p.ID, "")
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusPaymentRequired, response.StatusCode)
		var offer struct {
			Version int `json:"x402Version"`
			Accepts []struct{ Scheme, Network, MaxAmountRequired, Asset, PayTo string }
		}
		require.NoError(t, json.Unmarshal(body, &offer), "%s", body)
		require.Equal(t, 1, offer.Version)
		require.Equal(t, "1000", offer.Accepts[0].MaxAmountRequired)
		require.True(t, strings.EqualFold(payTo.Address.Hex(), offer.Accepts[0].PayTo))

		response = client.accessContent(t, p.ID, "v402.1.0:signature:payload:metadata")
		body, err = io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusPaymentRequired, response.StatusCode)
		require.Contains(t, string(body), "invalid_payment_header")
	}
	require.NoError(t, m.catalog.FlushLog(t.Context()))
	got, err := m.catalog.UnpaidDemand(t.Context(), m.provider.User.ID, catalog.DemandQuery{}, store.PageNumber{})
	require.NoError(t, err)
	require.Equal(t, "2000", got.Value.In("USDC").String(), "what nobody paid for is known to the provider")
}

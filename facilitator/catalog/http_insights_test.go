package catalog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// bought stores n confirmed payments for p, of so much each.
func (d *desk) bought(p catalog.Product, n int, amount string, network x402.Network, at time.Time) {
	d.t.Helper()
	each, err := x402.ParseAtomic(amount)
	require.NoError(d.t, err)
	ctx := context.Background()
	for i := range n {
		id := fmt.Sprintf("pay-%s-%s-%d-%d", p.ID, amount, at.UnixNano(), i)
		_, _, err := d.store.AddProductPayment(ctx, catalog.Payment{
			ID: id, ProductID: p.ID, OwnerID: p.OwnerID, Method: catalog.MethodTransaction, Status: catalog.PaymentPending, Scheme: p.Scheme,
			Network: network, Chain: "ethereum", Currency: p.Currency, Payer: "0x1", Payee: "0x2", Amount: each, CreatedAt: at, ExpiresAt: at.Add(time.Hour), UpdatedAt: at,
		}, "tester", at)
		require.NoError(d.t, err)
		_, err = d.store.UpdateProductPayment(ctx, id, func(of *catalog.Payment) ([]store.Event, error) {
			of.Status, of.ConfirmedAt, of.UpdatedAt = catalog.PaymentConfirmed, at, at
			return nil, nil
		})
		require.NoError(d.t, err)
	}
}

// saw stores views of p.
func (d *desk) saw(p catalog.Product, n int64, at time.Time) {
	d.t.Helper()
	require.NoError(d.t, d.store.CountViews(context.Background(), map[string]int64{p.ID: n}, at, func(p catalog.Product, _ int64) store.Event {
		return store.Event{ID: fmt.Sprint(p.ID, at), Type: "product.viewed", Data: []byte("{}"), CreatedAt: at}
	}))
}

// best is an answer with top products.
type best struct {
	Period, Metric string
	Currency       *string
	Items          []struct {
		ID         string
		Revenue    string
		Purchases  int
		Views      int
		Rating     float64
		Conversion float64           `json:"conversion_rate"`
		ByCurrency map[string]string `json:"by_currency"`
	}
}

func (b best) ids() []string {
	ids := []string{}
	for _, i := range b.Items {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestTopProductsAreTheBestOfAPeriodByAMetric(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		a, b, c := d.sell("a", "A", fiveETH, "ETH"), d.sell("b", "B", "1", "ETH"), d.sell("c", "C", "2000000", "USDC", func(p *catalog.Product) {
			p.RatingSum, p.RatingCount = 97, 20
		})
		now := d.clock
		d.bought(a, 3, fiveETH, x402.Ethereum, now.Add(-time.Hour))
		d.bought(a, 1, fiveETH, x402.Ethereum, now.Add(-20*24*time.Hour))
		d.bought(b, 4, "1", x402.Ethereum, now.Add(-time.Hour))
		d.bought(c, 2, "2000000", x402.Base, now.Add(-time.Hour))
		d.bought(c, 1, "2000000000000000000", x402.BSC, now.Add(-time.Hour)) // 18 decimals there
		d.saw(a, 45, now.Add(-time.Hour))
		d.saw(b, 100, now.Add(-time.Hour))
		var got best
		d.read("/providers/insights/top-products?period=7d&metric=revenue", &got)
		require.Equal(t, []string{"a", "b", "c"}, got.ids())
		require.Equal(t, "ETH", *got.Currency)
		require.Equal(t, "15000000000000000000", got.Items[0].Revenue)
		require.Equal(t, []any{3, 45, 0.067}, []any{got.Items[0].Purchases, got.Items[0].Views, got.Items[0].Conversion})
		require.Equal(t, map[string]string{"USDC": "6000000"}, got.Items[2].ByCurrency, "in one unit")
		got = best{}
		d.read("/providers/insights/top-products", &got)
		require.Equal(t, []string{"30d", "revenue", "20000000000000000000"}, []string{got.Period, got.Metric, got.Items[0].Revenue})
		for query, want := range map[string][]string{
			"metric=purchases&period=7d": {"b", "a", "c"}, "metric=views": {"b", "a"}, "metric=rating": {"c"}, "metric=purchases&period=7d&limit=1": {"b"},
		} {
			got = best{}
			d.read("/providers/insights/top-products?"+query, &got)
			require.Equal(t, want, got.ids(), query)
		}
	})
}

// advised is an answer with recommendations.
type advised struct {
	Recommendations []struct {
		Type       string
		Products   []string          `json:"products_affected"`
		Impact     map[string]string `json:"potential_impact"`
		Confidence float64
	}
	Market struct {
		Categories []string                             `json:"trending_categories"`
		Price      *struct{ Min, Max, Currency string } `json:"optimal_price_range"`
	} `json:"market_insights"`
}

func TestRecommendationsFollowFromWhatHappened(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		complete := func(p *catalog.Product) {
			p.Description, p.Preview, p.Thumbnail, p.Tags, p.Category = "D", "P", "https://example.com/t.png", []string{"ai"}, "education"
		}
		var got advised
		d.read("/providers/insights/recommendations", &got)
		require.Empty(t, got.Recommendations, "nothing happened")
		require.Nil(t, got.Market.Price)
		require.Empty(t, got.Market.Categories)

		require.NoError(t, d.store.PutWallet(t.Context(), catalog.Wallet{OwnerID: "o1", Network: x402.Ethereum, Address: "0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9", UpdatedAt: noon}))
		asked := d.sell("asked", "Asked", "10", "ETH", complete)
		seen := d.sell("seen", "Seen", "10", "ETH", complete)
		fine := d.sell("fine", "Fine", "10", "ETH", complete)
		d.sell("dear", "Dear", "1000", "ETH", complete)
		d.sell("bare", "Bare", "10", "ETH")
		d.sell("unpayable", "Unpayable", "10", "SOL", complete)
		d.sell("draft", "Draft", "10", "ETH", complete, func(p *catalog.Product) { p.Status, p.CreatedAt = catalog.ProductDraft, noon.Add(-8*24*time.Hour) })
		d.ask(asked, "10.0.0.1", 30, catalog.LogRequested)
		d.ask(fine, "10.0.0.1", 30, catalog.LogRequested)
		d.saw(seen, 80, noon.Add(-time.Hour))
		d.bought(asked, 1, "10", x402.Ethereum, noon.Add(-time.Hour))
		d.bought(fine, 4, "20", x402.Ethereum, noon.Add(-time.Hour))
		d.bought(d.sell("others", "Others", "30", "ETH", complete, func(p *catalog.Product) { p.OwnerID = "o2" }), 5, "30", x402.Ethereum, noon.Add(-time.Hour))
		d.read("/providers/insights/recommendations", &got)
		types := map[string][]string{}
		for _, r := range got.Recommendations {
			types[r.Type] = r.Products
			switch r.Type {
			case "unpaid_demand":
				require.Equal(t, map[string]string{"ETH": "300"}, r.Impact)
				require.Equal(t, 0.6, r.Confidence)
			case "conversion":
				require.Equal(t, 0.8, r.Confidence)
			case "content", "publish", "payment_wallet":
				require.Equal(t, 1.0, r.Confidence)
			}
		}
		require.Equal(t, map[string][]string{
			"unpaid_demand": {"asked"}, "conversion": {"seen"}, "pricing": {"dear"}, "content": {"bare"}, "publish": {"draft"}, "payment_wallet": {"unpayable"},
		}, types)
		require.NotNil(t, got.Market.Price)
		require.Equal(t, []string{"20", "30", "ETH"}, []string{got.Market.Price.Min, got.Market.Price.Max, got.Market.Price.Currency})
		require.Equal(t, []string{"education"}, got.Market.Categories)
	})
}

func TestBadParametersOfInsightsAreRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t, memory.New())
	for query, code := range map[string]string{
		"period=2d": "INVALID_ENUM", "metric=fame": "INVALID_ENUM", "limit=0": "INVALID_RANGE", "limit=51": "INVALID_RANGE", "limit=x": "INVALID_TYPE",
	} {
		w := d.get("/providers/insights/top-products?" + query)
		require.Equal(t, 400, w.Code)
		require.Contains(t, w.Body.String(), code, query)
	}
}

package catalog

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

func (a *api) routeInsights(rt *v402api.Router) {
	rt.Handle("GET /api/v1/providers/insights/top-products", a.provider(a.getTopProducts))
	rt.Handle("GET /api/v1/providers/insights/recommendations", a.provider(a.getRecommendations))
}

// insightPeriods are those of top products.
var insightPeriods = map[string]time.Duration{"7d": week, "30d": month, "90d": quarter, "1y": 365 * 24 * time.Hour}

// topProductView is a product with what it brought.
type topProductView struct {
	ID             string            `json:"id"`
	Title          string            `json:"title"`
	Revenue        string            `json:"revenue"`
	Purchases      int64             `json:"purchases"`
	Views          int64             `json:"views"`
	Rating         hundredths        `json:"rating"`
	ReviewCount    int64             `json:"review_count"`
	ConversionRate thousandths       `json:"conversion_rate"`
	ByCurrency     map[string]string `json:"by_currency"`
}

// topView lists the best products of a period. Views are those of its last 30
// days.
type topView struct {
	Period   string           `json:"period"`
	Metric   ProductMetric    `json:"metric"`
	Currency *string          `json:"currency"`
	Items    []topProductView `json:"items"`
}

func (a *api) getTopProducts(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	period := v402api.OneOf(q, "period", "7d", "30d", "90d", "1y")
	metric := v402api.OneOf(q, "metric", productMetrics...)
	limit := q.Int("limit", 10, 1, MaxTopProducts)
	if err := q.Err(); err != nil {
		return err
	}
	if period == "" {
		period = "30d"
	}
	if metric == "" {
		metric = MetricRevenue
	}
	top, err := a.TopProducts(r.Context(), u.ID, metric, a.now().Add(-insightPeriods[period]), limit)
	if err != nil {
		return err
	}
	v := topView{Period: period, Metric: metric, Currency: orNull(top.Currency), Items: make([]topProductView, len(top.Products))}
	for i, p := range top.Products {
		v.Items[i] = topProductView{
			ID: p.Product.ID, Title: p.Product.Title, Revenue: p.Revenue.In(top.Currency).String(), Purchases: p.Purchases, Views: p.Views,
			Rating: hundredths(p.Product.Rating()), ReviewCount: p.Product.RatingCount, ConversionRate: thousandths(ratio(1000*p.Purchases, p.Views)),
			ByCurrency: viewSums(p.Revenue),
		}
	}
	return v402api.JSON(w, http.StatusOK, v)
}

// thousandths is a number with three decimals: 67 is 0.067 in JSON.
type thousandths int64

// MarshalJSON implements [json.Marshaler].
func (t thousandths) MarshalJSON() ([]byte, error) { return decimal(int64(t), 3), nil }

// adviceView is one recommendation.
type adviceView struct {
	Type             AdviceKind `json:"type"`
	Title            string     `json:"title"`
	Description      string     `json:"description"`
	ProductsAffected []string   `json:"products_affected"`
	PotentialImpact  any        `json:"potential_impact"` // amounts by currency, or null
	Confidence       hundredths `json:"confidence"`       // 0 to 1
}

// priceRangeView is a range of prices.
type priceRangeView struct {
	Min      string `json:"min"`
	Max      string `json:"max"`
	Currency string `json:"currency"`
	Sales    int64  `json:"sales"`
}

// recommendationsView is the answer with advice.
type recommendationsView struct {
	Recommendations []adviceView `json:"recommendations"`
	MarketInsights  struct {
		TrendingCategories []string        `json:"trending_categories"`
		OptimalPriceRange  *priceRangeView `json:"optimal_price_range"` // null: too few sales
	} `json:"market_insights"`
}

func (a *api) getRecommendations(w http.ResponseWriter, r *http.Request, u account.User) error {
	got, err := a.Recommend(r.Context(), u.ID)
	if err != nil {
		return err
	}
	v := recommendationsView{Recommendations: make([]adviceView, len(got.Advice))}
	for i, of := range got.Advice {
		advice := adviceView{of.Kind, of.Title, of.Description, of.ProductIDs, nil, hundredths(of.Confidence())}
		if len(of.Value) > 0 {
			advice.PotentialImpact = viewSums(of.Value)
		}
		v.Recommendations[i] = advice
	}
	v.MarketInsights.TrendingCategories = orEmpty(got.Market.Categories)
	if p := got.Market.Price; p.Max != nil {
		v.MarketInsights.OptimalPriceRange = &priceRangeView{p.Min.String(), p.Max.String(), p.Currency, p.Sales}
	}
	return v402api.JSON(w, http.StatusOK, v)
}

// decimal writes n/10^places without zeros at the end. n is not negative.
func decimal(n int64, places int) []byte {
	b := fmt.Appendf(nil, "%0*d", places+1, n)
	point := len(b) - places
	b = slices.Insert(b, point, '.')
	return bytes.TrimSuffix(bytes.TrimRight(b, "0"), []byte("."))
}

package report

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/web/v402api"
)

// spanView is the time of a report.
type spanView struct {
	GroupBy   Group        `json:"group_by,omitempty"`
	StartDate v402api.Time `json:"start_date"`
	EndDate   v402api.Time `json:"end_date"` // the last second
}

func viewSpan(r Range, g Group) spanView {
	return spanView{g, v402api.Time(r.From), v402api.Time(r.Last())}
}

// samplingView says whether visitors are exact.
type samplingView struct {
	LeftOut int64 `json:"left_out"`
}

// productView is the answer on one product.
type productView struct {
	TotalCount int64               `json:"total_count"` // view events, not rows
	Data       []productPeriodView `json:"data"`
	Summary    productSummaryView  `json:"summary"`
	Currency   string              `json:"currency"` // of the amounts that stand alone
	spanView
	Sampling samplingView `json:"sampling"`
}

type productPeriodView struct {
	Date           string            `json:"date"`
	Views          int64             `json:"views"`
	UniqueVisitors int64             `json:"unique_visitors"`
	Purchases      int64             `json:"purchases"`
	Revenue        string            `json:"revenue"`
	ConversionRate json.Number       `json:"conversion_rate"`
	ByCurrency     map[string]string `json:"by_currency"`
}

type productSummaryView struct {
	TotalViews            int64             `json:"total_views"`
	TotalPurchases        int64             `json:"total_purchases"`
	TotalRevenue          string            `json:"total_revenue"`
	AverageConversionRate json.Number       `json:"average_conversion_rate"`
	ByCurrency            map[string]string `json:"by_currency"`
}

func viewProduct(of ProductReport) productView {
	v := productView{
		TotalCount: of.Total.Views, Data: make([]productPeriodView, len(of.Periods)), Currency: of.Currency,
		Summary: productSummaryView{
			of.Total.Views, of.Total.Purchases, of.Total.Revenue.In(of.Currency).String(), viewRate(of.Total.Conversion()), viewSums(of.Total.Revenue),
		},
		spanView: viewSpan(of.Range, of.Group), Sampling: samplingView{of.Left},
	}
	for i, p := range of.Periods {
		v.Data[i] = productPeriodView{
			viewStart(p.Start, of.Group), p.Views, p.Visitors, p.Purchases, p.Revenue.In(of.Currency).String(), viewRate(p.Conversion()), viewSums(p.Revenue),
		}
	}
	return v
}

// dashboardView is the answer on all products.
type dashboardView struct {
	Summary     dashboardSummaryView   `json:"summary"`
	Trends      trendsView             `json:"trends"`
	TopProducts []topView              `json:"top_products"`
	Geography   map[string]json.Number `json:"geographic_distribution"`
	Currency    *string                `json:"currency"` // of the amounts that stand alone
	ByCurrency  map[string]string      `json:"by_currency"`
	spanView
	Sampling samplingView `json:"sampling"`
}

type dashboardSummaryView struct {
	TotalProducts  int64       `json:"total_products"`
	ActiveProducts int64       `json:"active_products"`
	TotalRevenue   string      `json:"total_revenue"`
	TotalViews     int64       `json:"total_views"`
	TotalPurchases int64       `json:"total_purchases"`
	ConversionRate json.Number `json:"conversion_rate"`
}

type trendsView struct {
	RevenueGrowth json.Number `json:"revenue_growth"`
	ViewGrowth    json.Number `json:"view_growth"`
	NewCustomers  int64       `json:"new_customers"`
}

type topView struct {
	ID         string            `json:"id"`
	Title      string            `json:"title"`
	Revenue    string            `json:"revenue"`
	Purchases  int64             `json:"purchases"`
	ByCurrency map[string]string `json:"by_currency"`
}

func viewDashboard(d Dashboard) dashboardView {
	v := dashboardView{
		Summary: dashboardSummaryView{
			d.Products, d.ActiveProducts, d.Total.Revenue.In(d.Currency).String(), d.Total.Views, d.Total.Purchases, viewRate(d.Total.Conversion()),
		},
		Trends:      trendsView{viewRate(d.RevenueGrowth), viewRate(d.ViewGrowth), d.NewCustomers},
		TopProducts: make([]topView, len(d.Top)), Geography: map[string]json.Number{},
		Currency: orNull(d.Currency), ByCurrency: viewSums(d.Total.Revenue), spanView: viewSpan(d.Range, ""), Sampling: samplingView{d.Left},
	}
	for i, p := range d.Top {
		v.TopProducts[i] = topView{p.ID, p.Title, p.Revenue.In(d.Currency).String(), p.Purchases, viewSums(p.Revenue)}
	}
	for region, tenths := range d.Regions {
		v.Geography[region] = viewDecimal(big.NewRat(int64(tenths), 10), 1)
	}
	return v
}

// revenueView is the answer on what came in.
type revenueView struct {
	Data       []revenuePeriodView          `json:"data"`
	Summary    revenueSummaryView           `json:"summary"`
	Currency   *string                      `json:"currency"` // of the amounts that stand alone
	ByCurrency map[string]string            `json:"by_currency"`
	ByChain    map[string]map[string]string `json:"by_chain"` // by currency
	spanView
}

type revenuePeriodView struct {
	Date           string            `json:"date"`
	Revenue        string            `json:"revenue"`
	Fees           string            `json:"fees"`
	Net            string            `json:"net"`
	Payments       int64             `json:"payments"`
	AveragePayment string            `json:"average_payment"`
	ByCurrency     map[string]string `json:"by_currency"`
}

type revenueSummaryView struct {
	TotalRevenue  string `json:"total_revenue"`
	TotalFees     string `json:"total_fees"`
	NetRevenue    string `json:"net_revenue"`
	TotalPayments int64  `json:"total_payments"`
}

func viewRevenue(of RevenueReport) revenueView {
	in, c := of.Total, of.Currency
	v := revenueView{
		Data: make([]revenuePeriodView, len(of.Periods)), Currency: orNull(c), ByCurrency: viewSums(in.Revenue), ByChain: map[string]map[string]string{},
		Summary:  revenueSummaryView{in.Revenue.In(c).String(), in.Fees.In(c).String(), in.Net(c).String(), in.Payments},
		spanView: viewSpan(of.Range, of.Group),
	}
	for i, p := range of.Periods {
		v.Data[i] = revenuePeriodView{
			viewStart(p.Start, of.Group), p.Revenue.In(c).String(), p.Fees.In(c).String(), p.Net(c).String(), p.Payments, p.Average(c).String(), viewSums(p.Revenue),
		}
	}
	for chain, sums := range of.ByChain {
		v.ByChain[chain] = viewSums(sums)
	}
	return v
}

// viewStart names a period by its first day, or its hour.
func viewStart(t time.Time, g Group) string {
	if g == GroupHour {
		return t.Format(time.RFC3339)
	}
	return t.Format(time.DateOnly)
}

// viewRate has three decimals at most.
func viewRate(r *big.Rat) json.Number { return viewDecimal(r, 3) }

// viewDecimal rounds r, half away from zero, and writes it without zeros at the
// end.
func viewDecimal(r *big.Rat, places int) json.Number {
	text := strings.TrimSuffix(strings.TrimRight(r.FloatString(places), "0"), ".")
	if text == "-0" {
		return "0"
	}
	return json.Number(text)
}

func viewSums(s catalog.Sums) map[string]string {
	v := make(map[string]string, len(s))
	for currency, sum := range s {
		v[currency] = sum.String()
	}
	return v
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

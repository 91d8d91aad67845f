package report_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

func TestTheDocumentedAnalyticsOfAProduct(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o *office) {
		p := o.sell("550e8400-e29b-41d4-a716-446655440000", "Premium AI Tutorial Series", "ETH", catalog.ProductActive)
		other := o.sell("other", "Other", "ETH", catalog.ProductActive)
		morning, tenth := noon.Add(-10*time.Hour), time.Date(2024, 1, 10, 8, 0, 0, 0, time.UTC)
		o.saw(p, 40, morning)
		o.saw(p, 5, noon)
		o.saw(p, 1205, tenth)
		o.saw(p, 9, time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)) // after the end
		o.saw(other, 100, noon)
		o.visited(p, 30, "US", morning)
		o.visited(p, 8, "DE", noon)
		o.visited(other, 50, "FR", noon)
		o.bought(p, 3, fiveETH, x402.Ethereum, noon)
		o.bought(p, 86, fiveETH, x402.Ethereum, tenth)
		o.bought(p, 1, fiveETH, x402.Ethereum, time.Date(2023, 12, 31, 23, 59, 59, 0, time.UTC))
		o.bought(other, 7, fiveETH, x402.Ethereum, noon)

		path := "/providers/products/" + p.ID + "/analytics"
		var got any
		o.read(path+"?start_date=2024-01-15&end_date=2024-01-15&group_by=day", &got)
		shows(t, `{"total_count":45,"data":[{"date":"2024-01-15","views":45,"unique_visitors":38,"purchases":3,"revenue":"15000000000000000000",
			"conversion_rate":0.067}],"currency":"ETH","sampling":{"left_out":0}}`, got)
		o.read(path+"?start_date=2024-01-01&end_date=2024-01-31&group_by=day", &got)
		shows(t, `{"total_count":1250,"summary":{"total_views":1250,"total_purchases":89,"total_revenue":"445000000000000000000",
			"average_conversion_rate":0.071,"by_currency":{"ETH":"445000000000000000000"}},
			"start_date":"2024-01-01T00:00:00Z","end_date":"2024-01-31T23:59:59Z"}`, got)
		require.Len(t, got.(map[string]any)["data"], 31)
		o.read(path+"?start_date=2024-01-10&end_date=2024-01-31&group_by=week", &got)
		require.Equal(t, []string{"2024-01-08", "2024-01-15", "2024-01-22", "2024-01-29"}, dates(got))
		shows(t, `{"date":"2024-01-08","views":1205,"purchases":86}`, got.(map[string]any)["data"].([]any)[0])
		o.read(path+"?start_date=2023-12-31&end_date=2024-02-01&group_by=month", &got)
		require.Equal(t, []string{"2023-12-01", "2024-01-01", "2024-02-01"}, dates(got))
		shows(t, `{"total_count":1259,"summary":{"total_purchases":90}}`, got)
		o.read(path+"?start_date=2024-01-15T04:00:00Z&end_date=2024-01-15T06:00:00Z&group_by=hour", &got)
		shows(t, `{"data":[{"date":"2024-01-15T04:00:00Z","views":40,"unique_visitors":30,"conversion_rate":0},
			{"date":"2024-01-15T05:00:00Z","views":0,"revenue":"0","conversion_rate":0}]}`, got)
	})
}

func dates(answer any) (names []string) {
	for _, row := range answer.(map[string]any)["data"].([]any) {
		names = append(names, row.(map[string]any)["date"].(string))
	}
	return names
}

func TestTheDocumentedDashboard(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o *office) {
		p := o.sell("550e8400-e29b-41d4-a716-446655440000", "Premium AI Tutorial Series", "ETH", catalog.ProductActive)
		second := o.sell("p1", "Second", "ETH", catalog.ProductActive)
		for n := 2; n < 15; n++ {
			status := catalog.ProductActive
			if n >= 12 {
				status = catalog.ProductDraft
			}
			o.sell(fmt.Sprintf("p%d", n), "More", "ETH", status)
		}
		o.sell("deleted", "Deleted", "ETH", catalog.ProductDeleted)
		recent, before := noon.Add(-48*time.Hour), noon.Add(-40*24*time.Hour)
		o.saw(p, 15000, recent)
		o.saw(second, 750, noon)
		o.saw(p, 14583, before)
		o.saw(p, 999, noon.Add(-100*24*time.Hour))
		o.bought(p, 88, fiveETH, x402.Ethereum, recent)
		regular := func(of *catalog.Payment) { of.Payer = "0xAbCd000000000000000000000000000000000001" }
		o.bought(p, 1, fiveETH, x402.Ethereum, recent, regular)
		user := func(of *catalog.Payment) { of.UserID = "user-1" }
		o.bought(second, 252, "8095238095238095238", x402.Ethereum, recent, user) // one customer
		o.bought(second, 1, "15000000000000000024", x402.Ethereum, recent, user)
		o.bought(p, 1, "2173913043478260869565", x402.Ethereum, before, func(of *catalog.Payment) { of.Payer = "0xabcd000000000000000000000000000000000001" })
		o.visited(p, 452, "US", recent)
		o.visited(p, 200, "DE", recent)
		o.visited(p, 121, "FR", recent)
		o.visited(second, 227, "JP", noon)
		o.visited(p, 5, "", noon)

		var got any
		o.read("/providers/analytics/dashboard?days=30", &got)
		shows(t, `{"summary":{"total_products":15,"active_products":12,"total_revenue":"2500000000000000000000","total_views":15750,
			"total_purchases":342,"conversion_rate":0.022},
			"trends":{"revenue_growth":0.15,"view_growth":0.08,"new_customers":89},
			"top_products":[{"id":"p1","title":"Second","revenue":"2055000000000000000000","purchases":253},
			{"id":"550e8400-e29b-41d4-a716-446655440000","title":"Premium AI Tutorial Series","revenue":"445000000000000000000","purchases":89}],
			"geographic_distribution":{"US":45.2,"EU":32.1,"ASIA":22.7},"currency":"ETH","sampling":{"left_out":0},
			"start_date":"2023-12-16T15:00:00Z","end_date":"2024-01-15T14:59:59Z"}`, got)
		require.Len(t, got.(map[string]any)["geographic_distribution"], 3)
	})
}

func TestRevenueIsApartForEachCurrencyAndWithoutRefunds(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o *office) {
		var got any
		o.read("/providers/analytics/revenue?start_date=2024-01-15&end_date=2024-01-15", &got)
		shows(t, `{"data":[{"date":"2024-01-15","revenue":"0","fees":"0","net":"0","payments":0,"average_payment":"0"}],"currency":null,
			"summary":{"total_revenue":"0","total_fees":"0","net_revenue":"0","total_payments":0}}`, got)
		eth, usdc := o.sell("eth", "ETH", "ETH", catalog.ProductActive), o.sell("usdc", "USDC", "USDC", catalog.ProductActive)
		fee := func(of *catalog.Payment) { of.Fee = atomic(t, "125000000000000000") }
		o.bought(eth, 3, fiveETH, x402.Ethereum, noon, fee)
		o.bought(eth, 1, fiveETH, x402.Ethereum, noon, fee, func(of *catalog.Payment) { of.Refunded = atomic(t, "1000000000000000001") })
		o.bought(usdc, 1, "2000000", x402.Base, noon, func(of *catalog.Payment) { of.Chain = "base" })
		o.bought(usdc, 1, "1000000000000000999", x402.BSC, noon, func(of *catalog.Payment) { of.Chain = "bsc" }) // 18 decimals there
		o.bought(eth, 1, fiveETH, x402.Ethereum, noon.Add(-14*24*time.Hour), fee)
		o.read("/providers/analytics/revenue?start_date=2024-01-01&end_date=2024-01-31&group_by=week", &got)
		require.Equal(t, []string{"2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-29"}, dates(got))
		shows(t, `{"date":"2024-01-15","revenue":"18999999999999999999","fees":"500000000000000000","net":"18499999999999999999","payments":6,
			"average_payment":"4749999999999999999","by_currency":{"ETH":"18999999999999999999","USDC":"3000000"}}`, got.(map[string]any)["data"].([]any)[2])
		shows(t, `{"summary":{"total_revenue":"23999999999999999999","total_fees":"625000000000000000","net_revenue":"23374999999999999999","total_payments":7},
			"currency":"ETH","group_by":"week","by_chain":{"ethereum":{"ETH":"23999999999999999999"},"base":{"USDC":"2000000"},"bsc":{"USDC":"1000000"}}}`, got)
	})
}

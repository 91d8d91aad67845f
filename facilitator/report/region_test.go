package report_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/store/memory"
)

func TestCountriesCountForTheirRegion(t *testing.T) {
	t.Parallel()
	for country, region := range map[string]string{"US": "US", "DE": "EU", "fr": "EU", "JP": "ASIA", "ZW": "ZW", "GB": "GB", "": "", "E ": "E ", "EUR": ""} {
		require.Equal(t, region, report.RegionOf(country), country)
	}
}

func TestSharesOfRegionsAreAHundredPercentAndWithinATenthOfTheTruth(t *testing.T) {
	t.Parallel()
	regions := []string{"US", "GB", "CA", "BR", "ZA", "AU"}
	rapid.Check(t, func(rt *rapid.T) {
		o := openOffice(t, memory.New())
		p := o.sell("p1", "Title", "ETH", catalog.ProductActive)
		counts, total := map[string]int{}, 0
		for _, region := range regions {
			counts[region] = rapid.IntRange(0, 20).Draw(rt, region)
			total += counts[region]
			o.visited(p, counts[region], region, noon)
		}
		d, err := o.service.Dashboard(t.Context(), "o1", 30)
		require.NoError(rt, err)
		sum := 0
		for region, tenths := range d.Regions {
			sum += tenths
			require.InDelta(rt, float64(counts[region])*1000/float64(total), tenths, 1)
		}
		if total == 0 {
			require.Empty(rt, d.Regions)
			return
		}
		require.Equal(rt, 1000, sum)
	})
}

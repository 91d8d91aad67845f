package report

import (
	"cmp"
	"slices"
	"strings"
)

// RegionOf is the region of a country in two letters: "EU" for the members of the
// European Union, "ASIA" for the countries of Asia, and the country itself for
// all others. Of what is unknown it knows nothing.
func RegionOf(country string) string {
	country = strings.ToUpper(country)
	switch {
	case len(country) != 2:
		return ""
	case strings.Contains(union, country+" "):
		return "EU"
	case strings.Contains(asia, country+" "):
		return "ASIA"
	default:
		return country
	}
}

// Countries by ISO 3166-1; those of Asia as the United Nations' M49 has them, and
// Taiwan, without Cyprus, which is in the Union.
const (
	union = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK "
	asia  = "AE AF AM AZ BD BH BN BT CN GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK " +
		"MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE "
)

// regions turns visitors by country into shares by region.
func (s *Service) regions(countries map[string]int64) map[string]int {
	counts := map[string]int64{}
	for country, n := range countries {
		if region := s.options.Region(country); region != "" {
			counts[region] += n
		}
	}
	return shares(counts)
}

// shares are the parts of counts in thousandths, which are 1000 in all: those that
// lose most by rounding down are rounded up, of equals the first by name.
func shares(counts map[string]int64) map[string]int {
	type part struct {
		name string
		rest int64
	}
	var sum int64
	for _, n := range counts {
		sum += n
	}
	out, left := map[string]int{}, 1000
	if sum == 0 {
		return out
	}
	var parts []part
	for name, n := range counts {
		whole := n * 1000 / sum
		out[name] = int(whole)
		left -= int(whole)
		parts = append(parts, part{name, n * 1000 % sum})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(b.rest, a.rest), cmp.Compare(a.name, b.name)) })
	for _, p := range parts[:left] {
		out[p.name]++
	}
	return out
}

package registry_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/registry"
)

// drawTerms draws valid terms.
func drawTerms(t *rapid.T) registry.Terms {
	terms := registry.Terms{
		BasisPoints: rapid.IntRange(0, 10000).Draw(t, "basis points"),
		Minimum:     registry.Money(rapid.Int64Range(0, 500).Draw(t, "minimum")),
	}
	rest := 10000
	for n := rapid.IntRange(0, 19).Draw(t, "payees"); n > 0 && rest > n; n-- {
		share := rapid.IntRange(1, rest-n).Draw(t, "share")
		terms.Payees = append(terms.Payees, registry.Payee{Name: "payee", Share: share})
		rest -= share
	}
	if rest > 0 {
		terms.Payees = append(terms.Payees, registry.Payee{Name: "last", Share: rest})
	}
	return terms
}

func TestPartsOfARoyaltyAddUpAndAreFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		terms := drawTerms(t)
		sale := registry.Money(rapid.Int64Range(1, int64(registry.MaxMoney)).Draw(t, "sale"))
		royalty := terms.Royalty(sale)
		require.GreaterOrEqual(t, royalty, min(terms.Minimum, sale))
		require.LessOrEqual(t, royalty, sale)
		if share := sale * registry.Money(terms.BasisPoints); royalty > terms.Minimum && royalty < sale {
			require.LessOrEqual(t, royalty*10000-5000, share, "rounded half up")
			require.Greater(t, royalty*10000+5000, share)
		}
		parts := terms.Split(royalty)
		require.Len(t, parts, len(terms.Payees))
		var sum registry.Money
		for _, part := range parts {
			sum += part.Amount
			exact := int64(royalty) * int64(part.Share)
			require.Less(t, int64(part.Amount)*10000-exact, int64(10000), "at most a cent above the exact share")
			require.Greater(t, int64(part.Amount)*10000-exact, int64(-10000), "at most a cent below it")
		}
		require.Equal(t, royalty, sum)
	})
}

func TestRoyaltiesFollowTheTerms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		terms      registry.Terms
		sale, want registry.Money
	}{
		"a tenth":               {registry.Terms{BasisPoints: 1000}, 2999, 300},
		"half a cent counts":    {registry.Terms{BasisPoints: 5000}, 1, 1},
		"less does not":         {registry.Terms{BasisPoints: 4999}, 1, 0},
		"at least the minimum":  {registry.Terms{BasisPoints: 100, Minimum: 50}, 1000, 50},
		"at most what was paid": {registry.Terms{Minimum: 50}, 20, 20},
		"all":                   {registry.Terms{BasisPoints: 10000}, registry.MaxMoney, registry.MaxMoney},
		"nothing":               {registry.Terms{}, 1000, 0},
	} {
		require.Equal(t, test.want, test.terms.Royalty(test.sale), name)
	}
	require.Empty(t, registry.Terms{BasisPoints: 100}.Split(100))
	thirds := registry.Terms{Payees: []registry.Payee{{Name: "a", Share: 3333}, {Name: "b", Share: 3334}, {Name: "c", Share: 3333}}}
	var got []registry.Money
	for _, part := range thirds.Split(200) {
		got = append(got, part.Amount)
	}
	require.Equal(t, []registry.Money{67, 67, 66}, got, "the first of equals gets the cent")
}

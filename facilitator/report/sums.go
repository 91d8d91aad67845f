package report

import (
	"cmp"
	"maps"
	"math/big"
	"slices"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

// Totals are what was seen and sold.
type Totals struct {
	Views     int64
	Purchases int64
	Revenue   catalog.Sums // before fees, without what was refunded, in the unit of prices
}

// Conversion is purchases by views, 0 without views. It is above 1 where products
// are bought without being looked at.
func (t Totals) Conversion() *big.Rat { return ratio(big.NewInt(t.Purchases), big.NewInt(t.Views)) }

// ratio is a/b, 0 if b is.
func ratio(a, b *big.Int) *big.Rat {
	if b.Sign() == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).SetFrac(a, b)
}

// growth is (now-before)/before, 0 if there was nothing before.
func growth(now, before *big.Int) *big.Rat { return ratio(new(big.Int).Sub(now, before), before) }

// add adds n to a sum.
func add(to catalog.Sums, currency string, n *big.Int) {
	to[currency] = new(big.Int).Add(to.In(currency), n)
}

// sold adds a sale to t.
func (s *Service) sold(t *Totals, sale Sale) {
	if t.Revenue == nil {
		t.Revenue = catalog.Sums{}
	}
	t.Purchases += sale.Count
	add(t.Revenue, sale.Currency, s.revenue(sale))
}

// revenue is what a sale brought before fees, in the unit of prices.
func (s *Service) revenue(sale Sale) *big.Int {
	return s.inPriceUnit(sale, new(big.Int).Sub(sale.Amount, sale.Refunded))
}

// inPriceUnit converts what is in the unit of the sale's network into that of
// prices. Where the network's is smaller, what makes no whole one is left out.
func (s *Service) inPriceUnit(sale Sale, n *big.Int) *big.Int {
	unit, known := s.coin("", sale.Currency)
	coin, found := s.coin(sale.Network, sale.Currency)
	if !known || !found || unit.Decimals == coin.Decimals {
		return n
	}
	factor := new(big.Int).Exp(big.NewInt(10), new(big.Int).Abs(big.NewInt(int64(unit.Decimals-coin.Decimals))), nil)
	if coin.Decimals < unit.Decimals {
		return factor.Mul(factor, n)
	}
	return factor.Quo(n, factor)
}

// coin is the first of a currency, on the network if that is not empty.
func (s *Service) coin(network x402.Network, currency string) (catalog.Coin, bool) {
	i := slices.IndexFunc(s.options.Coins, func(c catalog.Coin) bool {
		return c.Currency == currency && (network == "" || c.Network == network)
	})
	if i < 0 {
		return catalog.Coin{}, false
	}
	return s.options.Coins[i], true
}

// mainCurrency is that of most sales, the first by name of several; empty if
// there are none.
func mainCurrency(sales []Sale) string {
	counts := map[string]int64{}
	for _, sale := range sales {
		counts[sale.Currency] += sale.Count
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

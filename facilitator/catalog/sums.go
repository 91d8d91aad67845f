package catalog

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// Sums are amounts by currency, in its smallest unit.
type Sums map[string]*big.Int

// In is the sum in a currency, 0 if there is none.
func (s Sums) In(currency string) *big.Int {
	if sum := s[currency]; sum != nil {
		return sum
	}
	return new(big.Int)
}

// add adds an amount.
func (s Sums) add(currency string, n *big.Int) {
	if s[currency] == nil {
		s[currency] = new(big.Int)
	}
	s[currency].Add(s[currency], n)
}

// tallies count what happened to products, by their IDs.
type tallies map[string]*tally

// tally counts what happened to one.
type tally struct {
	count      int64
	byCurrency map[string]int64 // the count
	value      Sums
}

// add counts n more, which have that value together.
func (t tallies) add(productID, currency string, n int64, value *big.Int) {
	if t[productID] == nil {
		t[productID] = &tally{byCurrency: map[string]int64{}, value: Sums{}}
	}
	of := t[productID]
	of.count += n
	of.byCurrency[currency] += n
	of.value.add(currency, value)
}

// count is that of a product.
func (t tallies) count(productID string) int64 {
	if of := t[productID]; of != nil {
		return of.count
	}
	return 0
}

// ranked are the products, the most counted first.
func (t tallies) ranked() []string {
	counts := make(map[string]int64, len(t))
	for id, of := range t {
		counts[id] = of.count
	}
	return byCount(counts)
}

// currency is that of the highest count, the first by name of several; empty if
// nothing was counted.
func (t tallies) currency() string {
	counts := map[string]int64{}
	for _, of := range t {
		for currency, n := range of.byCurrency {
			counts[currency] += n
		}
	}
	if len(counts) == 0 {
		return ""
	}
	return byCount(counts)[0]
}

// value is that of all.
func (t tallies) value() Sums {
	sums := Sums{}
	for _, of := range t {
		for currency, n := range of.value {
			sums.add(currency, n)
		}
	}
	return sums
}

// byCount are the keys of counts, the most counted first.
func byCount(counts map[string]int64) []string {
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	return keys
}

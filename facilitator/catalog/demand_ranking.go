package catalog

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// ranking finds the foremost of requesters who come one after another. Which
// currency they are compared by shows at the end only: those that are foremost by
// each are held, and no others.
type ranking struct {
	least int64 // requests of who is listed
	most  int   // who are listed
	total int64 // who asked so often
	now   Requester
	of    map[string]int64       // requests of now by product; nil: nobody came yet
	best  map[string][]Requester // by currency; by "", in which nobody has anything, the last who asked
}

func newRanking(least int64, most int) *ranking {
	return &ranking{least: least, most: most, best: map[string][]Requester{"": nil}}
}

// add adds requests of the requester who came last, or of the next one.
func (k *ranking) add(n UnpaidCount, value *big.Int) {
	if k.of == nil || k.now.IP != n.IP {
		k.next()
		k.now, k.of = Requester{IP: n.IP, Value: Sums{}}, map[string]int64{}
	}
	k.now.Requests += n.Count
	k.now.Value.add(n.Currency, value)
	k.now.lastID = max(k.now.lastID, n.LastID)
	k.of[n.ProductID] += n.Count
}

// next takes the requester who came last into the ranking.
func (k *ranking) next() {
	if k.of == nil || k.now.Requests < k.least {
		return
	}
	k.total++
	k.now.ProductIDs = byCount(k.of)
	for currency := range k.now.Value {
		if _, known := k.best[currency]; !known { // nobody before has any of it
			k.best[currency] = slices.Clone(k.best[""])
		}
	}
	for currency, list := range k.best {
		if list = append(list, k.now); len(list) >= 2*k.most+64 {
			list = foremost(list, currency, k.most)
		}
		k.best[currency] = list
	}
}

// end returns the foremost by a currency, and how many there are in all.
func (k *ranking) end(currency string) ([]Requester, int64) {
	k.next()
	return foremost(k.best[currency], currency, k.most), k.total
}

// foremost sorts requesters and returns the first so many.
func foremost(list []Requester, currency string, most int) []Requester {
	slices.SortFunc(list, func(a, b Requester) int {
		return cmp.Or(b.Value.In(currency).Cmp(a.Value.In(currency)), strings.Compare(b.lastID, a.lastID))
	})
	return slices.Clip(list[:min(len(list), most)])
}

// value is what was asked for, at the price that was told.
func (n UnpaidCount) value() *big.Int { return new(big.Int).Mul(n.Price.Big(), big.NewInt(n.Count)) }

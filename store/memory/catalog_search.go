package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

// SearchProducts implements [catalog.DiscoveryStore].
func (s *Store) SearchProducts(ctx context.Context, of catalog.Search, page store.PageNumber) (store.List[catalog.Product], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[catalog.Product]{}, err
	}
	defer leave()
	scores := map[*product]float64{}
	selected := func(p *product) bool {
		if !p.OnSale() || !s.catalog.fits(p, of) {
			return false
		}
		score, found := p.score(of)
		scores[p] = score
		return found
	}
	return s.catalog.page(page, selected, func(a, b *product) int {
		switch of.Sort {
		case catalog.Cheapest:
			return a.Price.Cmp(b.Price)
		case catalog.BestRated:
			return compareRatings(b, a)
		case catalog.Newest:
			return b.PublishedAt.Compare(a.PublishedAt)
		}
		if len(of.Words) > 0 {
			return cmp.Compare(scores[b], scores[a])
		}
		return cmp.Compare(b.Purchases, a.Purchases)
	}), nil
}

// fits looks at all but the words.
func (d *catalogData) fits(p *product, of catalog.Search) bool {
	if of.Network != "" {
		_, paid := d.wallets[p.OwnerID][of.Network]
		if !paid || !slices.Contains(of.Currencies, p.Currency) || len(p.Chains) > 0 && !slices.Contains(p.Chains, of.Network) {
			return false
		}
	}
	return (of.Category == "" || strings.EqualFold(of.Category, p.Category)) && (of.Type == "" || of.Type == p.Type) &&
		(of.Media == "" || of.Media == p.ContentType) && (of.Currency == "" || of.Currency == p.Currency) &&
		(of.MinPrice == nil || p.Price.Cmp(*of.MinPrice) >= 0) && (of.MaxPrice == nil || p.Price.Cmp(*of.MaxPrice) <= 0)
}

// score says how well p fits the words, and whether it does at all.
func (p *product) score(of catalog.Search) (score float64, found bool) {
	if len(of.Words) == 0 {
		return 0, true
	}
	for i, word := range of.Words {
		prefix := of.Prefix && (of.Any || i == len(of.Words)-1)
		n := p.occurrences(word, prefix)
		if n == 0 && !of.Any {
			return 0, false
		}
		score += n
	}
	return score, score > 0
}

// occurrences counts a word by what its field weighs; more in one field count less
// and less.
func (p *product) occurrences(word string, prefix bool) float64 {
	var sum float64
	for _, field := range []struct {
		words  []string
		weight float64
	}{{p.words.Title, 16}, {p.words.Tags, 8}, {p.words.Category, 4}, {p.words.Description, 1}} {
		n := 0.0
		for _, w := range field.words {
			if w == word || prefix && strings.HasPrefix(w, word) {
				n++
			}
		}
		sum += field.weight * n / (n + 1)
	}
	return sum
}

// ProductCategories implements [catalog.DiscoveryStore].
func (s *Store) ProductCategories(ctx context.Context, limit int) ([]catalog.CategoryCount, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	counts := map[string]*catalog.CategoryCount{}
	for _, p := range s.catalog.products {
		if !p.OnSale() || p.Category == "" {
			continue
		}
		key := strings.ToLower(p.Category)
		if counts[key] == nil {
			counts[key] = &catalog.CategoryCount{Category: p.Category}
		}
		counts[key].Products++
		counts[key].Category = min(counts[key].Category, p.Category)
	}
	var list []catalog.CategoryCount
	for _, c := range counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b catalog.CategoryCount) int {
		return cmp.Or(cmp.Compare(b.Products, a.Products), strings.Compare(strings.ToLower(a.Category), strings.ToLower(b.Category)))
	})
	return list[:min(limit, len(list))], nil
}

// hourOf is the hour of t, in unix time.
func hourOf(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

// ProductTrends implements [catalog.DiscoveryStore].
func (s *Store) ProductTrends(ctx context.Context, since time.Time, category string, limit int) ([]catalog.Trend, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	sums := map[*product]activity{}
	for hour, products := range s.catalog.activity {
		for id, a := range products {
			p := s.catalog.products[id]
			if hour < hourOf(since) || p == nil || !p.OnSale() || category != "" && !strings.EqualFold(category, p.Category) {
				continue
			}
			sums[p] = activity{sums[p].views + a.views, sums[p].purchases + a.purchases}
		}
	}
	var found []*product
	for p := range sums {
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b *product) int {
		return cmp.Or(cmp.Compare(sums[b].purchases, sums[a].purchases), cmp.Compare(sums[b].views, sums[a].views), cmp.Compare(b.seq, a.seq))
	})
	var out []catalog.Trend
	for _, p := range found[:min(limit, len(found))] {
		out = append(out, catalog.Trend{Product: p.show(), Views: sums[p].views, Purchases: sums[p].purchases})
	}
	return out, nil
}

// activityKept is how long it is known what happened in which hour.
const activityKept = 31 * 24 * time.Hour

// CountViews implements [catalog.ProductStore].
func (s *Store) CountViews(ctx context.Context, views map[string]int64, at time.Time, event func(p catalog.Product, views int64) store.Event) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for id, n := range views {
		p := s.catalog.products[id]
		if p == nil {
			continue
		}
		p.Views += n
		s.catalog.addActivity(id, at, n, 0)
		s.reports.add(id, p.OwnerID, at, n)
		if e := event(p.show(), n); e.ID != "" {
			s.save(e)
		}
	}
	for hour := range s.catalog.activity {
		if hour < hourOf(at.Add(-activityKept)) {
			delete(s.catalog.activity, hour)
		}
	}
	s.reports.purge(at)
	return nil
}

// countPurchase adds a purchase to a product, with the payment that confirms it.
func (s *Store) countPurchase(productID string, at time.Time) {
	if p := s.catalog.products[productID]; p != nil {
		p.Purchases++
		s.catalog.addActivity(productID, at, 0, 1)
	}
}

func (d *catalogData) addActivity(productID string, at time.Time, views, purchases int64) {
	hour := hourOf(at)
	if d.activity[hour] == nil {
		d.activity[hour] = map[string]*activity{}
	}
	a := d.activity[hour][productID]
	if a == nil {
		a = new(activity)
		d.activity[hour][productID] = a
	}
	a.views, a.purchases = a.views+views, a.purchases+purchases
}

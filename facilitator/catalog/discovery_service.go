package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Query is what a client looks for; zero fields select all.
type Query struct {
	Text     string // words that must all occur; the last one may be a beginning
	Category string
	Type     ProductType
	Media    string // a content type, such as "video/mp4"
	Currency string
	MinPrice Price // in the smallest unit of each product's own currency: set Currency to compare prices of one
	MaxPrice Price
	Chain    string // on which it can be paid
	Sort     SearchSort
}

// Found is what a client finds.
type Found struct {
	store.List[Product]
	Search      Search
	Suggestions []string // other words to look for; titles that are near if nothing was found
}

// maxSuggestions is how many suggestions there are at most.
const maxSuggestions = 5

// Discover finds products that are on sale.
func (s *Service) Discover(ctx context.Context, q Query, page store.PageNumber) (Found, error) {
	search, err := s.search(q)
	if err != nil {
		return Found{}, err
	}
	list, err := s.store.SearchProducts(ctx, search, page.Bounded())
	if err != nil {
		return Found{}, refusal(err, nil, "search products")
	}
	found := Found{List: list, Search: search}
	switch {
	case len(search.Words) == 0:
	case list.Total > 0:
		found.Suggestions = related(list.Items, search.Words)
	default:
		found.Suggestions, err = s.nearest(ctx, search)
	}
	return found, err
}

// search checks q.
func (s *Service) search(q Query) (Search, error) {
	var f v402api.Faults
	f.Text("query", q.Text, maxQuery)
	f.Text("category", q.Category, maxShort)
	search := Search{
		Category: strings.TrimSpace(q.Category), Type: q.Type, Media: q.Media, Currency: strings.ToUpper(q.Currency), Sort: cmp.Or(q.Sort, ByRelevance),
	}
	search.Words, search.Prefix = queryWords(q.Text)
	if strings.TrimSpace(q.Text) != "" && len(search.Words) == 0 {
		f.Add("query", v402api.InvalidFormat, "query must have letters or digits")
	}
	if q.Type != "" {
		v402api.Enum(&f, "content_type", q.Type, productTypes...)
	}
	v402api.Enum(&f, "sort_by", search.Sort, ByRelevance, Cheapest, BestRated, Newest)
	if _, known := s.coins.unit(search.Currency); search.Currency != "" && !known {
		f.Add("currency", v402api.InvalidEnum, "currency must be one that is accepted here; see GET /api/v1/clients/chains")
	}
	search.MinPrice, search.MaxPrice = bound(&f, "min_price", q.MinPrice), bound(&f, "max_price", q.MaxPrice)
	if search.MinPrice != nil && search.MaxPrice != nil && search.MinPrice.Cmp(*search.MaxPrice) > 0 {
		f.Add("min_price", v402api.InvalidRange, "min_price must not be above max_price")
	}
	if q.Chain != "" {
		n, err := ParseChain(q.Chain)
		if err != nil || !slices.Contains(s.networks, n) {
			f.Add("chain", v402api.InvalidEnum, "this chain is not supported here")
		}
		search.Network, search.Currencies = n, s.coins.on(n)
	}
	return search, f.Err()
}

// bound reads one end of a range of prices; nil if there is none.
func bound(f *v402api.Faults, field string, text Price) *x402.Amount {
	if text == "" {
		return nil
	}
	amount, err := x402.ParseAtomic(string(text))
	if err != nil {
		f.Add(field, v402api.InvalidFormat, field+" must be a whole number of the smallest unit, in decimal digits")
		return nil
	}
	return &amount
}

// related are the tags that most of the products have and nobody asked for.
func related(list []Product, words []string) []string {
	count, name := map[string]int{}, map[string]string{}
	for i := range list {
		for _, tag := range list[i].Tags {
			key := strings.Join(Words(tag), " ")
			if key == "" || subset(Words(tag), words) {
				continue
			}
			count[key]++
			if name[key] == "" {
				name[key] = tag
			}
		}
	}
	keys := make([]string, 0, len(count))
	for key := range count {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	suggestions := make([]string, 0, maxSuggestions)
	for _, key := range keys[:min(len(keys), maxSuggestions)] {
		suggestions = append(suggestions, name[key])
	}
	return suggestions
}

// subset says whether all of list, the last perhaps by its beginning, are asked for.
func subset(list, words []string) bool {
	for _, w := range list {
		if !slices.ContainsFunc(words, func(asked string) bool { return strings.HasPrefix(w, asked) }) {
			return false
		}
	}
	return true
}

// nearest are the titles of products that have words like one of those that were
// asked for.
func (s *Service) nearest(ctx context.Context, asked Search) ([]string, error) {
	const likeness = 4 // characters that words have in common
	near := Search{Any: true, Prefix: true, Sort: ByRelevance}
	for _, w := range asked.Words {
		if utf8.RuneCountInString(w) > likeness {
			w = string([]rune(w)[:likeness])
		}
		near.Words = append(near.Words, w)
	}
	list, err := s.store.SearchProducts(ctx, near, store.PageNumber{Page: 1, Size: maxSuggestions})
	if err != nil {
		return nil, refusal(err, nil, "look for suggestions")
	}
	var titles []string
	for i := range list.Items {
		if title := list.Items[i].Title; !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
	}
	return titles, nil
}

// Look returns a product that is on sale as a client looks at it, and counts the
// view; [ErrProductUnknown]. The view is stored a little later, by [Service.Run].
func (s *Service) Look(ctx context.Context, id string) (Product, error) {
	p, err := s.Product(ctx, id)
	if err != nil {
		return Product{}, err
	}
	if !p.OnSale() {
		return Product{}, ErrProductUnknown
	}
	s.views.add(p.ID)
	return p, nil
}

// maxCategories is how many categories are listed.
const maxCategories = 1000

// Categories lists the categories of products that are on sale, the largest first.
func (s *Service) Categories(ctx context.Context) ([]CategoryCount, error) {
	list, err := s.store.ProductCategories(ctx, maxCategories)
	return list, refusal(err, nil, "list categories")
}

// Trending lists products that are on sale and were bought or seen during the
// period before now, which is counted in whole hours; those that were bought most
// come first. The category may be empty.
func (s *Service) Trending(ctx context.Context, period time.Duration, category string, limit int) ([]Trend, error) {
	list, err := s.store.ProductTrends(ctx, s.now().Add(-period), strings.TrimSpace(category), limit)
	return list, refusal(err, nil, "list trends")
}

// providers are the owners of products, as far as they are known.
func (s *Service) providers(ctx context.Context, list []Product) (map[string]Provider, error) {
	known := map[string]Provider{}
	if s.options.Providers == nil || len(list) == 0 {
		return known, nil
	}
	var ids []string
	for i := range list {
		if !slices.Contains(ids, list[i].OwnerID) {
			ids = append(ids, list[i].OwnerID)
		}
	}
	told, err := s.options.Providers(ctx, ids)
	return told, refusal(err, nil, "look for providers")
}

// ProviderOf is the owner of p as clients see it, with the mean of all ratings of
// the owner's products, in hundredths.
func (s *Service) ProviderOf(ctx context.Context, p Product) (by Provider, rating int64, err error) {
	sum, count, err := s.store.ProviderRating(ctx, p.OwnerID)
	if err != nil {
		return Provider{}, 0, refusal(err, nil, "rate a provider")
	}
	told, err := s.providers(ctx, []Product{p})
	by = told[p.OwnerID]
	by.ID = p.OwnerID
	return by, ratio(sum*100, count), err
}

package catalog

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/v402/v402/store"
)

// AdviceKind says what an advice is about.
type AdviceKind string

// The kinds of advice, and the rule of each.
const (
	AdviceUnpaid  AdviceKind = "unpaid_demand"  // asked for at least 10 times in a week, and bought less than once in 20 times
	AdviceConvert AdviceKind = "conversion"     // seen at least 50 times in a month, and bought less than once in 100 times
	AdvicePrice   AdviceKind = "pricing"        // dearer than three quarters of what the market paid in its currency, and not bought in 90 days
	AdviceDetails AdviceKind = "content"        // on sale without description, preview, thumbnail or tags
	AdviceDraft   AdviceKind = "publish"        // a draft for a week
	AdviceWallet  AdviceKind = "payment_wallet" // on sale where nobody can pay
)

// Advice is what a provider could do. It follows from counts of what happened, by
// the rule of its kind, and from nothing else.
type Advice struct {
	Kind        AdviceKind
	Title       string
	Description string
	ProductIDs  []string // the most concerned first, up to 10
	Requests    int64    // of [AdviceUnpaid]: how many were not paid
	Value       Sums     // of [AdviceUnpaid]: what they were asked for
	Seen        int64    // how many observations the advice rests on; 0: it is a plain fact
}

// Confidence is how much an advice rests on, in hundredths: 100 for a plain fact,
// and n/(n+20) for n observations.
func (a Advice) Confidence() int64 {
	if a.Seen == 0 {
		return 100
	}
	return 100 * a.Seen / (a.Seen + 20)
}

// Market is what others buy.
type Market struct {
	Categories []string   // of products that were bought or seen most in a week, up to 5
	Price      PriceRange // zero if there were fewer than 5 sales in 90 days
}

// PriceRange is the middle half of what was paid, in the currency of most sales.
type PriceRange struct {
	Currency string
	Min, Max *big.Int // in the unit of prices
	Sales    int64
}

// Recommendations is advice for a provider, and what the market buys.
type Recommendations struct {
	Advice []Advice
	Market Market
}

const (
	week  = 7 * 24 * time.Hour
	month = 30 * 24 * time.Hour
	// quarter is for how long back sales are looked at.
	quarter = 90 * 24 * time.Hour
	// maxAdvised is how many products an advice names.
	maxAdvised = 10
)

// Recommend looks at a provider's products, up to 500 of them, the most viewed
// first, and at what happened to them.
func (s *Service) Recommend(ctx context.Context, ownerID string) (Recommendations, error) {
	now := s.now()
	market, err := s.sales(ctx, "", now.Add(-quarter))
	if err != nil {
		return Recommendations{}, err
	}
	var r Recommendations
	if r.Market, err = s.market(ctx, market, now); err != nil {
		return r, err
	}
	views, err := s.store.ProductViews(ctx, ownerID, now.Add(-month))
	if err != nil {
		return r, refusal(err, nil, "count views")
	}
	products, err := s.Products(ctx, ProductFilter{OwnerID: ownerID, Sort: ByViews}, store.PageNumber{Size: store.MaxLimit})
	if err != nil {
		return r, err
	}
	monthly, err := s.sales(ctx, ownerID, now.Add(-month))
	if err != nil {
		return r, err
	}
	demand, err := s.demandAdvice(ctx, ownerID, monthly)
	if err != nil {
		return r, err
	}
	wallets, err := s.walletAdvice(ctx, products.Items)
	if err != nil {
		return r, err
	}
	for _, a := range []Advice{
		wallets, demand, convertAdvice(products.Items, monthly, views), priceAdvice(products.Items, market, r.Market.Price),
		detailsAdvice(products.Items), draftAdvice(products.Items, now),
	} {
		if len(a.ProductIDs) > 0 {
			a.ProductIDs = a.ProductIDs[:min(len(a.ProductIDs), maxAdvised)]
			r.Advice = append(r.Advice, a)
		}
	}
	return r, nil
}

// market sums up what is bought.
func (s *Service) market(ctx context.Context, sales tallies, now time.Time) (Market, error) {
	const looked, listed = 50, 5
	trends, err := s.store.ProductTrends(ctx, now.Add(-week), "", looked)
	if err != nil {
		return Market{}, refusal(err, nil, "look at trends")
	}
	counts := map[string]int64{}
	for _, t := range trends {
		if t.Product.Category != "" {
			const purchase = 100 // views that a purchase is worth here
			counts[t.Product.Category] += t.Views + purchase*t.Purchases
		}
	}
	categories := byCount(counts)
	return Market{Categories: categories[:min(len(categories), listed)], Price: sales.middleHalf()}, nil
}

// middleHalf is the range between the quartiles of what was paid on average for
// each product, by sales.
func (t tallies) middleHalf() PriceRange {
	const fewest = 5
	type paid struct {
		price *big.Int
		sales int64
	}
	r := PriceRange{Currency: t.currency()}
	var list []paid
	for _, sale := range t {
		if n := sale.byCurrency[r.Currency]; n > 0 {
			list = append(list, paid{new(big.Int).Quo(sale.value.In(r.Currency), big.NewInt(n)), n})
			r.Sales += n
		}
	}
	if r.Sales < fewest {
		return PriceRange{}
	}
	slices.SortFunc(list, func(a, b paid) int { return a.price.Cmp(b.price) })
	var passed int64
	for _, of := range list {
		passed += of.sales
		if r.Min == nil && 4*passed >= r.Sales {
			r.Min = of.price
		}
		if r.Max == nil && 4*passed >= 3*r.Sales {
			r.Max = of.price
		}
	}
	return r
}

func (s *Service) demandAdvice(ctx context.Context, ownerID string, sales tallies) (Advice, error) {
	const fewest, times = 10, 20
	f, err := s.demandFilter(ownerID, DemandQuery{Hours: MaxDemandHours})
	if err != nil {
		return Advice{}, err
	}
	asked := tallies{}
	err = s.store.Unpaid(ctx, f, func(n UnpaidCount) error {
		asked.add(n.ProductID, n.Currency, n.Count, n.value())
		return nil
	})
	if err != nil {
		return Advice{}, refusal(err, nil, "analyse unpaid requests")
	}
	a := Advice{
		Kind: AdviceUnpaid, Title: "Many ask and few pay", Value: Sums{},
		Description: "These products were asked for at least 10 times in the last week and bought less than once in 20 times. Try a lower price, or show more of them in the preview.",
	}
	for _, id := range asked.ranked() {
		of := asked[id]
		if of.count < fewest || sales.count(id)*times >= of.count {
			continue
		}
		a.ProductIDs, a.Requests = append(a.ProductIDs, id), a.Requests+of.count
		for currency, n := range of.value {
			a.Value.add(currency, n)
		}
	}
	a.Seen = a.Requests
	return a, nil
}

func convertAdvice(products []Product, sales tallies, views map[string]int64) Advice {
	const fewest, times = 50, 100
	a := Advice{
		Kind: AdviceConvert, Title: "Seen and not bought",
		Description: "These products were seen at least 50 times in the last month and bought less than once in 100 times. Look at their title, preview and price.",
	}
	for _, p := range products {
		if p.OnSale() && views[p.ID] >= fewest && sales.count(p.ID)*times < views[p.ID] {
			a.ProductIDs, a.Seen = append(a.ProductIDs, p.ID), a.Seen+views[p.ID]
		}
	}
	return a
}

func priceAdvice(products []Product, sales tallies, market PriceRange) Advice {
	a := Advice{Kind: AdvicePrice, Title: "Dearer than what is bought", Seen: market.Sales}
	if market.Max == nil {
		return a
	}
	a.Description = fmt.Sprintf("These products cost more than three quarters of what was paid in %s in the last 90 days, and nobody bought them. Half of all sales were between %s and %s.",
		market.Currency, market.Min, market.Max)
	for _, p := range products {
		if p.OnSale() && p.Currency == market.Currency && p.Price.Big().Cmp(market.Max) > 0 && sales[p.ID] == nil {
			a.ProductIDs = append(a.ProductIDs, p.ID)
		}
	}
	return a
}

func detailsAdvice(products []Product) Advice {
	a := Advice{
		Kind: AdviceDetails, Title: "Say more about what you sell",
		Description: "These products are on sale without a description, a preview, a thumbnail or tags, by which clients find and judge them.",
	}
	for _, p := range products {
		if p.OnSale() && (p.Description == "" || p.Preview == "" || p.Thumbnail == "" || len(p.Tags) == 0) {
			a.ProductIDs = append(a.ProductIDs, p.ID)
		}
	}
	return a
}

func draftAdvice(products []Product, now time.Time) Advice {
	a := Advice{Kind: AdviceDraft, Title: "Publish your drafts", Description: "These products have been drafts for a week; nobody can find or buy them."}
	for _, p := range products {
		if p.Status == ProductDraft && p.CreatedAt.Before(now.Add(-week)) {
			a.ProductIDs = append(a.ProductIDs, p.ID)
		}
	}
	return a
}

func (s *Service) walletAdvice(ctx context.Context, products []Product) (Advice, error) {
	a := Advice{
		Kind: AdviceWallet, Title: "Nobody can pay you",
		Description: "These products are on sale, and you have no wallet on a chain where their currency is accepted. Add one.",
	}
	payable := map[string]bool{} // by currency, of products that are paid wherever there is a wallet
	for _, p := range products {
		if !p.OnSale() || p.Scheme == SchemeFree {
			continue
		}
		ok, known := payable[p.Currency]
		if !known || len(p.Chains) > 0 {
			options, err := s.Options(ctx, p)
			if err != nil {
				return a, err
			}
			if ok = len(options) > 0; len(p.Chains) == 0 {
				payable[p.Currency] = ok
			}
		}
		if !ok {
			a.ProductIDs = append(a.ProductIDs, p.ID)
		}
	}
	return a, nil
}

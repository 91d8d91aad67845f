package catalog

import (
	"net/http"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

func (a *api) routeDiscover(rt *v402api.Router) {
	rt.Handle("GET /api/v1/clients/discover", a.anyone(a.getDiscover))
	rt.Handle("GET /api/v1/clients/content/{id}", a.anyone(a.getContent))
	rt.Handle("GET /api/v1/clients/categories", a.anyone(a.getCategories))
	rt.Handle("GET /api/v1/clients/trending", a.anyone(a.getTrending))
}

// foundView is a product as clients find it.
type foundView struct {
	ID          string       `json:"id"`
	Title       string       `json:"title"`
	Description string       `json:"description"`
	Type        ProductType  `json:"type"`
	Category    string       `json:"category"`
	Price       string       `json:"price"`
	Currency    string       `json:"currency"`
	Scheme      Scheme       `json:"payment_scheme"`
	Thumbnail   *string      `json:"thumbnail_url"`
	Rating      hundredths   `json:"rating"`
	Purchases   int64        `json:"purchase_count"`
	Provider    providerView `json:"provider"`
	Access      accessView   `json:"access_info"`
	Tags        []string     `json:"tags"`
	Chains      []string     `json:"chains"` // as the owner chose; empty: wherever the owner is paid
	ReviewCount int64        `json:"review_count"`
	PublishedAt v402api.Time `json:"published_at"`
}

// providerView is the owner of a product.
type providerView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Verified bool   `json:"verified"`
}

// accessView is what a payment opens: null is without bound.
type accessView struct {
	Duration    *int64  `json:"duration"` // seconds
	MaxAccesses *int64  `json:"max_accesses"`
	ContentType *string `json:"content_type"`
}

func viewFound(p Product, by Provider) foundView {
	return foundView{
		ID: p.ID, Title: p.Title, Description: p.Description, Type: p.Type, Category: p.Category, Price: p.Price.String(), Currency: p.Currency,
		Scheme: p.Scheme, Thumbnail: orNull(p.Thumbnail), Rating: hundredths(p.Rating()), Purchases: p.Purchases,
		Provider: providerView{p.OwnerID, by.Name, by.Verified},
		Access:   accessView{orNull(duration(p)), orNull(p.MaxAccesses), orNull(p.ContentType)},
		Tags:     orEmpty(p.Tags), Chains: chainNames(p.Chains), ReviewCount: p.RatingCount, PublishedAt: v402api.Time(p.PublishedAt),
	}
}

// discoverView is a page of what was found.
type discoverView struct {
	v402api.Page[foundView]
	Applied     appliedView `json:"filters_applied"`
	Suggestions []string    `json:"suggestions"`
}

// appliedView says what was looked for; null is everything.
type appliedView struct {
	Query       *string         `json:"query"`
	Category    *string         `json:"category"`
	PriceRange  [2]*x402.Amount `json:"price_range"`
	ContentType *string         `json:"content_type"`
	Currency    *string         `json:"currency"`
	Chain       *string         `json:"chain"`
	SortBy      SearchSort      `json:"sort_by"`
}

func (a *api) getDiscover(w http.ResponseWriter, r *http.Request, _ account.User) error {
	q := v402api.QueryOf(r)
	query := queryOf(q)
	page := q.Page(defaultSize, maxSize)
	if err := q.Err(); err != nil {
		return err
	}
	found, err := a.Discover(r.Context(), query, page)
	if err != nil {
		return err
	}
	providers, err := a.providers(r.Context(), found.Items)
	if err != nil {
		return err
	}
	kind := query.Media
	if kind == "" {
		kind = string(query.Type)
	}
	return v402api.JSON(w, http.StatusOK, discoverView{
		Page: v402api.PageOf(found.List, func(p Product) foundView { return viewFound(p, providers[p.OwnerID]) }),
		Applied: appliedView{
			orNull(query.Text), orNull(query.Category), [2]*x402.Amount{found.Search.MinPrice, found.Search.MaxPrice},
			orNull(kind), orNull(found.Search.Currency), orNull(query.Chain), found.Search.Sort,
		},
		Suggestions: orEmpty(found.Suggestions),
	})
}

// queryOf reads what a client looks for. The parameter content_type is a type of
// product or a media type.
func queryOf(q *v402api.Query) Query {
	query := Query{
		Text: q.Text("query", maxQuery), Category: q.Text("category", maxShort), Currency: q.Text("currency", maxCurrency),
		MinPrice: Price(q.Text("min_price", maxShort)), MaxPrice: Price(q.Text("max_price", maxShort)),
		Chain: q.Text("chain", maxShort), Sort: SearchSort(q.Text("sort_by", maxShort)),
	}
	kind := q.Text("content_type", maxShort)
	if kind == "" {
		kind = q.Text("type", maxShort)
	}
	if strings.Contains(kind, "/") {
		query.Media = kind
	} else {
		query.Type = ProductType(kind)
	}
	return query
}

// contentView is all that everybody may know about a product: never where its
// content is.
type contentView struct {
	foundView
	Provider   contentProvider `json:"provider"`
	Preview    *string         `json:"preview_content"`
	Options    []optionView    `json:"payment_options"`
	Statistics statisticsView  `json:"statistics"`
}

type contentProvider struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Website  *string    `json:"website"`
	Verified bool       `json:"verified"`
	Rating   hundredths `json:"rating"` // of all products
}

// optionView is one way to pay. The fee is what the payer pays for gas, in the
// network's coin: nothing through x402, and unknown for a plain transaction.
type optionView struct {
	Chain        string       `json:"chain"`
	Address      string       `json:"address"`
	EstimatedFee *string      `json:"estimated_fee"`
	Network      x402.Network `json:"network"`
	Currency     string       `json:"currency"`
	Amount       x402.Amount  `json:"amount"`
	Asset        *string      `json:"asset"` // address of the token; null for the network's coin
}

type statisticsView struct {
	Views       int64      `json:"view_count"`
	Purchases   int64      `json:"purchase_count"`
	Rating      hundredths `json:"rating"`
	ReviewCount int64      `json:"review_count"`
}

func viewOption(o PaymentOption) optionView {
	v := optionView{Chain: ChainName(o.Coin.Network), Address: o.PayTo, Network: o.Coin.Network, Currency: o.Coin.Currency, Amount: o.Amount}
	if !o.Coin.Native() {
		nothing := "0"
		v.EstimatedFee, v.Asset = &nothing, &o.Coin.Token.Address
	}
	return v
}

func (a *api) getContent(w http.ResponseWriter, r *http.Request, _ account.User) error {
	p, err := a.Look(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	options, err := a.Options(r.Context(), p)
	if err != nil {
		return err
	}
	by, rating, err := a.ProviderOf(r.Context(), p)
	if err != nil {
		return err
	}
	v := contentView{
		foundView: viewFound(p, by), Preview: orNull(p.Preview), Options: []optionView{},
		Provider:   contentProvider{p.OwnerID, by.Name, orNull(by.Website), by.Verified, hundredths(rating)},
		Statistics: statisticsView{p.Views, p.Purchases, hundredths(p.Rating()), p.RatingCount},
	}
	for _, o := range options {
		v.Options = append(v.Options, viewOption(o))
	}
	return v402api.JSON(w, http.StatusOK, v)
}

type categoryView struct {
	Name  string `json:"name"`
	Count *int64 `json:"count,omitempty"` // of products; if asked for
}

type categoriesView struct {
	Items []categoryView `json:"categories"`
	Total int            `json:"total"`
}

func (a *api) getCategories(w http.ResponseWriter, r *http.Request, _ account.User) error {
	q := v402api.QueryOf(r)
	counted := q.Bool("include_count")
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Categories(r.Context())
	if err != nil {
		return err
	}
	out := categoriesView{Items: make([]categoryView, len(list)), Total: len(list)}
	for i, c := range list {
		out.Items[i].Name = c.Category
		if counted {
			out.Items[i].Count = &c.Products
		}
	}
	return v402api.JSON(w, http.StatusOK, out)
}

// periods are what trends are asked for.
var periods = map[string]time.Duration{
	"1h": time.Hour, "6h": 6 * time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour,
}

type trendView struct {
	foundView
	Rank      int   `json:"rank"`
	Views     int64 `json:"period_views"`
	Purchases int64 `json:"period_purchases"`
}

type trendingView struct {
	Items  []trendView `json:"items"`
	Total  int         `json:"total"`
	Period string      `json:"period"`
}

func (a *api) getTrending(w http.ResponseWriter, r *http.Request, _ account.User) error {
	const defaultLimit, maxLimit = 10, 50
	q := v402api.QueryOf(r)
	period := v402api.OneOf(q, "period", "1h", "6h", "24h", "7d", "30d")
	if period == "" {
		period = "24h"
	}
	category, limit := q.Text("category", maxShort), q.Int("limit", defaultLimit, 1, maxLimit)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Trending(r.Context(), periods[period], category, limit)
	if err != nil {
		return err
	}
	products := make([]Product, len(list))
	for i := range list {
		products[i] = list[i].Product
	}
	providers, err := a.providers(r.Context(), products)
	if err != nil {
		return err
	}
	out := trendingView{Items: make([]trendView, len(list)), Total: len(list), Period: period}
	for i, t := range list {
		out.Items[i] = trendView{viewFound(t.Product, providers[t.Product.OwnerID]), i + 1, t.Views, t.Purchases}
	}
	return v402api.JSON(w, http.StatusOK, out)
}

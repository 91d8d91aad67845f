package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

// foundOrders sort what was found by anything but relevance.
var foundOrders = map[catalog.SearchSort]string{
	catalog.Cheapest:    "p.price_key ASC, p.seq DESC",
	catalog.BestRated:   "p.rating_key DESC, p.seq DESC",
	catalog.Newest:      "p.published_at DESC, p.seq DESC",
	catalog.ByRelevance: "p.purchases DESC, p.seq DESC",
}

// SearchProducts implements [catalog.DiscoveryStore].
func (s *DB) SearchProducts(ctx context.Context, of catalog.Search, page store.PageNumber) (list store.List[catalog.Product], err error) {
	page = page.Bounded()
	f := searchFilter(of)
	order := foundOrders[of.Sort]
	switch {
	case len(of.Words) > 0 && (order == "" || of.Sort == catalog.ByRelevance):
		list, err = s.ranked(ctx, of, f, page)
	case len(of.Words) > 0:
		condition, _ := s.text.match()
		f.add(condition, s.text.query(of))
		list, err = productPage(ctx, s.read, "v402_catalog_text t JOIN "+products.counted+" ON p.seq = t."+s.text.key(), f, order, page)
	default:
		f.conditions = append(f.conditions, "p.on_sale")
		if order == "" {
			order = foundOrders[catalog.ByRelevance]
		}
		list, err = productPage(ctx, s.read, products.counted, f, order, page)
	}
	if err != nil {
		return list, s.errorf("search products: %w", err)
	}
	return list, nil
}

// ranked finds by text, the best first. The index, which has what is on sale,
// makes the page; only what is on the page is read from the table. The index
// counts fast by itself; where there are filters, which one index of the table
// answers, what is found is counted in passing.
func (s *DB) ranked(ctx context.Context, of catalog.Search, f filter, page store.PageNumber) (store.List[catalog.Product], error) {
	out := store.List[catalog.Product]{Page: page.Page, Size: page.Size}
	tables, key := "v402_catalog_text t", "t."+s.text.key()
	filtered := len(f.conditions) > 0
	if filtered {
		tables += " JOIN " + products.counted + " ON p.seq = " + key
	}
	condition, rank := s.text.match()
	f.add(condition, s.text.query(of))
	rank = strings.ReplaceAll(rank, "?", placeholder(len(f.args)))
	where, args := f.String(), f.args
	count := func() (err error) {
		out.Total, err = one(ctx, s.read, column[int64], "SELECT COUNT(*) FROM "+tables+where, args...)
		return err
	}
	if !filtered {
		if err := count(); err != nil || out.Total <= int64(page.Offset()) {
			return out, err
		}
	}
	places := "SELECT " + key + " AS seq, " + rank + " AS place, 0 AS total FROM " + tables + where
	if filtered {
		places = "SELECT m.seq, m.place, COUNT(*) OVER () AS total FROM (" + places + ") m"
	}
	query := "SELECT " + products.columns + ", f.place, f.total FROM (" + places + " ORDER BY place, seq DESC" + f.limit(page) + ") f JOIN " + products.counted +
		" ON p.seq = f.seq"
	found, err := all(ctx, s.read, scanFound, query, f.args...)
	slices.SortFunc(found, func(a, b foundProduct) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(b.seq, a.seq)) })
	for _, p := range found {
		out.Items, out.Total = append(out.Items, p.Product), max(out.Total, p.total)
	}
	if err == nil && len(found) == 0 && page.Page > 1 {
		err = count()
	}
	return out, err
}

// foundProduct is a product, what it is sorted by, and how many were found with
// it, if they were counted.
type foundProduct struct {
	productAt
	place float64
	total int64
}

func scanFound(rows *sql.Rows) (f foundProduct, err error) {
	f.productAt, err = scanProductAnd(rows, &f.place, &f.total)
	return f, err
}

// searchFilter is all that is looked for but the words.
func searchFilter(of catalog.Search) filter {
	var f filter
	f.text("p.category_key = ?", strings.ToLower(of.Category))
	f.text("p.type = ?", string(of.Type))
	f.text("p.content_type = ?", of.Media)
	f.text("p.currency = ?", of.Currency)
	if of.MinPrice != nil {
		f.add("p.price_key >= ?", priceKey(*of.MinPrice))
	}
	if of.MaxPrice != nil {
		f.add("p.price_key <= ?", priceKey(*of.MaxPrice))
	}
	if of.Network != "" {
		f.add("EXISTS (SELECT 1 FROM v402_catalog_wallets w WHERE w.owner_id = p.owner_id AND w.network = ?)", string(of.Network))
		f.add(`(p.chains = '' OR p.chains LIKE ? ESCAPE '\')`, "%,"+likeText(string(of.Network))+",%")
		f.anyOf("p.currency", of.Currencies)
	}
	return f
}

// anyOf wants a column to have one of the values.
func (f *filter) anyOf(column string, values []string) {
	first := len(f.args) + 1
	f.args = append(f.args, anys(values)...)
	if len(values) == 0 {
		f.conditions = append(f.conditions, "FALSE")
		return
	}
	f.conditions = append(f.conditions, column+" IN "+list(first, len(values)))
}

func placeholder(n int) string { return strings.Trim(list(n, 1), "()") }

// ProductCategories implements [catalog.DiscoveryStore].
func (s *DB) ProductCategories(ctx context.Context, limit int) ([]catalog.CategoryCount, error) {
	list, err := all(ctx, s.read, scanCategory, `SELECT MIN(category), COUNT(*) AS n FROM v402_catalog_products
		WHERE on_sale AND category_key <> '' GROUP BY category_key ORDER BY n DESC, category_key LIMIT $1`, limit)
	if err != nil {
		return nil, s.errorf("list categories: %w", err)
	}
	return list, nil
}

func scanCategory(rows *sql.Rows) (c catalog.CategoryCount, err error) {
	err = rows.Scan(&c.Category, &c.Products)
	return c, err
}

// trend is what happened to a product.
type trend struct {
	id               string
	views, purchases int64
}

func scanTrend(rows *sql.Rows) (t trend, err error) {
	err = rows.Scan(&t.id, &t.views, &t.purchases)
	return t, err
}

// ProductTrends implements [catalog.DiscoveryStore].
func (s *DB) ProductTrends(ctx context.Context, since time.Time, category string, limit int) ([]catalog.Trend, error) {
	var f filter
	f.add("a.hour >= ?", hourOf(since))
	f.conditions = append(f.conditions, "p.on_sale")
	f.text("p.category_key = ?", strings.ToLower(category))
	where := f.String()
	f.add("?", limit)
	trends, err := all(ctx, s.read, scanTrend, `SELECT p.id, CAST(SUM(a.views) AS BIGINT) AS v, CAST(SUM(a.purchases) AS BIGINT) AS b
		FROM v402_catalog_activity a JOIN v402_catalog_products p ON p.id = a.product_id`+where+
		" GROUP BY p.id, p.seq ORDER BY b DESC, v DESC, p.seq DESC LIMIT "+placeholder(len(f.args)), f.args...)
	if err != nil {
		return nil, s.errorf("list trends: %w", err)
	}
	return s.withProducts(ctx, trends)
}

// withProducts reads the products of trends.
func (s *DB) withProducts(ctx context.Context, trends []trend) ([]catalog.Trend, error) {
	if len(trends) == 0 {
		return nil, nil
	}
	ids := make([]string, len(trends))
	for i, t := range trends {
		ids[i] = t.id
	}
	found, err := all(ctx, s.read, bareProduct, "SELECT "+products.columns+" FROM "+products.counted+" WHERE p.on_sale AND p.id IN "+list(1, len(ids)), anys(ids)...)
	if err != nil {
		return nil, s.errorf("list trends: %w", err)
	}
	var out []catalog.Trend
	for _, t := range trends {
		if i := slices.IndexFunc(found, func(p catalog.Product) bool { return p.ID == t.id }); i >= 0 {
			out = append(out, catalog.Trend{Product: found[i], Views: t.views, Purchases: t.purchases})
		}
	}
	return out, nil
}

// hourOf is the hour of t, in unix time.
func hourOf(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

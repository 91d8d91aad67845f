package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"strings"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

// productOrders are the columns that lists of products are sorted by.
var productOrders = map[catalog.ProductSort]string{
	catalog.ByCreated: "p.created_at", catalog.ByUpdated: "p.updated_at", catalog.ByTitle: "p.title_key", catalog.ByPrice: "p.price_key",
	catalog.ByViews: "p.views", catalog.ByPurchases: "p.purchases", catalog.ByRating: "p.rating_key", catalog.ByPublished: "p.published_at",
}

// Products implements [catalog.ProductStore].
func (s *DB) Products(ctx context.Context, of catalog.ProductFilter, page store.PageNumber) (store.List[catalog.Product], error) {
	order := cmp.Or(productOrders[of.Sort], "p.created_at")
	if of.Upward {
		order += " ASC, p.seq DESC"
	} else {
		order += " DESC, p.seq DESC"
	}
	list, err := productPage(ctx, s.read, products.counted, productFilter(of), order, page)
	if err != nil {
		return list, s.errorf("list products: %w", err)
	}
	return list, nil
}

// ProductsAfter implements [catalog.ProductStore].
func (s *DB) ProductsAfter(ctx context.Context, of catalog.ProductFilter, place int64, limit int) (list []catalog.Product, last int64, err error) {
	found, err := after(ctx, s.read, products, productFilter(of), place, limit)
	if err != nil {
		return nil, place, s.errorf("list products: %w", err)
	}
	for _, p := range found {
		list, place = append(list, p.Product), p.seq
	}
	return list, place, nil
}

// productFilter is of as conditions.
func productFilter(of catalog.ProductFilter) (f filter) {
	f.text("p.owner_id = ?", of.OwnerID)
	if of.Status == "" {
		f.conditions = append(f.conditions, "p.status <> 'deleted'")
	}
	f.text("p.status = ?", string(of.Status))
	f.text("p.category_key = ?", strings.ToLower(of.Category))
	if of.Search != "" {
		f.add(`p.search_key LIKE ? ESCAPE '\'`, "%"+likeText(strings.ToLower(of.Search))+"%")
	}
	if of.Flagged {
		f.conditions = append(f.conditions, "p.flagged")
	}
	return f
}

// productPage lists one page of the products that tables and f select.
func productPage(ctx context.Context, q querier, tables string, f filter, order string, page store.PageNumber) (store.List[catalog.Product], error) {
	page = page.Bounded()
	out := store.List[catalog.Product]{Page: page.Page, Size: page.Size}
	total, err := one(ctx, q, column[int64], "SELECT COUNT(*) FROM "+tables+f.String(), f.args...)
	if err != nil || total <= int64(page.Offset()) {
		out.Total = total
		return out, err
	}
	out.Total = total
	where := f.String()
	// Rows are read once their place is known: what is sorted is short.
	place := "SELECT p.id FROM " + tables + where + " ORDER BY " + order + f.limit(page)
	out.Items, err = all(ctx, q, bareProduct, "SELECT "+products.columns+" FROM "+products.counted+" WHERE p.id IN ("+place+") ORDER BY "+order, f.args...)
	return out, err
}

// limit ends a query after a page. The filter must not be written after it.
func (f *filter) limit(page store.PageNumber) string {
	n := len(f.conditions)
	f.add("LIMIT ?", page.Size)
	f.add("OFFSET ?", page.Offset())
	clause := " " + strings.Join(f.conditions[n:], " ")
	f.conditions = f.conditions[:n]
	return clause
}

func bareProduct(rows *sql.Rows) (catalog.Product, error) {
	p, err := scanProduct(rows)
	return p.Product, err
}

// ProviderRating implements [catalog.ProductStore].
func (s *DB) ProviderRating(ctx context.Context, ownerID string) (sum, count int64, err error) {
	r, err := one(ctx, s.read, scanRating, `SELECT CAST(COALESCE(SUM(rating_sum), 0) AS BIGINT), CAST(COALESCE(SUM(rating_count), 0) AS BIGINT)
		FROM v402_catalog_products WHERE owner_id = $1`, ownerID)
	if err != nil {
		return 0, 0, s.errorf("rate owner %s: %w", ownerID, err)
	}
	return r[0], r[1], nil
}

func scanRating(rows *sql.Rows) (r [2]int64, err error) {
	err = rows.Scan(&r[0], &r[1])
	return r, err
}

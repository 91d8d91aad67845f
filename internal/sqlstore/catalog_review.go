package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

var reviews = selection[catalog.Review]{
	columns: "id, product_id, author_id, author_name, rating, comment, created_at, updated_at", counted: "v402_catalog_reviews", id: "seq",
	scan: func(rows *sql.Rows) (r catalog.Review, err error) {
		var created, updated int64
		err = rows.Scan(&r.ID, &r.ProductID, &r.AuthorID, &r.AuthorName, &r.Rating, &r.Comment, &created, &updated)
		r.CreatedAt, r.UpdatedAt = moment(created), moment(updated)
		return r, err
	},
}

// PutReview implements [catalog.ReviewStore].
func (s *DB) PutReview(ctx context.Context, r catalog.Review, event func(r catalog.Review, p catalog.Product, created bool) store.Event) (stored catalog.Review, created bool, err error) {
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		// Reviews of one product take turns.
		p, err := one(ctx, tx, bareProduct, "SELECT "+products.columns+" FROM "+products.counted+" WHERE p.id = $1"+s.lock, r.ProductID)
		if err != nil {
			return found(err)
		}
		old, err := one(ctx, tx, reviews.scan, "SELECT "+reviews.columns+" FROM "+reviews.counted+" WHERE product_id = $1 AND author_id = $2", r.ProductID, r.AuthorID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			created, stored = true, r
			err = s.addReview(ctx, tx, &p, r)
		case err == nil:
			created, stored = false, old
			stored.AuthorName, stored.Rating, stored.Comment, stored.UpdatedAt = r.AuthorName, r.Rating, r.Comment, r.UpdatedAt
			p.RatingSum += int64(r.Rating - old.Rating)
			err = update(ctx, tx, "v402_catalog_reviews", "author_name, rating, comment, updated_at", r.AuthorName, r.Rating, r.Comment, micros(r.UpdatedAt), old.ID)
		}
		if err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_catalog_products", "rating_sum, rating_count, rating_key", p.RatingSum, p.RatingCount, ratingKey(&p), p.ID); err != nil {
			return err
		}
		return s.saveEvents(ctx, tx, []store.Event{event(stored, p, created)})
	})
	if err != nil {
		return catalog.Review{}, false, s.errorf("store a review of product %s: %w", r.ProductID, err)
	}
	return stored, created, nil
}

func (s *DB) addReview(ctx context.Context, tx querier, p *catalog.Product, r catalog.Review) error {
	seq, err := newIDs(ctx, tx, "review", 1)
	if err != nil {
		return err
	}
	p.RatingSum += int64(r.Rating)
	p.RatingCount++
	_, err = tx.ExecContext(ctx, "INSERT INTO v402_catalog_reviews (seq, "+reviews.columns+") VALUES "+list(1, 9),
		seq, r.ID, r.ProductID, r.AuthorID, r.AuthorName, r.Rating, r.Comment, micros(r.CreatedAt), micros(r.UpdatedAt))
	return err
}

// Reviews implements [catalog.ReviewStore].
func (s *DB) Reviews(ctx context.Context, productID string, page store.PageNumber) (store.List[catalog.Review], error) {
	page = page.Bounded()
	out := store.List[catalog.Review]{Page: page.Page, Size: page.Size}
	var f filter
	f.add("product_id = ?", productID)
	total, err := one(ctx, s.read, column[int64], "SELECT COUNT(*) FROM v402_catalog_reviews"+f.String(), f.args...)
	if err == nil {
		out.Total = total
		where := f.String()
		limit := f.limit(page)
		out.Items, err = all(ctx, s.read, reviews.scan, "SELECT "+reviews.columns+" FROM "+reviews.counted+where+" ORDER BY seq DESC"+limit, f.args...)
	}
	if err != nil {
		return out, s.errorf("list reviews of product %s: %w", productID, err)
	}
	return out, nil
}

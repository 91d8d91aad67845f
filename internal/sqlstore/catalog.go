package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var (
	_ catalog.ProductStore   = (*DB)(nil)
	_ catalog.DiscoveryStore = (*DB)(nil)
	_ catalog.WalletStore    = (*DB)(nil)
	_ catalog.ReviewStore    = (*DB)(nil)
)

const productColumns = "id, seq, owner_id, slug, title, title_key, description, search_key, preview, type, category, category_key, tags, " +
	"content_url, content_type, content_hash, thumbnail, price, price_key, currency, scheme, chains, quote_url, access_duration, max_accesses, " +
	"status, flagged, rejected, moderation_reason, moderated_by, moderated_at, suspended, on_sale, views, purchases, rating_sum, rating_count, " +
	"rating_key, created_at, updated_at, published_at, deleted_at"

// priceDigits is how many digits the highest price has.
const priceDigits = 78

func priceKey(a x402.Amount) string {
	digits := a.String()
	return strings.Repeat("0", priceDigits-len(digits)) + digits
}

// chainList writes networks so that each can be found between commas.
func chainList(list []x402.Network) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	for _, n := range list {
		b.WriteString("," + string(n))
	}
	return b.String() + ","
}

func productRow(p *catalog.Product, seq int64) ([]any, error) {
	tags, err := json.Marshal(p.Tags)
	title := strings.ToLower(p.Title)
	return []any{
		p.ID, seq, p.OwnerID, p.Slug, p.Title, title, p.Description, title + "\n" + strings.ToLower(p.Description), p.Preview, string(p.Type),
		p.Category, strings.ToLower(p.Category), string(tags), p.ContentURL, p.ContentType, p.ContentHash, p.Thumbnail, p.Price.String(),
		priceKey(p.Price), p.Currency, string(p.Scheme), chainList(p.Chains), p.QuoteURL, p.AccessDuration.Microseconds(), p.MaxAccesses,
		string(p.Status), p.Moderation.Flagged, p.Moderation.Rejected, p.Moderation.Reason, p.Moderation.By, optional(p.Moderation.At),
		p.Suspended, p.OnSale(), p.Views, p.Purchases, p.RatingSum, p.RatingCount, ratingKey(p), micros(p.CreatedAt), micros(p.UpdatedAt),
		optional(p.PublishedAt), optional(p.DeletedAt),
	}, err
}

// ratingKey is the mean rating in millionths.
func ratingKey(p *catalog.Product) int64 {
	if p.RatingCount == 0 {
		return 0
	}
	return p.RatingSum * 1_000_000 / p.RatingCount
}

// productAt is a product with its place in the order of creation.
type productAt struct {
	catalog.Product
	seq    int64
	listed bool // on sale, and so in the search index
}

// products are shown without the keys that they are only found by.
var products = selection[productAt]{
	columns: "p.id, p.seq, p.owner_id, p.slug, p.title, p.description, p.preview, p.type, p.category, p.tags, p.content_url, p.content_type, " +
		"p.content_hash, p.thumbnail, p.price, p.currency, p.scheme, p.chains, p.quote_url, p.access_duration, p.max_accesses, p.status, " +
		"p.flagged, p.rejected, p.moderation_reason, p.moderated_by, p.moderated_at, p.suspended, p.views, p.purchases, p.rating_sum, " +
		"p.rating_count, p.created_at, p.updated_at, p.published_at, p.deleted_at",
	counted: "v402_catalog_products p", id: "p.seq", scan: scanProduct,
}

func scanProduct(rows *sql.Rows) (productAt, error) { return scanProductAnd(rows) }

// scanProductAnd reads more columns after those of a product.
func scanProductAnd(rows *sql.Rows, more ...any) (p productAt, err error) {
	var tags, price, chains string
	var duration, moderated, created, updated, published, deleted int64
	err = rows.Scan(append([]any{&p.ID, &p.seq, &p.OwnerID, &p.Slug, &p.Title, &p.Description, &p.Preview, &p.Type, &p.Category, &tags, &p.ContentURL,
		&p.ContentType, &p.ContentHash, &p.Thumbnail, &price, &p.Currency, &p.Scheme, &chains, &p.QuoteURL, &duration, &p.MaxAccesses,
		&p.Status, &p.Moderation.Flagged, &p.Moderation.Rejected, &p.Moderation.Reason, &p.Moderation.By, &moderated, &p.Suspended,
		&p.Views, &p.Purchases, &p.RatingSum, &p.RatingCount, &created, &updated, &published, &deleted}, more...)...)
	if err != nil {
		return p, err
	}
	p.AccessDuration, p.Moderation.At = time.Duration(duration)*time.Microsecond, optionalMoment(moderated)
	p.CreatedAt, p.UpdatedAt, p.PublishedAt, p.DeletedAt = moment(created), moment(updated), optionalMoment(published), optionalMoment(deleted)
	for name := range strings.SplitSeq(strings.Trim(chains, ","), ",") {
		if name != "" {
			p.Chains = append(p.Chains, x402.Network(name))
		}
	}
	if p.Price, err = x402.ParseAtomic(price); err != nil {
		return p, err
	}
	p.listed = p.OnSale()
	return p, json.Unmarshal([]byte(tags), &p.Tags)
}

// AddProducts implements [catalog.ProductStore].
func (s *DB) AddProducts(ctx context.Context, list []catalog.Product, events ...store.Event) error {
	if len(list) == 0 {
		return nil
	}
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		suspended := map[string]bool{}
		for _, id := range ownersOf(list) {
			var err error
			if suspended[id], err = s.lockOwner(ctx, tx, id); err != nil {
				return err
			}
		}
		first, err := newIDs(ctx, tx, "product", len(list))
		if err != nil {
			return err
		}
		for i, p := range list {
			p.Suspended = suspended[p.OwnerID]
			if err := s.insertProduct(ctx, tx, &p, first+int64(i)); err != nil {
				return err
			}
		}
		return s.saveEvents(ctx, tx, events)
	})
	if err != nil {
		return s.errorf("add products: %w", err)
	}
	return nil
}

// ownersOf are the owners of products, each once, in one order for all.
func ownersOf(list []catalog.Product) []string {
	var ids []string
	for i := range list {
		ids = append(ids, list[i].OwnerID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (s *DB) insertProduct(ctx context.Context, tx querier, p *catalog.Product, seq int64) error {
	row, err := productRow(p, seq)
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO v402_catalog_products ("+productColumns+") VALUES "+list(1, len(row))+" ON CONFLICT DO NOTHING", row...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return firstError(err, catalog.ErrSlugTaken)
	}
	if p.OnSale() {
		return s.text.put(ctx, tx, seq, p.SearchText())
	}
	return nil
}

// lockOwner says whether an owner is suspended, and keeps that so until the end of
// the transaction. It comes before the owner's products are locked.
func (s *DB) lockOwner(ctx context.Context, tx querier, ownerID string) (suspended bool, err error) {
	if s.lock != "" {
		if _, err := tx.ExecContext(ctx, "INSERT INTO v402_catalog_owners (owner_id, suspended, at) VALUES ($1, FALSE, 0) ON CONFLICT DO NOTHING", ownerID); err != nil {
			return false, err
		}
	}
	suspended, err = one(ctx, tx, column[bool], "SELECT suspended FROM v402_catalog_owners WHERE owner_id = $1"+s.lock, ownerID)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return suspended, err
}

// UpdateProduct implements [catalog.ProductStore].
func (s *DB) UpdateProduct(ctx context.Context, id string, change func(*catalog.Product) ([]store.Event, error)) (catalog.Product, error) {
	var changed catalog.Product
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		old, err := s.lockProduct(ctx, tx, id)
		if err != nil {
			return err
		}
		p := old.Product
		p.Tags, p.Chains = slices.Clone(p.Tags), slices.Clone(p.Chains)
		events, err := change(&p)
		if err != nil {
			return err
		}
		p.ID, p.OwnerID, p.Suspended, p.CreatedAt = old.ID, old.OwnerID, old.Suspended, old.CreatedAt
		p.Views, p.Purchases, p.RatingSum, p.RatingCount = old.Views, old.Purchases, old.RatingSum, old.RatingCount
		if err := s.putProduct(ctx, tx, &p, &old); err != nil {
			return err
		}
		if err := s.saveEvents(ctx, tx, events); err != nil {
			return err
		}
		stored, err := single(ctx, tx, products, "p.id = $1", id)
		changed = stored.Product
		return err
	})
	if err != nil {
		return catalog.Product{}, s.errorf("update product %s: %w", id, err)
	}
	return changed, nil
}

// lockProduct returns a product that stays as it is until the end of the
// transaction.
func (s *DB) lockProduct(ctx context.Context, tx querier, id string) (productAt, error) {
	owner, err := one(ctx, tx, column[string], "SELECT owner_id FROM v402_catalog_products WHERE id = $1", id)
	if err != nil {
		return productAt{}, found(err)
	}
	suspended, err := s.lockOwner(ctx, tx, owner)
	if err != nil {
		return productAt{}, err
	}
	p, err := one(ctx, tx, products.scan, "SELECT "+products.columns+" FROM "+products.counted+" WHERE p.id = $1"+s.lock, id)
	p.Suspended = suspended
	return p, found(err)
}

// putProduct writes p in place of old, and into the search index.
func (s *DB) putProduct(ctx context.Context, tx querier, p *catalog.Product, old *productAt) error {
	taken, err := one(ctx, tx, column[int64], "SELECT COUNT(*) FROM v402_catalog_products WHERE slug = $1 AND slug <> '' AND id <> $2", p.Slug, p.ID)
	if err != nil {
		return err
	}
	if taken > 0 {
		return catalog.ErrSlugTaken
	}
	row, err := productRow(p, old.seq)
	if err != nil {
		return err
	}
	columns := strings.Split(productColumns, ", ")[2:]
	for i, name := range columns {
		columns[i] = name + " = $" + strconv.Itoa(i+1)
	}
	query := "UPDATE v402_catalog_products SET " + strings.Join(columns, ", ") + " WHERE id = $" + strconv.Itoa(len(columns)+1)
	if _, err := tx.ExecContext(ctx, query, append(row[2:], p.ID)...); err != nil {
		return slugTaken(err)
	}
	return s.index(ctx, tx, p, old)
}

// slugTaken is err, or what a UNIQUE index of slugs means.
func slugTaken(err error) error {
	var state interface{ SQLState() string }
	const uniqueViolation = "23505" // PostgreSQL, "Error Codes": two that were written at once
	if errors.As(err, &state) && state.SQLState() == uniqueViolation {
		return catalog.ErrSlugTaken
	}
	return err
}

// index keeps the search index with what became of old.
func (s *DB) index(ctx context.Context, tx querier, p *catalog.Product, old *productAt) error {
	same := p.Title == old.Title && p.Description == old.Description && p.Category == old.Category && slices.Equal(p.Tags, old.Tags)
	if p.OnSale() == old.listed && (same || !old.listed) {
		return nil
	}
	if old.listed {
		if err := s.text.remove(ctx, tx, old.seq); err != nil {
			return err
		}
	}
	if !p.OnSale() {
		return nil
	}
	return s.text.put(ctx, tx, old.seq, p.SearchText())
}

// DeleteProduct implements [catalog.ProductStore].
func (s *DB) DeleteProduct(ctx context.Context, id string, check func(catalog.Product) ([]store.Event, error)) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		p, err := s.lockProduct(ctx, tx, id)
		if err != nil {
			return err
		}
		events, err := check(p.Product)
		if err != nil {
			return err
		}
		const paid = "SELECT COUNT(*) FROM v402_catalog_payments WHERE product_id = $1 AND status <> 'failed'"
		if n, err := one(ctx, tx, column[int64], paid, id); err != nil || n > 0 {
			return firstError(err, catalog.ErrProductSold)
		}
		for _, table := range []string{"v402_catalog_reviews WHERE product_id", "v402_catalog_activity WHERE product_id", "v402_catalog_products WHERE id"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" = $1", id); err != nil {
				return err
			}
		}
		if err := s.text.remove(ctx, tx, p.seq); err != nil {
			return err
		}
		return s.saveEvents(ctx, tx, events)
	})
	if err != nil {
		return s.errorf("delete product %s: %w", id, err)
	}
	return nil
}

// Product implements [catalog.ProductStore].
func (s *DB) Product(ctx context.Context, id string) (catalog.Product, error) {
	p, err := single(ctx, s.read, products, "p.id = $1", id)
	if err != nil {
		return catalog.Product{}, s.errorf("product %s: %w", id, err)
	}
	return p.Product, nil
}

// ProductBySlug implements [catalog.ProductStore].
func (s *DB) ProductBySlug(ctx context.Context, slug string) (catalog.Product, error) {
	p, err := single(ctx, s.read, products, "p.slug = $1 AND p.slug <> ''", slug)
	if err != nil {
		return catalog.Product{}, s.errorf("product named %s: %w", slug, err)
	}
	return p.Product, nil
}

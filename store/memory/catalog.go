package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var (
	_ catalog.ProductStore   = (*Store)(nil)
	_ catalog.DiscoveryStore = (*Store)(nil)
	_ catalog.WalletStore    = (*Store)(nil)
	_ catalog.ReviewStore    = (*Store)(nil)
)

// catalogData is what a catalog keeps of products.
type catalogData struct {
	products map[string]*product // by ID
	newest   int64
	owners   map[string]owner
	wallets  map[string]map[x402.Network]catalog.Wallet // by owner
	reviews  map[string][]catalog.Review                // by product, the oldest first
	activity map[int64]map[string]*activity             // by hour and product
}

// product is a product, its place in the order of creation, and its words.
type product struct {
	catalog.Product
	seq   int64
	words catalog.SearchText
}

// owner is what was last said about a provider.
type owner struct {
	suspended bool
	at        time.Time
}

// activity is what happened to a product within an hour.
type activity struct{ views, purchases int64 }

func (d *catalogData) init() {
	d.products = map[string]*product{}
	d.owners = map[string]owner{}
	d.wallets = map[string]map[x402.Network]catalog.Wallet{}
	d.reviews = map[string][]catalog.Review{}
	d.activity = map[int64]map[string]*activity{}
}

// show is a copy of p.
func (p *product) show() catalog.Product {
	c := p.Product
	c.Tags, c.Chains = slices.Clone(c.Tags), slices.Clone(c.Chains)
	return c
}

// put stores p as it is now.
func (p *product) put(now catalog.Product) {
	now.Tags, now.Chains = slices.Clone(now.Tags), slices.Clone(now.Chains)
	now.CreatedAt, now.UpdatedAt, now.Moderation.At = stored(now.CreatedAt), stored(now.UpdatedAt), stored(now.Moderation.At)
	now.PublishedAt, now.DeletedAt = stored(now.PublishedAt), stored(now.DeletedAt)
	p.Product, p.words = now, now.SearchText()
}

// bySlug returns the product that has a slug, or nil.
func (d *catalogData) bySlug(slug string) *product {
	for _, p := range d.products {
		if slug != "" && p.Slug == slug {
			return p
		}
	}
	return nil
}

// AddProducts implements [catalog.ProductStore].
func (s *Store) AddProducts(ctx context.Context, list []catalog.Product, events ...store.Event) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d := &s.catalog
	slugs := map[string]bool{"": false}
	for _, p := range list {
		if d.products[p.ID] != nil || d.bySlug(p.Slug) != nil || slugs[p.Slug] {
			return fmt.Errorf("memory: add products: %w", catalog.ErrSlugTaken)
		}
		slugs[p.Slug] = p.Slug != ""
	}
	for _, p := range list {
		d.newest++
		p.Suspended = d.owners[p.OwnerID].suspended
		added := &product{seq: d.newest}
		added.put(p)
		d.products[p.ID] = added
	}
	s.saveAll(events)
	return nil
}

func (s *Store) saveAll(events []store.Event) {
	for _, e := range events {
		s.save(e)
	}
}

// UpdateProduct implements [catalog.ProductStore].
func (s *Store) UpdateProduct(ctx context.Context, id string, change func(*catalog.Product) ([]store.Event, error)) (catalog.Product, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Product{}, err
	}
	defer leave()
	p := s.catalog.products[id]
	if p == nil {
		return catalog.Product{}, missing("product", id)
	}
	changed := p.show()
	events, err := change(&changed)
	if err != nil {
		return catalog.Product{}, err
	}
	if other := s.catalog.bySlug(changed.Slug); other != nil && other != p {
		return catalog.Product{}, fmt.Errorf("memory: update product %s: %w", id, catalog.ErrSlugTaken)
	}
	changed.ID, changed.OwnerID, changed.Suspended, changed.CreatedAt = p.ID, p.OwnerID, p.Suspended, p.CreatedAt
	changed.Views, changed.Purchases, changed.RatingSum, changed.RatingCount = p.Views, p.Purchases, p.RatingSum, p.RatingCount
	p.put(changed)
	s.saveAll(events)
	return p.show(), nil
}

// DeleteProduct implements [catalog.ProductStore].
func (s *Store) DeleteProduct(ctx context.Context, id string, check func(catalog.Product) ([]store.Event, error)) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	p := s.catalog.products[id]
	if p == nil {
		return missing("product", id)
	}
	events, err := check(p.show())
	if err != nil {
		return err
	}
	for _, paid := range s.payments.payments {
		if paid.ProductID == id && paid.Status != catalog.PaymentFailed {
			return catalog.ErrProductSold
		}
	}
	delete(s.catalog.products, id)
	delete(s.catalog.reviews, id)
	for _, hour := range s.catalog.activity {
		delete(hour, id)
	}
	s.saveAll(events)
	return nil
}

// Product implements [catalog.ProductStore].
func (s *Store) Product(ctx context.Context, id string) (catalog.Product, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Product{}, err
	}
	defer leave()
	p := s.catalog.products[id]
	if p == nil {
		return catalog.Product{}, missing("product", id)
	}
	return p.show(), nil
}

// ProductBySlug implements [catalog.ProductStore].
func (s *Store) ProductBySlug(ctx context.Context, slug string) (catalog.Product, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Product{}, err
	}
	defer leave()
	p := s.catalog.bySlug(slug)
	if p == nil {
		return catalog.Product{}, missing("product named", slug)
	}
	return p.show(), nil
}

// Products implements [catalog.ProductStore].
func (s *Store) Products(ctx context.Context, f catalog.ProductFilter, page store.PageNumber) (store.List[catalog.Product], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[catalog.Product]{}, err
	}
	defer leave()
	return s.catalog.page(page, selector(f), func(a, b *product) int {
		if f.Upward {
			return compareProducts(a, b, f.Sort)
		}
		return compareProducts(b, a, f.Sort)
	}), nil
}

// selector says which products f selects.
func selector(f catalog.ProductFilter) func(p *product) bool {
	category, search := strings.ToLower(f.Category), strings.ToLower(f.Search)
	return func(p *product) bool {
		return (f.OwnerID == "" || f.OwnerID == p.OwnerID) && (f.Status != "" || p.Status != catalog.ProductDeleted) &&
			(f.Status == "" || f.Status == p.Status) && (category == "" || category == strings.ToLower(p.Category)) &&
			(!f.Flagged || p.Moderation.Flagged) && strings.Contains(strings.ToLower(p.Title+"\n"+p.Description), search)
	}
}

// ProductsAfter implements [catalog.ProductStore].
func (s *Store) ProductsAfter(ctx context.Context, f catalog.ProductFilter, place int64, limit int) (list []catalog.Product, last int64, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, place, err
	}
	defer leave()
	selected := selector(f)
	var found []*product
	for _, p := range s.catalog.products {
		if p.seq > place && selected(p) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *product) int { return cmp.Compare(a.seq, b.seq) })
	for _, p := range found[:min(limit, len(found))] {
		list, place = append(list, p.show()), p.seq
	}
	return list, place, nil
}

// page lists the products that are selected, those that are equal by creation,
// the newest first.
func (d *catalogData) page(o store.PageNumber, selected func(*product) bool, order func(a, b *product) int) store.List[catalog.Product] {
	var found []*product
	for _, p := range d.products {
		if selected(p) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *product) int { return cmp.Or(order(a, b), cmp.Compare(b.seq, a.seq)) })
	o = o.Bounded()
	out := store.List[catalog.Product]{Total: int64(len(found)), Page: o.Page, Size: o.Size}
	for _, p := range found[min(o.Offset(), len(found)):min(o.Offset()+o.Size, len(found))] {
		out.Items = append(out.Items, p.show())
	}
	return out
}

func compareProducts(a, b *product, by catalog.ProductSort) int {
	switch by {
	case catalog.ByUpdated:
		return a.UpdatedAt.Compare(b.UpdatedAt)
	case catalog.ByTitle:
		return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
	case catalog.ByPrice:
		return a.Price.Cmp(b.Price)
	case catalog.ByViews:
		return cmp.Compare(a.Views, b.Views)
	case catalog.ByPurchases:
		return cmp.Compare(a.Purchases, b.Purchases)
	case catalog.ByRating:
		return compareRatings(a, b)
	case catalog.ByPublished:
		return a.PublishedAt.Compare(b.PublishedAt)
	default:
		return a.CreatedAt.Compare(b.CreatedAt)
	}
}

// compareRatings compares means, exactly.
func compareRatings(a, b *product) int {
	return cmp.Compare(a.RatingSum*max(b.RatingCount, 1), b.RatingSum*max(a.RatingCount, 1))
}

// ProviderRating implements [catalog.ProductStore].
func (s *Store) ProviderRating(ctx context.Context, ownerID string) (sum, count int64, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer leave()
	for _, p := range s.catalog.products {
		if p.OwnerID == ownerID {
			sum, count = sum+p.RatingSum, count+p.RatingCount
		}
	}
	return sum, count, nil
}

// SuspendOwner implements [catalog.ProductStore].
func (s *Store) SuspendOwner(ctx context.Context, ownerID string, suspended bool, at time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if s.catalog.owners[ownerID].at.After(stored(at)) {
		return nil
	}
	s.catalog.owners[ownerID] = owner{suspended, stored(at)}
	for _, p := range s.catalog.products {
		if p.OwnerID == ownerID {
			p.Suspended = suspended
		}
	}
	return nil
}

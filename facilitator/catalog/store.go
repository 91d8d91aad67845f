package catalog

import (
	"context"
	"time"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Store is the memory of a catalog. One method is one atomic operation: its
// events are saved with the change or not at all. Callbacks run inside of it and
// may run again: they must only compute. Methods that look for one thing return
// store.ErrNotFound, wrapped; lists are bounded by their page. All hold across
// processes that share the store.
type Store interface {
	ProductStore
	DiscoveryStore
	WalletStore
	ReviewStore
	AccessStore
	LogStore
	InsightStore
}

// ProductStore keeps products.
type ProductStore interface {
	// AddProducts stores all of products or, with [ErrSlugTaken], none.
	// Products of an owner who is suspended are stored as Suspended.
	AddProducts(ctx context.Context, products []Product, events ...store.Event) error

	// UpdateProduct lets change alter one product and keeps the search index as
	// Product.OnSale says. An error of change is returned as it is and undoes
	// everything. ID, OwnerID, Suspended, counts and CreatedAt stay. It returns
	// [ErrSlugTaken].
	UpdateProduct(ctx context.Context, id string, change func(*Product) ([]store.Event, error)) (Product, error)

	// DeleteProduct removes a product and its reviews for good, if check allows
	// it, whose error is returned as it is. A product that has a payment which is not
	// failed stays: [ErrProductSold].
	DeleteProduct(ctx context.Context, id string, check func(Product) ([]store.Event, error)) error

	Product(ctx context.Context, id string) (Product, error)
	ProductBySlug(ctx context.Context, slug string) (Product, error)
	Products(ctx context.Context, f ProductFilter, page store.PageNumber) (store.List[Product], error)
	// ProductsAfter lists up to limit of them in the order of creation, those after
	// a place, and returns the place of the last one; 0 is before the first.
	ProductsAfter(ctx context.Context, f ProductFilter, place int64, limit int) (list []Product, last int64, err error)

	// SuspendOwner makes all products of an owner Suspended, or no longer so, and
	// those that are added later. What was said at a later time stands.
	SuspendOwner(ctx context.Context, ownerID string, suspended bool, at time.Time) error

	// ProviderRating sums the ratings of an owner's products, and counts them.
	ProviderRating(ctx context.Context, ownerID string) (sum, count int64, err error)

	// CountViews adds views, by product ID; products that are gone are left out.
	// For each that was counted, event makes an event, or one without an ID, which is
	// not saved.
	CountViews(ctx context.Context, views map[string]int64, at time.Time, event func(p Product, views int64) store.Event) error
}

// DiscoveryStore finds products that are on sale.
type DiscoveryStore interface {
	SearchProducts(ctx context.Context, s Search, page store.PageNumber) (store.List[Product], error)
	// ProductCategories lists the categories of products that are on sale, the
	// largest first, up to limit.
	ProductCategories(ctx context.Context, limit int) ([]CategoryCount, error)
	// ProductTrends lists up to limit products that are on sale and were seen or
	// bought since then, by purchases and then by views.
	ProductTrends(ctx context.Context, since time.Time, category string, limit int) ([]Trend, error)
}

// WalletStore keeps where providers are paid.
type WalletStore interface {
	// PutWallet stores w in place of an older one of the owner and network. A newer
	// one stays, and nothing is changed: store.ErrConflict, wrapped.
	PutWallet(ctx context.Context, w Wallet, events ...store.Event) error
	DeleteWallet(ctx context.Context, ownerID string, n x402.Network, events ...store.Event) error
	// Wallets lists those of an owner by network.
	Wallets(ctx context.Context, ownerID string) ([]Wallet, error)
}

// ReviewStore keeps reviews.
type ReviewStore interface {
	// PutReview stores r, or changes rating and comment of the review that its
	// author has written of the product, and the product's rating with it.
	PutReview(ctx context.Context, r Review, event func(r Review, p Product, created bool) store.Event) (stored Review, created bool, err error)
	// Reviews lists those of a product, the newest first.
	Reviews(ctx context.Context, productID string, page store.PageNumber) (store.List[Review], error)
}

package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// CatalogStore keeps products, with the outbox that their events go to.
type CatalogStore interface {
	catalog.ProductStore
	catalog.DiscoveryStore
	catalog.WalletStore
	catalog.ReviewStore
	store.Outbox
}

// TestCatalog shows that open returns empty stores that keep products, wallets
// and reviews, and find products, as [catalog.Store] promises.
func TestCatalog(t *testing.T, open Open[CatalogStore]) {
	productPromises.run(t, open.one)
	searchPromises.run(t, open.one)
	reviewPromises.run(t, open.one)
	catalogReplicaPromises.run(t, open.some(3))
}

// newProduct is the nth product of an owner, with every field set; on sale.
func newProduct(owner string, n int) catalog.Product {
	price, err := x402.ParseAtomic(fmt.Sprint(n+1) + "000000000000000000")
	if err != nil {
		panic(err) // digits
	}
	return catalog.Product{
		ID: fmt.Sprintf("product-%s-%d", owner, n), OwnerID: owner, Slug: fmt.Sprintf("%s-%d", owner, n), Title: fmt.Sprintf("Title №%d", n),
		Description: "100% of everything_", Preview: "a look", Type: catalog.TypeCourse, Category: "Education", Tags: []string{"ai", "machine-learning"},
		ContentURL: "https://example.com/c", ContentType: "video/series", ContentHash: "sha256:00", Thumbnail: "https://example.com/t.jpg",
		Price: price, Currency: "ETH", Scheme: catalog.SchemeExact, Chains: []x402.Network{x402.Base, x402.Ethereum}, QuoteURL: "https://example.com/q",
		AccessDuration: 24 * time.Hour, MaxAccesses: 3, Status: catalog.ProductActive,
		CreatedAt: at.Add(time.Duration(n) * time.Second), UpdatedAt: at.Add(time.Duration(n) * time.Second), PublishedAt: at.Add(time.Hour),
	}
}

func addProducts(t *testing.T, s CatalogStore, list ...catalog.Product) {
	t.Helper()
	require.NoError(t, s.AddProducts(t.Context(), list))
}

// eventNamed is an event with the name.
func eventNamed(name string) store.Event {
	return store.Event{ID: "event-" + name, Type: name, Subject: "1", Data: []byte(`{}`), CreatedAt: epoch}
}

// eventTypes are the types of the events in the outbox, the oldest first.
func eventTypes(t *testing.T, s store.Outbox) (types []string) {
	t.Helper()
	events, err := s.LeaseEvents(t.Context(), "reader", epoch, epoch, 1000)
	require.NoError(t, err)
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

// productTitles are those of a list.
func productTitles(list []catalog.Product) []string {
	titles := make([]string, len(list))
	for i := range list {
		titles[i] = list[i].Title
	}
	return titles
}

// setProduct changes a product.
func setProduct(t *testing.T, s CatalogStore, id string, change func(*catalog.Product)) catalog.Product {
	t.Helper()
	p, err := s.UpdateProduct(t.Context(), id, func(p *catalog.Product) ([]store.Event, error) {
		change(p)
		return nil, nil
	})
	require.NoError(t, err)
	return p
}

var productPromises = promises[CatalogStore]{
	"a product is stored as it was given, with its event, and found by ID and slug": func(t *testing.T, s CatalogStore) {
		want, bare := newProduct("ann", 1), catalog.Product{ID: "bare", OwnerID: "ann", Title: "B", Status: catalog.ProductDraft, CreatedAt: at, UpdatedAt: at}
		most, err := x402.ParseAtomic("115792089237316195423570985008687907853269984665640564039457584007913129639935")
		require.NoError(t, err)
		want.Price = most
		require.NoError(t, s.AddProducts(t.Context(), []catalog.Product{want, bare}, eventNamed("a"), eventNamed("b")))
		for _, p := range []catalog.Product{want, bare} {
			got, err := s.Product(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, p.Price.String(), got.Price.String())
			got.Price = p.Price
			require.Equal(t, p, got)
		}
		got, err := s.ProductBySlug(t.Context(), want.Slug)
		require.NoError(t, err)
		require.Equal(t, want.ID, got.ID)
		require.Equal(t, []string{"a", "b"}, eventTypes(t, s))
	},
	"what there is not is not found": func(t *testing.T, s CatalogStore) {
		addProducts(t, s, catalog.Product{ID: "bare", OwnerID: "ann", CreatedAt: at})
		for name, find := range map[string]func() error{
			"product":    func() error { _, err := s.Product(t.Context(), "x"); return err },
			"no ID":      func() error { _, err := s.Product(t.Context(), ""); return err },
			"slug":       func() error { _, err := s.ProductBySlug(t.Context(), "x"); return err },
			"no slug":    func() error { _, err := s.ProductBySlug(t.Context(), ""); return err },
			"to change":  func() error { _, err := s.UpdateProduct(t.Context(), "x", nil); return err },
			"to delete":  func() error { return s.DeleteProduct(t.Context(), "x", nil) },
			"a wallet":   func() error { return s.DeleteWallet(t.Context(), "ann", x402.Base) },
			"to review":  func() error { _, _, err := s.PutReview(t.Context(), catalog.Review{ProductID: "x"}, nil); return err },
			"other case": func() error { _, err := s.Product(t.Context(), "BARE"); return err },
		} {
			require.ErrorIs(t, find(), store.ErrNotFound, name)
		}
	},
	"a slug is taken once, and a batch is stored whole or not at all": func(t *testing.T, s CatalogStore) {
		first, second, third := newProduct("ann", 1), newProduct("ann", 2), newProduct("bob", 3)
		addProducts(t, s, first)
		third.Slug = first.Slug
		require.ErrorIs(t, s.AddProducts(t.Context(), []catalog.Product{second, third}, eventNamed("no")), catalog.ErrSlugTaken)
		_, err := s.Product(t.Context(), second.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		twins := []catalog.Product{second, newProduct("bob", 3)}
		twins[1].Slug = second.Slug
		require.ErrorIs(t, s.AddProducts(t.Context(), twins), catalog.ErrSlugTaken)
		addProducts(t, s, second)
		_, err = s.UpdateProduct(t.Context(), second.ID, func(p *catalog.Product) ([]store.Event, error) {
			p.Slug = first.Slug
			return []store.Event{eventNamed("no")}, nil
		})
		require.ErrorIs(t, err, catalog.ErrSlugTaken)
		setProduct(t, s, first.ID, func(p *catalog.Product) { p.Slug = "" })
		setProduct(t, s, second.ID, func(p *catalog.Product) { p.Slug = first.Slug })
		require.Empty(t, eventTypes(t, s))
	},
	"a change is whole with its events, or nothing, and leaves counts alone": func(t *testing.T, s CatalogStore) {
		p := newProduct("ann", 1)
		addProducts(t, s, p)
		_, err := s.UpdateProduct(t.Context(), p.ID, func(p *catalog.Product) ([]store.Event, error) {
			p.Title, p.Tags[0] = "Eve", "eve"
			return []store.Event{eventNamed("refused")}, errRefused
		})
		require.ErrorIs(t, err, errRefused)
		found, err := s.Product(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p, found)

		want := p
		want.Title, want.Tags, want.Chains, want.Status, want.Price = "New", []string{"x"}, nil, catalog.ProductArchived, x402.NewAmount(7)
		want.Moderation = catalog.Moderation{Flagged: true, Rejected: true, Reason: "why", By: "admin", At: at}
		want.DeletedAt, want.UpdatedAt, want.Slug = at.Add(time.Minute), at.Add(2*time.Minute), ""
		changed, err := s.UpdateProduct(t.Context(), p.ID, func(p *catalog.Product) ([]store.Event, error) {
			*p = want
			p.Tags = []string{"x"}
			p.ID, p.OwnerID, p.Views, p.Purchases, p.RatingSum, p.RatingCount, p.Suspended = "other", "bob", 9, 9, 9, 9, true
			p.CreatedAt = at.Add(time.Hour)
			return []store.Event{eventNamed("changed")}, nil
		})
		require.NoError(t, err)
		require.Equal(t, want, changed)
		found, err = s.Product(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, want, found)
		require.Equal(t, []string{"changed"}, eventTypes(t, s))
	},
	"a product is deleted with its reviews if that is allowed": func(t *testing.T, s CatalogStore) {
		p := newProduct("ann", 1)
		addProducts(t, s, p)
		putReview(t, s, p.ID, "bob", 5)
		require.ErrorIs(t, s.DeleteProduct(t.Context(), p.ID, func(catalog.Product) ([]store.Event, error) { return nil, errRefused }), errRefused)
		require.NoError(t, s.DeleteProduct(t.Context(), p.ID, func(old catalog.Product) ([]store.Event, error) {
			require.Equal(t, p.Title, old.Title)
			return []store.Event{eventNamed("deleted")}, nil
		}))
		_, err := s.Product(t.Context(), p.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		list, err := s.Reviews(t.Context(), p.ID, store.PageNumber{})
		require.NoError(t, err)
		require.Empty(t, list.Items)
		require.Empty(t, search(t, s, catalog.Search{Words: catalog.Words("title")}))
		require.Equal(t, []string{"review", "deleted"}, eventTypes(t, s))
		addProducts(t, s, p)
		require.Len(t, search(t, s, catalog.Search{Words: catalog.Words("title")}), 1)
	},
	"products are listed by what they are, in every order": func(t *testing.T, s CatalogStore) {
		for n := range 5 {
			p := newProduct("ann", n)
			p.UpdatedAt, p.PublishedAt = at.Add(time.Duration(-n)*time.Hour), at.Add(time.Duration(n%2)*time.Minute)
			p.Status = []catalog.ProductStatus{catalog.ProductDraft, catalog.ProductActive, catalog.ProductActive, catalog.ProductDeleted, catalog.ProductInactive}[n]
			p.Category = []string{"Education", "education", "Music", "", ""}[n]
			p.Moderation.Flagged = n == 2
			p.Description = []string{"ÄPFEL", "100%", "1000", "", "a_b"}[n]
			addProducts(t, s, p)
		}
		addProducts(t, s, newProduct("bob", 9))
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-1": 5, "product-ann-2": 7}, at, noViews))
		putReview(t, s, "product-ann-0", "x", 4)
		putReview(t, s, "product-ann-2", "x", 5)
		putReview(t, s, "product-ann-2", "y", 2)
		numbers := func(f catalog.ProductFilter, o store.PageNumber) (got string, total int64) {
			f.OwnerID = "ann"
			list, err := s.Products(t.Context(), f, o)
			require.NoError(t, err)
			for _, p := range list.Items {
				got += p.ID[len(p.ID)-1:]
			}
			return got, list.Total
		}
		for want, f := range map[string]catalog.ProductFilter{
			"4210": {},
			"0124": {Upward: true},
			"21":   {Status: catalog.ProductActive},
			"3":    {Status: catalog.ProductDeleted},
			"10":   {Category: "EDUCATION"},
			"2":    {Flagged: true},
			"0":    {Search: "äpf"},
			"1":    {Search: "0%"},
			"4":    {Search: "A_"},
			"":     {Search: "_1"},
			"2104": {Sort: catalog.ByViews, Search: "title"},
			"0214": {Sort: catalog.ByRating, Search: "TITLE №"},
		} {
			if f.Sort == catalog.ByViews {
				want = "2140" // what is equal, the newest first
			}
			if f.Sort == catalog.ByRating {
				want = "0241"
			}
			got, total := numbers(f, store.PageNumber{})
			require.Equal(t, want, got, "%+v", f)
			require.EqualValues(t, len(want), total)
		}
		for sort, want := range map[catalog.ProductSort]string{
			catalog.ByCreated: "4210", catalog.ByUpdated: "0124", catalog.ByTitle: "4210", catalog.ByPrice: "4210", catalog.ByPublished: "1420", catalog.ByPurchases: "4210",
		} {
			got, _ := numbers(catalog.ProductFilter{Sort: sort}, store.PageNumber{})
			require.Equal(t, want, got, sort)
		}
		got, total := numbers(catalog.ProductFilter{Sort: catalog.ByPrice, Upward: true}, store.PageNumber{Page: 2, Size: 3})
		require.Equal(t, "4", got)
		require.EqualValues(t, 4, total)
		got, total = numbers(catalog.ProductFilter{}, store.PageNumber{Page: 9})
		require.Empty(t, got)
		require.EqualValues(t, 4, total)
	},
	"products are read one after another, whatever is added and deleted between": func(t *testing.T, s CatalogStore) {
		for n := range 7 {
			addProducts(t, s, newProduct("ann", n), newProduct("bob", n))
		}
		read, place := []string{}, int64(0)
		for step := range 4 {
			list, last, err := s.ProductsAfter(t.Context(), catalog.ProductFilter{OwnerID: "ann", Search: "title"}, place, 3)
			require.NoError(t, err)
			for _, p := range list {
				read = append(read, p.ID[len("product-ann-"):])
			}
			place = last
			addProducts(t, s, newProduct("ann", 100+step))
			require.NoError(t, s.DeleteProduct(t.Context(), fmt.Sprint("product-ann-", step), func(catalog.Product) ([]store.Event, error) { return nil, nil }))
		}
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "100", "101", "102"}, read)
		list, last, err := s.ProductsAfter(t.Context(), catalog.ProductFilter{OwnerID: "nobody"}, place, 3)
		require.NoError(t, err)
		require.Empty(t, list)
		require.Equal(t, place, last)
	},
	"prices are compared as numbers, whatever their length": func(t *testing.T, s CatalogStore) {
		for i, digits := range []string{"9", "10", "115792089237316195423570985008687907853269984665640564039457584007913129639935", "9007199254740993"} {
			p := newProduct("ann", i)
			price, err := x402.ParseAtomic(digits)
			require.NoError(t, err)
			p.Price, p.Title = price, digits
			addProducts(t, s, p)
		}
		list, err := s.Products(t.Context(), catalog.ProductFilter{Sort: catalog.ByPrice, Upward: true}, store.PageNumber{})
		require.NoError(t, err)
		require.Equal(t, []string{"9", "10", "9007199254740993", "115792089237316195423570985008687907853269984665640564039457584007913129639935"}, productTitles(list.Items))
		low, high := x402.NewAmount(10), x402.NewAmount(9007199254740993)
		require.Equal(t, []string{"10", "9007199254740993"}, search(t, s, catalog.Search{MinPrice: &low, MaxPrice: &high, Sort: catalog.Cheapest}))
	},
	"views are counted with an event for each product, and those of what is gone are not": func(t *testing.T, s CatalogStore) {
		addProducts(t, s, newProduct("ann", 1), newProduct("ann", 2))
		counted := map[string]int64{}
		event := func(p catalog.Product, views int64) store.Event {
			counted[p.ID] = views
			return eventNamed(p.ID)
		}
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-1": 3, "gone": 1}, at, event))
		require.NoError(t, s.CountViews(t.Context(), nil, at, event))
		p, err := s.Product(t.Context(), "product-ann-1")
		require.NoError(t, err)
		require.EqualValues(t, 3, p.Views)
		require.Equal(t, map[string]int64{"product-ann-1": 3}, counted)
		require.Equal(t, []string{"product-ann-1"}, eventTypes(t, s))

		addProducts(t, s, newProduct("ann", 3), newProduct("ann", 4))
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-1": 4, "product-ann-2": 5, "product-ann-3": 6, "gone": 7}, at, event))
		for id, want := range map[string]int64{"product-ann-1": 7, "product-ann-2": 5, "product-ann-3": 6, "product-ann-4": 0} {
			p, err := s.Product(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, p.Views, id)
		}
	},
	"wallets are kept by owner and network, the newest of each": func(t *testing.T, s CatalogStore) {
		put := func(owner string, n x402.Network, address string, after time.Duration) {
			require.NoError(t, s.PutWallet(t.Context(), catalog.Wallet{OwnerID: owner, Network: n, Address: address, UpdatedAt: at.Add(after)}))
		}
		put("ann", x402.Solana, "S1", 0)
		put("ann", x402.Base, "0x1", time.Second)
		put("ann", x402.Base, "0x2", 2*time.Second)
		older := catalog.Wallet{OwnerID: "ann", Network: x402.Base, Address: "0x3", UpdatedAt: at.Add(time.Second)}
		require.ErrorIs(t, s.PutWallet(t.Context(), older, eventNamed("changed")), store.ErrConflict)
		put("bob", x402.Base, "0x4", 0)
		list, err := s.Wallets(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, []catalog.Wallet{
			{OwnerID: "ann", Network: x402.Base, Address: "0x2", UpdatedAt: at.Add(2 * time.Second)},
			{OwnerID: "ann", Network: x402.Solana, Address: "S1", UpdatedAt: at},
		}, list)
		require.NoError(t, s.DeleteWallet(t.Context(), "ann", x402.Base, eventNamed("removed")))
		require.ErrorIs(t, s.DeleteWallet(t.Context(), "ann", x402.Base, eventNamed("no")), store.ErrNotFound)
		list, err = s.Wallets(t.Context(), "ann")
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, []string{"removed"}, eventTypes(t, s))
	},
	"nothing is changed in a context that has ended": func(t *testing.T, s CatalogStore) {
		ended := cancelled(t)
		require.ErrorIs(t, s.AddProducts(ended, []catalog.Product{newProduct("ann", 1)}), context.Canceled)
		require.ErrorIs(t, s.SuspendOwner(ended, "ann", true, at), context.Canceled)
		_, err := s.Product(t.Context(), "product-ann-1")
		require.ErrorIs(t, err, store.ErrNotFound)
	},
}

// noViews makes no event that is looked at.
func noViews(p catalog.Product, _ int64) store.Event { return eventNamed("view-" + p.ID) }

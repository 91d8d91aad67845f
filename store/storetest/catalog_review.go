package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

func newReview(product, author string, rating int) catalog.Review {
	return catalog.Review{
		ID: "review-" + product + "-" + author, ProductID: product, AuthorID: author, AuthorName: "Name of " + author, Rating: rating, Comment: "fine",
		CreatedAt: at, UpdatedAt: at,
	}
}

func reviewEvent(catalog.Review, catalog.Product, bool) store.Event { return eventNamed("review") }

func putReview(t *testing.T, s CatalogStore, product, author string, rating int) {
	t.Helper()
	_, _, err := s.PutReview(t.Context(), newReview(product, author, rating), reviewEvent)
	require.NoError(t, err)
}

var reviewPromises = promises[CatalogStore]{
	"a review is kept once for each author, and changed by the next": func(t *testing.T, s CatalogStore) {
		addProducts(t, s, newProduct("ann", 1))
		const id = "product-ann-1"
		var told []string
		put := func(r catalog.Review) (catalog.Review, bool) {
			stored, created, err := s.PutReview(t.Context(), r, func(r catalog.Review, p catalog.Product, created bool) store.Event {
				told = append(told, fmt.Sprint(r.ID, r.Rating, p.RatingSum, p.RatingCount, created))
				return eventNamed(fmt.Sprint(len(told)))
			})
			require.NoError(t, err)
			return stored, created
		}
		first, created := put(newReview(id, "bob", 5))
		require.True(t, created)
		require.Equal(t, newReview(id, "bob", 5), first)
		again := newReview(id, "bob", 2)
		again.ID, again.Comment, again.CreatedAt, again.UpdatedAt = "other", "bad", at.Add(time.Hour), at.Add(time.Hour)
		second, created := put(again)
		require.False(t, created)
		want := again
		want.ID, want.CreatedAt = first.ID, first.CreatedAt
		require.Equal(t, want, second)
		put(newReview(id, "eve", 4))
		require.Equal(t, []string{
			"review-product-ann-1-bob5 5 1 true", "review-product-ann-1-bob2 2 1 false", "review-product-ann-1-eve4 6 2 true",
		}, told)
		p, err := s.Product(t.Context(), id)
		require.NoError(t, err)
		require.EqualValues(t, 300, p.Rating())
		list, err := s.Reviews(t.Context(), id, store.PageNumber{})
		require.NoError(t, err)
		require.Equal(t, []catalog.Review{newReview(id, "eve", 4), want}, list.Items)
		list, err = s.Reviews(t.Context(), id, store.PageNumber{Page: 2, Size: 1})
		require.NoError(t, err)
		require.Equal(t, []catalog.Review{want}, list.Items)
		require.EqualValues(t, 2, list.Total)
		require.Len(t, eventTypes(t, s), 3)
	},
	"the rating of a provider is that of all products": func(t *testing.T, s CatalogStore) {
		addProducts(t, s, newProduct("ann", 1), newProduct("ann", 2), newProduct("bob", 1))
		putReview(t, s, "product-ann-1", "x", 5)
		putReview(t, s, "product-ann-2", "x", 4)
		putReview(t, s, "product-bob-1", "x", 1)
		sum, count, err := s.ProviderRating(t.Context(), "ann")
		require.NoError(t, err)
		require.EqualValues(t, 9, sum)
		require.EqualValues(t, 2, count)
		sum, count, err = s.ProviderRating(t.Context(), "nobody")
		require.NoError(t, err)
		require.Zero(t, sum+count)
	},
}

var catalogReplicaPromises = promises[[]CatalogStore]{
	"reviews that are written at once are all counted": func(t *testing.T, stores []CatalogStore) {
		addProducts(t, stores[0], newProduct("ann", 1))
		const authors, times = 4, 3
		_, errs := together(authors*times, func(i int) (bool, error) {
			r := newReview("product-ann-1", fmt.Sprint(i%authors), 1+i%5)
			r.ID = fmt.Sprint(i)
			_, created, err := stores[i%len(stores)].PutReview(t.Context(), r, func(r catalog.Review, _ catalog.Product, _ bool) store.Event {
				return eventNamed(fmt.Sprint(i))
			})
			return created, err
		})
		noErrors(t, errs)
		p, err := stores[0].Product(t.Context(), "product-ann-1")
		require.NoError(t, err)
		require.EqualValues(t, authors, p.RatingCount)
		list, err := stores[1].Reviews(t.Context(), p.ID, store.PageNumber{})
		require.NoError(t, err)
		var sum int64
		for _, r := range list.Items {
			sum += int64(r.Rating)
		}
		require.Len(t, list.Items, authors)
		require.Equal(t, sum, p.RatingSum)
	},
	"views that are counted at once are all counted": func(t *testing.T, stores []CatalogStore) {
		addProducts(t, stores[0], newProduct("ann", 1), newProduct("ann", 2))
		_, errs := together(12, func(i int) (bool, error) {
			views := map[string]int64{"product-ann-1": 1, "product-ann-2": 2}
			return true, stores[i%len(stores)].CountViews(t.Context(), views, at, func(p catalog.Product, _ int64) store.Event {
				return eventNamed(fmt.Sprint(p.ID, i))
			})
		})
		noErrors(t, errs)
		p, err := stores[0].Product(t.Context(), "product-ann-2")
		require.NoError(t, err)
		require.EqualValues(t, 24, p.Views)
		require.Len(t, eventTypes(t, stores[0]), 24)
	},
	"a product that is published while its owner is suspended is not found": func(t *testing.T, stores []CatalogStore) {
		const products = 8
		for n := range products {
			p := newProduct("ann", n)
			p.Status = catalog.ProductDraft
			addProducts(t, stores[0], p)
		}
		_, errs := together(products+1, func(i int) (bool, error) {
			s := stores[i%len(stores)]
			if i == products/2 {
				return true, s.SuspendOwner(t.Context(), "ann", true, at)
			}
			id := fmt.Sprintf("product-ann-%d", i%products)
			_, err := s.UpdateProduct(t.Context(), id, func(p *catalog.Product) ([]store.Event, error) {
				p.Status = catalog.ProductActive
				return nil, nil
			})
			return true, err
		})
		noErrors(t, errs)
		require.Empty(t, search(t, stores[0], catalog.Search{}))
		require.Empty(t, search(t, stores[0], catalog.Search{Words: []string{"title"}}))
	},
	"a slug is taken once by those who ask at once": func(t *testing.T, stores []CatalogStore) {
		_, errs := together(6, func(i int) (bool, error) {
			p := newProduct("ann", i)
			p.Slug = "the-one"
			return true, stores[i%len(stores)].AddProducts(t.Context(), []catalog.Product{p})
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, catalog.ErrSlugTaken)
		}
		require.Equal(t, 1, won)
	},
}

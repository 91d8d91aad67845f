package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// PutReview implements [catalog.ReviewStore].
func (s *Store) PutReview(ctx context.Context, r catalog.Review, event func(r catalog.Review, p catalog.Product, created bool) store.Event) (catalog.Review, bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Review{}, false, err
	}
	defer leave()
	p := s.catalog.products[r.ProductID]
	if p == nil {
		return catalog.Review{}, false, missing("product", r.ProductID)
	}
	r.CreatedAt, r.UpdatedAt = stored(r.CreatedAt), stored(r.UpdatedAt)
	list := s.catalog.reviews[r.ProductID]
	i := slices.IndexFunc(list, func(old catalog.Review) bool { return old.AuthorID == r.AuthorID })
	created := i < 0
	if created {
		p.RatingCount++
		p.RatingSum += int64(r.Rating)
		s.catalog.reviews[r.ProductID] = append(list, r)
	} else {
		old := &list[i]
		p.RatingSum += int64(r.Rating - old.Rating)
		old.AuthorName, old.Rating, old.Comment, old.UpdatedAt = r.AuthorName, r.Rating, r.Comment, r.UpdatedAt
		r = *old
	}
	s.save(event(r, p.show(), created))
	return r, created, nil
}

// Reviews implements [catalog.ReviewStore].
func (s *Store) Reviews(ctx context.Context, productID string, page store.PageNumber) (store.List[catalog.Review], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[catalog.Review]{}, err
	}
	defer leave()
	page = page.Bounded()
	list := slices.Clone(s.catalog.reviews[productID])
	slices.Reverse(list)
	return store.List[catalog.Review]{
		Items: list[min(page.Offset(), len(list)):min(page.Offset()+page.Size, len(list))], Total: int64(len(list)), Page: page.Page, Size: page.Size,
	}, nil
}

// PutWallet implements [catalog.WalletStore].
func (s *Store) PutWallet(ctx context.Context, w catalog.Wallet, events ...store.Event) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	of := s.catalog.wallets[w.OwnerID]
	if of == nil {
		of = map[x402.Network]catalog.Wallet{}
		s.catalog.wallets[w.OwnerID] = of
	}
	w.UpdatedAt = stored(w.UpdatedAt)
	if of[w.Network].UpdatedAt.After(w.UpdatedAt) {
		return fmt.Errorf("memory: the wallet of owner %s on %s: %w", w.OwnerID, w.Network, store.ErrConflict)
	}
	of[w.Network] = w
	s.saveAll(events)
	return nil
}

// DeleteWallet implements [catalog.WalletStore].
func (s *Store) DeleteWallet(ctx context.Context, ownerID string, n x402.Network, events ...store.Event) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if _, known := s.catalog.wallets[ownerID][n]; !known {
		return fmt.Errorf("memory: the wallet of owner %s on %s: %w", ownerID, n, store.ErrNotFound)
	}
	delete(s.catalog.wallets[ownerID], n)
	s.saveAll(events)
	return nil
}

// Wallets implements [catalog.WalletStore].
func (s *Store) Wallets(ctx context.Context, ownerID string) ([]catalog.Wallet, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []catalog.Wallet
	for _, n := range slices.Sorted(maps.Keys(s.catalog.wallets[ownerID])) {
		list = append(list, s.catalog.wallets[ownerID][n])
	}
	return list, nil
}

package memory

import (
	"context"
	"time"

	"github.com/v402/v402/facilitator/catalog"
)

var _ catalog.InsightStore = (*Store)(nil)

// ProductSales implements [catalog.InsightStore].
func (s *Store) ProductSales(ctx context.Context, ownerID string, from, to time.Time) ([]catalog.SaleCount, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	at := map[[5]string]int{}
	var counts []catalog.SaleCount
	for _, p := range s.payments.payments {
		if p.Status != catalog.PaymentConfirmed || ownerID != "" && p.OwnerID != ownerID || !within(p.ConfirmedAt, from, to) {
			continue
		}
		key := [5]string{p.ProductID, string(p.Network), p.Currency, p.Amount.String(), p.Refunded.String()}
		i, known := at[key]
		if !known {
			i = len(counts)
			at[key] = i
			counts = append(counts, catalog.SaleCount{ProductID: p.ProductID, Network: p.Network, Currency: p.Currency, Amount: p.Amount, Refunded: p.Refunded})
		}
		counts[i].Count++
	}
	return counts, nil
}

// ProductViews implements [catalog.InsightStore].
func (s *Store) ProductViews(ctx context.Context, ownerID string, from time.Time) (map[string]int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	views := map[string]int64{}
	for hour, products := range s.catalog.activity {
		if hour < hourOf(from) {
			continue
		}
		for id, a := range products {
			if p := s.catalog.products[id]; p != nil && p.OwnerID == ownerID && a.views > 0 {
				views[id] += a.views
			}
		}
	}
	return views, nil
}

package memory

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/v402/v402/registry"
)

// AddSales implements [registry.SaleStore].
func (s *Store) AddSales(ctx context.Context, sales []registry.NewSale, check func([]registry.Reported) error, trail func([]registry.Reported) registry.Trail) ([]registry.Reported, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := s.sellable(sales); err != nil {
		return nil, fmt.Errorf("memory: add sales: %w", err)
	}
	reports := make([]registry.Reported, len(sales))
	var created []registry.Reported
	for i, n := range sales {
		if old := s.reportedBefore(&n.Sale); old != nil {
			reports[i] = registry.Reported{Sale: s.showSale(old), Royalty: s.showRoyalty(at(s.registry.royalties, old.RoyaltyID))}
			continue
		}
		sale, royalty := s.insertSale(n)
		reports[i] = registry.Reported{Sale: s.showSale(sale), Royalty: s.showRoyalty(royalty), Created: true}
		created = append(created, reports[i])
	}
	if err := check(reports); err != nil {
		s.removeNewest(len(created))
		return nil, err
	}
	if len(created) > 0 {
		s.record(trail(created))
	}
	return reports, nil
}

// sellable refuses a sale that is new and whose contract is not active.
func (s *Store) sellable(sales []registry.NewSale) error {
	for i := range sales {
		sale := &sales[i].Sale
		c := at(s.registry.contracts, sale.ContractID)
		if (c == nil || c.Status != registry.ContractActive) && s.reportedBefore(sale) == nil {
			return &registry.ContractInactiveError{Index: i}
		}
	}
	return nil
}

// reportedBefore finds the sale that a report repeats, or nil.
func (s *Store) reportedBefore(sale *registry.Sale) *registry.Sale {
	if sale.IdempotencyKey != "" {
		if old := s.registry.byRequest[request{sale.SellerID, sale.IdempotencyKey}]; old != nil {
			return old
		}
	}
	if sale.TransactionKey != "" {
		return s.registry.byHash[transaction{sale.SellerID, sale.TransactionKey, sale.ContractID}]
	}
	return nil
}

func (s *Store) insertSale(n registry.NewSale) (*registry.Sale, *registry.Royalty) {
	d := &s.registry
	sale, royalty := n.Sale, n.Royalty
	sale.ID, royalty.ID = int64(len(d.sales))+1, int64(len(d.royalties))+1
	sale.RoyaltyID, royalty.SaleID = royalty.ID, sale.ID
	sale.Metadata = bytes.Clone(sale.Metadata)
	sale.SoldAt, sale.ReportedAt = stored(sale.SoldAt), stored(sale.ReportedAt)
	storedRoyalty(&royalty)
	d.sales, d.royalties = append(d.sales, &sale), append(d.royalties, &royalty)
	if sale.IdempotencyKey != "" {
		d.byRequest[request{sale.SellerID, sale.IdempotencyKey}] = &sale
	}
	if sale.TransactionKey != "" {
		d.byHash[transaction{sale.SellerID, sale.TransactionKey, sale.ContractID}] = &sale
	}
	return &sale, &royalty
}

// removeNewest undoes the last n calls of insertSale.
func (s *Store) removeNewest(n int) {
	d := &s.registry
	for _, sale := range d.sales[len(d.sales)-n:] {
		if sale.IdempotencyKey != "" {
			delete(d.byRequest, request{sale.SellerID, sale.IdempotencyKey})
		}
		if sale.TransactionKey != "" {
			delete(d.byHash, transaction{sale.SellerID, sale.TransactionKey, sale.ContractID})
		}
	}
	d.sales, d.royalties = d.sales[:len(d.sales)-n], d.royalties[:len(d.royalties)-n]
}

func storedRoyalty(r *registry.Royalty) {
	r.DueAt, r.CreatedAt, r.UpdatedAt = stored(r.DueAt), stored(r.CreatedAt), stored(r.UpdatedAt)
}

func (s *Store) showSale(sale *registry.Sale) registry.Sale {
	c := *sale
	c.Metadata = bytes.Clone(c.Metadata)
	c.SellerName, c.OriginName = s.platformName(c.SellerID), s.platformName(c.OriginID)
	return c
}

func (s *Store) showRoyalty(r *registry.Royalty) registry.Royalty {
	c := *r
	c.SellerName, c.OriginName = s.platformName(c.SellerID), s.platformName(c.OriginID)
	return c
}

// VoidSale implements [registry.SaleStore].
func (s *Store) VoidSale(ctx context.Context, id int64, reason string, when time.Time, check func(registry.Sale) error, trail func(registry.Voided) registry.Trail) (registry.Voided, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Voided{}, err
	}
	defer leave()
	sale := at(s.registry.sales, id)
	if sale == nil {
		return registry.Voided{}, missing("sale", id)
	}
	if err := check(s.showSale(sale)); err != nil {
		return registry.Voided{}, err
	}
	when = stored(when)
	sale.Status, sale.VoidedAt, sale.VoidReason = registry.SaleVoided, when, reason
	if t := (transaction{sale.SellerID, sale.TransactionKey, sale.ContractID}); s.registry.byHash[t] == sale {
		delete(s.registry.byHash, t)
	}
	royalty := at(s.registry.royalties, sale.RoyaltyID)
	v := registry.Voided{}
	if royalty.RunID != 0 {
		adjustment := s.adjust(royalty, when)
		v.Adjustment = &adjustment
	} else {
		royalty.Status, royalty.UpdatedAt = registry.RoyaltyVoided, when
	}
	v.Sale, v.Royalty = s.showSale(sale), s.showRoyalty(royalty)
	s.record(trail(v))
	return v, nil
}

// adjust takes royalty back in the next run.
func (s *Store) adjust(royalty *registry.Royalty, when time.Time) registry.Royalty {
	a := registry.Royalty{
		ID: int64(len(s.registry.royalties)) + 1, SaleID: royalty.SaleID, ContractHash: royalty.ContractHash,
		SellerID: royalty.SellerID, OriginID: royalty.OriginID, Amount: -royalty.Amount, Status: registry.RoyaltyPending,
		AdjustsID: royalty.ID, DueAt: when, CreatedAt: when, UpdatedAt: when,
	}
	s.registry.royalties = append(s.registry.royalties, &a)
	return s.showRoyalty(&a)
}

// Sale implements [registry.SaleStore].
func (s *Store) Sale(ctx context.Context, id int64) (registry.Sale, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Sale{}, err
	}
	defer leave()
	sale := at(s.registry.sales, id)
	if sale == nil {
		return registry.Sale{}, missing("sale", id)
	}
	return s.showSale(sale), nil
}

// Sales implements [registry.SaleStore].
func (s *Store) Sales(ctx context.Context, f registry.SaleFilter, o registry.PageOptions) (registry.List[registry.Sale], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.Sale]{}, err
	}
	defer leave()
	return page(s.registry.sales, o, false, s.selectSales(f), s.showSale), nil
}

// SalesAfter implements [registry.SaleStore].
func (s *Store) SalesAfter(ctx context.Context, f registry.SaleFilter, id int64, limit int) ([]registry.Sale, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return after(s.registry.sales, id, limit, s.selectSales(f), s.showSale), nil
}

func (s *Store) selectSales(f registry.SaleFilter) func(*registry.Sale) bool {
	return func(sale *registry.Sale) bool {
		c := at(s.registry.contracts, sale.ContractID)
		return (f.SellerID == 0 || f.SellerID == sale.SellerID) && (f.OriginID == 0 || f.OriginID == sale.OriginID) &&
			(f.PartyID == 0 || f.PartyID == sale.SellerID || f.PartyID == sale.OriginID) &&
			(f.ContractKey == "" || c != nil && f.ContractKey == c.Key) &&
			(f.Status == "" || f.Status == sale.Status) && within(sale.SoldAt, f.From, f.To)
	}
}

// Royalty implements [registry.SaleStore].
func (s *Store) Royalty(ctx context.Context, id int64) (registry.Royalty, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Royalty{}, err
	}
	defer leave()
	r := at(s.registry.royalties, id)
	if r == nil {
		return registry.Royalty{}, missing("royalty", id)
	}
	return s.showRoyalty(r), nil
}

// UpdateRoyalty implements [registry.SaleStore].
func (s *Store) UpdateRoyalty(ctx context.Context, id int64, change func(*registry.Royalty) (registry.Trail, error)) (registry.Royalty, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Royalty{}, err
	}
	defer leave()
	r := at(s.registry.royalties, id)
	if r == nil {
		return registry.Royalty{}, missing("royalty", id)
	}
	changed := s.showRoyalty(r)
	trail, err := change(&changed)
	if err != nil {
		return registry.Royalty{}, err
	}
	r.Status, r.Reason, r.UpdatedAt = changed.Status, changed.Reason, stored(changed.UpdatedAt)
	s.record(trail)
	return s.showRoyalty(r), nil
}

// Royalties implements [registry.SaleStore].
func (s *Store) Royalties(ctx context.Context, f registry.RoyaltyFilter, o registry.PageOptions) (registry.List[registry.Royalty], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.Royalty]{}, err
	}
	defer leave()
	return page(s.registry.royalties, o, false, selectRoyalties(f), s.showRoyalty), nil
}

// RoyaltiesAfter implements [registry.SaleStore].
func (s *Store) RoyaltiesAfter(ctx context.Context, f registry.RoyaltyFilter, id int64, limit int) ([]registry.Royalty, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return after(s.registry.royalties, id, limit, selectRoyalties(f), s.showRoyalty), nil
}

func selectRoyalties(f registry.RoyaltyFilter) func(*registry.Royalty) bool {
	return func(r *registry.Royalty) bool {
		return (f.SellerID == 0 || f.SellerID == r.SellerID) && (f.OriginID == 0 || f.OriginID == r.OriginID) &&
			(f.PartyID == 0 || f.PartyID == r.SellerID || f.PartyID == r.OriginID) &&
			(f.Between == [2]int64{} || between(r, f.Between)) &&
			(f.Status == "" || f.Status == r.Status) && (f.RunID == 0 || f.RunID == r.RunID) && within(r.DueAt, f.From, f.To)
	}
}

// between says whether one of pair owes r to the other.
func between(r *registry.Royalty, pair [2]int64) bool {
	return r.SellerID == pair[0] && r.OriginID == pair[1] || r.SellerID == pair[1] && r.OriginID == pair[0]
}

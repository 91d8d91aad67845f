package registry

import (
	"context"
)

// Sale returns one that p sold or that is of p's contract; ErrSaleUnknown for
// any other.
func (s *Service) Sale(ctx context.Context, p Platform, id int64) (Sale, error) {
	sale, err := s.store.Sale(ctx, id)
	if err == nil && sale.SellerID != p.ID && sale.OriginID != p.ID {
		return Sale{}, ErrSaleUnknown
	}
	return sale, refusal(err, ErrSaleUnknown, "look for a sale")
}

// Sales lists sales that p is a party to, whatever f says. A ContractKey may be
// the hash in whatever form.
func (s *Service) Sales(ctx context.Context, p Platform, f SaleFilter, page PageOptions) (List[Sale], error) {
	list, err := s.store.Sales(ctx, s.ownSales(p, f), page.Bounded())
	return list, refusal(err, nil, "list sales")
}

// EachSale calls each with every sale that Sales would list, the oldest first,
// holding a page at a time. An error of each ends it and is returned.
func (s *Service) EachSale(ctx context.Context, p Platform, f SaleFilter, each func(Sale) error) error {
	f = s.ownSales(p, f)
	for after := int64(0); ; {
		sales, err := s.store.SalesAfter(ctx, f, after, MaxPerPage)
		if err != nil {
			return refusal(err, nil, "list sales")
		}
		for _, sale := range sales {
			if err := each(sale); err != nil {
				return err
			}
			after = sale.ID
		}
		if len(sales) < MaxPerPage {
			return nil
		}
	}
}

func (s *Service) ownSales(p Platform, f SaleFilter) SaleFilter {
	if f.SellerID != p.ID && f.OriginID != p.ID {
		f.PartyID = p.ID
	}
	f.ContractKey = s.ContractKey(f.ContractKey)
	return f
}

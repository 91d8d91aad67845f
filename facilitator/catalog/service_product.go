package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// MaxBatch is how many products are created at once.
const MaxBatch = 100

// CreateProduct makes a product of owner's, which is a draft; [ErrSlugTaken].
func (s *Service) CreateProduct(ctx context.Context, owner account.User, d Draft) (Product, error) {
	list, err := s.CreateProducts(ctx, owner, []Draft{d})
	if err != nil {
		return Product{}, err
	}
	return list[0], nil
}

// CreateProducts makes up to [MaxBatch] products, all or none; [ErrSlugTaken].
// Faults of more than one are of fields such as "products.2.title".
func (s *Service) CreateProducts(ctx context.Context, owner account.User, drafts []Draft) ([]Product, error) {
	var f v402api.Faults
	switch {
	case len(drafts) == 0:
		f.Add("products", v402api.Required, "products is required")
	case len(drafts) > MaxBatch:
		f.Add("products", v402api.TooLong, fmt.Sprintf("products must have at most %d entries", MaxBatch))
		return nil, f.Err()
	}
	now := s.now()
	list, events := make([]Product, len(drafts)), make([]store.Event, len(drafts))
	for i := range drafts {
		var wrong v402api.Faults
		list[i], wrong = s.newProduct(owner, &drafts[i], now)
		for _, fault := range wrong {
			if len(drafts) > 1 {
				fault.Field = fmt.Sprintf("products.%d.%s", i, fault.Field)
			}
			f = append(f, fault)
		}
		events[i] = productEvent(EventProductCreated, &list[i], now)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.store.AddProducts(ctx, list, events...); err != nil {
		return nil, refusal(err, nil, "add products")
	}
	return list, nil
}

func (s *Service) newProduct(owner account.User, d *Draft, now time.Time) (Product, v402api.Faults) {
	p := Product{
		ID: uuid.NewString(), OwnerID: owner.ID, Type: TypeArticle, Currency: "ETH", Scheme: SchemeExact, Status: ProductDraft,
		CreatedAt: now, UpdatedAt: now,
	}
	f := s.apply(d.update(), &p)
	if d.Status != "" {
		v402api.Enum(&f, "status", d.Status, ProductDraft)
	}
	return p, f
}

// Product returns one in whatever status; [ErrProductUnknown].
func (s *Service) Product(ctx context.Context, id string) (Product, error) {
	p, err := s.store.Product(ctx, id)
	return p, refusal(err, ErrProductUnknown, "look for a product")
}

// OwnProduct returns a product of u's, or any for an admin; [ErrProductUnknown].
func (s *Service) OwnProduct(ctx context.Context, u account.User, id string) (Product, error) {
	p, err := s.Product(ctx, id)
	if err == nil && !mayChange(u, &p) {
		return Product{}, ErrProductUnknown
	}
	return p, err
}

// mayChange says whether p is u's, or u an admin.
func mayChange(u account.User, p *Product) bool {
	return u.IsAdmin() || u.ID != "" && p.OwnerID == u.ID
}

// Products lists products. Set f.OwnerID for those of one provider.
func (s *Service) Products(ctx context.Context, f ProductFilter, page store.PageNumber) (store.List[Product], error) {
	list, err := s.store.Products(ctx, f.trimmed(), page.Bounded())
	return list, refusal(err, nil, "list products")
}

func (f ProductFilter) trimmed() ProductFilter {
	f.Category, f.Search = strings.TrimSpace(f.Category), strings.TrimSpace(f.Search)
	return f
}

// UpdateProduct changes a product of u's: [ErrProductUnknown],
// [ErrProductDeleted], [ErrProductState] or [ErrProductRejected] if its status
// cannot be what u wants, [ErrSlugTaken].
func (s *Service) UpdateProduct(ctx context.Context, u account.User, id string, update ProductUpdate) (Product, error) {
	now := s.now()
	return s.change(ctx, u, id, func(p *Product) ([]store.Event, error) {
		if p.Status == ProductDeleted {
			return nil, ErrProductDeleted
		}
		if err := s.apply(&update, p).Err(); err != nil {
			return nil, err
		}
		p.UpdatedAt = now
		var moved string
		if update.Status != nil {
			var err error
			if moved, err = p.become(*update.Status, now); err != nil {
				return nil, err
			}
		}
		events := []store.Event{productEvent(EventProductUpdated, p, now)}
		if moved != "" {
			events = append(events, productEvent(moved, p, now))
		}
		return events, nil
	})
}

// Publish puts a draft or an inactive product on sale: [ErrProductUnknown],
// [ErrProductState], [ErrProductRejected].
func (s *Service) Publish(ctx context.Context, u account.User, id string) (Product, error) {
	return s.move(ctx, u, id, ProductActive)
}

// Unpublish takes an active product off sale: [ErrProductUnknown],
// [ErrProductState].
func (s *Service) Unpublish(ctx context.Context, u account.User, id string) (Product, error) {
	return s.move(ctx, u, id, ProductInactive)
}

// DeleteProduct takes a product off sale for good. What was bought stays open
// until it expires; [ErrProductUnknown], [ErrProductDeleted].
func (s *Service) DeleteProduct(ctx context.Context, u account.User, id string) (Product, error) {
	return s.move(ctx, u, id, ProductDeleted)
}

// move brings a product to a status that it does not have yet.
func (s *Service) move(ctx context.Context, u account.User, id string, to ProductStatus) (Product, error) {
	now := s.now()
	return s.change(ctx, u, id, func(p *Product) ([]store.Event, error) {
		moved, err := p.become(to, now)
		switch {
		case err != nil:
			return nil, err
		case moved == "":
			return nil, ErrProductState
		}
		p.UpdatedAt = now
		return []store.Event{productEvent(moved, p, now)}, nil
	})
}

// change changes a product that u may change.
func (s *Service) change(ctx context.Context, u account.User, id string, change func(*Product) ([]store.Event, error)) (Product, error) {
	p, err := s.store.UpdateProduct(ctx, id, func(p *Product) ([]store.Event, error) {
		if !mayChange(u, p) {
			return nil, ErrProductUnknown
		}
		return change(p)
	})
	return p, refusal(err, ErrProductUnknown, "change a product")
}

// EraseProduct removes every trace of a product that nobody has bought or is about
// to: one with a payment that is not failed stays; [ErrProductUnknown],
// [ErrProductSold].
func (s *Service) EraseProduct(ctx context.Context, u account.User, id string) error {
	now := s.now()
	err := s.store.DeleteProduct(ctx, id, func(p Product) ([]store.Event, error) {
		switch {
		case !mayChange(u, &p):
			return nil, ErrProductUnknown
		case p.Purchases > 0:
			return nil, ErrProductSold
		}
		p.Status = ProductDeleted
		return []store.Event{productEvent(EventProductDeleted, &p, now)}, nil
	})
	return refusal(err, ErrProductUnknown, "erase a product")
}

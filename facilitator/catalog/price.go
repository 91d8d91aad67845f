package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/x402"
)

// PriceRequest asks for the price of a dynamic product.
type PriceRequest struct {
	Product   Product
	Requester string       // the user, or the address of the client, or an alias of it where [LogConfig] truncates addresses
	Resource  string       // path and query of the request
	User      account.User // zero if nobody knows
}

// price computes what a dynamic product costs now, in the unit of its price.
func (s *Service) price(ctx context.Context, r PriceRequest) (x402.Amount, error) {
	var price x402.Amount
	var err error
	switch {
	case r.Product.QuoteURL != "":
		price, err = s.quotes.fetch(ctx, s.ContentKey(r.Product.OwnerID), r)
	case s.options.Payments.Price != nil:
		price, err = s.options.Payments.Price(ctx, r)
	default:
		price = r.Product.Price
	}
	if err != nil {
		return price, &Error{Code: ErrPriceUnavailable.Code, Message: ErrPriceUnavailable.Message, Err: fmt.Errorf("price of product %s: %w", r.Product.ID, err)}
	}
	return price, nil
}

// prices are what r may pay, the price of now first: that of a fixed product, or
// what the requester was told lately and now. What is told is stored first, so
// that the price may move before the payment comes.
func (s *Service) prices(ctx context.Context, r PriceRequest) ([]x402.Amount, error) {
	if r.Product.Scheme != SchemeDynamic {
		return []x402.Amount{r.Product.Price}, nil
	}
	price, err := s.price(ctx, r)
	if err != nil {
		return nil, err
	}
	now := s.now()
	told, err := s.store.AccessQuotes(ctx, r.Product.ID, r.Requester, r.Resource, now)
	if err != nil {
		return nil, refusal(err, nil, "read quotes")
	}
	list, fresh := []x402.Amount{price}, false
	for _, q := range told {
		if !q.Amount.Equal(price) {
			list = append(list, q.Amount)
		} else if now.Sub(q.CreatedAt) < s.options.Payments.Timeout/8 {
			fresh = true
		}
	}
	if fresh || price.IsZero() {
		return list, nil
	}
	return list, s.tell(ctx, r, price, now)
}

// tell stores a price that is told.
func (s *Service) tell(ctx context.Context, r PriceRequest, price x402.Amount, now time.Time) error {
	err := s.store.AddAccessQuote(ctx, Quote{
		ID: uuid.NewString(), ProductID: r.Product.ID, Requester: r.Requester, Resource: r.Resource, Amount: price,
		CreatedAt: now, ExpiresAt: now.Add(s.options.Payments.Timeout + s.options.Payments.QuoteGrace),
	})
	return refusal(err, nil, "store a quote")
}

// told is the price that a payment by transaction must have: of those that its
// requester was told, the one that its amount is, or else that of now.
func (s *Service) told(ctx context.Context, product *Product, in PaymentRequest) (x402.Amount, error) {
	prices, err := s.prices(ctx, PriceRequest{Product: *product, Requester: in.Requester, Resource: in.Resource, User: in.Buyer})
	if err != nil {
		return x402.Amount{}, err
	}
	if in.Amount != nil {
		network, _ := ParseChain(in.Chain) // which was checked
		for _, price := range prices {
			if amount, ok := s.coinAmount(product, network, price); ok && amount.Equal(*in.Amount) {
				return price, nil
			}
		}
	}
	return prices[0], nil
}

// coinAmount is a price of product in the smallest unit that its currency has on n.
func (s *Service) coinAmount(product *Product, n x402.Network, price x402.Amount) (x402.Amount, bool) {
	unit, ok := s.coins.unit(product.Currency)
	coin, known := s.coins.find(n, product.Currency)
	if !ok || !known {
		return x402.Amount{}, false
	}
	return coin.Amount(price, unit.Decimals)
}

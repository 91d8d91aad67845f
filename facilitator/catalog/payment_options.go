package catalog

import (
	"context"

	"github.com/v402/v402/x402"
)

// optionsAt are the ways to pay price for p.
func (s *Service) optionsAt(ctx context.Context, p *Product, price x402.Amount) ([]PaymentOption, error) {
	if price.IsZero() {
		return nil, nil
	}
	priced := *p
	priced.Price = price
	return s.Options(ctx, priced)
}

// chain is the one that proves transactions on n.
func (s *Service) chain(n x402.Network) (Chain, bool) {
	for _, c := range s.options.Chains {
		if c.Network() == n {
			return c, true
		}
	}
	return nil, false
}

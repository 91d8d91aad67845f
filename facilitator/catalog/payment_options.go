package catalog

import (
	"context"
	"slices"

	"github.com/v402/v402/x402"
)

// PaymentOptions are the ways to pay for p at its price: one for each network
// where its owner has a wallet and its currency exists. There are none if p is
// free, or if it cannot be paid.
func (s *Service) PaymentOptions(ctx context.Context, p Product) ([]PaymentOption, error) {
	return s.optionsAt(ctx, &p, p.Price)
}

// optionsAt are the ways to pay price for p.
func (s *Service) optionsAt(ctx context.Context, p *Product, price x402.Amount) ([]PaymentOption, error) {
	if price.IsZero() {
		return nil, nil
	}
	unit, ok := s.coins.unit(p.Currency)
	if !ok {
		return nil, nil
	}
	wallets, err := s.store.Wallets(ctx, p.OwnerID)
	if err != nil {
		return nil, refusal(err, nil, "read the wallets of "+p.OwnerID)
	}
	var list []PaymentOption
	for _, n := range s.networks { // in their order, whatever that of the wallets
		i := slices.IndexFunc(wallets, func(w Wallet) bool { return w.Network == n })
		if i < 0 || len(p.Chains) > 0 && !slices.Contains(p.Chains, n) {
			continue
		}
		coin, ok := s.coins.find(n, p.Currency)
		if !ok {
			continue
		}
		if amount, ok := coin.Amount(price, unit.Decimals); ok {
			list = append(list, PaymentOption{Coin: coin, PayTo: wallets[i].Address, Amount: amount})
		}
	}
	return list, nil
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

package catalog

import (
	"context"
	"errors"
	"slices"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// SetWallet says where owner is paid on a chain, from now on;
// [ErrWalletChanged] if another request has said so later.
func (s *Service) SetWallet(ctx context.Context, owner account.User, n x402.Network, address string) (Wallet, error) {
	var f v402api.Faults
	s.checkChain(&f, n)
	if address == "" {
		f.Add("address", v402api.Required, "address is required")
	}
	if !f.Has("chain") && !validAddress(n, address) {
		f.Add("address", v402api.InvalidAddress, "address must be one of "+ChainName(n))
	}
	if err := f.Err(); err != nil {
		return Wallet{}, err
	}
	now := s.now()
	w := Wallet{OwnerID: owner.ID, Network: n, Address: address, UpdatedAt: now}
	event := newEvent(EventWalletChanged, owner.ID, WalletEvent{owner.ID, ChainName(n), address, now}, now)
	err := s.store.PutWallet(ctx, w, event)
	switch {
	case errors.Is(err, store.ErrConflict):
		return Wallet{}, ErrWalletChanged
	case err != nil:
		return Wallet{}, refusal(err, nil, "store a wallet")
	}
	return w, nil
}

func (s *Service) checkChain(f *v402api.Faults, n x402.Network) {
	if !slices.Contains(s.networks, n) {
		f.Add("chain", v402api.InvalidEnum, "this chain is not supported here")
	}
}

// validAddress says whether somebody can be paid at address. The zero address of
// EVM chains belongs to nobody.
func validAddress(n x402.Network, address string) bool {
	if n.SameAddress(address, "0x0000000000000000000000000000000000000000") {
		return false
	}
	r := x402.PaymentRequirements{Scheme: x402.SchemeExact, Network: n, Asset: address, PayTo: address, Amount: x402.NewAmount(1), MaxTimeoutSeconds: 1}
	return r.Validate() == nil
}

// RemoveWallet ends payments to owner on a chain; [ErrWalletUnknown].
func (s *Service) RemoveWallet(ctx context.Context, owner account.User, n x402.Network) error {
	now := s.now()
	event := newEvent(EventWalletChanged, owner.ID, WalletEvent{owner.ID, ChainName(n), "", now}, now)
	return refusal(s.store.DeleteWallet(ctx, owner.ID, n, event), ErrWalletUnknown, "remove a wallet")
}

// Wallets lists where an owner is paid.
func (s *Service) Wallets(ctx context.Context, ownerID string) ([]Wallet, error) {
	list, err := s.store.Wallets(ctx, ownerID)
	return list, refusal(err, nil, "list wallets")
}

// Options are the ways to pay for p: none while its owner has no wallet where
// its currency is accepted, and none if it is free. The amount is exact on each
// network; one where it would have to be rounded is left out.
func (s *Service) Options(ctx context.Context, p Product) ([]PaymentOption, error) {
	unit, known := s.coins.unit(p.Currency)
	if p.Scheme == SchemeFree || !known {
		return nil, nil
	}
	wallets, err := s.Wallets(ctx, p.OwnerID)
	if err != nil {
		return nil, err
	}
	var list []PaymentOption
	for _, n := range s.networks {
		i := slices.IndexFunc(wallets, func(w Wallet) bool { return w.Network == n })
		coin, ok := s.coins.find(n, p.Currency)
		if i < 0 || !ok || len(p.Chains) > 0 && !slices.Contains(p.Chains, n) {
			continue
		}
		if amount, ok := coin.Amount(p.Price, unit.Decimals); ok {
			list = append(list, PaymentOption{Coin: coin, PayTo: wallets[i].Address, Amount: amount})
		}
	}
	return list, nil
}

package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// Check asks the chain, before anything is served, whether the configuration
// is true: the chain ID of every endpoint; for every asset its code, name,
// version and domain separator, under which buyers sign; that payments can be
// simulated; and that the relayers can pay for gas, of which it only warns. The
// error says what to change.
func (c *Chain) Check(ctx context.Context) error {
	if err := c.checkEndpoints(ctx); err != nil {
		return err
	}
	var errs []error
	for address, a := range c.assets {
		errs = append(errs, c.checkAsset(ctx, address, a))
	}
	errs = append(errs, c.checkSimulation(ctx), c.checkRelayers(ctx))
	return errors.Join(errs...)
}

// checkEndpoints refuses endpoints of another chain, and that none answers; of
// one that is down while others answer it only warns.
func (c *Chain) checkEndpoints(ctx context.Context) error {
	var wrong, silent []error
	for _, e := range c.node.endpoints {
		switch err := c.checkEndpoint(ctx, e); {
		case errors.Is(err, errOtherChain):
			wrong = append(wrong, err)
		case err != nil:
			silent = append(silent, err)
		}
	}
	if len(wrong) > 0 || len(silent) == len(c.node.endpoints) {
		return errors.Join(append(wrong, silent...)...)
	}
	for _, err := range silent {
		c.cfg.Logger.Warn("an endpoint is left out for now", "network", c.cfg.Network, "error", err)
	}
	return nil
}

var errOtherChain = errors.New("correct the URL or the network")

func (c *Chain) checkEndpoint(ctx context.Context, e *endpoint) error {
	var id hexutil.Big
	q := &query{method: "eth_chainId", result: &id}
	if err := c.node.ask(ctx, e, []*query{q}); err != nil {
		return fmt.Errorf("evm: RPC URL %s of %s does not answer: %w", e.host(), c.cfg.Network, err)
	}
	if q.err != nil {
		return fmt.Errorf("evm: RPC URL %s of %s does not tell its chain ID: %w", e.host(), c.cfg.Network, q.err)
	}
	if id.ToInt().Cmp(c.chainID) != 0 {
		return fmt.Errorf("evm: RPC URL %s is of chain %s, but is configured for %s: %w", e.host(), id.ToInt(), c.cfg.Network, errOtherChain)
	}
	return nil
}

func (c *Chain) checkAsset(ctx context.Context, address x402evm.Address, a x402.Asset) error {
	var code, name, version, separator hexutil.Bytes
	ask := func(selector [4]byte, result *hexutil.Bytes) *query {
		call := map[string]any{"to": common.Address(address), "data": hexutil.Bytes(selector[:])}
		return &query{method: "eth_call", args: []any{call, "latest"}, result: result, spare: true}
	}
	err := c.node.read(ctx, &query{method: "eth_getCode", args: []any{common.Address(address), "latest"}, result: &code},
		ask(x402evm.NameSelector, &name), ask(x402evm.VersionSelector, &version), ask(x402evm.DomainSeparatorSelector, &separator))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("evm: asset %s on %s", address, c.cfg.Network)
	if len(code) == 0 {
		return fmt.Errorf("%s: there is no contract at this address: correct the address or the network", what)
	}
	if s, ok := abiString(name); ok && s != a.Name {
		return fmt.Errorf("%s: the token's name is %q but it is configured as %q: set Asset.Name to %q", what, s, a.Name, s)
	}
	if s, ok := abiString(version); ok && s != a.Version {
		return fmt.Errorf("%s: the token's version is %q but it is configured as %q: set Asset.Version to %q", what, s, a.Version, s)
	}
	want := x402evm.Domain{Name: a.Name, Version: a.Version, ChainID: c.chainID.Uint64(), Contract: address}.Separator()
	switch {
	case len(separator) != 32:
		return fmt.Errorf("%s: the token has no DOMAIN_SEPARATOR, so it cannot be paid by EIP-3009: take it off the list of assets", what)
	case x402evm.Hash(separator) != want:
		return fmt.Errorf("%s: its DOMAIN_SEPARATOR is %s, but name %q and version %q give %s: correct Asset.Name and Asset.Version",
			what, hexutil.Encode(separator), a.Name, a.Version, want)
	}
	return nil
}

// checkSimulation tries a payment that cannot succeed: only the answer matters.
func (c *Chain) checkSimulation(ctx context.Context) error {
	for address := range c.assets {
		e := x402evm.Exact{Asset: address, Authorization: x402evm.Authorization{Value: x402.NewAmount(1)}}
		o, err := c.trials.Do(ctx, trialOf(&e))
		if err != nil {
			return fmt.Errorf("evm: %s cannot simulate payments (eth_call of creation code): use another RPC URL: %w", c.cfg.Network, err)
		}
		if o.why == nil || !o.why.Supported {
			return fmt.Errorf("evm: asset %s on %s does not answer authorizationState, so it cannot be paid by EIP-3009: take it off the list of assets", address, c.cfg.Network)
		}
	}
	return nil
}

// checkRelayers warns of relayers that cannot pay for a settlement.
func (c *Chain) checkRelayers(ctx context.Context) error {
	balances := make([]hexutil.Big, len(c.relayers))
	queries := make([]*query, len(c.relayers))
	for i, r := range c.relayers {
		queries[i] = &query{method: "eth_getBalance", args: []any{r.address, "latest"}, result: &balances[i]}
	}
	n := c.newNews()
	if err := c.node.read(ctx, append(queries, n.queries...)...); err != nil {
		return err
	}
	c.learn(n)
	cost := new(big.Int).Mul(c.fees().cap, new(big.Int).SetUint64(c.cfg.MaxGas))
	for i, r := range c.relayers {
		if balances[i].ToInt().Cmp(cost) < 0 {
			c.cfg.Logger.Warn("relayer has little of the chain's coin: send it some before it runs dry",
				"network", c.cfg.Network, "relayer", r.address.Hex(), "wei", balances[i].ToInt(), "settlement_may_cost", cost)
		}
	}
	return nil
}

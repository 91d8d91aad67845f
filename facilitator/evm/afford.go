package evm

import (
	"context"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	x402evm "github.com/v402/v402/x402/evm"
)

// holdFor is how long a settlement waits for others of the same payer.
const holdFor = 300 * time.Millisecond

// purse is what a payer pays from.
type purse struct {
	asset x402evm.Address
	payer x402evm.Address
}

func purseOf(f *flight) purse { return purse{f.exact.Asset, f.exact.Authorization.From} }

// afford holds back those flights whose payer could not pay for them beside
// what is under way already: each would succeed alone, all but the first would
// be reverted at the relayer's expense. Once the others are through, the
// simulation decides about them.
func (c *Chain) afford(ctx context.Context, flights []*flight) (sent, held []*flight, err error) {
	pledged := c.pledged(flights)
	balances, err := c.balances(ctx, pledged)
	if err != nil || len(balances) == 0 {
		return flights, nil, err
	}
	for _, f := range flights {
		p := purseOf(f)
		if balance, ok := balances[p]; ok {
			sum := new(big.Int).Add(pledged[p], f.exact.Authorization.Value.Big())
			if sum.Cmp(balance) > 0 {
				held = append(held, f)
				continue
			}
			pledged[p] = sum
		}
		sent = append(sent, f)
	}
	return sent, held, nil
}

// pledged is what is under way from the purses that more than one payment is
// made from, those of flights included.
func (c *Chain) pledged(flights []*flight) map[purse]*big.Int {
	c.mu.Lock()
	defer c.mu.Unlock()
	users := map[purse]int{}
	for _, f := range flights {
		users[purseOf(f)]++
	}
	sums := map[purse]*big.Int{}
	for p, n := range users {
		if n > 1 {
			sums[p] = new(big.Int)
		}
	}
	for _, f := range c.inFlight {
		p := purseOf(f)
		if users[p] == 0 || !waiting(f) { // what is in a block is gone from the balance
			continue
		}
		if sums[p] == nil {
			sums[p] = new(big.Int)
		}
		sums[p].Add(sums[p], f.exact.Authorization.Value.Big())
	}
	return sums
}

// balances asks for what is in the purses, in one round trip.
func (c *Chain) balances(ctx context.Context, purses map[purse]*big.Int) (map[purse]*big.Int, error) {
	words := make(map[purse]*hexutil.Bytes, len(purses))
	var queries []*query
	for p := range purses {
		data := append(x402evm.BalanceOfSelector[:], common.LeftPadBytes(p.payer[:], 32)...)
		call := map[string]any{"to": common.Address(p.asset), "data": hexutil.Bytes(data)}
		words[p] = new(hexutil.Bytes)
		queries = append(queries, &query{method: "eth_call", args: []any{call, "latest"}, result: words[p]})
	}
	if len(queries) == 0 {
		return nil, nil
	}
	if err := c.node.read(ctx, queries...); err != nil {
		return nil, err
	}
	out := make(map[purse]*big.Int, len(words))
	for p, word := range words {
		out[p] = new(big.Int).SetBytes(*word)
	}
	return out, nil
}

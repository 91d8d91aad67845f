package evm

import (
	"context"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	x402evm "github.com/v402/v402/x402/evm"
)

const (
	holdFor  = 300 * time.Millisecond // how long a settlement waits for others of the same payer
	spentFor = 2 * roundFor           // how long it is kept when a purse was last spent from
)

// purse is what a payer pays from.
type purse struct {
	asset x402evm.Address
	payer x402evm.Address
}

func purseOf(f *flight) purse { return purse{f.exact.Asset, f.exact.Authorization.From} }

// afford holds back those flights whose payer could not pay for them beside
// what is under way already: each would succeed alone, all but the first would
// be reverted at the relayer's expense. Once the others are through, the
// simulation decides about them. Those that are sent are pledged until
// [Chain.release], so that another relayer's lane counts them too.
func (c *Chain) afford(ctx context.Context, flights []*flight) (sent, held []*flight, err error) {
	pledged := c.pledge(flights)
	balances, err := c.balances(ctx, pledged)
	if err != nil {
		c.release(flights)
		return nil, nil, err
	}
	for _, f := range flights {
		p := purseOf(f)
		if balance, contested := balances[p]; contested {
			sum := new(big.Int).Add(pledged[p], f.exact.Authorization.Value.Big())
			if sum.Cmp(balance) > 0 {
				held = append(held, f)
				continue
			}
			pledged[p] = sum
		}
		sent = append(sent, f)
	}
	c.release(held)
	return sent, held, nil
}

// pledge marks flights as being sent, and sums what else is under way from the
// purses that are contested: those of more than one flight, and those that were
// spent from since the flight's settlement was made, which was before its simulation.
func (c *Chain) pledge(flights []*flight) map[purse]*big.Int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums, users := map[purse]*big.Int{}, map[purse]int{}
	for _, f := range flights {
		p := purseOf(f)
		if users[p]++; users[p] > 1 || c.spent[p].After(f.s.CreatedAt) {
			sums[p] = new(big.Int)
		}
	}
	for _, f := range c.inFlight {
		p := purseOf(f)
		if users[p] == 0 || !(f.pledged || f.mined != nil || waiting(f)) {
			continue
		}
		if sums[p] == nil {
			sums[p] = new(big.Int)
		}
		if f.mined == nil { // what is in a block is gone from the balance
			sums[p].Add(sums[p], f.exact.Authorization.Value.Big())
		}
	}
	for _, f := range flights {
		f.pledged = true
	}
	return sums
}

// release takes back what [Chain.pledge] marked: the flights were sent, and
// count as such, or were not.
func (c *Chain) release(flights []*flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range flights {
		f.pledged = false
	}
}

// forget drops the purses that nobody has spent from for a while.
func (c *Chain) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.cfg.Now().Add(-spentFor)
	for p, at := range c.spent {
		if at.Before(old) {
			delete(c.spent, p)
		}
	}
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

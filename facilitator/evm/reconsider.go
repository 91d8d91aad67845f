package evm

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

// reconsider decides about a flight that is not on its way: one that was taken
// over, or whose transaction failed or lost its nonce. It is sent if the chain
// would still take it.
func (c *Chain) reconsider(ctx context.Context, f *flight) {
	given := c.state(f).Transactions // given up, but any of them may have been mined after all
	landed, dead, err := c.landedEarlier(ctx, f, given)
	if err != nil {
		c.doubt(ctx, f)
	}
	if err != nil || landed {
		return
	}
	o, err := c.trials.Do(ctx, trialOf(f.exact))
	if err != nil {
		c.doubt(ctx, f)
		return
	}
	refusal := c.judge(f.exact, &o)
	reason := x402.ReasonOf(refusal, "")
	switch {
	case refusal == nil:
		c.gas.learn(f.exact, o.gas)
		c.launch(ctx, f)
	case reason == x402.ReasonEVMNonceUsed:
		c.settledByAnother(ctx, f, refusal)
	case reason != x402.ReasonEVMExpired && !(dead && (len(given) == 0 || c.isLost(f, sureAfter))):
		c.lookLater(f, c.cfg.ResendAfter) // until it expires one of them may still move the money
	default:
		c.finish(ctx, c.fail(f, refusal))
	}
}

// landedEarlier looks for a transaction of f that was given up and mined. They
// are dead if none of them can be mined any more, since their nonces are used.
func (c *Chain) landedEarlier(ctx context.Context, f *flight, given []facilitator.Transaction) (landed, dead bool, err error) {
	if len(given) == 0 {
		return false, true, nil
	}
	receipts := make([]*receipt, len(given))
	counts := make([]hexutil.Uint64, len(given))
	var queries []*query
	for i, t := range given {
		var tx types.Transaction
		if err := tx.UnmarshalBinary(t.Raw); err != nil {
			return false, false, fmt.Errorf("evm: decode transaction: %w", err)
		}
		sender, err := types.Sender(c.signer, &tx)
		if err != nil {
			return false, false, fmt.Errorf("evm: sender of a transaction: %w", err)
		}
		queries = append(queries,
			&query{method: "eth_getTransactionReceipt", args: []any{t.Hash}, result: &receipts[i]},
			&query{method: "eth_getTransactionCount", args: []any{sender, "latest"}, result: &counts[i]})
	}
	if err := c.node.read(ctx, queries...); err != nil {
		return false, false, err
	}
	dead = true
	for i, r := range receipts {
		if r != nil && r.Status == 1 && pays(f.exact, r.Logs, true) {
			if o, final := c.landed(f, facilitator.Found{Transaction: r.Tx.Hex(), Block: uint64(r.Block)}); final {
				c.finish(ctx, o)
			}
			return true, false, nil
		}
		dead = dead && uint64(counts[i]) > given[i].Nonce
	}
	return false, dead, nil
}

// settledByAnother ends a flight whose authorization was used: confirmed if the
// transfer is found, failed if the events say that it was not the transfer.
func (c *Chain) settledByAnother(ctx context.Context, f *flight, refusal error) {
	seen, err := c.find(ctx, f.exact)
	switch {
	case err != nil:
		c.doubt(ctx, f)
	case seen.found != nil && seen.deep:
		s := c.state(f)
		c.finish(ctx, s.Confirm(seen.found.Transaction, seen.found.Block, c.cfg.Now()))
	case seen.found != nil:
		c.landed(f, *seen.found)
	case seen.used && c.isLost(f, giveUpAfter):
		c.finish(ctx, c.fail(f, refusal))
	default:
		c.lookLater(f, c.cfg.ResendAfter/2)
	}
}

// reverted deals with a transaction that was mined without effect.
func (c *Chain) reverted(ctx context.Context, f *flight, r *receipt) {
	o, err := c.trials.Do(ctx, trialOf(f.exact))
	if err != nil {
		c.doubt(ctx, f)
		return
	}
	refusal := c.judge(f.exact, &o)
	switch {
	case x402.ReasonOf(refusal, "") == x402.ReasonEVMNonceUsed:
		c.settledByAnother(ctx, f, refusal)
	case (refusal != nil || c.triesOf(f) >= maxTries) && !c.isBuried(uint64(r.Block)):
		c.lookLater(f, c.cfg.ResendAfter/2)
	case refusal != nil:
		out := c.fail(f, refusal)
		s := c.state(f)
		c.finish(ctx, s.Fail(r.Tx.Hex(), out.Reason, out.Message, c.cfg.Now()))
	case c.triesOf(f) >= maxTries:
		s := c.state(f)
		c.finish(ctx, s.Fail(r.Tx.Hex(), x402.ReasonEVMTransactionFailed, "the transaction was reverted though it succeeds in simulation", c.cfg.Now()))
	default: // it would succeed now: it ran out of gas, or the state was another
		c.gas.learn(f.exact, o.gas)
		c.mu.Lock()
		f.tries++
		c.mu.Unlock()
		c.requeue(ctx, f, "its transaction was reverted, but it succeeds in simulation")
	}
}

func (c *Chain) triesOf(f *flight) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.tries
}

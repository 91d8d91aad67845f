package evm

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/v402/v402/facilitator"
)

// landing is where a flight's transfer was seen.
type landing struct {
	facilitator.Found
	depth uint64 // block at which it is deep enough
}

// landed takes in that f's transfer is in a block. It is final if no further
// confirmations are wanted.
func (c *Chain) landed(f *flight, found facilitator.Found) (facilitator.Outcome, bool) {
	depth := found.Block + c.cfg.Confirmations - 1
	if c.cfg.Confirmations > 1 && c.head.block() < depth {
		c.mu.Lock()
		f.mined, f.doubts = &landing{found, depth}, 0
		c.mu.Unlock()
		return facilitator.Outcome{}, false
	}
	s := c.state(f)
	return s.Confirm(found.Transaction, found.Block, c.cfg.Now()), true
}

// deepen confirms the flights that are deep enough now and still there.
func (c *Chain) deepen(ctx context.Context, number uint64) {
	var seenIn []string // transactions, as they were when the flights were listed
	deep := c.flights(func(f *flight) bool {
		if f.mined == nil || f.mined.depth > number {
			return false
		}
		seenIn = append(seenIn, f.mined.Transaction)
		return true
	})
	if len(deep) == 0 {
		return
	}
	receipts := make([]*receipt, len(deep))
	queries := make([]*query, len(deep))
	for i, tx := range seenIn {
		queries[i] = &query{method: "eth_getTransactionReceipt", args: []any{tx}, result: &receipts[i]}
	}
	if err := c.node.read(ctx, queries...); err != nil {
		c.cfg.Logger.Warn("confirmations cannot be checked", "network", c.cfg.Network, "error", err)
		return
	}
	var outcomes []facilitator.Outcome
	for i, f := range deep {
		r := receipts[i]
		switch {
		case r == nil || r.Status != 1 || !pays(f.exact, r.Logs, c.sent(f, r.Tx)):
			c.mu.Lock() // reorganised away: wait for it to come back, and send it again
			f.mined, f.lookAt = nil, time.Time{}
			c.mu.Unlock()
		default: // in the same block, or in another after a reorganisation
			if o, final := c.landed(f, facilitator.Found{Transaction: r.Tx.Hex(), Block: uint64(r.Block)}); final {
				outcomes = append(outcomes, o)
			}
		}
	}
	c.finish(ctx, outcomes...)
}

// sent says whether tx is one of f's own.
func (c *Chain) sent(f *flight, tx common.Hash) bool {
	for _, t := range c.state(f).Transactions {
		if common.HexToHash(t.Hash) == tx {
			return true
		}
	}
	return false
}

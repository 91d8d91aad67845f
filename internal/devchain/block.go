package devchain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// watchPool returns the transactions that arrive from now on, until stop is called.
func (c *Chain) watchPool() (arrivals <-chan core.NewTxsEvent, stop func()) {
	events := make(chan core.NewTxsEvent, 1024)
	return events, c.eth.TxPool().SubscribeTransactions(events, true).Unsubscribe
}

// makeBlocks makes a block per BlockTime, or whenever there is something to
// put into one, until the context ends.
func (c *Chain) makeBlocks(ctx context.Context, arrivals <-chan core.NewTxsEvent) {
	var tick <-chan time.Time
	if c.cfg.BlockTime > 0 {
		ticker := time.NewTicker(c.cfg.BlockTime)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if !c.held.Load() && c.waitForClock(ctx) {
				c.mu.Lock()
				c.beacon.Commit()
				c.mu.Unlock()
			}
		case <-arrivals:
			drain(arrivals)
			c.mineWaiting(ctx)
		case <-c.wake:
			c.mineWaiting(ctx)
		}
	}
}

// drain empties the channel: the next block takes all of them.
func drain(arrivals <-chan core.NewTxsEvent) {
	for {
		select {
		case <-arrivals:
		default:
			return
		}
	}
}

// mineWaiting makes one block if blocks are made on arrival and a transaction
// waits that can be mined now. What the block leaves out, since it is full or was
// made in a hurry, is for the next one; others announce themselves.
func (c *Chain) mineWaiting(ctx context.Context) {
	if c.cfg.BlockTime > 0 || c.held.Load() || !c.waitForClock(ctx) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held.Load() || !c.anyMineable() {
		return
	}
	c.beacon.Commit()
	if c.anyMineable() {
		select {
		case c.wake <- struct{}{}:
		default: // it will wake anyway
		}
	}
}

// waitForClock waits while block times are too far ahead of the clock. It
// returns false if the chain is closed meanwhile.
func (c *Chain) waitForClock(ctx context.Context) bool {
	wait := c.lead() + time.Second - c.cfg.MaxLead
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(min(wait, time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// lead is how far the latest block is ahead of the chain's clock.
func (c *Chain) lead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Unix(int64(c.head().Time), 0).Sub(c.clock())
}

// clock is the time that the next block should carry. The caller holds mu.
func (c *Chain) clock() time.Time { return time.Now().Add(c.ahead) }

func (c *Chain) head() *types.Header { return c.eth.BlockChain().CurrentBlock() }

// anyMineable reports whether the pool has a transaction that pays enough for
// the next block. The caller holds mu.
func (c *Chain) anyMineable() bool {
	pool := c.eth.TxPool()
	if pool.Sync() != nil {
		return false // the pool is closing
	}
	baseFee := eip1559.CalcBaseFee(c.eth.BlockChain().Config(), c.head())
	_, count := pool.Pending(txpool.PendingFilter{
		MinTip:  uint256.NewInt(minTip),
		BaseFee: uint256.MustFromBig(baseFee),
	})
	return count > 0
}

// freshen makes a block if the latest one is so old that a call against it
// would be judged by a time long past.
func (c *Chain) freshen() {
	if c.cfg.BlockTime > 0 || c.held.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock().Sub(time.Unix(int64(c.head().Time), 0)) >= staleAfter {
		_ = c.catchUp() // the call is judged by the older time then
	}
}

// catchUp makes a block that carries the chain's clock. The caller holds mu.
func (c *Chain) catchUp() error {
	if c.ahead == 0 || c.anyMineable() {
		c.beacon.Commit()
	}
	behind := c.clock().Sub(time.Unix(int64(c.head().Time), 0))
	if behind < time.Second {
		return nil
	}
	if err := c.beacon.AdjustTime(behind); err != nil {
		return fmt.Errorf("devchain: moving the clock: %w", err)
	}
	return nil
}

// commit makes a block. The caller holds mu.
func (c *Chain) commit() error {
	before := c.head().Hash()
	if c.beacon.Commit() == before {
		return errors.New("devchain: no block could be made")
	}
	return nil
}

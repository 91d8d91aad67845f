package evm

import (
	"context"
	"time"

	"github.com/v402/v402/facilitator"
)

const (
	unknownFor  = 30 * time.Second // without an answer from the chain before a settlement is called unknown
	sureAfter   = 2                // looks in a row that must agree on a loss
	giveUpAfter = 6                // looks in a row that find an authorization used, but not by whom
)

// lost counts one more look that found no trace.
func (c *Chain) lost(f *flight) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.doubts == 0 {
		f.lostAt = c.head.block()
	}
	f.doubts++
	return f.doubts
}

// isLost counts one more look, and says whether enough of them agree on a loss
// that is as deep in the chain as a success must be.
func (c *Chain) isLost(f *flight, enough int) bool {
	looks := c.lost(f)
	c.mu.Lock()
	since := f.lostAt
	c.mu.Unlock()
	return looks >= enough && c.isBuried(since)
}

// isBuried says whether a block has the configured confirmations.
func (c *Chain) isBuried(block uint64) bool { return block+c.cfg.Confirmations-1 <= c.head.block() }

// doubt notes that the chain could not be asked about f.
func (c *Chain) doubt(ctx context.Context, f *flight) {
	c.lookLater(f, c.cfg.ResendAfter/2)
	s := c.state(f)
	c.mu.Lock()
	long := c.cfg.Now().Sub(f.sentAt) > unknownFor
	c.mu.Unlock()
	if long && s.State == facilitator.Submitted {
		c.finish(ctx, facilitator.Outcome{ID: f.id, State: facilitator.Unknown})
	}
}

package evm

import (
	"context"
	"errors"
	"sync"
	"time"
)

// roundFor bounds what is done at once: no request to the node or the journal
// holds up the others for longer.
const roundFor = time.Minute

var errRunning = errors.New("evm: Chain.Run is running already")

// Run implements [facilitator.Chain]: it follows the chain, looks into what
// makes no progress, and takes over what a crash left, until ctx ends. It
// returns when the work that was under way is done.
func (c *Chain) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer c.running.Store(false)
	var wg sync.WaitGroup
	wg.Go(func() { c.follow(ctx) })
	wg.Go(func() { c.tend(ctx) })
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.attending > 0 {
		c.idle.Wait()
	}
	return nil
}

// attend has work done on f, and f looked into if no news come of that, unless some
// is being done: while the chain or the journal is slow, f does not wait for them
// twice. The work outlives Run's context, and Run waits for it.
func (c *Chain) attend(f *flight, work func(context.Context, *flight)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.busy {
		return
	}
	f.busy, f.lookAt = true, c.cfg.Now().Add(c.cfg.ResendAfter)
	c.attending++
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), roundFor)
		defer cancel()
		work(ctx, f)
		c.mu.Lock()
		defer c.mu.Unlock()
		f.busy = false
		c.attending--
		c.idle.Broadcast()
	}()
}

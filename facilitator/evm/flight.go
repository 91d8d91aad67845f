package evm

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// flight is an unfinished settlement in the hands of this process. Its fields
// below the line are guarded by Chain.mu.
type flight struct {
	id    string
	exact *x402evm.Exact
	done  chan struct{} // closed when s is final

	s       facilitator.Settlement
	relayer *relayer  // nil before it is submitted, and where its key is not ours
	since   uint64    // block before which it cannot have been mined
	sentAt  time.Time // when its newest transaction was first sent
	lookAt  time.Time // when to look into it, unless there is news before
	mined   *landing  // seen in a block, not deep enough yet
	raise   bool      // its fee is too low for the node
	busy    bool      // somebody attends to it
	pledged bool      // it is being sent
	doubts  int       // looks in a row that found no trace of it
	lostAt  uint64    // newest block at the first of them
	tries   int       // transactions that failed for reasons of gas
}

// Settle implements [facilitator.Chain]. Without [Chain.Run] nobody looks for
// the transaction in new blocks, and it waits for ctx to end.
func (c *Chain) Settle(ctx context.Context, s facilitator.Settlement) (facilitator.Settlement, error) {
	if !c.running.Load() {
		c.cfg.Logger.Warn("a payment is settled while Run is not running", "network", c.cfg.Network, "id", s.ID)
	}
	f, fresh, err := c.board(s, c.cfg.ResendAfter)
	if err != nil {
		return s, err
	}
	if fresh {
		c.attend(f, c.launch)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	return c.state(f), nil
}

// hold makes r the relayer of f, for whom it counts as under way.
func (f *flight) hold(r *relayer) {
	if f.relayer != nil {
		f.relayer.unmined.Add(-1)
	}
	if f.relayer = r; r != nil {
		r.unmined.Add(1)
	}
}

// state is a copy of the settlement as it stands.
func (c *Chain) state(f *flight) facilitator.Settlement {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.s
}

// board takes a settlement in hand, to be looked into after a while; fresh is
// false if it is in hand already.
func (c *Chain) board(s facilitator.Settlement, after time.Duration) (f *flight, fresh bool, err error) {
	e, err := c.reread(s)
	if err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.inFlight[s.ID]; ok {
		return f, false, nil
	}
	f = &flight{
		id: s.ID, exact: e, s: s, done: make(chan struct{}),
		since: c.head.block(), sentAt: s.UpdatedAt, lookAt: c.cfg.Now().Add(after),
	}
	f.hold(c.relayer(s.Relayer))
	c.inFlight[s.ID] = f
	return f, true, nil
}

// reread decodes a payment that was accepted once: neither its time nor a change
// of the configuration since then counts against it.
func (c *Chain) reread(s facilitator.Settlement) (*x402evm.Exact, error) {
	checker := x402evm.Checker{MinValidity: time.Nanosecond}
	return checker.CheckUnsigned(s.Payment, s.ValidBefore.Add(-time.Second))
}

// launch sends a reserved settlement by the relayer with the least to do.
func (c *Chain) launch(ctx context.Context, f *flight) {
	r := c.idlest()
	if r == nil || c.tooDear(c.fees()) {
		c.lookLater(f, time.Second) // it stays reserved until somebody can pay the gas
		return
	}
	r.load.Add(1)
	defer r.load.Add(-1)
	if _, err := r.lane.Do(ctx, f); err != nil {
		c.cfg.Logger.Warn("settlement not submitted yet", "id", f.id, "error", err)
		c.lookLater(f, time.Second)
		return
	}
	c.mu.Lock()
	again := f.s.State == facilitator.Reserved && !c.cfg.Now().Before(f.lookAt)
	c.mu.Unlock()
	if again { // its nonce was used up: see catchUp
		c.reconsider(ctx, f)
	}
}

func (c *Chain) lookLater(f *flight, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.lookAt = c.cfg.Now().Add(d)
}

// flights returns those that match, in no order.
func (c *Chain) flights(match func(*flight) bool) []*flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*flight
	for _, f := range c.inFlight {
		if match(f) {
			out = append(out, f)
		}
	}
	return out
}

// waiting is whether f's transfer is still to be seen on the chain.
func waiting(f *flight) bool {
	return f.mined == nil && (f.s.State == facilitator.Submitted || f.s.State == facilitator.Unknown)
}

// finish stores outcomes and takes the finished ones out of hand. What the
// journal cannot take now stays in hand, to be found again.
func (c *Chain) finish(ctx context.Context, outcomes ...facilitator.Outcome) {
	if len(outcomes) == 0 {
		return
	}
	changed, err := c.cfg.Journal.FinishSettlements(ctx, outcomes)
	if err != nil {
		c.cfg.Logger.Error("the journal does not take the end of settlements", "count", len(outcomes), "error", err)
		c.postpone(outcomes)
		return
	}
	for i, o := range outcomes {
		if changed[i] {
			c.update(o.ID, func(f *flight) {
				f.s.State, f.s.Reason, f.s.Message, f.s.UpdatedAt = o.State, o.Reason, o.Message, c.cfg.Now()
				if o.Transaction != "" {
					f.s.Transaction, f.s.Block = o.Transaction, o.Block
				}
			})
		} else { // somebody else finished it
			c.refresh(ctx, o.ID)
		}
	}
}

// postpone has settlements whose outcome could not be stored looked into again.
func (c *Chain) postpone(outcomes []facilitator.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range outcomes {
		if f, ok := c.inFlight[o.ID]; ok {
			f.lookAt = c.cfg.Now().Add(c.cfg.ResendAfter / 2)
		}
	}
}

// refresh brings a flight up to what the journal says.
func (c *Chain) refresh(ctx context.Context, id string) {
	s, err := c.cfg.Journal.Settlement(ctx, id)
	if err != nil {
		c.cfg.Logger.Error("the journal does not return a settlement", "id", id, "error", err)
		return
	}
	c.update(id, func(f *flight) {
		f.s = s
		f.hold(c.relayer(s.Relayer))
	})
}

// update changes a flight, and ends it if its settlement is final.
func (c *Chain) update(id string, change func(*flight)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.inFlight[id]
	if !ok {
		return
	}
	change(f)
	f.doubts = 0
	if f.s.State == facilitator.Reserved {
		f.mined = nil
		f.hold(nil)
	}
	if f.s.State.Final() {
		if f.s.State == facilitator.Confirmed {
			c.spent[purseOf(f)] = c.cfg.Now()
		}
		f.hold(nil)
		delete(c.inFlight, id)
		close(f.done)
	}
}

// fail is the outcome for a refusal by the chain.
func (c *Chain) fail(f *flight, err error) facilitator.Outcome {
	message := err.Error()
	var refusal *x402.Error
	if errors.As(err, &refusal) {
		message = refusal.Message()
	}
	s := c.state(f)
	return s.Fail("", x402.ReasonOf(err, x402.ReasonEVMTransactionFailed), message, c.cfg.Now())
}

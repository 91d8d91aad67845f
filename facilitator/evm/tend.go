package evm

import (
	"context"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

const (
	tendEvery = 250 * time.Millisecond
	maxLease  = 256 // settlements taken over at once
	maxTries  = 3   // transactions that run out of gas
)

// tend looks into flights that are due, takes over those of dead processes, and
// mends gaps in the nonces.
func (c *Chain) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	var leased, mended time.Time
	for {
		round, cancel := context.WithTimeout(ctx, roundFor)
		now := c.cfg.Now()
		if now.Sub(leased) >= c.cfg.LeaseFor/3 {
			c.takeOver(round)
			leased = now
		}
		c.lookInto(round)
		if now.Sub(mended) >= c.cfg.ResendAfter {
			c.mendGaps(round)
			c.forget()
			mended = now
		}
		cancel()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// takeOver takes in hand what nobody works on any more.
func (c *Chain) takeOver(ctx context.Context) {
	now := c.cfg.Now()
	lease := facilitator.Lease{Owner: c.cfg.Owner, Until: now.Add(c.cfg.LeaseFor)}
	settlements, err := c.cfg.Journal.LeaseSettlements(ctx, c.cfg.Network, lease, now, maxLease)
	if err != nil {
		if ctx.Err() == nil {
			c.cfg.Logger.Error("the journal does not list unfinished settlements", "network", c.cfg.Network, "error", err)
		}
		return
	}
	for _, s := range settlements {
		if _, _, err := c.board(s, 0); err != nil {
			c.cfg.Logger.Error("a settlement in the journal cannot be read", "id", s.ID, "error", err)
			if len(s.Transactions) == 0 { // nothing can have moved
				c.finish(ctx, s.Fail("", x402.ReasonOf(err, x402.ReasonInvalidPayload), err.Error(), now))
			}
		}
	}
	if len(settlements) > 0 {
		c.cfg.Logger.Info("settlements taken over", "network", c.cfg.Network, "count", len(settlements))
	}
	select { // whatever was sent may be in a block by now
	case c.kick <- struct{}{}:
	default:
	}
}

// lookInto deals with the flights that are due.
func (c *Chain) lookInto(ctx context.Context) {
	now := c.cfg.Now()
	due := c.flights(func(f *flight) bool { return f.mined == nil && !now.Before(f.lookAt) })
	var reserved, sent []*flight
	for _, f := range due {
		if c.state(f).State == facilitator.Reserved {
			reserved = append(reserved, f)
		} else {
			sent = append(sent, f)
		}
	}
	for _, f := range reserved {
		c.attend(f, c.reconsider)
	}
	for len(sent) > 0 && ctx.Err() == nil {
		n := min(len(sent), maxLook)
		if err := c.examine(ctx, sent[:n]); err != nil {
			for _, f := range sent { // asking for the others would take as long and end the same way
				c.doubt(ctx, f)
			}
			return
		}
		sent = sent[n:]
	}
}

package evm

import (
	"context"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
)

// broadcast sends the newest transaction of each flight. The journal has them
// all: whatever happens here, none is lost and none is signed twice.
func (c *Chain) broadcast(ctx context.Context, flights []*flight) {
	for len(flights) > 0 {
		n := min(len(flights), maxSends)
		behind := c.broadcastSome(ctx, flights[:n])
		c.catchUp(ctx, behind)
		flights = flights[n:]
	}
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// broadcastSome returns the flights whose nonce was used up before.
func (c *Chain) broadcastSome(ctx context.Context, flights []*flight) (behind []*flight) {
	queries := make([]*query, len(flights))
	c.mu.Lock()
	for i, f := range flights {
		newest := f.s.Transactions[len(f.s.Transactions)-1]
		queries[i] = &query{method: "eth_sendRawTransaction", args: []any{hexutil.Bytes(newest.Raw)}, result: new(string)}
	}
	c.mu.Unlock()
	if err := c.node.send(ctx, queries); err != nil {
		// Nobody is known to have taken them, and nobody not to: look soon.
		c.cfg.Logger.Warn("transactions not sent yet", "network", c.cfg.Network, "count", len(flights), "error", err)
		for _, f := range flights {
			c.lookLater(f, c.cfg.ResendAfter/5)
		}
		return nil
	}
	for i, f := range flights {
		switch err := queries[i].err; {
		case err == nil:
		case isBehind(err):
			c.lookLater(f, 0) // mined already, or the nonce went to another transaction
			behind = append(behind, f)
		default:
			c.unsent(ctx, f, err)
		}
	}
	return behind
}

// isBehind says whether a node refuses a transaction for a nonce that is used.
func isBehind(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "nonce too low") || strings.Contains(text, "nonce is too low")
}

// catchUp sends flights anew whose first transaction came too late: another
// process has used the relayer's key since its nonce was last asked for.
func (c *Chain) catchUp(ctx context.Context, behind []*flight) {
	var late []*flight
	for _, f := range behind {
		if len(c.state(f).Transactions) == 1 { // what happens again is looked into first
			late = append(late, f)
		}
	}
	if len(late) == 0 {
		return
	}
	n := c.newNews()
	if err := c.node.read(ctx, n.queries...); err != nil {
		return // they are looked into soon
	}
	c.learn(n)
	for _, f := range late {
		c.requeue(ctx, f, "another process has used its nonce")
		c.lookLater(f, 0)
	}
}

// unsent deals with a node's refusal of a transaction.
func (c *Chain) unsent(ctx context.Context, f *flight, err error) {
	text := strings.ToLower(err.Error())
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("already known", "already imported", "known transaction", "already in mempool"):
	case has("insufficient funds"):
		s := c.state(f)
		if r := c.relayer(s.Relayer); r != nil && len(s.Transactions) > 0 {
			r.runDry(s.Transactions[len(s.Transactions)-1].Nonce)
		}
		c.requeue(ctx, f, "the relayer cannot pay the gas")
	case has("replacement transaction underpriced", "replacement fee too low"):
		if len(c.state(f).Transactions) == 1 { // the nonce went to a transaction that the journal does not know
			c.requeue(ctx, f, "the nonce is taken")
		}
	case has("less than block base fee", "underpriced", "fee cap", "gas price too low"):
		c.mu.Lock()
		f.raise = true
		c.mu.Unlock()
		c.lookLater(f, time.Second/5)
	default:
		c.cfg.Logger.Warn("the node refuses a transaction", "id", f.id, "error", err)
		c.lookLater(f, time.Second)
	}
}

// requeue gives up the nonce of f; it is sent anew with another. That is safe
// even if the old transaction is mined after all: the token takes an
// authorization once.
func (c *Chain) requeue(ctx context.Context, f *flight, why string) {
	c.cfg.Logger.Info("settlement is sent anew", "id", f.id, "because", why)
	c.lookLater(f, time.Second/5)
	c.finish(ctx, facilitator.Outcome{ID: f.id, State: facilitator.Reserved})
}

// replace signs the newest transaction of f again with a higher fee, stores it,
// and sends it; if the fee cannot be higher, it is sent again as it is. All of
// its transactions have one nonce: one at most is mined.
func (c *Chain) replace(ctx context.Context, f *flight) {
	c.mu.Lock()
	r, id := f.relayer, f.id
	newest := f.s.Transactions[len(f.s.Transactions)-1]
	c.mu.Unlock()
	offered, err := feesOf(newest.Raw) // whichever process signed it
	if err != nil {
		c.cfg.Logger.Error("a transaction in the journal cannot be read", "id", id, "error", err)
		c.lookLater(f, c.cfg.ResendAfter)
		return
	}
	fees, ok := c.replacement(offered)
	if !ok || r == nil {
		c.broadcastSome(ctx, []*flight{f}) // as it is: the node may have dropped it
		c.lookLater(f, c.cfg.ResendAfter)
		return
	}
	limits, err := c.gasLimits(ctx, r, []*flight{f})
	if err != nil {
		c.lookLater(f, c.cfg.ResendAfter)
		return
	}
	t, err := r.sign(f.exact.Calldata(), common.Address(f.exact.Asset), newest.Nonce, limits[f], fees)
	if err == nil {
		err = c.cfg.Journal.AddTransaction(ctx, id, t)
	}
	if err != nil {
		c.cfg.Logger.Error("no replacement for a stuck transaction", "id", id, "error", err)
		c.lookLater(f, c.cfg.ResendAfter)
		return
	}
	now := c.cfg.Now()
	c.mu.Lock()
	f.s.Transactions = append(f.s.Transactions[:len(f.s.Transactions):len(f.s.Transactions)], t)
	f.s.Transaction, f.raise = t.Hash, false
	f.sentAt, f.lookAt = now, now.Add(c.cfg.ResendAfter)
	c.mu.Unlock()
	c.broadcastSome(ctx, []*flight{f})
}

package evm

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

var errRunning = errors.New("evm: Chain.Run is running already")

const (
	tendEvery   = 250 * time.Millisecond
	maxLook     = 32               // flights looked into in one round trip
	maxLease    = 256              // settlements taken over at once
	unknownFor  = 30 * time.Second // without an answer from the chain before a settlement is called unknown
	sureAfter   = 2                // looks in a row that must agree on a loss
	giveUpAfter = 6                // looks in a row that find an authorization used, but not by whom
	maxTries    = 3                // transactions that run out of gas
)

// tend looks into flights that are due, takes over those of dead processes, and
// mends gaps in the nonces.
func (c *Chain) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	var leased, mended time.Time
	for {
		now := c.cfg.Now()
		if now.Sub(leased) >= c.cfg.LeaseFor/3 {
			c.takeOver(ctx)
			leased = now
		}
		c.lookInto(ctx)
		if now.Sub(mended) >= c.cfg.ResendAfter {
			c.mendGaps(ctx)
			mended = now
		}
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
		c.lookLater(f, c.cfg.ResendAfter)
		c.attend(ctx, f, c.reconsider)
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

// reconsider decides about a flight that is not on its way: one that was taken
// over, or whose transaction failed or lost its nonce. It is sent if the chain
// would still take it.
func (c *Chain) reconsider(ctx context.Context, f *flight) {
	o, err := c.trials.Do(ctx, trialOf(f.exact))
	if err != nil {
		c.doubt(ctx, f)
		return
	}
	refusal := c.judge(f.exact, &o)
	if refusal == nil {
		c.gas.learn(f.exact, o.gas)
		c.launch(context.WithoutCancel(ctx), f)
		return
	}
	if x402.ReasonOf(refusal, "") == x402.ReasonEVMNonceUsed {
		c.settledByAnother(ctx, f, refusal)
		return
	}
	c.finish(ctx, c.fail(f, refusal))
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

// finding is what the chain says about one flight.
type finding struct {
	s        facilitator.Settlement // as it stood when the chain was asked
	receipts []*receipt             // of its transactions, in order
	used     hexutil.Bytes
}

// examine asks the chain, in one round trip, about flights without news.
func (c *Chain) examine(ctx context.Context, flights []*flight) error {
	var latest header
	counts := map[string]*hexutil.Uint64{}
	queries := []*query{{method: "eth_getBlockByNumber", args: []any{"latest", false}, result: &latest}}
	findings := make([]finding, len(flights))
	for i, f := range flights {
		s := c.state(f)
		findings[i].s = s
		findings[i].receipts = make([]*receipt, len(s.Transactions))
		for j, t := range s.Transactions {
			queries = append(queries, &query{method: "eth_getTransactionReceipt", args: []any{t.Hash}, result: &findings[i].receipts[j]})
		}
		call := map[string]any{"to": common.Address(f.exact.Asset), "data": stateCall(common.Address(f.exact.Authorization.From), f.exact.Authorization.Nonce)}
		queries = append(queries, &query{method: "eth_call", args: []any{call, "latest"}, result: &findings[i].used})
		if counts[s.Relayer] == nil {
			counts[s.Relayer] = new(hexutil.Uint64)
			queries = append(queries, &query{method: "eth_getTransactionCount", args: []any{s.Relayer, "latest"}, result: counts[s.Relayer]})
		}
	}
	if err := c.node.read(ctx, queries...); err != nil {
		return err
	}
	c.learnHead(latest)
	for i, f := range flights {
		asked, now := findings[i].s, c.state(f)
		if now.State == asked.State && now.Transaction == asked.Transaction { // no other news meanwhile
			c.conclude(ctx, f, findings[i], latest, uint64(*counts[asked.Relayer]))
		}
	}
	return nil
}

// stateCall is the calldata of authorizationState.
func stateCall(payer common.Address, nonce [32]byte) hexutil.Bytes {
	b := append([]byte{}, x402evm.AuthorizationStateSelector[:]...)
	b = append(b, common.LeftPadBytes(payer[:], 32)...)
	return append(b, nonce[:]...)
}

// conclude decides what became of one flight. A loss is believed only after
// several looks that agree, since a node may lag behind.
func (c *Chain) conclude(ctx context.Context, f *flight, found finding, latest header, count uint64) {
	s := found.s
	nonce := s.Transactions[len(s.Transactions)-1].Nonce
	for i, r := range found.receipts {
		switch {
		case r == nil:
		case r.Status == 1 && pays(f.exact, r.Logs, true):
			if o, final := c.landed(f, facilitator.Found{Transaction: r.Tx.Hex(), Block: uint64(r.Block)}); final {
				c.finish(ctx, o)
			}
			return
		case s.Transactions[i].Nonce != nonce: // given up earlier; another is on its way
		case r.Status == 1 && !c.isBuried(uint64(r.Block)):
			c.lookLater(f, c.cfg.ResendAfter/2)
			return
		case r.Status == 1:
			c.finish(ctx, s.Fail(r.Tx.Hex(), x402.ReasonEVMTransferEvent, "", c.cfg.Now()))
			return
		default:
			c.reverted(ctx, f, r)
			return
		}
	}
	switch {
	case isTrue(found.used):
		c.settledByAnother(ctx, f, x402.Refuse(x402.ReasonEVMNonceUsed, "", "the authorization was used for another transfer, or cancelled"))
	case uint64(latest.Timestamp) >= f.exact.Authorization.ValidBefore:
		if c.isLost(f, sureAfter) {
			c.finish(ctx, s.Fail("", x402.ReasonEVMExpired, "it was not mined before it expired", c.cfg.Now()))
			return
		}
		c.lookLater(f, c.cfg.ResendAfter/2)
	case count > nonce:
		if c.lost(f) >= sureAfter {
			c.requeue(ctx, f, "its nonce was used by another transaction")
			return
		}
		c.lookLater(f, c.cfg.ResendAfter/2)
	default:
		c.push(ctx, f)
	}
}

// push sends a pending transaction again, with a higher fee if it is stuck.
func (c *Chain) push(ctx context.Context, f *flight) {
	c.mu.Lock()
	stuck := f.raise || c.cfg.Now().Sub(f.sentAt) > c.cfg.ReplaceAfter
	f.doubts, f.lookAt = 0, c.cfg.Now().Add(c.cfg.ResendAfter)
	c.mu.Unlock()
	if stuck {
		c.replace(ctx, f)
	} else {
		c.broadcastSome(ctx, []*flight{f})
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

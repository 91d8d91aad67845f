package evm

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
)

const (
	overlap      = 2   // blocks looked at again with each new one, for short reorganisations
	maxRange     = 500 // blocks in one look; what is further back is looked into one by one
	payersPerAsk = 200 // payers in one eth_getLogs
	fastestPoll  = 10 * time.Millisecond
	slowestPoll  = time.Second
)

// follower finds settled payments in new blocks: one look at the head, and if
// it moved one eth_getLogs for all that are under way.
type follower struct {
	c    *Chain
	seen uint64        // newest block looked at; 0 while nothing is under way
	pace time.Duration // from sending to seeing, a moving average
}

// follow looks for blocks as long as anything is under way, and sleeps
// otherwise.
func (c *Chain) follow(ctx context.Context) {
	f := &follower{c: c, pace: 250 * time.Millisecond}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if len(c.flights(inBlockOrWaiting)) == 0 {
			f.seen = 0
			select {
			case <-c.kick:
			case <-ctx.Done():
				return
			}
		}
		round, cancel := context.WithTimeout(ctx, roundFor)
		err := f.look(round)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.cfg.Logger.Warn("the chain cannot be followed", "network", c.cfg.Network, "error", err)
		}
		timer.Reset(f.interval())
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

func inBlockOrWaiting(f *flight) bool { return f.mined != nil || waiting(f) }

func (f *follower) interval() time.Duration {
	if f.c.cfg.PollInterval > 0 {
		return f.c.cfg.PollInterval
	}
	return min(max(f.pace/10, fastestPoll), slowestPoll)
}

// look takes in what happened since the last look.
func (f *follower) look(ctx context.Context) error {
	var latest header
	if err := f.c.node.read(ctx, &query{method: "eth_getBlockByNumber", args: []any{"latest", false}, result: &latest}); err != nil {
		return err
	}
	to := uint64(latest.Number)
	if to <= f.seen { // nothing new, or a node that lags
		return nil
	}
	f.c.learnHead(latest)
	flights := f.c.flights(waiting)
	if len(flights) > 0 {
		if err := f.lookAt(ctx, flights, to); err != nil {
			return err
		}
	}
	f.seen = to
	f.c.deepen(ctx, to)
	return nil
}

// lookAt finds flights among the events of the new blocks, and those whose
// nonce went by without one.
func (f *follower) lookAt(ctx context.Context, flights []*flight, to uint64) error {
	c := f.c
	from := f.from(flights, to)
	filters := c.filters(flights, from, to)
	found := make([][]logEntry, len(filters))
	counts := make([]hexutil.Uint64, len(c.relayers))
	var queries []*query
	for i, filter := range filters {
		queries = append(queries, &query{method: "eth_getLogs", args: []any{filter}, result: &found[i]})
	}
	for i, r := range c.relayers {
		queries = append(queries, &query{method: "eth_getTransactionCount", args: []any{r.address, hexutil.Uint64(to)}, result: &counts[i], spare: true})
	}
	if err := c.node.read(ctx, queries...); err != nil {
		return err
	}
	byTx := map[common.Hash][]logEntry{}
	for _, logs := range found {
		for _, l := range logs {
			byTx[l.Tx] = append(byTx[l.Tx], l)
		}
	}
	missed := f.land(ctx, flights, byTx)
	c.lookIntoPassed(missed, counts)
	return nil
}

// from is the first block to look at: behind the last look, or where the
// oldest flight began.
func (f *follower) from(flights []*flight, to uint64) uint64 {
	from := f.seen + 1
	if f.seen == 0 {
		from = to
		for _, fl := range flights {
			from = min(from, fl.since+1)
		}
	}
	from = max(from, overlap+1) - overlap
	if to > maxRange {
		from = max(from, to-maxRange)
	}
	return from
}

// filters ask for the AuthorizationUsed and Transfer events of the payers.
func (c *Chain) filters(flights []*flight, from, to uint64) []logFilter {
	assets, payers := map[common.Address]bool{}, map[common.Hash]bool{}
	for _, f := range flights {
		assets[common.Address(f.exact.Asset)] = true
		payers[addressTopic(f.exact.Authorization.From)] = true
	}
	var addresses []common.Address
	for a := range assets {
		addresses = append(addresses, a)
	}
	var filters []logFilter
	var some []common.Hash
	flush := func() {
		filters = append(filters, logFilter{
			From: hexutil.Uint64(from), To: hexutil.Uint64(to), Address: addresses,
			Topics: [][]common.Hash{{topicUsed, topicTransfer}, some},
		})
		some = nil
	}
	for p := range payers {
		if some = append(some, p); len(some) == payersPerAsk {
			flush()
		}
	}
	if len(some) > 0 {
		flush()
	}
	return filters
}

// land ends the flights whose transfer is among the events, and returns the
// others.
func (f *follower) land(ctx context.Context, flights []*flight, byTx map[common.Hash][]logEntry) (missed []*flight) {
	c := f.c
	uses := map[[2]common.Hash]common.Hash{} // payer and nonce → transaction
	for tx, logs := range byTx {
		for _, l := range logs {
			if len(l.Topics) == 3 && l.Topics[0] == topicUsed {
				uses[[2]common.Hash{l.Topics[1], l.Topics[2]}] = tx
			}
		}
	}
	var outcomes []facilitator.Outcome
	for _, fl := range flights {
		a := &fl.exact.Authorization
		tx, ok := uses[[2]common.Hash{addressTopic(a.From), common.Hash(a.Nonce)}]
		logs := byTx[tx]
		if !ok || !pays(fl.exact, logs, c.sent(fl, tx)) {
			missed = append(missed, fl)
			continue
		}
		f.note(fl)
		if o, final := c.landed(fl, facilitator.Found{Transaction: tx.Hex(), Block: uint64(logs[0].Block)}); final {
			outcomes = append(outcomes, o)
		}
	}
	c.finish(ctx, outcomes...)
	return missed
}

// note keeps the average of how long a transaction takes to be seen.
func (f *follower) note(fl *flight) {
	f.c.mu.Lock()
	took := min(f.c.cfg.Now().Sub(fl.sentAt), time.Minute)
	f.c.mu.Unlock()
	f.pace += (took - f.pace) / 8
}

// lookIntoPassed has those looked into whose nonce was used up without their
// event: they were reverted, or something else took the nonce.
func (c *Chain) lookIntoPassed(missed []*flight, counts []hexutil.Uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range missed {
		for i, r := range c.relayers {
			if last := len(f.s.Transactions) - 1; f.relayer == r && last >= 0 && f.s.Transactions[last].Nonce < uint64(counts[i]) && f.doubts == 0 {
				f.lookAt = time.Time{}
			}
		}
	}
}

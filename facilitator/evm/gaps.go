package evm

import (
	"context"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
)

const (
	maxFill     = 16
	transferGas = 21_000
)

// mendGaps fills nonces that nothing will use any more: those of settlements
// that ended without their transaction being mined. Everything behind such a
// nonce would wait for ever. A gap is filled with a transfer of nothing to the
// relayer itself; should the missing transaction turn up after all, the node
// keeps one of the two.
func (c *Chain) mendGaps(ctx context.Context) {
	for _, r := range c.relayers {
		stuck := c.flights(func(f *flight) bool {
			return f.relayer == r && waiting(f) && c.cfg.Now().Sub(f.sentAt) > c.cfg.ResendAfter
		})
		if len(stuck) == 0 {
			continue
		}
		if err := r.mendGap(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Logger.Warn("gap in the nonces not mended", "relayer", r.address.Hex(), "error", err)
		}
	}
}

func (r *relayer) mendGap(ctx context.Context) error {
	var count hexutil.Uint64
	queries := []*query{{method: "eth_getTransactionCount", args: []any{r.address, "latest"}, result: &count}}
	news := r.c.staleNews()
	if err := r.c.node.read(ctx, append(queries, news.queries...)...); err != nil {
		return err
	}
	r.c.learn(news)
	unfinished, err := r.c.cfg.Journal.UnfinishedNonces(ctx, r.account(), uint64(count))
	if err != nil {
		return err
	}
	fees := r.c.fees()
	fees = fees.raised(fees)
	for _, nonce := range gaps(unfinished, uint64(count)) {
		t, err := r.sign(nil, r.address, nonce, transferGas, fees)
		if err != nil {
			return err
		}
		q := &query{method: "eth_sendRawTransaction", args: []any{hexutil.Bytes(t.Raw)}, result: new(string)}
		if err := r.c.node.send(ctx, []*query{q}); err != nil {
			return err
		}
		r.c.cfg.Logger.Info("gap in the nonces filled", "relayer", r.address.Hex(), "nonce", nonce, "answer", q.err)
	}
	return nil
}

// gaps lists the first nonces from count up that no unfinished settlement has,
// below the highest that one has.
func gaps(unfinished map[uint64]facilitator.Settlement, count uint64) []uint64 {
	highest := uint64(0)
	for nonce := range unfinished {
		highest = max(highest, nonce)
	}
	var missing []uint64
	for nonce := count; nonce < highest && len(missing) < maxFill; nonce++ {
		if _, ok := unfinished[nonce]; !ok {
			missing = append(missing, nonce)
		}
	}
	return missing
}

package evm

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
	x402evm "github.com/v402/v402/x402/evm"
)

const (
	findBlocks = 10_000 // how far back a used authorization is looked for
	findChunk  = 2_000  // blocks in one eth_getLogs, which nodes limit
)

// FindSettled implements [facilitator.Chain]. It waits until the transfer has
// the configured confirmations, as long as ctx allows.
func (c *Chain) FindSettled(ctx context.Context, t facilitator.Transfer) (*facilitator.Found, error) {
	e, ok := t.Decoded.(*x402evm.Exact)
	if !ok {
		return nil, fmt.Errorf("evm: Transfer was not made by Inspect")
	}
	for {
		found, deep, err := c.find(ctx, e)
		if err != nil || found == nil || deep {
			return found, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// find looks for the use of an authorization. It returns nil if there is none,
// or if it was not the transfer that e authorizes.
func (c *Chain) find(ctx context.Context, e *x402evm.Exact) (found *facilitator.Found, deep bool, err error) {
	var number hexutil.Uint64
	if err := c.node.read(ctx, &query{method: "eth_blockNumber", result: &number}); err != nil {
		return nil, false, err
	}
	head := uint64(number)
	for back := uint64(0); back < findBlocks && back <= head; back += findChunk {
		use, err := c.use(ctx, e, head-min(head, back+findChunk-1), head-back)
		if err != nil {
			return nil, false, err
		}
		if use == nil {
			continue
		}
		var r *receipt
		if err := c.node.read(ctx, &query{method: "eth_getTransactionReceipt", args: []any{use.Tx}, result: &r}); err != nil {
			return nil, false, err
		}
		if r == nil || r.Status != 1 || !pays(e, r.Logs, false) {
			return nil, false, nil
		}
		f := facilitator.Found{Transaction: r.Tx.Hex(), Block: uint64(r.Block)}
		return &f, f.Block+c.cfg.Confirmations-1 <= head, nil
	}
	return nil, false, nil
}

// use finds the AuthorizationUsed event of e between two blocks.
func (c *Chain) use(ctx context.Context, e *x402evm.Exact, from, to uint64) (*logEntry, error) {
	var logs []logEntry
	filter := logFilter{
		From: hexutil.Uint64(from), To: hexutil.Uint64(to), Address: []common.Address{common.Address(e.Asset)},
		Topics: [][]common.Hash{{topicUsed}, {addressTopic(e.Authorization.From)}, {common.Hash(e.Authorization.Nonce)}},
	}
	if err := c.node.read(ctx, &query{method: "eth_getLogs", args: []any{filter}, result: &logs}); err != nil {
		return nil, err
	}
	for i := range logs {
		if !logs[i].Removed && logs[i].isUse(e) {
			return &logs[i], nil
		}
	}
	return nil, nil
}

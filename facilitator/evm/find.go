package evm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
	x402evm "github.com/v402/v402/x402/evm"
)

const (
	findBlocks = 10_000 // how far back a used authorization is looked for
	findChunk  = 500    // blocks in one eth_getLogs, which nodes limit
	lookAgain  = 500 * time.Millisecond
)

// errLags is the answer of a node that is behind what others have said.
var errLags = errors.New("evm: the endpoints disagree: one lags behind; try again later")

// FindSettled implements [facilitator.Chain]. It waits until the transfer has
// the configured confirmations, as long as ctx allows. That there is none it
// says only if a node shows what became of the authorization instead.
func (c *Chain) FindSettled(ctx context.Context, t facilitator.Transfer) (*facilitator.Found, error) {
	e, ok := t.Decoded.(*x402evm.Exact)
	if !ok {
		return nil, fmt.Errorf("evm: Transfer was not made by Inspect")
	}
	for looks := 1; ; looks++ {
		s, err := c.find(ctx, e)
		switch {
		case err == nil && s.found != nil && s.deep:
			return s.found, nil
		case err == nil && s.found != nil: // wait for it to become final
		case err == nil && (s.used || t.ValidBefore.Before(c.cfg.Now().Add(c.cfg.MinValidity))):
			return nil, nil
		case looks >= giveUpAfter: // one node calls it used and another unused
			return nil, errors.Join(errLags, err)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// sighting is what a node shows of an authorization.
type sighting struct {
	used  bool               // it is spent; or cancelled
	found *facilitator.Found // the transfer that it authorizes; nil if there is none
	deep  bool               // the transfer is final
}

// find looks for the use of an authorization. An error means that no node has
// shown a whole picture.
func (c *Chain) find(ctx context.Context, e *x402evm.Exact) (sighting, error) {
	var number hexutil.Uint64
	if err := c.node.read(ctx, &query{method: "eth_blockNumber", result: &number}); err != nil {
		return sighting{}, err
	}
	var state hexutil.Bytes
	call := map[string]any{"to": common.Address(e.Asset), "data": stateCall(common.Address(e.Authorization.From), e.Authorization.Nonce)}
	if err := c.node.read(ctx, &query{method: "eth_call", args: []any{call, number}, result: &state}); err != nil {
		return sighting{}, err
	}
	if !isTrue(state) {
		return sighting{}, nil
	}
	s, head := sighting{used: true}, uint64(number)
	for back := uint64(0); back < findBlocks && back <= head; back += findChunk {
		use, err := c.use(ctx, e, head-min(head, back+findChunk-1), head-back)
		if err != nil {
			return s, err
		}
		if use == nil {
			continue
		}
		var r *receipt
		if err := c.node.read(ctx, &query{method: "eth_getTransactionReceipt", args: []any{use.Tx}, result: &r}); err != nil {
			return s, err
		}
		switch {
		case r == nil:
			return s, errLags
		case r.Status == 1 && pays(e, r.Logs, false):
			s.found = &facilitator.Found{Transaction: r.Tx.Hex(), Block: uint64(r.Block)}
			s.deep = s.found.Block+c.cfg.Confirmations-1 <= head
		}
		return s, nil
	}
	return s, nil
}

// isTrue reads a bool that a contract returned.
func isTrue(word []byte) bool { return len(word) == 32 && word[31] == 1 }

// use finds the AuthorizationUsed event of e between two blocks.
func (c *Chain) use(ctx context.Context, e *x402evm.Exact, from, to uint64) (*logEntry, error) {
	var logs []logEntry
	var last header
	filter := logFilter{
		From: hexutil.Uint64(from), To: hexutil.Uint64(to), Address: []common.Address{common.Address(e.Asset)},
		Topics: [][]common.Hash{{topicUsed}, {addressTopic(e.Authorization.From)}, {common.Hash(e.Authorization.Nonce)}},
	}
	err := c.node.read(ctx, &query{method: "eth_getLogs", args: []any{filter}, result: &logs},
		&query{method: "eth_getBlockByNumber", args: []any{hexutil.Uint64(to), false}, result: &last})
	if err != nil {
		return nil, err
	}
	for i := range logs {
		if !logs[i].Removed && logs[i].isUse(e) {
			return &logs[i], nil
		}
	}
	if uint64(last.Number) != to {
		return nil, errLags // this node has not got all of these blocks
	}
	return nil, nil
}

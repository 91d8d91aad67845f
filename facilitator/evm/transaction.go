package evm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// Transaction returns what the chain says about the transaction with this hash
// now: a later block may still take it back while its Confirmations are few. The
// endpoints are asked until one has it in a block; one that knows it unmined
// counts less. If all answer and none knows it, the error is
// [x402.ErrTransactionNotFound], wrapped; any other error means that the chain
// cannot say: one that did not answer may know it.
//
// Native coin that a contract moves on within the transaction is not shown: only
// what From sends to To.
func (c *Chain) Transaction(ctx context.Context, hash string) (x402.Transaction, error) {
	h, err := x402evm.ParseHash(hash)
	if err != nil {
		return x402.Transaction{}, fmt.Errorf("evm: %w: %w", x402.ErrTransactionNotFound, err)
	}
	var waiting *x402.Transaction // in a pool
	var errs []error
	for _, e := range c.node.order() {
		t, err := c.look(ctx, e, common.Hash(h))
		switch {
		case err != nil:
			errs = append(errs, err)
		case t == nil: // unknown to this one
		case t.Mined():
			return *t, nil
		default:
			waiting = t
		}
		if ctx.Err() != nil {
			errs = append(errs, context.Cause(ctx))
			break
		}
	}
	switch {
	case waiting != nil:
		return *waiting, nil
	case len(errs) > 0:
		return x402.Transaction{}, fmt.Errorf("evm: %s on %s: no endpoint that answers has it: %w", hash, c.cfg.Network, errors.Join(errs...))
	default:
		return x402.Transaction{}, fmt.Errorf("evm: %s on %s: %w", hash, c.cfg.Network, x402.ErrTransactionNotFound)
	}
}

// call is a transaction as eth_getTransactionByHash gives it.
type call struct {
	From  common.Address  `json:"from"`
	To    *common.Address `json:"to"` // nil if it creates a contract
	Value *hexutil.Big    `json:"value"`
	Input hexutil.Bytes   `json:"input"`
}

// placedReceipt says which block the receipt is of.
type placedReceipt struct {
	receipt
	BlockHash common.Hash `json:"blockHash"`
}

// look asks one endpoint; nil for what it does not know.
func (c *Chain) look(ctx context.Context, e *endpoint, hash common.Hash) (*x402.Transaction, error) {
	var sent *call
	var r *placedReceipt
	var head header
	err := c.askOne(ctx, e,
		&query{method: "eth_getTransactionByHash", args: []any{hash}, result: &sent},
		&query{method: "eth_getTransactionReceipt", args: []any{hash}, result: &r},
		&query{method: "eth_getBlockByNumber", args: []any{"latest", false}, result: &head})
	if err != nil || sent == nil {
		return nil, err
	}
	t := &x402.Transaction{Network: c.cfg.Network, Hash: hash.Hex(), From: sent.From.Hex(), Input: sent.Input}
	if sent.To != nil {
		t.To = sent.To.Hex()
	}
	if t.Value, err = x402.AmountFromBig(sent.Value.ToInt()); err != nil {
		return nil, fmt.Errorf("evm: value of %s: %w", hash, err)
	}
	if r == nil || r.Tx != hash {
		return t, nil
	}
	var block header
	if err := c.askOne(ctx, e, &query{method: "eth_getBlockByNumber", args: []any{r.Block, false}, result: &block}); err != nil {
		return nil, err
	}
	if block.Hash != r.BlockHash { // reorganised between the two questions
		return nil, errLags
	}
	t.Succeeded, t.Block = r.Status == 1, uint64(block.Number)
	t.Time = time.Unix(int64(block.Timestamp), 0).UTC()
	t.Confirmations = uint64(max(head.Number, block.Number)) - t.Block + 1
	if t.Succeeded {
		t.Transfers = transfers(r.Logs)
	}
	return t, nil
}

// askOne asks one endpoint all queries in one round trip.
func (c *Chain) askOne(ctx context.Context, e *endpoint, queries ...*query) error {
	err := c.node.ask(ctx, e, queries)
	for _, q := range queries {
		if err == nil && q.err != nil {
			err = fmt.Errorf("%s: %w", q.method, q.err)
		}
	}
	e.mark(err, c.node.now())
	return err
}

// transfers are the Transfer events of EIP-20 among logs. That event of EIP-721
// looks alike but for a fourth topic.
func transfers(logs []logEntry) []x402.TokenTransfer {
	var list []x402.TokenTransfer
	for i := range logs {
		l := &logs[i]
		if l.Removed || len(l.Topics) != 3 || l.Topics[0] != topicTransfer || len(l.Data) != 32 ||
			!isAddressTopic(l.Topics[1]) || !isAddressTopic(l.Topics[2]) {
			continue
		}
		amount, err := x402.AmountFromBig(common.BytesToHash(l.Data).Big())
		if err != nil {
			continue
		}
		list = append(list, x402.TokenTransfer{
			Asset: l.Address.Hex(), From: common.BytesToAddress(l.Topics[1][12:]).Hex(), To: common.BytesToAddress(l.Topics[2][12:]).Hex(),
			Amount: amount, LogIndex: uint64(l.Index),
		})
	}
	return list
}

// isAddressTopic says whether a topic is an address and nothing more.
func isAddressTopic(h common.Hash) bool { return common.BytesToHash(h[12:]) == h }

package evm

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

const maxLook = 32 // flights looked into in one round trip

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
	var pending []*flight
	for i, f := range flights {
		asked, now := findings[i].s, c.state(f)
		if now.State != asked.State || now.Transaction != asked.Transaction {
			continue // other news came meanwhile
		}
		if c.conclude(ctx, f, findings[i], latest, uint64(*counts[asked.Relayer])) {
			pending = append(pending, f)
		}
	}
	c.push(ctx, pending)
	return nil
}

// conclude decides what became of one flight. A loss is believed only after
// several looks that agree, since a node may lag behind. It is true for a flight
// whose transaction is still to be mined.
func (c *Chain) conclude(ctx context.Context, f *flight, found finding, latest header, count uint64) (pending bool) {
	s := found.s
	nonce := s.Transactions[len(s.Transactions)-1].Nonce
	for i, r := range found.receipts {
		switch {
		case r == nil:
		case r.Status == 1 && pays(f.exact, r.Logs, true):
			if o, final := c.landed(f, facilitator.Found{Transaction: r.Tx.Hex(), Block: uint64(r.Block)}); final {
				c.finish(ctx, o)
			}
			return false
		case s.Transactions[i].Nonce != nonce: // given up earlier; another is on its way
		case r.Status == 1 && !c.isBuried(uint64(r.Block)):
			c.lookLater(f, c.cfg.ResendAfter/2)
			return false
		case r.Status == 1:
			c.finish(ctx, s.Fail(r.Tx.Hex(), x402.ReasonEVMTransferEvent, "", c.cfg.Now()))
			return false
		default:
			c.reverted(ctx, f, r)
			return false
		}
	}
	switch {
	case isTrue(found.used):
		c.settledByAnother(ctx, f, x402.Refuse(x402.ReasonEVMNonceUsed, "", "the authorization was used for another transfer, or cancelled"))
	case uint64(latest.Timestamp) >= f.exact.Authorization.ValidBefore:
		if c.isLost(f, sureAfter) {
			c.finish(ctx, s.Fail("", x402.ReasonEVMExpired, "it was not mined before it expired", c.cfg.Now()))
			return false
		}
		c.lookLater(f, c.cfg.ResendAfter/2)
	case count > nonce:
		if c.lost(f) >= sureAfter {
			c.requeue(ctx, f, "its nonce was used by another transaction")
			return false
		}
		c.lookLater(f, c.cfg.ResendAfter/2)
	default:
		return true
	}
	return false
}

// push sends pending transactions again, and those that are stuck with a higher
// fee.
func (c *Chain) push(ctx context.Context, flights []*flight) {
	var again []*flight
	for _, f := range flights {
		c.mu.Lock()
		stuck := f.raise || c.cfg.Now().Sub(f.sentAt) > c.cfg.ReplaceAfter
		f.doubts, f.lookAt = 0, c.cfg.Now().Add(c.cfg.ResendAfter)
		c.mu.Unlock()
		if stuck {
			c.replace(ctx, f)
		} else {
			again = append(again, f)
		}
	}
	if len(again) > 0 {
		c.broadcastSome(ctx, again)
	}
}

// stateCall is the calldata of authorizationState.
func stateCall(payer common.Address, nonce [32]byte) hexutil.Bytes {
	b := append([]byte{}, x402evm.AuthorizationStateSelector[:]...)
	b = append(b, common.LeftPadBytes(payer[:], 32)...)
	return append(b, nonce[:]...)
}

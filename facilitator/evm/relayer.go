package evm

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/batch"
)

// relayer sends transactions from one account. Settlements that come while a
// batch is being stored and sent go together in the next: one commit and one
// round trip for all of them, their nonces in a row.
type relayer struct {
	c       *Chain
	key     *ecdsa.PrivateKey
	address common.Address
	lane    *batch.Batcher[*flight, struct{}]
	load    atomic.Int64 // settlements in its lane
	unmined atomic.Int64 // settlements sent and not seen in a block

	mu       sync.Mutex
	next     uint64    // one above the highest nonce known to be taken
	dryUntil time.Time // it could not pay the gas
}

const (
	maxSends  = 128 // transactions in one round trip
	lingerFor = 15 * time.Millisecond
	dryFor    = 15 * time.Second // before a relayer without funds is tried again
)

func newRelayer(c *Chain, hexKey string) (*relayer, error) {
	key, address, err := parseKey(hexKey)
	if err != nil {
		return nil, err
	}
	r := &relayer{c: c, key: key, address: address}
	r.lane = batch.New(maxSends, 1, r.submit)
	r.lane.Linger = r.linger
	return r, nil
}

// linger waits a little for company while earlier transactions are not mined
// yet, so that more of them share a block.
func (r *relayer) linger() time.Duration {
	if r.unmined.Load() == 0 {
		return 0
	}
	return lingerFor
}

func (r *relayer) account() facilitator.Account {
	return facilitator.Account{Network: r.c.cfg.Network, Address: r.address.Hex()}
}

// relayer finds one of ours by address.
func (c *Chain) relayer(address string) *relayer {
	for _, r := range c.relayers {
		if strings.EqualFold(r.address.Hex(), address) {
			return r
		}
	}
	return nil
}

// idlest is the relayer with the least to do, or nil if none can pay the gas.
func (c *Chain) idlest() *relayer {
	var best *relayer
	for _, r := range c.relayers {
		if !r.isDry() && (best == nil || r.load.Load() < best.load.Load()) {
			best = r
		}
	}
	return best
}

func (r *relayer) isDry() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.c.cfg.Now().Before(r.dryUntil)
}

// runDry leaves r out for a while, since it could not pay for a transaction; the
// nonce of that is free again.
func (r *relayer) runDry(nonce uint64) {
	now := r.c.cfg.Now()
	r.mu.Lock()
	known := now.Before(r.dryUntil)
	r.dryUntil, r.next = now.Add(dryFor), min(r.next, nonce)
	r.mu.Unlock()
	if !known {
		r.c.cfg.Logger.Error("relayer cannot pay the gas: send it the chain's coin", "network", r.c.cfg.Network, "relayer", r.address.Hex())
	}
}

// learnCount takes in the account's transaction count at a node.
func (r *relayer) learnCount(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = max(r.next, n)
}

func (r *relayer) floor() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// submit is the work of the lane: sign and store, then send.
func (r *relayer) submit(ctx context.Context, flights []*flight) ([]struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, roundFor)
	defer cancel()
	c := r.c
	done := make([]struct{}, len(flights))
	flights, held, err := c.afford(ctx, flights)
	if err != nil {
		return nil, err
	}
	for _, f := range held {
		c.lookLater(f, holdFor)
	}
	if len(flights) == 0 {
		return done, nil
	}
	defer c.release(flights)
	byID, ids := make(map[string]*flight, len(flights)), make([]string, len(flights))
	for i, f := range flights {
		byID[f.id], ids[i] = f, f.id
	}
	limits, err := c.gasLimits(ctx, r, flights)
	if err != nil {
		return nil, err
	}
	fees := c.fees()
	stored, err := c.cfg.Journal.SubmitSettlements(ctx, r.account(), c.cfg.Owner, r.floor(), ids,
		func(s *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
			f := byID[s.ID]
			return r.sign(f.exact.Calldata(), common.Address(f.exact.Asset), nonce, limits[f], fees)
		})
	if err != nil {
		return nil, fmt.Errorf("evm: store transactions: %w", err)
	}
	sent := make([]*flight, len(stored))
	for i, s := range stored {
		sent[i] = byID[s.ID]
		c.submitted(sent[i], r, s)
		delete(byID, s.ID)
	}
	for id, f := range byID { // finished or taken over by somebody else
		c.lookLater(f, c.cfg.ResendAfter)
		c.refresh(ctx, id)
	}
	c.broadcast(ctx, sent)
	return done, nil
}

// submitted notes what the journal now holds.
func (c *Chain) submitted(f *flight, r *relayer, s facilitator.Settlement) {
	now := c.cfg.Now()
	c.mu.Lock()
	f.hold(r)
	f.s, f.sentAt, f.lookAt = s, now, now.Add(c.cfg.ResendAfter)
	c.mu.Unlock()
	r.learnCount(s.Transactions[len(s.Transactions)-1].Nonce + 1)
}

// sign makes a transaction that calls to with data; no value moves.
func (r *relayer) sign(data []byte, to common.Address, nonce, gas uint64, f fees) (facilitator.Transaction, error) {
	var body types.TxData = &types.DynamicFeeTx{
		ChainID: r.c.chainID, Nonce: nonce, GasTipCap: f.tip, GasFeeCap: f.cap, Gas: gas, To: &to, Data: data,
	}
	if f.legacy {
		body = &types.LegacyTx{Nonce: nonce, GasPrice: f.cap, Gas: gas, To: &to, Data: data, Value: new(big.Int)}
	}
	tx, err := types.SignNewTx(r.key, r.c.signer, body)
	if err != nil {
		return facilitator.Transaction{}, fmt.Errorf("evm: sign transaction: %w", err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return facilitator.Transaction{}, fmt.Errorf("evm: encode transaction: %w", err)
	}
	return facilitator.Transaction{Hash: tx.Hash().Hex(), Raw: raw, Nonce: nonce}, nil
}

// gasLimits are those learned in simulations; on chains whose gas also pays for
// another chain's data they are the node's estimates, with a quarter on top.
func (c *Chain) gasLimits(ctx context.Context, r *relayer, flights []*flight) (map[*flight]uint64, error) {
	limits := make(map[*flight]uint64, len(flights))
	estimates := make([]hexutil.Uint64, len(flights))
	var queries []*query
	for i, f := range flights {
		limits[f] = min(c.gas.limit(f.exact)<<c.triesOf(f), c.cfg.MaxGas)
		if c.estimatesGas() {
			call := map[string]any{"from": r.address, "to": common.Address(f.exact.Asset), "data": hexutil.Bytes(f.exact.Calldata())}
			queries = append(queries, &query{method: "eth_estimateGas", args: []any{call}, result: &estimates[i]})
		}
	}
	if len(queries) > 0 {
		if err := c.node.read(ctx, queries...); err != nil {
			return nil, err
		}
		for i, f := range flights {
			limits[f] = min(uint64(estimates[i])*5/4, c.cfg.MaxGas)
		}
	}
	for f, limit := range limits {
		if limit == 0 {
			limits[f] = c.cfg.MaxGas // nothing like it was simulated yet
		}
	}
	return limits, nil
}

// estimatesGas is true for Arbitrum, whose gas includes Ethereum's calldata.
func (c *Chain) estimatesGas() bool {
	id := c.chainID.Uint64()
	return id == 42161 || id == 421614
}

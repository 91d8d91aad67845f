package evm

import (
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// header is what is needed of a block.
type header struct {
	Number    hexutil.Uint64 `json:"number"`
	Hash      common.Hash    `json:"hash"`
	Parent    common.Hash    `json:"parentHash"`
	Timestamp hexutil.Uint64 `json:"timestamp"`
	BaseFee   *hexutil.Big   `json:"baseFeePerGas"` // absent before EIP-1559
}

// head is the newest that is known of the chain.
type head struct {
	mu     sync.Mutex
	at     time.Time // when all of the news was learned
	number uint64
	base   *big.Int // nil where there is no EIP-1559
	tip    *big.Int
}

// freshFor is how long the fees and the relayers' nonces may be relied on:
// other processes may use the same keys.
const freshFor = 2 * time.Second

// news is asked for beside another request when it has become stale, so that
// sending needs no round trip of its own to know fees and nonces.
type news struct {
	queries []*query
	block   header
	tip     hexutil.Big
	price   hexutil.Big // in place of the tip where there is no EIP-1559
	counts  map[*relayer]*hexutil.Uint64
}

// The places among the queries of those that may fail.
const (
	newsTip   = 1
	newsPrice = 2
)

// staleNews lists what to ask; nothing while the last news is fresh.
func (c *Chain) staleNews() *news {
	c.head.mu.Lock()
	fresh := c.cfg.Now().Sub(c.head.at) < freshFor
	c.head.mu.Unlock()
	if fresh {
		return &news{}
	}
	return c.newNews()
}

func (c *Chain) newNews() *news {
	n := &news{counts: map[*relayer]*hexutil.Uint64{}}
	n.queries = []*query{
		{method: "eth_getBlockByNumber", args: []any{"latest", false}, result: &n.block},
		{method: "eth_maxPriorityFeePerGas", result: &n.tip, spare: true},
		{method: "eth_gasPrice", result: &n.price, spare: true},
	}
	for _, r := range c.relayers {
		count := new(hexutil.Uint64)
		n.counts[r] = count
		n.queries = append(n.queries, &query{method: "eth_getTransactionCount", args: []any{r.address, "pending"}, result: count})
	}
	return n
}

// learn takes in answered news.
func (c *Chain) learn(n *news) {
	if len(n.queries) == 0 {
		return
	}
	c.head.mu.Lock()
	c.head.at = c.cfg.Now()
	if c.head.tip == nil || n.queries[newsTip].err == nil {
		c.head.tip = n.tip.ToInt()
	}
	if n.block.BaseFee == nil && n.queries[newsPrice].err == nil {
		c.head.tip = n.price.ToInt()
	}
	c.head.mu.Unlock()
	c.learnHead(n.block)
	for r, count := range n.counts {
		r.learnCount(uint64(*count))
	}
}

// learnHead takes in a block that a node calls the latest; some know none for a
// while.
func (c *Chain) learnHead(b header) {
	if b.Hash == (common.Hash{}) {
		return
	}
	c.head.mu.Lock()
	defer c.head.mu.Unlock()
	c.head.number = uint64(b.Number)
	c.head.base = (*big.Int)(b.BaseFee)
}

// fees are what a transaction offers per unit of gas, in wei.
type fees struct {
	legacy   bool // no EIP-1559: feeCap is the gas price
	tip, cap *big.Int
}

// fees offers twice the base fee, so that a transaction stays valid while the
// base fee doubles, and the tip that the node proposes; no more than is
// configured, as long as that suffices for the next block.
func (c *Chain) fees() fees {
	c.head.mu.Lock()
	defer c.head.mu.Unlock()
	tip := big.NewInt(0)
	if c.head.tip != nil {
		tip.Set(c.head.tip)
	}
	if c.head.base == nil {
		return fees{legacy: true, tip: tip, cap: new(big.Int).Set(tip)}
	}
	least := new(big.Int).Add(c.head.base, tip)
	f := fees{tip: tip, cap: new(big.Int).Add(c.head.base, least)}
	if c.tooDear(f) && least.Cmp(c.cfg.MaxFeePerGas) <= 0 {
		f.cap.Set(c.cfg.MaxFeePerGas)
	}
	return f
}

// feesOf reads what a signed transaction offers.
func feesOf(raw []byte) (fees, error) {
	var tx types.Transaction
	if err := tx.UnmarshalBinary(raw); err != nil {
		return fees{}, fmt.Errorf("evm: decode transaction: %w", err)
	}
	return fees{legacy: tx.Type() == types.LegacyTxType, tip: tx.GasTipCap(), cap: tx.GasFeeCap()}, nil
}

// raised is f a quarter higher, above the tenth that nodes want of a
// replacement, and no lower than market.
func (f fees) raised(market fees) fees {
	up := func(old, market *big.Int) *big.Int {
		n := new(big.Int).Add(old, new(big.Int).Rsh(old, 2))
		n.Add(n, big.NewInt(1))
		if n.Cmp(market) < 0 {
			n.Set(market)
		}
		return n
	}
	return fees{legacy: f.legacy, tip: up(f.tip, market.tip), cap: up(f.cap, market.cap)}
}

// enough is how many times the market's fees a transaction may come to offer:
// if it waits still, more money would not help it.
const enough = 8

// replacement is what to offer in place of old. There is none where that would
// be too dear, or where old offers so much that it must wait for something else,
// such as a chain that stands still.
func (c *Chain) replacement(old fees) (fees, bool) {
	market := c.fees()
	above := func(old, market *big.Int) bool { return old.Cmp(new(big.Int).Mul(market, big.NewInt(enough))) > 0 }
	f := old.raised(market)
	return f, !c.tooDear(f) && !(above(old.tip, market.tip) && above(old.cap, market.cap))
}

// tooDear says whether the chain asks for more than the configured maximum.
func (c *Chain) tooDear(f fees) bool {
	return c.cfg.MaxFeePerGas != nil && f.cap.Cmp(c.cfg.MaxFeePerGas) > 0
}

func (h *head) block() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.number
}

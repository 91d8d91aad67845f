package evm

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/batch"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// Config says which chain is served and by whom. Fields without a default are
// required.
type Config struct {
	Network x402.Network // such as "eip155:8453"
	URLs    []string     // JSON-RPC endpoints of the same chain; the first that answers is used
	Journal facilitator.Journal

	// Keys of the relayers, which pay the gas: 32 bytes in hexadecimal. Each sends
	// its transactions one after the other; with several keys they are spread.
	Keys []string

	// Owner of the leases in the journal; [facilitator.ProcessOwner] by default.
	// It must be that of the [facilitator.Service].
	Owner string
	// LeaseFor is how long the journal keeps a settlement for this process after
	// its last sign of life: 15 s by default.
	LeaseFor time.Duration

	// Assets are the tokens that are settled, each checked by [Chain.Check]; by
	// default the network's default asset.
	Assets []x402.Asset

	// Confirmations is how many blocks, with the transaction's own, make it final:
	// by default [DefaultConfirmations].
	Confirmations uint64

	MaxGas       uint64        // of one settlement, in gas: 300,000 by default
	MaxFeePerGas *big.Int      // in wei; a dearer chain is waited out; nil means no limit
	MinValidity  time.Duration // that a payment must still have: 6 s by default

	PollInterval time.Duration // between looks for a new block: by default a tenth of the block time, 20 ms to 1 s
	ResendAfter  time.Duration // without news of a transaction before it is looked into and sent again: 5 s by default
	ReplaceAfter time.Duration // without being mined before its fee is raised: 20 s by default
	RPCTimeout   time.Duration // of one request to one endpoint: 10 s by default

	HTTP   *http.Client     // for JSON-RPC; by default one that keeps connections open
	Logger *slog.Logger     // slog.Default by default
	Now    func() time.Time // time.Now by default
}

// DefaultConfirmations of the networks, where it is more than one.
var DefaultConfirmations = map[x402.Network]uint64{
	x402.Ethereum: 3, x402.Polygon: 20, x402.BSC: 10,
}

// Chain is an EVM network on which payments of scheme exact are verified and
// settled: a [facilitator.Chain].
type Chain struct {
	cfg      Config
	chainID  *big.Int
	signer   types.Signer
	checker  x402evm.Checker
	assets   map[x402evm.Address]x402.Asset
	node     *node
	relayers []*relayer
	trials   *batch.Batcher[trial, outcome]
	head     head
	gas      gasTable
	running  atomic.Bool
	kick     chan struct{} // something was sent: look for its block

	mu        sync.Mutex
	inFlight  map[string]*flight  // by settlement ID
	spent     map[purse]time.Time // when the last payment from it was confirmed
	attending int                 // flights that are busy
	idle      sync.Cond           // attending has become less
}

var _ facilitator.Chain = (*Chain)(nil)

// New returns a Chain. It does not ask the network anything: see [Chain.Check].
func New(cfg Config) (*Chain, error) {
	id, ok := cfg.Network.ChainID()
	switch {
	case !ok:
		return nil, fmt.Errorf("evm: %q is not an EVM network such as %q", cfg.Network, x402.Base)
	case len(cfg.URLs) == 0:
		return nil, fmt.Errorf("evm: %s has no RPC URL", cfg.Network)
	case len(cfg.Keys) == 0:
		return nil, fmt.Errorf("evm: %s has no relayer key", cfg.Network)
	case cfg.Journal == nil:
		return nil, errors.New("evm: no Journal")
	}
	cfg.setDefaults()
	c := &Chain{
		cfg: cfg, chainID: new(big.Int).SetUint64(id), checker: x402evm.Checker{Recover: recoverNative, MinValidity: cfg.MinValidity},
		kick: make(chan struct{}, 1), inFlight: map[string]*flight{}, spent: map[purse]time.Time{},
	}
	c.idle.L = &c.mu
	c.signer = types.LatestSignerForChainID(c.chainID)
	c.trials = batch.New(maxTrials, maxTrialCalls, c.try)
	c.trials.Share = trialShare
	var err error
	if c.assets, err = assetTable(cfg); err != nil {
		return nil, err
	}
	if c.node, err = newNode(cfg); err != nil {
		return nil, err
	}
	for i, hex := range cfg.Keys {
		r, err := newRelayer(c, hex)
		if err != nil {
			return nil, fmt.Errorf("evm: relayer key %d: %w", i+1, err)
		}
		c.relayers = append(c.relayers, r)
	}
	return c, nil
}

func (cfg *Config) setDefaults() {
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	or(&cfg.LeaseFor, 15*time.Second)
	or(&cfg.ResendAfter, 5*time.Second)
	or(&cfg.ReplaceAfter, 20*time.Second)
	or(&cfg.RPCTimeout, 10*time.Second)
	or(&cfg.MinValidity, x402evm.DefaultMinValidity)
	if cfg.Owner == "" {
		cfg.Owner = facilitator.ProcessOwner()
	}
	if cfg.Confirmations == 0 {
		cfg.Confirmations = max(1, DefaultConfirmations[cfg.Network])
	}
	if cfg.MaxGas == 0 {
		cfg.MaxGas = 300_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 64
		cfg.HTTP = &http.Client{Transport: t}
	}
}

// assetTable indexes the configured assets, or the network's default.
func assetTable(cfg Config) (map[x402evm.Address]x402.Asset, error) {
	assets := cfg.Assets
	if len(assets) == 0 {
		a, err := x402.DefaultAssets().Default(cfg.Network)
		if err != nil {
			return nil, fmt.Errorf("evm: name the Assets of the network: %w", err)
		}
		assets = []x402.Asset{a}
	}
	table := map[x402evm.Address]x402.Asset{}
	for _, a := range assets {
		address, err := x402evm.ParseAddress(a.Address)
		switch {
		case err != nil:
			return nil, fmt.Errorf("evm: asset %q: %w", a.Address, err)
		case a.Network != cfg.Network:
			return nil, fmt.Errorf("evm: asset %s is on %s, not on %s", a.Address, a.Network, cfg.Network)
		case a.Method == x402.Permit2:
			return nil, fmt.Errorf("evm: asset %s moves by Permit2, which is not settled here; use a token with EIP-3009", a.Address)
		}
		table[address] = a
	}
	return table, nil
}

// Network implements [facilitator.Chain].
func (c *Chain) Network() x402.Network { return c.cfg.Network }

// Kinds implements [facilitator.Chain]: scheme exact, in v1 where the network
// has a v1 name.
func (c *Chain) Kinds() []x402.Kind {
	kinds := []x402.Kind{{Version: x402.V2, Scheme: x402.SchemeExact, Network: c.cfg.Network}}
	if _, ok := c.cfg.Network.V1Name(); ok {
		kinds = append(kinds, x402.Kind{Version: x402.V1, Scheme: x402.SchemeExact, Network: c.cfg.Network})
	}
	return kinds
}

// Signers implements [facilitator.Chain].
func (c *Chain) Signers() []string {
	out := make([]string, len(c.relayers))
	for i, r := range c.relayers {
		out[i] = r.address.Hex()
	}
	return out
}

// recoverNative is x402evm.Recover with go-ethereum's libsecp256k1, several
// times as fast where cgo is on.
func recoverNative(digest x402evm.Hash, sig x402evm.Signature) (x402evm.Address, error) {
	sig[64] -= 27
	key, err := crypto.Ecrecover(digest[:], sig[:])
	if err != nil {
		return x402evm.Address{}, fmt.Errorf("evm: recover signer: %w", err)
	}
	return x402evm.Address(crypto.Keccak256(key[1:])[12:]), nil
}

func parseKey(hex string) (*ecdsa.PrivateKey, common.Address, error) {
	key, err := crypto.ToECDSA(common.FromHex(hex))
	if err != nil {
		return nil, common.Address{}, errors.New("it is not 32 bytes in hexadecimal") // never print a key
	}
	return key, crypto.PubkeyToAddress(key.PublicKey), nil
}

package devchain

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/rpc"
)

// BaseSepolia is the chain id that a chain has unless told otherwise.
const BaseSepolia = 84532

// Config says what chain to start. Its zero value is a chain that answers as
// Base Sepolia and makes a block whenever a transaction arrives.
type Config struct {
	ChainID   uint64        // default BaseSepolia
	Addr      string        // loopback host:port of the JSON-RPC; default 127.0.0.1:8545. A free port if it is taken
	BlockTime time.Duration // 0: a block as soon as transactions arrive
	Accounts  int           // how many funded accounts; default and minimum 10

	// MaxLead is how far block times may run ahead of the clock, default two
	// minutes. Blocks are a second apart at least, so a burst of them runs ahead.
	// At this lead blocks are made once a second and hold what came meanwhile.
	MaxLead time.Duration
}

// Chain is a running chain. Its methods may be called from several goroutines.
type Chain struct {
	ChainID  uint64
	Token    common.Address // the test USDC: name "USDC", version "2", 6 decimals
	Relayer  Account        // has ether, and no USDC
	Payer    Account        // has ether and a million USDC
	PayTo    Account        // has ether, and no USDC yet
	Poor     Account        // has ether, and no USDC ever
	Accounts []Account      // all of them: Relayer, Payer, PayTo, Poor, then accounts funded as Payer is

	cfg      Config
	node     stack
	eth      *eth.Ethereum
	listener net.Listener
	http     *http.Server

	mu     sync.Mutex // held by whoever makes blocks or moves the head
	beacon *catalyst.SimulatedBeacon
	ahead  time.Duration // by how much AdvanceTime moved the clock

	held   atomic.Bool // no block is made by itself
	wake   chan struct{}
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	close  func() error
}

const (
	relayerIndex = iota
	payerIndex
	payToIndex
	poorIndex
	firstSpare
)

// Start makes a chain and serves it. The context bounds the start alone; the
// chain runs until Close.
func Start(ctx context.Context, cfg Config) (*Chain, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	listener, err := listen(ctx, cfg.Addr)
	if err != nil {
		return nil, err
	}
	c := &Chain{ChainID: cfg.ChainID, Token: TokenAddress, cfg: cfg, listener: listener, wake: make(chan struct{}, 1)}
	c.close = sync.OnceValue(c.shutDown)
	for i := range cfg.Accounts {
		c.Accounts = append(c.Accounts, TestAccount(i))
	}
	c.Relayer, c.Payer = c.Accounts[relayerIndex], c.Accounts[payerIndex]
	c.PayTo, c.Poor = c.Accounts[payToIndex], c.Accounts[poorIndex]
	if err := c.startNode(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.settle(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	arrivals, stop := c.watchPool() // before anybody can send
	var loop context.Context
	loop, c.cancel = context.WithCancel(context.Background())
	c.tasks.Go(func() {
		defer stop()
		c.makeBlocks(loop, arrivals)
	})
	if err := c.serve(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// URL is where the chain's JSON-RPC listens.
func (c *Chain) URL() string { return "http://" + c.listener.Addr().String() }

// Network is the chain's CAIP-2 name, such as eip155:84532.
func (c *Chain) Network() string { return fmt.Sprintf("eip155:%d", c.ChainID) }

// Close ends the chain and everything it started. What it held is gone.
// Closing it again returns what the first call did.
func (c *Chain) Close() error { return c.close() }

func (c *Chain) shutDown() error {
	var errs []error
	if c.http != nil {
		errs = append(errs, c.http.Close())
	} else {
		errs = append(errs, c.listener.Close())
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.tasks.Wait()
	if c.beacon != nil {
		errs = append(errs, c.beacon.Stop())
	}
	if c.node != nil {
		errs = append(errs, c.node.Close())
	}
	return errors.Join(errs...)
}

// stack is what is used of go-ethereum's node after its start.
type stack interface {
	Attach() *rpc.Client
	Close() error
}

func (cfg *Config) setDefaults() error {
	if cfg.ChainID == 0 {
		cfg.ChainID = BaseSepolia
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:8545"
	}
	if cfg.MaxLead == 0 {
		cfg.MaxLead = 2 * time.Minute
	}
	cfg.Accounts = max(cfg.Accounts, len(wellKnownKeys))
	if cfg.BlockTime < 0 || cfg.MaxLead < 0 {
		return errors.New("devchain: BlockTime and MaxLead must not be negative")
	}
	return nil
}

// listen takes the loopback address, or a free port of the same host if the
// port is taken.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("devchain: address %q: %w", addr, err)
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("devchain: %q is not a loopback address: whoever reaches this chain owns it", addr)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		if listener, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
			return nil, fmt.Errorf("devchain: %w", err)
		}
	}
	return listener, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

package devchain

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"
)

// minTip is the least priority fee, in wei, for which a transaction is mined.
const minTip = 1

// startNode brings up go-ethereum without a network, as its package
// ethclient/simulated does, but with errors in place of panics and with the
// transaction pool and the block maker in reach.
func (c *Chain) startNode() error {
	first, err := genesis(c.cfg, c.Accounts)
	if err != nil {
		return err
	}
	config := node.DefaultConfig
	config.DataDir = ""
	config.UseLightweightKDF = true
	config.P2P = p2p.Config{NoDiscovery: true}
	stack, err := node.New(&config)
	if err != nil {
		return fmt.Errorf("devchain: making the node: %w", err)
	}
	c.node = stack

	ethConfig := ethconfig.Defaults
	ethConfig.Genesis = first
	ethConfig.SyncMode = ethconfig.FullSync
	ethConfig.LogNoHistory = true // logs are found by a walk over the blocks, which are few
	ethConfig.DatabaseCache, ethConfig.TrieCleanCache, ethConfig.TrieDirtyCache, ethConfig.SnapshotCache = 16, 16, 32, 16
	ethConfig.Miner.GasCeil = blockGasLimit
	ethConfig.Miner.GasPrice = big.NewInt(minTip)
	ethConfig.TxPool.NoLocals = true
	ethConfig.TxPool.Journal = ""
	ethConfig.TxPool.AccountQueue = 4096 // a relayer with hundreds of transactions in flight may be out of order
	ethConfig.TxPool.GlobalQueue = 16384
	ethConfig.TxPool.AccountSlots = 4096
	ethConfig.TxPool.GlobalSlots = 16384
	if c.eth, err = eth.New(stack, &ethConfig); err != nil {
		return fmt.Errorf("devchain: making the chain: %w", err)
	}
	if err := stack.Start(); err != nil {
		return fmt.Errorf("devchain: starting the node: %w", err)
	}
	if c.beacon, err = catalyst.NewSimulatedBeacon(0, common.Address{}, c.eth); err != nil {
		return fmt.Errorf("devchain: starting the block maker: %w", err)
	}
	return nil
}

// settle makes the first block and waits for the index of transactions, without
// which a question for an unknown transaction is answered by an error.
func (c *Chain) settle(ctx context.Context) error {
	if err := c.Mine(1); err != nil {
		return err
	}
	for !c.eth.BlockChain().TxIndexDone() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("devchain: waiting for the first block: %w", ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// api is the JSON-RPC that is served: eth, net and txpool; nothing that
// administers the node.
func (c *Chain) api() (*rpc.Server, error) {
	server := rpc.NewServer()
	server.SetBatchLimits(1000, math.MaxInt32)
	served := append(c.eth.APIs(), rpc.API{
		Namespace: "eth",
		Service:   filters.NewFilterAPI(filters.NewFilterSystem(c.eth.APIBackend, filters.Config{})),
	})
	for _, api := range served {
		switch api.Namespace {
		case "eth", "net", "txpool":
			if err := server.RegisterName(api.Namespace, api.Service); err != nil {
				return nil, fmt.Errorf("devchain: serving %s: %w", api.Namespace, err)
			}
		}
	}
	return server, nil
}

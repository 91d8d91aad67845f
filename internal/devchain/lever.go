package devchain

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// faucet sends the transactions of the levers, so that the nonces of the other
// accounts are their owners' alone.
var faucet = mustAccount(crypto.Keccak256Hash([]byte("v402 development faucet")).Hex())

// Mint gives the account units of the test USDC, in a block of its own.
func (c *Chain) Mint(to common.Address, units *big.Int) error {
	return c.pull(c.Token, "mint(address,uint256)", to[:], units.Bytes())
}

// SetPaused makes the token refuse every transfer, or accept them again.
func (c *Chain) SetPaused(on bool) error {
	return c.pull(c.Token, "setPaused(bool)", flag(on))
}

// Blacklist makes the token refuse transfers from and to the account, or accept
// them again.
func (c *Chain) Blacklist(account common.Address, on bool) error {
	return c.pull(c.Token, "setBlacklisted(address,bool)", account[:], flag(on))
}

// MintOf is Mint for another token, such as FeeTokenAddress.
func (c *Chain) MintOf(token, to common.Address, units *big.Int) error {
	return c.pull(token, "mint(address,uint256)", to[:], units.Bytes())
}

// Balance returns how many units of the test USDC the account has.
func (c *Chain) Balance(account common.Address) (*big.Int, error) {
	return c.BalanceOf(c.Token, account)
}

// BalanceOf returns how many units of a token of this package the account has.
func (c *Chain) BalanceOf(token, account common.Address) (*big.Int, error) {
	c.mu.Lock() // a block's receipts can be read before it is the latest
	defer c.mu.Unlock()
	state, err := c.eth.BlockChain().State()
	if err != nil {
		return nil, fmt.Errorf("devchain: reading the state: %w", err)
	}
	return state.GetState(token, balanceSlot(account)).Big(), nil
}

// Mine makes n blocks. The first holds the transactions that wait.
func (c *Chain) Mine(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		if err := c.commit(); err != nil {
			return err
		}
	}
	return nil
}

// SetMining stops the chain from making blocks by itself, or lets it go on.
// While it is stopped, transactions wait in the pool; Mine and the other levers
// still make blocks, and these hold whatever waits.
func (c *Chain) SetMining(on bool) {
	c.held.Store(!on)
	if on {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// AdvanceTime moves the chain's clock forward, at least one second, and makes a
// block that carries the new time. It cannot be moved back.
func (c *Chain) AdvanceTime(by time.Duration) error {
	if by < time.Second {
		return errors.New("devchain: time moves by a second at least, and forward")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += by
	return c.catchUp()
}

// Time returns the time of the latest block.
func (c *Chain) Time() time.Time { return time.Unix(int64(c.head().Time), 0) }

// Reorg replaces the last depth blocks by others and adds one, so that the new
// branch is the longer one. Their transactions go back to the pool and are
// mined again in the first new block, or are forgotten if drop is set.
func (c *Chain) Reorg(depth int, drop bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocks, pool := c.eth.BlockChain(), c.eth.TxPool()
	head := c.head().Number.Uint64()
	if depth < 1 || uint64(depth) > head {
		return fmt.Errorf("devchain: a reorganisation of %d blocks does not fit a chain of %d", depth, head)
	}
	var again []*types.Transaction
	for number := head - uint64(depth) + 1; number <= head; number++ {
		again = append(again, blocks.GetBlockByNumber(number).Transactions()...)
	}
	again = append(again, c.waiting()...)
	pool.Clear()
	if err := c.beacon.Fork(blocks.GetCanonicalHash(head - uint64(depth))); err != nil {
		return fmt.Errorf("devchain: reorganising: %w", err)
	}
	if err := pool.Sync(); err != nil {
		return fmt.Errorf("devchain: reorganising: %w", err)
	}
	if drop {
		pool.Clear()
	} else {
		for _, err := range pool.Add(again, true) {
			if err != nil && !errors.Is(err, txpool.ErrAlreadyKnown) {
				return fmt.Errorf("devchain: putting a transaction back: %w", err)
			}
		}
	}
	for range depth + 1 {
		if err := c.commit(); err != nil {
			return err
		}
	}
	return nil
}

// waiting returns the transactions in the pool, in the order of their nonces.
func (c *Chain) waiting() []*types.Transaction {
	var all []*types.Transaction
	pending, queued := c.eth.TxPool().Content()
	for _, byAccount := range []map[common.Address][]*types.Transaction{pending, queued} {
		for _, transactions := range byAccount {
			all = append(all, transactions...)
		}
	}
	return all
}

// pull sends a call from the faucet, with arguments of at most 32 bytes each,
// and makes the block that holds it.
func (c *Chain) pull(to common.Address, method string, args ...[]byte) error {
	data := crypto.Keccak256([]byte(method))[:4]
	for _, arg := range args {
		data = append(data, common.LeftPadBytes(arg, 32)...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pool := c.eth.TxPool()
	if err := pool.Sync(); err != nil {
		return fmt.Errorf("devchain: %s: %w", method, err)
	}
	tx, err := types.SignNewTx(mustKey(faucet.Key), types.LatestSigner(c.eth.BlockChain().Config()), &types.DynamicFeeTx{
		Nonce: pool.Nonce(faucet.Address), To: &to, Data: data, Gas: 200_000,
		GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
	})
	if err != nil {
		return fmt.Errorf("devchain: %s: %w", method, err)
	}
	if err := errors.Join(pool.Add([]*types.Transaction{tx}, true)...); err != nil {
		return fmt.Errorf("devchain: %s: %w", method, err)
	}
	if err := c.commit(); err != nil {
		return err
	}
	receipts := c.eth.BlockChain().GetReceiptsByHash(c.head().Hash())
	for _, receipt := range receipts {
		if receipt.TxHash == tx.Hash() && receipt.Status == types.ReceiptStatusSuccessful {
			return nil
		}
	}
	return fmt.Errorf("devchain: %s failed on the chain", method)
}

func flag(on bool) []byte {
	if on {
		return []byte{1}
	}
	return nil
}

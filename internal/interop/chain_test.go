package interop_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
)

// chain is a chain that answers as Base Sepolia, with our contracts on it.
type chain struct {
	url    string
	client *ethclient.Client
}

// The parts that the customary development accounts play.
var (
	relayer = devchain.TestAccount(0)
	payer   = devchain.TestAccount(1)
	payTo   = devchain.TestAccount(2)
	poor    = devchain.TestAccount(3)
)

// onEveryChain runs the test against the chain of this repository and anvil.
func onEveryChain(t *testing.T, test func(*testing.T, *chain)) {
	t.Helper()
	needNode(t)
	t.Run("devchain", func(t *testing.T) {
		t.Parallel()
		test(t, startDevchain(t))
	})
	t.Run("anvil", func(t *testing.T) {
		t.Parallel()
		test(t, startAnvil(t))
	})
}

func startDevchain(t *testing.T) *chain {
	t.Helper()
	c, err := devchain.Start(t.Context(), devchain.Config{Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return dial(t, c.URL())
}

func startAnvil(t *testing.T) *chain {
	t.Helper()
	c := dial(t, serve(t, "anvil.mjs", nil))
	code, err := devchain.Code()
	require.NoError(t, err)
	for address, runtime := range code {
		c.call(t, nil, "anvil_setCode", address, hexutil.Bytes(runtime))
	}
	mint := crypto.Keccak256([]byte("mint(address,uint256)"))[:4]
	mint = append(mint, common.LeftPadBytes(payer.Address[:], 32)...)
	mint = append(mint, common.LeftPadBytes(big.NewInt(1_000_000_000_000).Bytes(), 32)...)
	c.call(t, nil, "eth_sendTransaction", map[string]any{
		"from": devchain.TestAccount(9).Address, "to": devchain.TokenAddress, "data": hexutil.Bytes(mint),
	})
	require.Eventually(t, func() bool { return c.balance(t, payer) > 0 }, startLimit, 10*time.Millisecond)
	return c
}

func dial(t *testing.T, url string) *chain {
	t.Helper()
	connection, err := rpc.DialContext(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	return &chain{url: url, client: ethclient.NewClient(connection)}
}

func (c *chain) call(t *testing.T, result any, method string, args ...any) {
	t.Helper()
	require.NoError(t, c.client.Client().CallContext(t.Context(), result, method, args...), method)
}

// balance returns how many units of the test USDC the account has.
func (c *chain) balance(t *testing.T, account devchain.Account) int64 {
	t.Helper()
	token := devchain.TokenAddress
	data := append(crypto.Keccak256([]byte("balanceOf(address)"))[:4], common.LeftPadBytes(account.Address[:], 32)...)
	got, err := c.client.CallContract(t.Context(), ethereum.CallMsg{To: &token, Data: data}, nil)
	require.NoError(t, err)
	return new(big.Int).SetBytes(got).Int64()
}

// requireTransfer checks that the transaction is on the chain and succeeded.
func (c *chain) requireTransfer(t *testing.T, transaction string) {
	t.Helper()
	receipt, err := c.client.TransactionReceipt(context.WithoutCancel(t.Context()), common.HexToHash(transaction))
	require.NoError(t, err)
	require.EqualValues(t, 1, receipt.Status)
}

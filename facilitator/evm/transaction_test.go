package evm_test

import (
	"context"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

// send sends a transaction of from with value, and does not wait for it.
func (r *rig) send(from devchain.Account, to *common.Address, value *big.Int, data []byte) common.Hash {
	r.t.Helper()
	ctx := context.Background()
	client, err := ethclient.Dial(r.dev.URL())
	require.NoError(r.t, err)
	defer client.Close()
	nonce, err := client.PendingNonceAt(ctx, from.Address)
	require.NoError(r.t, err)
	key, err := crypto.ToECDSA(common.FromHex(from.Key))
	require.NoError(r.t, err)
	id := new(big.Int).SetUint64(r.dev.ChainID)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: to, Value: value, Data: data, Gas: 500_000, GasTipCap: big.NewInt(2e9), GasFeeCap: big.NewInt(200e9),
	})
	require.NoError(r.t, err)
	require.NoError(r.t, client.SendTransaction(ctx, tx))
	return tx.Hash()
}

func (r *rig) transaction(hash common.Hash) x402.Transaction {
	r.t.Helper()
	t, err := r.chain.Transaction(context.Background(), hash.Hex())
	require.NoError(r.t, err)
	return t
}

// transferCall is the call transfer(to, units) of a token.
func transferCall(to common.Address, units int64) []byte {
	data := crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]
	data = append(data, common.LeftPadBytes(to[:], 32)...)
	return append(data, common.LeftPadBytes(big.NewInt(units).Bytes(), 32)...)
}

func TestATransactionShowsWhatItMovedAndHowDeepItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ether := r.send(r.dev.Payer, &r.dev.PayTo.Address, big.NewInt(12345), []byte("order 7"))
	token := r.send(r.dev.Payer, &r.dev.Token, nil, transferCall(r.dev.PayTo.Address, 10_000))
	receipt := r.mined(ether)
	mined := r.mined(token)
	require.NoError(t, r.dev.Mine(3))

	got := r.transaction(ether)
	require.Equal(t, x402.BaseSepolia, got.Network)
	require.Equal(t, ether.Hex(), got.Hash)
	require.True(t, got.Succeeded)
	require.Equal(t, r.dev.Payer.Address.Hex(), got.From)
	require.Equal(t, r.dev.PayTo.Address.Hex(), got.To)
	require.Equal(t, "12345", got.Value.String())
	require.Equal(t, []byte("order 7"), got.Input)
	require.Empty(t, got.Transfers)
	require.Equal(t, receipt.BlockNumber.Uint64(), got.Block)
	require.GreaterOrEqual(t, got.Confirmations, uint64(4))
	require.WithinDuration(t, time.Now(), got.Time, time.Minute)
	require.Equal(t, time.UTC, got.Time.Location())

	got = r.transaction(token)
	require.True(t, got.Value.IsZero())
	require.Equal(t, []x402.TokenTransfer{{
		Asset: r.dev.Token.Hex(), From: r.dev.Payer.Address.Hex(), To: r.dev.PayTo.Address.Hex(), Amount: x402.NewAmount(10_000),
		LogIndex: uint64(mined.Logs[0].Index),
	}}, got.Transfers)
}

func TestARevertedTransactionMovedNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	hash := r.send(r.dev.Poor, &r.dev.Token, nil, transferCall(r.dev.PayTo.Address, 1))
	r.mined(hash)
	got := r.transaction(hash)
	require.True(t, got.Mined())
	require.False(t, got.Succeeded)
	require.Empty(t, got.Transfers)
}

func TestATransactionThatWaitsIsKnownAndNotMined(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.dev.SetMining(false)
	hash := r.send(r.dev.Payer, &r.dev.PayTo.Address, big.NewInt(1), nil)
	got := r.transaction(hash)
	require.False(t, got.Mined())
	require.False(t, got.Succeeded)
	require.Zero(t, got.Block)
	require.Equal(t, "1", got.Value.String())
	require.NoError(t, r.dev.Mine(1))
	require.True(t, r.transaction(hash).Succeeded)
}

func TestATransactionThatIsReorganisedAwayIsUnknownOrWaitsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	require.NoError(t, r.dev.Mine(2))
	hash := r.send(r.dev.Payer, &r.dev.PayTo.Address, big.NewInt(1), nil)
	r.mined(hash)
	require.True(t, r.transaction(hash).Mined())
	r.dev.SetMining(false)
	require.NoError(t, r.dev.Reorg(1, true))
	got, err := r.chain.Transaction(t.Context(), hash.Hex())
	if err != nil {
		require.ErrorIs(t, err, x402.ErrTransactionNotFound)
		return
	}
	require.False(t, got.Mined())
}

func TestAContractThatIsCreatedHasNoRecipient(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	hash := r.send(r.dev.Payer, nil, nil, []byte{0x60, 0x00, 0x60, 0x00, 0xf3})
	r.mined(hash)
	got := r.transaction(hash)
	require.True(t, got.Succeeded)
	require.Empty(t, got.To)
}

func TestATransferThatIsNotOneOfEIP20IsNotShown(t *testing.T) {
	t.Parallel()
	const topic = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
	r := newRig(t, nil)
	// Programs that write a log: LOG4, as an EIP-721 token does; LOG3 with 31
	// bytes of data; LOG3 whose sender is no address.
	for name, program := range map[string]string{
		"four topics":  "6001600160017f" + topic + "602060006000a4" + "00",
		"short data":   "600160017f" + topic + "601f6000a300",
		"no address":   "600160001960017f" + topic + "60206000a300",
		"another name": "60016001600160206000a300",
	} {
		hash := r.send(r.dev.Payer, nil, nil, common.FromHex(program))
		r.mined(hash)
		require.Empty(t, r.transaction(hash).Transfers, name)
	}
}

func TestWhatNoNodeKnowsIsNotFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, hash := range []string{common.HexToHash("0x1234").Hex(), "", "0x", "0x12", strings.Repeat("z", 66), "order 7"} {
		_, err := r.chain.Transaction(t.Context(), hash)
		require.ErrorIs(t, err, x402.ErrTransactionNotFound, hash)
	}
}

func TestTheNextEndpointIsAskedForATransaction(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)
	behind, err := devchain.Start(t.Context(), devchain.Config{Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, behind.Close()) })
	r := newRig(t, nil)
	open := func(urls ...string) *evm.Chain {
		c, err := evm.New(evm.Config{Network: x402.BaseSepolia, URLs: urls, Keys: []string{r.dev.Relayer.Key}, Journal: r.journal, RPCTimeout: time.Minute})
		require.NoError(t, err)
		return c
	}
	hash := r.send(r.dev.Payer, &r.dev.PayTo.Address, big.NewInt(1), nil)
	r.mined(hash)

	got, err := open(broken.URL, behind.URL(), r.dev.URL()).Transaction(t.Context(), hash.Hex())
	require.NoError(t, err)
	require.True(t, got.Mined())

	_, err = open(behind.URL()).Transaction(t.Context(), hash.Hex())
	require.ErrorIs(t, err, x402.ErrTransactionNotFound)

	for _, urls := range [][]string{{broken.URL}, {broken.URL, behind.URL()}, {behind.URL(), broken.URL}} {
		_, err = open(urls...).Transaction(t.Context(), hash.Hex())
		require.Error(t, err)
		require.NotErrorIs(t, err, x402.ErrTransactionNotFound, "who does not answer may know it")
	}
}

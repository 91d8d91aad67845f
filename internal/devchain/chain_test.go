package devchain_test

import (
	"context"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
)

func start(t *testing.T, cfg devchain.Config) (*devchain.Chain, *ethclient.Client) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	chain, err := devchain.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, chain.Close()) })
	client, err := ethclient.Dial(chain.URL())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return chain, client
}

// send signs and broadcasts a call from the account and returns its transaction.
func send(t *testing.T, client *ethclient.Client, from devchain.Account, nonce uint64, to common.Address, data []byte) *types.Transaction {
	t.Helper()
	key, err := crypto.HexToECDSA(strings.TrimPrefix(from.Key, "0x"))
	require.NoError(t, err)
	chainID, err := client.ChainID(t.Context())
	require.NoError(t, err)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(chainID), &types.DynamicFeeTx{
		ChainID: chainID, Nonce: nonce, To: &to, Data: data, Gas: 200_000,
		GasTipCap: big.NewInt(1_000_000), GasFeeCap: big.NewInt(1_000_000_000),
	})
	require.NoError(t, err)
	require.NoError(t, client.SendTransaction(t.Context(), tx))
	return tx
}

func receipt(t *testing.T, client *ethclient.Client, tx *types.Transaction) *types.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		got, err := client.TransactionReceipt(ctx, tx.Hash())
		if err == nil {
			return got
		}
		require.ErrorIs(t, err, ethereum.NotFound)
		select {
		case <-ctx.Done():
			t.Fatalf("no receipt of %s", tx.Hash())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func transferCall(to common.Address, units int64) []byte {
	data := crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]
	data = append(data, common.LeftPadBytes(to[:], 32)...)
	return append(data, common.LeftPadBytes(big.NewInt(units).Bytes(), 32)...)
}

func balance(t *testing.T, chain *devchain.Chain, of common.Address) int64 {
	t.Helper()
	units, err := chain.Balance(of)
	require.NoError(t, err)
	return units.Int64()
}

func TestATransferIsMinedAsSoonAsItArrives(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	id, err := client.ChainID(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 84532, id.Uint64())

	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 10_000))
	got := receipt(t, client, tx)
	require.Equal(t, types.ReceiptStatusSuccessful, got.Status)
	require.Len(t, got.Logs, 1)
	require.EqualValues(t, 10_000, balance(t, chain, chain.PayTo.Address))
	require.EqualValues(t, 999_999_990_000, balance(t, chain, chain.Payer.Address))
}

func TestTheChainIDCanBeSet(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{ChainID: 8453})
	id, err := client.ChainID(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 8453, id.Uint64())
	require.Equal(t, "eip155:8453", chain.Network())
}

func TestBlocksCarryTheTimeOfTheClock(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	before := time.Now().Truncate(time.Second)
	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 1))
	header, err := client.HeaderByHash(t.Context(), receipt(t, client, tx).BlockHash)
	require.NoError(t, err)
	at := time.Unix(int64(header.Time), 0)
	require.False(t, at.Before(before), "%s is before %s", at, before)
	requirePresent(t, before, at)
}

// requirePresent checks what a chain said of the time between start and now: its
// blocks are a second apart, and carry whole seconds.
func requirePresent(t *testing.T, start, at time.Time) {
	t.Helper()
	const slack = 3 * time.Second
	require.False(t, at.Before(start.Add(-slack)), "%s, before %s", at, start)
	require.False(t, at.After(time.Now().Add(slack)), "%s, after %s", at, time.Now())
}

// currentTime asks the chain itself what time it is.
func currentTime(t *testing.T, client *ethclient.Client) time.Time {
	t.Helper()
	data := crypto.Keccak256([]byte("getCurrentBlockTimestamp()"))[:4]
	to := devchain.MulticallAddress
	answer, err := client.CallContract(t.Context(), ethereum.CallMsg{To: &to, Data: data}, nil)
	require.NoError(t, err)
	return time.Unix(new(big.Int).SetBytes(answer).Int64(), 0)
}

func TestACallAfterAPauseSeesThePresentTime(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	require.NoError(t, chain.Mine(1))
	first := chain.Time()
	time.Sleep(time.Until(first.Add(5 * time.Second)))
	began := time.Now()
	require.Equal(t, first, chain.Time(), "an idle chain makes no blocks")
	requirePresent(t, began, currentTime(t, client))
}

func TestTheClockCanBeMovedForward(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	began := time.Now()
	require.NoError(t, chain.AdvanceTime(time.Hour))
	requirePresent(t, began, chain.Time().Add(-time.Hour))
	requirePresent(t, began, currentTime(t, client).Add(-time.Hour))
	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 1))
	require.Equal(t, types.ReceiptStatusSuccessful, receipt(t, client, tx).Status)
	requirePresent(t, began, chain.Time().Add(-time.Hour))
	require.Error(t, chain.AdvanceTime(-time.Hour))
}

func TestABurstOfBlocksDoesNotOutrunTheClockForLong(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{MaxLead: 5 * time.Second})
	var last *types.Transaction
	for nonce := range uint64(60) {
		last = send(t, client, chain.Payer, nonce, chain.Token, transferCall(chain.PayTo.Address, 1))
		time.Sleep(time.Millisecond)
	}
	require.Equal(t, types.ReceiptStatusSuccessful, receipt(t, client, last).Status)
	require.LessOrEqual(t, time.Until(chain.Time()), 6*time.Second)
	require.EqualValues(t, 60, balance(t, chain, chain.PayTo.Address))
}

func TestTransactionsSentTogetherShareBlocks(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{Accounts: 80})
	var senders sync.WaitGroup
	for _, account := range chain.Accounts[10:] {
		senders.Go(func() {
			tx := send(t, client, account, 0, chain.Token, transferCall(chain.PayTo.Address, 1))
			receipt(t, client, tx)
		})
	}
	senders.Wait()
	head, err := client.BlockNumber(t.Context())
	require.NoError(t, err)
	require.Less(t, head, uint64(70))
	require.EqualValues(t, 70, balance(t, chain, chain.PayTo.Address))
}

func TestATimerMakesBlocksWhenOneIsSet(t *testing.T) {
	t.Parallel()
	slow, client := start(t, devchain.Config{BlockTime: time.Hour})
	send(t, client, slow.Payer, 0, slow.Token, transferCall(slow.PayTo.Address, 1))
	time.Sleep(100 * time.Millisecond) // longer than a block takes that does not wait for the timer
	require.Zero(t, balance(t, slow, slow.PayTo.Address), "the block is yet to come")

	chain, client := start(t, devchain.Config{BlockTime: 500 * time.Millisecond})
	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 1))
	require.Equal(t, types.ReceiptStatusSuccessful, receipt(t, client, tx).Status)
	require.Eventually(t, func() bool {
		head, err := client.BlockNumber(t.Context())
		return err == nil && head >= 3
	}, time.Minute, 20*time.Millisecond, "blocks come without transactions")
}

func TestHeldTransactionsWaitUntilMiningGoesOn(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	chain.SetMining(false)
	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 1))
	_, pending, err := client.TransactionByHash(t.Context(), tx.Hash())
	require.NoError(t, err)
	require.True(t, pending)
	require.Zero(t, balance(t, chain, chain.PayTo.Address))

	chain.SetMining(true)
	receipt(t, client, tx)
	require.EqualValues(t, 1, balance(t, chain, chain.PayTo.Address))

	chain.SetMining(false)
	tx = send(t, client, chain.Payer, 1, chain.Token, transferCall(chain.PayTo.Address, 1))
	require.NoError(t, chain.Mine(1))
	receipt(t, client, tx)
	require.EqualValues(t, 2, balance(t, chain, chain.PayTo.Address))
}

func TestTheTokenCanBePausedAndAccountsBlacklisted(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	call := ethereum.CallMsg{From: chain.Payer.Address, To: &chain.Token, Data: transferCall(chain.PayTo.Address, 1)}
	refused := func(text string) {
		t.Helper()
		_, err := client.CallContract(t.Context(), call, nil)
		require.ErrorContains(t, err, text)
	}
	allowed := func() {
		t.Helper()
		_, err := client.CallContract(t.Context(), call, nil)
		require.NoError(t, err)
	}
	require.NoError(t, chain.SetPaused(true))
	refused("Pausable: paused")
	require.NoError(t, chain.SetPaused(false))
	allowed()
	require.NoError(t, chain.Blacklist(chain.PayTo.Address, true))
	refused("Blacklistable: account is blacklisted")
	require.NoError(t, chain.Blacklist(chain.PayTo.Address, false))
	allowed()
}

func TestMintedMoneyIsThere(t *testing.T) {
	t.Parallel()
	chain, _ := start(t, devchain.Config{})
	require.NoError(t, chain.Mint(chain.Poor.Address, big.NewInt(1_000_000)))
	require.NoError(t, chain.Mint(chain.Poor.Address, big.NewInt(1)))
	require.EqualValues(t, 1_000_001, balance(t, chain, chain.Poor.Address))
}

func TestAReorganisationMinesTheSameTransactionsInOtherBlocks(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 7))
	before := receipt(t, client, tx)
	require.NoError(t, chain.Mine(1))

	require.NoError(t, chain.Reorg(2, false))
	after := receipt(t, client, tx)
	require.NotEqual(t, before.BlockHash, after.BlockHash)
	require.EqualValues(t, 7, balance(t, chain, chain.PayTo.Address))
	head, err := client.BlockNumber(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.BlockNumber.Uint64()+2, head)
}

func TestAReorganisationCanForgetTransactions(t *testing.T) {
	t.Parallel()
	chain, client := start(t, devchain.Config{})
	tx := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 7))
	receipt(t, client, tx)
	require.NoError(t, chain.Reorg(1, true))
	_, err := client.TransactionReceipt(t.Context(), tx.Hash())
	require.ErrorIs(t, err, ethereum.NotFound)
	require.Zero(t, balance(t, chain, chain.PayTo.Address))

	again := send(t, client, chain.Payer, 0, chain.Token, transferCall(chain.PayTo.Address, 7))
	require.Equal(t, types.ReceiptStatusSuccessful, receipt(t, client, again).Status)
	require.Error(t, chain.Reorg(1000, false))
}

func TestAnotherAddressThanLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":8545", "192.0.2.1:8545", "example.com:80", "nonsense"} {
		_, err := devchain.Start(t.Context(), devchain.Config{Addr: addr})
		require.Error(t, err, addr)
	}
}

func TestATakenPortIsReplacedByAFreeOne(t *testing.T) {
	t.Parallel()
	first, _ := start(t, devchain.Config{})
	second, err := devchain.Start(t.Context(), devchain.Config{Addr: strings.TrimPrefix(first.URL(), "http://")})
	require.NoError(t, err)
	defer second.Close()
	require.NotEqual(t, first.URL(), second.URL())
}

// TestNothingIsLeftAfterClose is not parallel: it counts goroutines.
func TestNothingIsLeftAfterClose(t *testing.T) {
	warmUp, err := devchain.Start(t.Context(), devchain.Config{Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	require.NoError(t, warmUp.Mint(warmUp.Poor.Address, big.NewInt(1)), "go-ethereum starts what it shares among chains once")
	require.NoError(t, warmUp.Close())
	before := runtime.NumGoroutine()
	for range 5 {
		chain, err := devchain.Start(t.Context(), devchain.Config{Addr: "127.0.0.1:0"})
		require.NoError(t, err)
		require.NoError(t, chain.Mint(chain.Poor.Address, big.NewInt(1)))
		require.NoError(t, chain.Close())
		require.NoError(t, chain.Close(), "closing twice is no error")
	}
	settled := func() bool { return runtime.NumGoroutine() <= before }
	if !assertEventually(settled) {
		stacks := make([]byte, 1<<20)
		t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
	}
}

func assertEventually(condition func() bool) bool {
	for range 3000 {
		if condition() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		chain, err := devchain.Start(b.Context(), devchain.Config{Addr: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		if err := chain.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

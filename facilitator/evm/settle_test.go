package evm_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

func TestASettledPaymentMovedTheMoneyAndSaysInWhichTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	p := r.pay(usdc, 10_000)
	require.True(t, r.verify(p).IsValid)
	require.Zero(t, r.received())

	answer := r.settle(p)
	require.True(t, answer.Success, answer.ErrorMessage)
	require.Equal(t, x402.BaseSepolia, answer.Network)
	require.Equal(t, r.dev.Payer.Address.Hex(), answer.Payer)
	require.EqualValues(t, 10_000, r.received())
	receipt := r.mined(common.HexToHash(answer.Transaction))
	require.EqualValues(t, 1, receipt.Status)
	row := r.row(p)
	require.Equal(t, facilitator.Confirmed, row.State)
	require.Equal(t, receipt.BlockNumber.Uint64(), row.Block)
}

func TestHundredsOfSettlementsAtOnceFromOneKeyAllSucceed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	var wg sync.WaitGroup
	hashes := make([]string, 300)
	for i := range hashes {
		wg.Go(func() {
			answer := r.settle(r.pay(usdc, 7))
			require.True(t, answer.Success, answer.ErrorMessage)
			hashes[i] = answer.Transaction
		})
	}
	wg.Wait()
	require.EqualValues(t, 7*len(hashes), r.received())
	seen := map[string]bool{}
	for _, h := range hashes {
		require.False(t, seen[h], "each payment has a transaction of its own")
		seen[h] = true
	}
}

func TestAnAuthorizationThatSomebodyElseSubmittedCountsAsSettled(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	p := r.pay(usdc, 500)
	tx := r.submit(r.dev.Accounts[6], devchain.TokenAddress, calldata(t, p))
	r.mined(tx)
	answer := r.settle(p)
	require.True(t, answer.Success, answer.ErrorMessage)
	require.Equal(t, tx.Hex(), answer.Transaction)
	require.EqualValues(t, 500, r.received(), "once")
	require.Equal(t, answer, r.settle(p), "and the same answer again")
}

func TestAnAuthorizationSubmittedWhileOursWaitsCountsAsSettled(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	require.True(t, r.settle(r.pay(usdc, 1)).Success) // the fees are known, the relayer has a nonce
	r.dev.SetMining(false)
	p := r.pay(usdc, 500)
	done := make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) }, patience, 5*time.Millisecond)
	tx := r.submit(r.dev.Accounts[6], devchain.TokenAddress, calldata(t, p)) // with a higher tip: mined first
	r.dev.SetMining(true)
	answer := <-done
	require.True(t, answer.Success, answer.ErrorMessage)
	require.Equal(t, tx.Hex(), answer.Transaction)
	require.EqualValues(t, 501, r.received())
}

// unfinished says whether the transaction for p has been sent and waits.
func (r *rig) unfinished(p x402.Payment) bool {
	id, _ := p.Identity()
	s, err := r.journal.SettlementByKey(context.Background(), id.String())
	if err != nil || s.State != facilitator.Submitted {
		return false
	}
	client, err := ethclient.Dial(r.dev.URL())
	require.NoError(r.t, err)
	defer client.Close()
	_, pending, err := client.TransactionByHash(context.Background(), common.HexToHash(s.Transaction))
	return err == nil && pending
}

func TestANonceUsedForAnotherTransferIsNoPayment(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	p := r.pay(usdc, 500)
	// The payer signs the same nonce for a transfer to himself, and submits it.
	own := sameNonce(t, r, p, r.dev.Payer.Address)
	r.mined(r.submit(r.dev.Payer, devchain.TokenAddress, calldata(t, own)))
	answer := r.settle(p)
	require.False(t, answer.Success)
	require.Equal(t, x402.ReasonEVMNonceUsed, answer.ErrorReason)
	require.Zero(t, r.received())
}

func TestOneTransferInAStrangersTransactionDoesNotPayForTwoAuthorizations(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	p, other := r.pay(usdc, 500), r.pay(usdc, 500)
	own := sameNonce(t, r, p, r.dev.Payer.Address)
	r.mined(r.submit(r.dev.Accounts[6], devchain.MulticallAddress, aggregate(calldata(t, own), calldata(t, other))))
	require.EqualValues(t, 500, r.received())
	require.False(t, r.settle(p).Success, "its nonce moved nothing to the payee")
	require.True(t, r.settle(other).Success)
}

func TestAStuckTransactionIsReplacedAndTheMoneyMovesOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	r.dev.SetMining(false)
	p := r.pay(usdc, 300)
	done := make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) && len(r.row(p).Transactions) >= 2 }, patience, 10*time.Millisecond)
	txs := r.row(p).Transactions
	require.Equal(t, txs[0].Nonce, txs[1].Nonce)
	r.dev.SetMining(true)
	require.True(t, (<-done).Success)
	require.EqualValues(t, 300, r.received())
}

func TestANonceTakenByAnotherProgramIsMadeUpFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	require.True(t, r.settle(r.pay(usdc, 1)).Success)
	for range 3 { // somebody uses the relayer's key
		r.mined(r.submit(r.dev.Relayer, r.dev.PayTo.Address, nil))
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { require.True(t, r.settle(r.pay(usdc, 1)).Success) })
	}
	wg.Wait()
	require.EqualValues(t, 21, r.received())
}

func TestAReorganisedBlockIsSettledAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.Confirmations = 3 }).run()
	p := r.pay(usdc, 40)
	done := make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.received() == 40 }, patience, 5*time.Millisecond)
	require.NoError(t, r.dev.Reorg(1, true)) // and the transaction is forgotten
	require.Eventually(t, func() bool {
		require.NoError(t, r.dev.Mine(1))
		select {
		case answer := <-done:
			require.True(t, answer.Success, answer.ErrorMessage)
			return true
		default:
			return false
		}
	}, patience, 50*time.Millisecond)
	require.EqualValues(t, 40, r.received())
}

func TestConfirmationsAreWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.Confirmations = 3 }).run()
	p := r.pay(usdc, 40)
	done := make(chan x402.SettleResponse, 1)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.received() == 40 }, patience, 5*time.Millisecond)
	time.Sleep(300 * time.Millisecond) // longer than any poll
	require.Empty(t, done, "one block is not deep enough")
	require.NoError(t, r.dev.Mine(2))
	require.True(t, (<-done).Success)
}

func TestAFailureIsFinalOnlyAsDeepAsASuccess(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.Confirmations, c.ReplaceAfter = 3, time.Minute }).run()
	require.True(t, r.verify(r.pay(usdc, 1)).IsValid)
	r.dev.SetMining(false)
	p, done := r.pay(usdc, 9), make(chan x402.SettleResponse, 1)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) }, patience, 5*time.Millisecond)
	require.NoError(t, r.dev.SetPaused(true)) // by a transaction with a higher tip, in the same block
	time.Sleep(time.Second)                   // longer than any poll
	require.Empty(t, done, "the block may be reorganised away")
	require.NoError(t, r.dev.Mine(2))
	answer := <-done
	require.False(t, answer.Success)
	require.NotEqual(t, x402.ReasonSettlementPending, answer.ErrorReason, answer.ErrorMessage)
	require.Equal(t, facilitator.Failed, r.row(p).State)
	require.Equal(t, r.row(p).Transactions[0].Hash, answer.Transaction, "the one that was reverted")
}

func TestAnAuthorizationThatExpiresBeforeItIsMinedFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	require.True(t, r.settle(r.pay(usdc, 1)).Success)
	r.dev.SetMining(false)
	q := usdc.Requirements(x402.NewAmount(9), r.dev.PayTo.Address.Hex())
	q.MaxTimeoutSeconds = 16 // ten more than it must have when it arrives
	p := r.payAs(r.dev.Payer, q, time.Now())
	done := make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) }, patience, 5*time.Millisecond)
	time.Sleep(time.Until(r.row(p).ValidBefore))
	r.dev.SetMining(true)
	answer := <-done
	require.False(t, answer.Success)
	require.Equal(t, x402.ReasonEVMExpired, answer.ErrorReason, answer.ErrorMessage)
	require.Equal(t, facilitator.Failed, r.row(p).State)
	require.True(t, r.settle(r.pay(usdc, 5)).Success, "the next payment is not held up")
	require.EqualValues(t, 6, r.received())
}

func TestATransactionThatTheNodeForgotIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	require.True(t, r.settle(r.pay(usdc, 1)).Success)
	require.NoError(t, r.dev.Mine(1)) // the block that will be replaced
	r.dev.SetMining(false)
	p, done := r.pay(usdc, 9), make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) }, patience, 5*time.Millisecond)
	require.NoError(t, r.dev.Reorg(1, true))
	r.dev.SetMining(true)
	require.True(t, (<-done).Success)
}

func TestAGapInTheNoncesIsFilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.ResendAfter, c.ReplaceAfter = time.Second, time.Minute }).run()
	require.True(t, r.settle(r.pay(usdc, 1)).Success)
	require.NoError(t, r.dev.Mine(1)) // the block that will be replaced
	r.dev.SetMining(false)
	first, second := r.pay(usdc, 10), r.pay(usdc, 100)
	answers := make([]chan x402.SettleResponse, 2)
	for i, p := range []x402.Payment{first, second} {
		answers[i] = make(chan x402.SettleResponse, 1)
		go func() { answers[i] <- r.settle(p) }()
		require.Eventually(t, func() bool { return r.unfinished(p) }, patience, 5*time.Millisecond)
	}
	// The node forgets both transactions, and a stranger submits the first payment:
	// nothing of ours will ever use the first nonce.
	require.NoError(t, r.dev.Reorg(1, true))
	tx := r.submit(r.dev.Accounts[6], devchain.TokenAddress, calldata(t, first))
	r.dev.SetMining(true)
	require.Equal(t, tx.Hex(), (<-answers[0]).Transaction)
	require.True(t, (<-answers[1]).Success)
	require.EqualValues(t, 111, r.received())
}

func TestARelayerWithoutFundsIsLeftOut(t *testing.T) {
	t.Parallel()
	broke := "0x" + fmt.Sprintf("%064x", 4242)
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) {
		c.Keys = []string{broke, devchain.TestAccount(0).Key}
	}).run()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			answer := r.settle(r.pay(usdc, 1))
			require.True(t, answer.Success, answer.ErrorMessage)
		})
	}
	wg.Wait()
	require.EqualValues(t, 20, r.received())
}

func TestPaymentsAreRefusedWhileNoRelayerCanPayTheGas(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.Keys = []string{"0x" + fmt.Sprintf("%064x", 4242)} }).run()
	p := r.pay(usdc, 1)
	require.True(t, r.verify(p).IsValid, "nobody knows yet")
	go func() { _, _ = r.service.Settle(t.Context(), p) }()
	require.Eventually(t, func() bool { return !r.verify(r.pay(usdc, 1)).IsValid }, patience, 10*time.Millisecond)
	answer := r.settle(r.pay(usdc, 2))
	require.Equal(t, x402.ReasonRelayerUnavailable, answer.ErrorReason)
	require.Eventually(t, func() bool { return r.row(p).State == facilitator.Reserved }, patience, 10*time.Millisecond,
		"it waits for the relayer to be funded")
}

func TestBlocksOfTwoSecondsAreShared(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, d *devchain.Config) { d.BlockTime = 2 * time.Second; c.ReplaceAfter = time.Minute }).run()
	payments := make([]x402.Payment, 128)
	var wg sync.WaitGroup
	for i := range payments {
		payments[i] = r.pay(usdc, 1)
		wg.Go(func() { require.True(t, r.settle(payments[i]).Success) })
	}
	wg.Wait()
	require.EqualValues(t, len(payments), r.received())
	blocks := map[uint64]int{}
	for _, p := range payments {
		blocks[r.row(p).Block]++
	}
	require.Less(t, len(blocks), len(payments)/4, "%v", blocks)
}

func TestASettlementThatCameBeforeRunIsFinishedByIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p, done := r.pay(usdc, 3), make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.received() == 3 }, patience, 5*time.Millisecond)
	require.Empty(t, done, "nobody has looked at the chain")
	r.run()
	require.True(t, (<-done).Success)
}

// sameNonce signs the nonce of p again, for a transfer of the same amount to
// another recipient.
func sameNonce(t testing.TB, r *rig, p x402.Payment, to common.Address) x402.Payment {
	t.Helper()
	q := p.Requirements
	q.PayTo = to.Hex()
	return resign(t, r.dev.Payer.Key, p, q)
}

// aggregate is the calldata of Multicall3's aggregate3 with two calls of the
// test USDC.
func aggregate(calls ...[]byte) []byte {
	type call struct {
		Target       common.Address
		AllowFailure bool
		CallData     []byte
	}
	var list []call
	for _, c := range calls {
		list = append(list, call{devchain.TokenAddress, false, c})
	}
	return packAggregate(list)
}

func TestAPayerWhoSignsMoreThanHeHasDoesNotBurnTheRelayersGas(t *testing.T) {
	t.Parallel()
	for _, relayers := range []int{1, 2} {
		for _, blockTime := range []time.Duration{0, 300 * time.Millisecond} { // some transactions wait
			t.Run(fmt.Sprintf("%d relayers, blocks of %s", relayers, blockTime), func(t *testing.T) {
				t.Parallel()
				overspend(t, relayers, blockTime)
			})
		}
	}
}

// overspend has somebody who gets 35 and later 20 more pay 10 forty times, in two
// waves that overlap.
func overspend(t *testing.T, relayers int, blockTime time.Duration) {
	r := newRig(t, func(c *evm.Config, d *devchain.Config) {
		d.BlockTime, c.ReplaceAfter = blockTime, time.Minute
		for i := range relayers {
			c.Keys = append(c.Keys, devchain.TestAccount([]int{0, 5}[i]).Key)
		}
	}).run()
	require.NoError(t, r.dev.Mint(r.dev.Poor.Address, big.NewInt(35)))
	q := usdc.Requirements(x402.NewAmount(10), r.dev.PayTo.Address.Hex())
	var paid, refused atomic.Int64
	var wg sync.WaitGroup
	payments := make([]x402.Payment, 40)
	for i := range payments {
		payments[i] = r.payAs(r.dev.Poor, q, time.Now())
		if i == len(payments)/2 {
			require.Eventually(t, func() bool { return paid.Load() > 0 }, patience, time.Millisecond)
			require.NoError(t, r.dev.Mint(r.dev.Poor.Address, big.NewInt(20)))
		}
		wg.Go(func() {
			switch answer := r.settle(payments[i]); {
			case answer.Success:
				paid.Add(1)
			default:
				require.Equal(t, x402.ReasonEVMInsufficientFunds, answer.ErrorReason, answer.ErrorMessage)
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 5, paid.Load())
	require.EqualValues(t, 35, refused.Load())
	require.EqualValues(t, 50, r.received())
	for _, p := range payments {
		r.requireNoneReverted(p)
	}
}

// requireNoneReverted fails if a transaction for p, if there is any, was mined
// without effect.
func (r *rig) requireNoneReverted(p x402.Payment) {
	r.t.Helper()
	id, err := p.Identity()
	require.NoError(r.t, err)
	s, err := r.journal.SettlementByKey(context.Background(), id.String())
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	require.NoError(r.t, err)
	client, err := ethclient.Dial(r.dev.URL())
	require.NoError(r.t, err)
	defer client.Close()
	for _, tx := range s.Transactions {
		receipt, err := client.TransactionReceipt(context.Background(), common.HexToHash(tx.Hash))
		if err == nil {
			require.Equal(r.t, types.ReceiptStatusSuccessful, receipt.Status, "the relayer paid the gas of %s for nothing", tx.Hash)
		}
	}
}

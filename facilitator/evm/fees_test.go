package evm_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

// feeCap is what a transaction of the journal offers at most per unit of gas.
func feeCap(t testing.TB, stored facilitator.Transaction) *big.Int {
	t.Helper()
	var tx types.Transaction
	require.NoError(t, tx.UnmarshalBinary(stored.Raw))
	return tx.GasFeeCap()
}

func TestAChainThatStandsStillDoesNotDriveUpTheFee(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) {
		c.ResendAfter, c.ReplaceAfter = 20*time.Millisecond, 20*time.Millisecond
	}).run()
	require.True(t, r.settle(r.pay(usdc, 1)).Success)
	r.dev.SetMining(false)
	p, done := r.pay(usdc, 2), make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) && len(r.row(p).Transactions) > 2 }, patience, 5*time.Millisecond, "it is tried")
	time.Sleep(6 * time.Second) // long enough for two dozen replacements
	txs := r.row(p).Transactions
	first, last := feeCap(t, txs[0]), feeCap(t, txs[len(txs)-1])
	require.Negative(t, last.Cmp(new(big.Int).Mul(first, big.NewInt(11))), "%s became %s in %d transactions", first, last, len(txs))
	r.dev.SetMining(true)
	require.True(t, (<-done).Success)
}

func TestATransactionThatMayNotCostMoreIsStillSentAgain(t *testing.T) {
	t.Parallel()
	limit := big.NewInt(5_000_000) // above the base fee, and below twice as much
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.MaxFeePerGas = limit }).run()
	before := r.pay(usdc, 1)
	require.True(t, r.settle(before).Success)
	require.Equal(t, limit, feeCap(t, r.row(before).Transactions[0]), "what is allowed is offered")
	require.NoError(t, r.dev.Mine(1)) // the block that will be replaced
	r.dev.SetMining(false)
	p, done := r.pay(usdc, 9), make(chan x402.SettleResponse)
	go func() { done <- r.settle(p) }()
	require.Eventually(t, func() bool { return r.unfinished(p) }, patience, 5*time.Millisecond)
	time.Sleep(600 * time.Millisecond) // it is due to be replaced
	require.NoError(t, r.dev.Reorg(1, true))
	r.dev.SetMining(true)
	select {
	case answer := <-done:
		require.True(t, answer.Success, answer.ErrorMessage)
	case <-time.After(patience):
		require.Fail(t, "it was forgotten")
	}
}

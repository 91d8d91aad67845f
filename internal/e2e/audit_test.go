package e2e_test

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// tally is how payments ended.
type tally struct {
	confirmed, failed, refused int
}

// audit compares what the clients were told with the journal, and the journal
// with the chain. Nobody may be settling any more.
func (w *world) audit(t testing.TB, j journal, payments []*payment) tally {
	t.Helper()
	ctx := context.Background()
	unfinished, err := j.LeaseSettlements(ctx, w.network, facilitator.Lease{Owner: "audit"}, time.Now().Add(24*time.Hour), 10)
	require.NoError(t, err)
	for _, s := range unfinished {
		t.Errorf("settlement %s is left %s, relayer %s, %d transactions", s.ID, s.State, s.Relayer, len(s.Transactions))
	}
	uses := w.uses(t)
	var sum tally
	moved := new(big.Int)
	rows := map[string]facilitator.Settlement{}
	for _, p := range payments {
		row, err := j.SettlementByKey(ctx, p.key)
		if !errors.Is(err, store.ErrNotFound) {
			require.NoError(t, err)
			rows[row.ID] = row
		}
		switch row.State {
		case facilitator.Confirmed:
			sum.confirmed++
			moved.Add(moved, p.Requirements.Amount.Big())
			w.auditConfirmed(t, p, row, uses[p.nonce(t)])
		case facilitator.Failed:
			sum.failed++
			require.NotEmpty(t, row.Reason)
			require.Empty(t, uses[p.nonce(t)], "%s payment %s failed (%s) but moved", p.name, p.key, row.Reason)
		case "":
			sum.refused++
			require.Empty(t, uses[p.nonce(t)], "%s payment %s was refused (%s) but moved", p.name, p.key, p.answer.ErrorReason)
		}
		if !p.mayFail {
			require.Equal(t, facilitator.Confirmed, row.State, "%s payment %s: %s %s", p.name, p.key, row.Reason, row.Message)
		}
		for told := p; told != nil; told = told.again {
			auditAnswer(t, told, row)
		}
	}
	require.Equal(t, sum.confirmed, w.total(uses), "transfers on the chain")
	require.Equal(t, moved.String(), w.balance(w.chain.PayTo.Address).String(), "what the payee received")
	auditEvents(t, j, rows)
	t.Logf("%d payments: %+v", len(payments), sum)
	return sum
}

// auditAnswer compares the last answer with the journal.
func auditAnswer(t testing.TB, p *payment, row facilitator.Settlement) {
	t.Helper()
	confirmed := row.State == facilitator.Confirmed
	require.Equal(t, confirmed, p.answer.Success, "%s payment %s: told %+v, journal %+v", p.name, p.key, p.answer, row)
	if confirmed {
		require.Equal(t, row.Transaction, p.answer.Transaction)
		return
	}
	require.NotEmpty(t, p.answer.ErrorReason)
	require.False(t, p.answer.ErrorReason.Is(x402.ReasonSettlementPending))
}

// auditConfirmed looks for the transfer in the transaction that the journal
// names.
func (w *world) auditConfirmed(t testing.TB, p *payment, row facilitator.Settlement, used []common.Hash) {
	t.Helper()
	require.Equal(t, []common.Hash{common.HexToHash(row.Transaction)}, used, "%s payment %s", p.name, p.key)
	receipt, err := w.client.TransactionReceipt(context.Background(), used[0])
	require.NoError(t, err)
	require.Equal(t, types.ReceiptStatusSuccessful, receipt.Status)
	require.Equal(t, receipt.BlockNumber.Uint64(), row.Block)
	transfers := 0
	for _, l := range receipt.Logs {
		if l.Address == w.chain.Token && l.Topics[0] == common.Hash(evm.TransferTopic) {
			transfers++
			require.Equal(t, p.payer.Address, common.BytesToAddress(l.Topics[1][:]))
			require.Equal(t, w.chain.PayTo.Address, common.BytesToAddress(l.Topics[2][:]))
			require.Equal(t, p.Requirements.Amount.String(), new(big.Int).SetBytes(l.Data).String())
		}
	}
	require.Equal(t, 1, transfers)
}

// auditEvents wants one event for each row, of its end.
func auditEvents(t testing.TB, j journal, rows map[string]facilitator.Settlement) {
	t.Helper()
	now := time.Now()
	events, err := j.LeaseEvents(context.Background(), "audit", now, now.Add(time.Hour), 10*len(rows)+100)
	require.NoError(t, err)
	seen := map[string]string{}
	for _, e := range events {
		require.Empty(t, seen[e.Subject], "two events for one settlement")
		seen[e.Subject] = e.Type
	}
	for id, row := range rows {
		require.Equal(t, "settlement."+string(row.State), seen[id])
	}
	require.Len(t, seen, len(rows))
}

// nonce is what the token knows the payment by, beside the payer.
func (p *payment) nonce(t testing.TB) common.Hash {
	t.Helper()
	id, err := p.Identity()
	require.NoError(t, err)
	return common.HexToHash(id.Nonce)
}

// uses are the transactions that used each nonce, in the whole chain.
func (w *world) uses(t testing.TB) map[common.Hash][]common.Hash {
	t.Helper()
	logs, err := w.client.FilterLogs(context.Background(), ethereum.FilterQuery{
		Addresses: []common.Address{w.chain.Token}, FromBlock: new(big.Int),
		Topics: [][]common.Hash{{common.Hash(evm.AuthorizationUsedTopic)}},
	})
	require.NoError(t, err)
	out := map[common.Hash][]common.Hash{}
	for _, l := range logs {
		out[l.Topics[2]] = append(out[l.Topics[2]], l.TxHash)
	}
	return out
}

func (w *world) total(uses map[common.Hash][]common.Hash) int {
	n := 0
	for _, u := range uses {
		n += len(u)
	}
	return n
}

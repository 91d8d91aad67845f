package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

var finishPromises = promises[facilitator.Journal]{
	"a confirmed settlement has its transaction and block": func(t *testing.T, j facilitator.Journal) {
		s := submit(t, j, 0, settlement(0))[0]
		require.True(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: facilitator.Confirmed, Transaction: "0xother", Block: 77}))
		s.State, s.Transaction, s.Block = facilitator.Confirmed, "0xother", 77
		same(t, s, load(t, j, s.ID))
	},
	"a failed settlement has its reason in words": func(t *testing.T, j facilitator.Journal) {
		s := submit(t, j, 0, settlement(0))[0]
		require.True(t, finish(t, j, facilitator.Outcome{
			ID: s.ID, State: facilitator.Failed, Reason: x402.ReasonInvalidPayload, Message: "the node said \xff\x00",
		}))
		got := load(t, j, s.ID)
		require.Equal(t, facilitator.Failed, got.State)
		require.Equal(t, x402.ReasonInvalidPayload, got.Reason)
		require.Contains(t, got.Message, "the node said")
		require.Equal(t, s.Transaction, got.Transaction, "an empty hash leaves the hash as it is")
	},
	"the steps that an unfinished settlement may take": func(t *testing.T, j facilitator.Journal) {
		for n, to := range []facilitator.State{facilitator.Unknown, facilitator.Reserved, facilitator.Confirmed, facilitator.Failed} {
			s := submit(t, j, 0, settlement(n))[0]
			require.True(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: to}), to)
			require.Equal(t, to, load(t, j, s.ID).State)
		}
		reserve(t, j, settlements(10, 12)...)
		require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(10).ID, State: facilitator.Failed}), "refused before it was sent")
		require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(11).ID, State: facilitator.Confirmed}), "made by somebody else")
		submit(t, j, 0, settlement(12))
		require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(12).ID, State: facilitator.Unknown}))
		require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(12).ID, State: facilitator.Confirmed}))
	},
	"final states never change": func(t *testing.T, j facilitator.Journal) {
		for n, final := range []facilitator.State{facilitator.Confirmed, facilitator.Failed} {
			s := submit(t, j, 0, settlement(n))[0]
			require.True(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: final, Block: 5}))
			want := plain(load(t, j, s.ID))
			for _, to := range []facilitator.State{facilitator.Unknown, facilitator.Reserved, facilitator.Confirmed, facilitator.Failed} {
				require.False(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: to, Transaction: "0xlate", Block: 6, Message: "late"}))
				require.Equal(t, want, plain(load(t, j, s.ID)))
			}
		}
	},
	"news that is no news changes nothing": func(t *testing.T, j facilitator.Journal) {
		s := submit(t, j, 0, settlement(0))[0]
		unknown := facilitator.Outcome{ID: s.ID, State: facilitator.Unknown, Message: "the node is down"}
		require.True(t, finish(t, j, unknown))
		require.False(t, finish(t, j, unknown))
		unknown.Message = "the node is still down"
		require.True(t, finish(t, j, unknown))
		require.Equal(t, unknown.Message, load(t, j, s.ID).Message)
	},
	"an outcome reserved clears the relayer, and the settlement is sent anew with another nonce": func(t *testing.T, j facilitator.Journal) {
		list := submit(t, j, 0, settlements(0, 2)...)
		s := list[0]
		require.True(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: facilitator.Reserved}))
		s.State, s.Relayer = facilitator.Reserved, ""
		same(t, s, load(t, j, s.ID), "the transactions stay listed")
		again, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, []string{s.ID}, sign)
		require.NoError(t, err)
		second := transaction(s.ID, 2, 0)
		s.State, s.Relayer = facilitator.Submitted, relayer.Address
		s.Transactions, s.Transaction = append(s.Transactions, second), second.Hash
		require.Len(t, again, 1)
		same(t, s, again[0])
		same(t, s, load(t, j, s.ID))
		nonces, err := j.UnfinishedNonces(t.Context(), relayer, 0)
		require.NoError(t, err)
		require.Len(t, nonces, 2)
		same(t, s, nonces[2])
		same(t, list[1], nonces[1])
	},
	"each outcome is on its own": func(t *testing.T, j facilitator.Journal) {
		list := submit(t, j, 0, settlements(0, 3)...)
		require.True(t, finish(t, j, facilitator.Outcome{ID: list[1].ID, State: facilitator.Failed}))
		changed, err := j.FinishSettlements(t.Context(), []facilitator.Outcome{
			{ID: "no such settlement", State: facilitator.Confirmed},
			{ID: list[2].ID, State: facilitator.Confirmed, Block: 3},
			{ID: list[1].ID, State: facilitator.Confirmed},
			{ID: list[0].ID, State: facilitator.Failed, Message: "why"},
		})
		require.NoError(t, err)
		require.Equal(t, []bool{false, true, false, true}, changed)
		require.Equal(t, facilitator.Failed, load(t, j, list[0].ID).State)
		require.Equal(t, "why", load(t, j, list[0].ID).Message)
		require.Equal(t, facilitator.Failed, load(t, j, list[1].ID).State)
		require.EqualValues(t, 3, load(t, j, list[2].ID).Block)
	},
	"two outcomes of one settlement apply in their order": func(t *testing.T, j facilitator.Journal) {
		list := submit(t, j, 0, settlements(0, 2)...)
		changed, err := j.FinishSettlements(t.Context(), []facilitator.Outcome{
			{ID: list[0].ID, State: facilitator.Unknown},
			{ID: list[1].ID, State: facilitator.Failed},
			{ID: list[0].ID, State: facilitator.Confirmed, Block: 9},
			{ID: list[1].ID, State: facilitator.Confirmed},
			{ID: list[0].ID, State: facilitator.Failed},
		})
		require.NoError(t, err)
		require.Equal(t, []bool{true, true, true, false, false}, changed)
		require.Equal(t, facilitator.Confirmed, load(t, j, list[0].ID).State)
		require.Equal(t, facilitator.Failed, load(t, j, list[1].ID).State)
	},
	"an outcome that is none is refused, and nothing changes": func(t *testing.T, j facilitator.Journal) {
		list := submit(t, j, 0, settlements(0, 2)...)
		for _, state := range []facilitator.State{"", "done", facilitator.Submitted} {
			_, err := j.FinishSettlements(t.Context(), []facilitator.Outcome{
				{ID: list[0].ID, State: facilitator.Confirmed}, {ID: list[1].ID, State: state},
			})
			require.Error(t, err)
			require.Equal(t, facilitator.Submitted, load(t, j, list[0].ID).State)
		}
	},
	"of 50 callers with the end of one settlement exactly one changes it": func(t *testing.T, j facilitator.Journal) {
		s := submit(t, j, 0, settlement(0))[0]
		results, errs := together(50, func(i int) (bool, error) {
			state := []facilitator.State{facilitator.Confirmed, facilitator.Failed}[i%2]
			changed, err := j.FinishSettlements(t.Context(), []facilitator.Outcome{{ID: s.ID, State: state, Block: uint64(i)}})
			return len(changed) == 1 && changed[0], err
		})
		noErrors(t, errs)
		winners := 0
		for i, won := range results {
			if won {
				winners++
				require.EqualValues(t, i, load(t, j, s.ID).Block)
			}
		}
		require.Equal(t, 1, winners)
	},
	"a batch of 600 ends at once": func(t *testing.T, j facilitator.Journal) {
		submit(t, j, 0, settlements(0, 600)...)
		outcomes := make([]facilitator.Outcome, 600)
		for n := range outcomes {
			outcomes[n] = facilitator.Outcome{ID: settlement(n).ID, State: facilitator.Confirmed, Block: uint64(n)}
		}
		changed, err := j.FinishSettlements(t.Context(), outcomes)
		require.NoError(t, err)
		require.Len(t, changed, 600)
		require.NotContains(t, changed, false)
		require.EqualValues(t, 431, load(t, j, settlement(431).ID).Block)
	},
	"nothing to finish is no error": func(t *testing.T, j facilitator.Journal) {
		changed, err := j.FinishSettlements(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, changed)
	},
}

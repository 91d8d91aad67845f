package storetest

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var submitPromises = promises[facilitator.Journal]{
	"each gets the next nonce in the order of the IDs, and is stored with its transaction": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 3)...)
		ids := []string{settlement(2).ID, settlement(0).ID, settlement(1).ID}
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 7, ids, sign)
		require.NoError(t, err)
		require.Equal(t, ids, idsOf(submitted))
		for i, n := range []int{2, 0, 1} {
			want := withState(settlement(n), facilitator.Submitted)
			want.Relayer = relayer.Address
			want.Transactions = []facilitator.Transaction{transaction(want.ID, 7+uint64(i), 0)}
			want.Transaction = want.Transactions[0].Hash
			same(t, want, submitted[i])
			same(t, want, load(t, j, want.ID))
		}
	},
	"the nonces go on above the highest that was given while something is unfinished": func(t *testing.T, j facilitator.Journal) {
		submit(t, j, 5, settlements(0, 2)...)
		require.Equal(t, []uint64{7, 8}, noncesOf(submit(t, j, 5, settlements(2, 4)...)))
		require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(3).ID, State: facilitator.Confirmed}))
		require.Equal(t, []uint64{9}, noncesOf(submit(t, j, 6, settlement(4))), "although the newest is finished")
	},
	"a floor above the highest given is taken": func(t *testing.T, j facilitator.Journal) {
		submit(t, j, 5, settlement(0))
		require.Equal(t, []uint64{20, 21}, noncesOf(submit(t, j, 20, settlements(1, 3)...)))
		require.Equal(t, []uint64{22}, noncesOf(submit(t, j, 20, settlement(3))))
	},
	"where nothing is unfinished the floor is taken, even if it is lower": func(t *testing.T, j facilitator.Journal) {
		submit(t, j, 5, settlements(0, 3)...)
		for n := range 3 {
			require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(n).ID, State: facilitator.Failed, Reason: x402.ReasonInvalidPayload}))
		}
		require.Equal(t, []uint64{2}, noncesOf(submit(t, j, 2, settlement(3))))
		require.Equal(t, []uint64{3}, noncesOf(submit(t, j, 2, settlement(4))), "without a gap")
	},
	"settlements that are only reserved do not count as unfinished of an account": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(0))
		require.Equal(t, []uint64{3}, noncesOf(submit(t, j, 3, settlement(1))))
		finish(t, j, facilitator.Outcome{ID: settlement(1).ID, State: facilitator.Reserved})
		require.Equal(t, []uint64{1}, noncesOf(submit(t, j, 1, settlement(2))))
	},
	"accounts have nonces of their own": func(t *testing.T, j facilitator.Journal) {
		submit(t, j, 5, settlements(0, 2)...)
		other := relayer
		other.Address = "0x0000000000000000000000000000000000000402"
		reserve(t, j, settlement(2))
		submitted, err := j.SubmitSettlements(t.Context(), other, owner, 0, idsOf(settlements(2, 3)), sign)
		require.NoError(t, err)
		require.Equal(t, []uint64{0}, noncesOf(submitted))
		require.Equal(t, other.Address, submitted[0].Relayer)
	},
	"what is not reserved any more is left out, and takes no nonce": func(t *testing.T, j facilitator.Journal) {
		submit(t, j, 0, settlement(0))
		reserve(t, j, settlements(1, 4)...)
		require.True(t, finish(t, j, facilitator.Outcome{ID: settlement(2).ID, State: facilitator.Failed}))
		ids := append(idsOf(settlements(0, 4)), "no such settlement")
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, ids, sign)
		require.NoError(t, err)
		require.Equal(t, []string{settlement(1).ID, settlement(3).ID}, idsOf(submitted))
		require.Equal(t, []uint64{1, 2}, noncesOf(submitted))
	},
	"an ID that is listed twice is submitted once": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 2)...)
		a, b := settlement(0).ID, settlement(1).ID
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, []string{a, a, b, a}, sign)
		require.NoError(t, err)
		require.Equal(t, []string{a, b}, idsOf(submitted))
		require.Equal(t, []uint64{0, 1}, noncesOf(submitted))
	},
	"what another process has leased is left out": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 2)...)
		later := epoch.Add(2 * time.Hour)
		leased, err := j.LeaseSettlements(t.Context(), relayer.Network,
			facilitator.Lease{Owner: "replica-2", Until: later.Add(time.Hour)}, later, 1)
		require.NoError(t, err)
		require.Equal(t, idsOf(settlements(0, 1)), idsOf(leased))
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 2)), sign)
		require.NoError(t, err)
		require.Equal(t, idsOf(settlements(1, 2)), idsOf(submitted))
		require.Equal(t, facilitator.Reserved, load(t, j, settlement(0).ID).State)
		submitted, err = j.SubmitSettlements(t.Context(), relayer, "replica-2", 0, idsOf(settlements(0, 2)), sign)
		require.NoError(t, err)
		require.Equal(t, idsOf(settlements(0, 1)), idsOf(submitted))
	},
	"an error of sign is returned and nothing is stored": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 3)...)
		locked := errors.New("the key is locked")
		_, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 3)),
			func(s *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
				if nonce == 2 {
					return facilitator.Transaction{}, locked
				}
				return sign(s, nonce)
			})
		require.ErrorIs(t, err, locked)
		for n := range 3 {
			same(t, withState(settlement(n), facilitator.Reserved), load(t, j, settlement(n).ID))
		}
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 3)), sign)
		require.NoError(t, err)
		require.Equal(t, []uint64{0, 1, 2}, noncesOf(submitted))
	},
	"a panic of sign is the caller's, and the journal goes on": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 2)...)
		require.PanicsWithValue(t, "no key", func() {
			_, _ = j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 2)),
				func(*facilitator.Settlement, uint64) (facilitator.Transaction, error) { panic("no key") })
		})
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 2)), sign)
		require.NoError(t, err)
		require.Equal(t, []uint64{0, 1}, noncesOf(submitted))
	},
	"a transaction with another nonce, or without hash, is refused": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(0))
		for _, wrong := range []facilitator.Transaction{{Hash: "0x1", Nonce: 1}, {Nonce: 0}} {
			_, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 1)),
				func(*facilitator.Settlement, uint64) (facilitator.Transaction, error) { return wrong, nil })
			require.Error(t, err)
			require.Equal(t, facilitator.Reserved, load(t, j, settlement(0).ID).State)
		}
	},
	"concurrent calls of one account give every nonce once, without a gap": func(t *testing.T, j facilitator.Journal) {
		const calls, each = 24, 5
		reserve(t, j, settlements(0, calls*each)...)
		results, errs := together(calls, func(i int) ([]uint64, error) {
			submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 3, idsOf(settlements(i*each, (i+1)*each)), sign)
			return noncesOf(submitted), err
		})
		noErrors(t, errs)
		requireConsecutive(t, 3, calls*each, slices.Concat(results...))
	},
	"concurrent calls with the same settlements submit each once": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 20)...)
		results, errs := together(16, func(int) ([]uint64, error) {
			submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, idsOf(settlements(0, 20)), sign)
			return noncesOf(submitted), err
		})
		noErrors(t, errs)
		requireConsecutive(t, 0, 20, slices.Concat(results...))
	},
	"a batch of 600 is submitted at once": func(t *testing.T, j facilitator.Journal) {
		submitted := submit(t, j, 0, settlements(0, 600)...)
		requireConsecutive(t, 0, 600, noncesOf(submitted))
		require.Equal(t, idsOf(settlements(0, 600)), idsOf(submitted))
	},
	"a replacement is kept beside what it replaces, and is the newest": func(t *testing.T, j facilitator.Journal) {
		s := submit(t, j, 4, settlement(0))[0]
		more := transaction(s.ID, 4, 1)
		require.NoError(t, j.AddTransaction(t.Context(), s.ID, more))
		s.Transactions, s.Transaction = append(s.Transactions, more), more.Hash
		same(t, s, load(t, j, s.ID))
		require.NoError(t, j.AddTransaction(t.Context(), s.ID, more))
		same(t, s, load(t, j, s.ID), "once")
		require.True(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: facilitator.Unknown}))
		require.NoError(t, j.AddTransaction(t.Context(), s.ID, transaction(s.ID, 4, 2)), "also while unknown")
	},
	"a replacement has the nonce of what it replaces": func(t *testing.T, j facilitator.Journal) {
		s := submit(t, j, 4, settlement(0))[0]
		require.ErrorIs(t, j.AddTransaction(t.Context(), s.ID, transaction(s.ID, 5, 1)), store.ErrConflict)
		same(t, s, load(t, j, s.ID))
	},
	"what was not sent, or has ended, gets no replacement": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(0))
		require.ErrorIs(t, j.AddTransaction(t.Context(), settlement(0).ID, transaction("x", 0, 1)), store.ErrConflict)
		s := submit(t, j, 0, settlement(1))[0]
		require.True(t, finish(t, j, facilitator.Outcome{ID: s.ID, State: facilitator.Confirmed, Transaction: s.Transaction}))
		require.ErrorIs(t, j.AddTransaction(t.Context(), s.ID, transaction(s.ID, 0, 1)), store.ErrConflict)
		require.Len(t, load(t, j, s.ID).Transactions, 1)
		require.ErrorIs(t, j.AddTransaction(t.Context(), "no", transaction("no", 0, 1)), store.ErrNotFound)
	},
	"unfinished nonces are those of the account, from the floor up": func(t *testing.T, j facilitator.Journal) {
		submitted := submit(t, j, 10, settlements(0, 6)...)
		finish(t, j, facilitator.Outcome{ID: settlement(2).ID, State: facilitator.Confirmed})
		finish(t, j, facilitator.Outcome{ID: settlement(3).ID, State: facilitator.Unknown})
		finish(t, j, facilitator.Outcome{ID: settlement(4).ID, State: facilitator.Reserved})
		other := relayer
		other.Address = "0x0000000000000000000000000000000000000402"
		reserve(t, j, settlement(6))
		_, err := j.SubmitSettlements(t.Context(), other, owner, 11, idsOf(settlements(6, 7)), sign)
		require.NoError(t, err)
		nonces, err := j.UnfinishedNonces(t.Context(), relayer, 11)
		require.NoError(t, err)
		require.Len(t, nonces, 3)
		same(t, submitted[1], nonces[11])
		same(t, withState(submitted[3], facilitator.Unknown), nonces[13])
		same(t, submitted[5], nonces[15])
	},
	"a nonce that cannot be kept is refused": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(0))
		submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, math.MaxUint64, idsOf(settlements(0, 1)), sign)
		if err == nil { // it can
			require.Equal(t, []uint64{math.MaxUint64}, noncesOf(submitted))
			return
		}
		require.Equal(t, facilitator.Reserved, load(t, j, settlement(0).ID).State)
	},
}

// requireConsecutive requires that nonces are those from first, each once, in
// any order.
func requireConsecutive(t *testing.T, first uint64, n int, nonces []uint64) {
	t.Helper()
	want := make([]uint64, n)
	for i := range want {
		want[i] = first + uint64(i)
	}
	slices.Sort(nonces)
	require.Equal(t, want, nonces)
}

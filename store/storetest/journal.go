package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// TestJournal shows that open returns an empty journal that keeps what
// [facilitator.Journal] promises.
func TestJournal(t *testing.T, open Open[facilitator.Journal]) {
	reservePromises.run(t, open.one)
	submitPromises.run(t, open.one)
	finishPromises.run(t, open.one)
	leasePromises.run(t, open.one)
	promises[facilitator.Journal]{"a journal does what a simple model does": checkModel}.run(t, open.one)
}

var reservePromises = promises[facilitator.Journal]{
	"a new settlement is stored as it was given, in state reserved": func(t *testing.T, j facilitator.Journal) {
		given := settlement(1)
		given.State = facilitator.Confirmed
		stored, created, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{given}, lease())
		require.NoError(t, err)
		require.Equal(t, []bool{true}, created)
		want := settlement(1)
		want.State = facilitator.Reserved
		same(t, want, stored[0])
		same(t, want, load(t, j, given.ID))
		byKey, err := j.SettlementByKey(t.Context(), given.Key)
		require.NoError(t, err)
		same(t, want, byKey)
		require.False(t, byKey.UpdatedAt.IsZero())
	},
	"a payment of version 1 is stored too": func(t *testing.T, j facilitator.Journal) {
		given := settlement(1)
		given.Payment.Payload.Version = x402.V1
		given.Payment.Payload.Accepted = x402.PaymentRequirements{Scheme: x402.SchemeExact, Network: x402.BaseSepolia}
		given.Payment.Payload.Extensions = nil
		reserve(t, j, given)
		want, err := given.Payment.Identity()
		require.NoError(t, err)
		got, err := load(t, j, given.ID).Payment.Identity()
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, x402.V1, load(t, j, given.ID).Payment.Payload.Version)
	},
	"an amount of 256 bits is kept exactly": func(t *testing.T, j facilitator.Journal) {
		given := settlement(1)
		most, err := x402.ParseAtomic("115792089237316195423570985008687907853269984665640564039457584007913129639935")
		require.NoError(t, err)
		given.Amount = most
		reserve(t, j, given)
		require.Equal(t, most.String(), load(t, j, given.ID).Amount.String())
	},
	"a known key returns the settlement that has it, unchanged": func(t *testing.T, j facilitator.Journal) {
		first := submit(t, j, 0, settlement(1))[0]
		again := settlement(1)
		again.ID, again.Amount = "another", x402.NewAmount(1)
		stored, created, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement(0), again, settlement(2)},
			facilitator.Lease{Owner: "replica-2", Until: epoch.Add(2 * time.Hour)})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false, true}, created)
		require.Equal(t, []string{settlement(0).ID, first.ID, settlement(2).ID}, idsOf(stored))
		same(t, first, stored[1])
		same(t, first, load(t, j, first.ID))
		_, err = j.Settlement(t.Context(), "another")
		require.ErrorIs(t, err, store.ErrNotFound)
		n, err := j.RenewLeases(t.Context(), relayer.Network, lease())
		require.NoError(t, err)
		require.Equal(t, 1, n, "the lease stays with whom it was")
	},
	"the same settlement can be reserved again": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(1))
		stored, created, err := j.ReserveSettlements(t.Context(), settlements(1, 2), lease())
		require.NoError(t, err)
		require.Equal(t, []bool{false}, created)
		require.Equal(t, settlement(1).ID, stored[0].ID)
	},
	"of one key twice in a call the first is stored": func(t *testing.T, j facilitator.Journal) {
		twin := settlement(1)
		twin.ID = "twin"
		stored, created, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement(1), settlement(2), twin}, lease())
		require.NoError(t, err)
		require.Equal(t, []bool{true, true, false}, created)
		require.Equal(t, []string{settlement(1).ID, settlement(2).ID, settlement(1).ID}, idsOf(stored))
	},
	"an ID that another payment has is a conflict, and nothing is stored": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(1))
		wrong := settlement(2)
		wrong.ID = settlement(1).ID
		_, _, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement(3), wrong}, lease())
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = j.SettlementByKey(t.Context(), settlement(3).Key)
		require.ErrorIs(t, err, store.ErrNotFound)
		same(t, withState(settlement(1), facilitator.Reserved), load(t, j, settlement(1).ID))
	},
	"one ID for two payments of a call is a conflict": func(t *testing.T, j facilitator.Journal) {
		wrong := settlement(2)
		wrong.ID = settlement(1).ID
		_, _, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement(1), wrong}, lease())
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = j.Settlement(t.Context(), settlement(1).ID)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"a settlement without ID or key is refused": func(t *testing.T, j facilitator.Journal) {
		for _, spoil := range []func(*facilitator.Settlement){
			func(s *facilitator.Settlement) { s.ID = "" },
			func(s *facilitator.Settlement) { s.Key = "" },
		} {
			wrong := settlement(2)
			spoil(&wrong)
			_, _, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement(1), wrong}, lease())
			require.Error(t, err)
			_, err = j.Settlement(t.Context(), settlement(1).ID)
			require.ErrorIs(t, err, store.ErrNotFound)
		}
	},
	"200 callers of one key at once: exactly one created it, and all get it": func(t *testing.T, j facilitator.Journal) {
		type result struct {
			settlement facilitator.Settlement
			created    bool
		}
		results, errs := together(200, func(i int) (result, error) {
			mine := settlement(1)
			mine.ID = settlement(1000 + i).ID
			stored, created, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{mine}, lease())
			if err != nil {
				return result{}, err
			}
			return result{stored[0], created[0]}, nil
		})
		noErrors(t, errs)
		winner, err := j.SettlementByKey(t.Context(), settlement(1).Key)
		require.NoError(t, err)
		created := 0
		for _, r := range results {
			same(t, winner, r.settlement)
			if r.created {
				created++
			}
		}
		require.Equal(t, 1, created)
	},
	"a batch of 600 is stored whole, in its order": func(t *testing.T, j facilitator.Journal) {
		stored := reserve(t, j, settlements(0, 600)...)
		require.Equal(t, idsOf(settlements(0, 600)), idsOf(stored))
		same(t, withState(settlement(599), facilitator.Reserved), load(t, j, settlement(599).ID))
	},
	"nothing to reserve is no error": func(t *testing.T, j facilitator.Journal) {
		stored, created, err := j.ReserveSettlements(t.Context(), nil, lease())
		require.NoError(t, err)
		require.Empty(t, stored)
		require.Empty(t, created)
	},
	"text that is not UTF-8, or has a NUL, is no obstacle": func(t *testing.T, j facilitator.Journal) {
		given := settlement(1)
		given.Key = "key\x00\xff"
		reserve(t, j, given)
		_, created, err := j.ReserveSettlements(t.Context(), []facilitator.Settlement{given}, lease())
		require.NoError(t, err)
		require.Equal(t, []bool{false}, created)
		_, err = j.SettlementByKey(t.Context(), given.Key)
		require.NoError(t, err)
	},
	"what is not there is not found": func(t *testing.T, j facilitator.Journal) {
		_, err := j.Settlement(t.Context(), "no")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = j.SettlementByKey(t.Context(), "no")
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"what is returned may be changed without harm": func(t *testing.T, j facilitator.Journal) {
		given := settlement(1)
		stored := submit(t, j, 0, given)[0]
		want := plain(load(t, j, given.ID))
		for _, s := range []facilitator.Settlement{given, stored, load(t, j, given.ID)} {
			s.Payment.Payload.Payload[2] = 'X'
			s.Payment.Payload.Extensions["bazaar"] = json.RawMessage(`1`)
			s.Payment.Payload.Resource.URL = "changed"
			for i := range s.Transactions {
				s.Transactions[i].Hash = "changed"
				s.Transactions[i].Raw[0] = 9
			}
		}
		require.Equal(t, want, plain(load(t, j, given.ID)))
	},
	"a context that has ended is its error, and nothing changes": func(t *testing.T, j facilitator.Journal) {
		_, _, err := j.ReserveSettlements(cancelled(t), settlements(1, 2), lease())
		require.ErrorIs(t, err, cancelled(t).Err())
		_, err = j.Settlement(t.Context(), settlement(1).ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = j.Settlement(cancelled(t), settlement(1).ID)
		require.ErrorIs(t, err, cancelled(t).Err())
	},
}

func withState(s facilitator.Settlement, state facilitator.State) facilitator.Settlement {
	s.State = state
	return s
}

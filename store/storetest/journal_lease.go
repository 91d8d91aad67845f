package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

var leasePromises = promises[facilitator.Journal]{
	"a lease that has not run out is left alone": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 3)...)
		require.Empty(t, take(t, j, "replica-2", epoch.Add(59*time.Minute), 10))
	},
	"what is unfinished is leased when its lease ran out, oldest first, up to the limit": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(3), settlement(1), settlement(4))
		sent := submit(t, j, 0, settlement(0), settlement(2), settlement(5))
		finish(t, j, facilitator.Outcome{ID: settlement(2).ID, State: facilitator.Unknown})
		finish(t, j, facilitator.Outcome{ID: settlement(5).ID, State: facilitator.Confirmed})
		finish(t, j, facilitator.Outcome{ID: settlement(4).ID, State: facilitator.Failed})
		later := epoch.Add(2 * time.Hour)
		first := take(t, j, "replica-2", later, 2)
		require.Equal(t, []string{settlement(0).ID, settlement(1).ID}, idsOf(first))
		same(t, sent[0], first[0])
		rest := take(t, j, "replica-3", later, 100)
		require.Equal(t, []string{settlement(2).ID, settlement(3).ID}, idsOf(rest))
		require.Empty(t, take(t, j, "replica-4", later, 100))
		require.Equal(t, idsOf(first), idsOf(take(t, j, "replica-4", later.Add(3*time.Hour), 2)), "until that lease runs out too")
	},
	"those of other networks are not touched": func(t *testing.T, j facilitator.Journal) {
		other := settlement(1)
		other.Network = x402.Solana
		reserve(t, j, settlement(0), other)
		later := epoch.Add(2 * time.Hour)
		n, err := j.RenewLeases(t.Context(), x402.Solana, facilitator.Lease{Owner: owner, Until: later.Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, idsOf(settlements(0, 1)), idsOf(take(t, j, "replica-2", later, 10)))
	},
	"a limit of nothing leases nothing": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlement(0))
		require.Empty(t, take(t, j, "replica-2", epoch.Add(2*time.Hour), 0))
	},
	"renewing prolongs the leases on what is unfinished and still held": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 3)...)
		submit(t, j, 0, settlement(3))
		finish(t, j, facilitator.Outcome{ID: settlement(1).ID, State: facilitator.Confirmed})
		later := epoch.Add(2 * time.Hour)
		require.Equal(t, idsOf(settlements(0, 1)), idsOf(take(t, j, "replica-2", later, 1)))
		n, err := j.RenewLeases(t.Context(), relayer.Network, facilitator.Lease{Owner: owner, Until: later.Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Empty(t, take(t, j, "replica-3", later.Add(30*time.Minute), 10))
		n, err = j.RenewLeases(t.Context(), relayer.Network, facilitator.Lease{Owner: "nobody", Until: later})
		require.NoError(t, err)
		require.Zero(t, n)
	},
	"of many owners at once each settlement has one": func(t *testing.T, j facilitator.Journal) {
		reserve(t, j, settlements(0, 60)...)
		later := epoch.Add(2 * time.Hour)
		results, errs := together(12, func(i int) ([]string, error) {
			leased, err := j.LeaseSettlements(t.Context(), relayer.Network,
				facilitator.Lease{Owner: settlement(100 + i).ID, Until: later.Add(time.Hour)}, later, 20)
			return idsOf(leased), err
		})
		noErrors(t, errs)
		for _, ids := range results {
			require.LessOrEqual(t, len(ids), 20)
		}
		all := slices.Concat(results...)
		slices.Sort(all)
		require.Equal(t, slices.Compact(slices.Clone(all)), all, "none twice")
		rest := take(t, j, "replica-2", later, 100)
		require.Len(t, all, 60-len(rest), "and what was left is free")
	},
}

// take leases settlements to an owner for an hour from now.
func take(t *testing.T, j facilitator.Journal, owner string, now time.Time, limit int) []facilitator.Settlement {
	t.Helper()
	leased, err := j.LeaseSettlements(t.Context(), relayer.Network,
		facilitator.Lease{Owner: owner, Until: now.Add(time.Hour)}, now, limit)
	require.NoError(t, err)
	return leased
}

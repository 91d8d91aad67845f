package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402/payer"
)

// TestReplicas shows that what one handle promises holds across handles.
func TestReplicas(t *testing.T, open Open[Store]) {
	replicaPromises.run(t, open.some(3))
}

var replicaPromises = promises[[]Store]{
	"what one has stored the others read at once": func(t *testing.T, replicas []Store) {
		s := submit(t, replicas[0], 0, settlement(0))[0]
		same(t, s, load(t, replicas[1], s.ID))
		require.True(t, finish(t, replicas[1], facilitator.Outcome{ID: s.ID, State: facilitator.Confirmed, Event: event(0)}))
		require.Equal(t, facilitator.Confirmed, load(t, replicas[2], s.ID).State)
		require.Equal(t, eventIDs(0), pull(t, replicas[2], "a", epoch, 1))
		require.Empty(t, pull(t, replicas[0], "a", epoch, 1))
	},
	"all reserve the same settlements, in any order, and each is created once": func(t *testing.T, replicas []Store) {
		results, errs := together(30, func(i int) (int, error) {
			batch := settlements(0, 20)
			for n := range batch {
				batch[n].ID = fmt.Sprintf("%d-%d", i, n)
			}
			if i%2 == 1 {
				slices.Reverse(batch)
			}
			_, created, err := replicas[i%len(replicas)].ReserveSettlements(t.Context(), batch, lease())
			n := 0
			for _, c := range created {
				if c {
					n++
				}
			}
			return n, err
		})
		noErrors(t, errs)
		total := 0
		for _, n := range results {
			total += n
		}
		require.Equal(t, 20, total)
	},
	"all submit with one account, and every nonce is given once, without a gap": func(t *testing.T, replicas []Store) {
		const calls, each = 24, 4
		owner := func(i int) string { return fmt.Sprint("replica-", i%len(replicas)) }
		for i := range calls {
			_, _, err := replicas[0].ReserveSettlements(t.Context(), settlements(i*each, (i+1)*each),
				facilitator.Lease{Owner: owner(i), Until: epoch.Add(time.Hour)})
			require.NoError(t, err)
		}
		results, errs := together(calls, func(i int) ([]uint64, error) {
			submitted, err := replicas[i%len(replicas)].SubmitSettlements(t.Context(), relayer, owner(i), 11,
				idsOf(settlements(i*each, (i+1)*each)), sign)
			return noncesOf(submitted), err
		})
		noErrors(t, errs)
		requireConsecutive(t, 11, calls*each, slices.Concat(results...))
		nonces, err := replicas[0].UnfinishedNonces(t.Context(), relayer, 0)
		require.NoError(t, err)
		require.Len(t, nonces, calls*each)
		for nonce, s := range nonces {
			require.Equal(t, transaction(s.ID, nonce, 0), s.Transactions[0])
		}
	},
	"they submit, renew, lease and finish at once, and nothing is lost": func(t *testing.T, replicas []Store) {
		const calls, each = 12, 8
		ids := idsOf(reserve(t, replicas[0], settlements(0, calls*each)...))
		_, errs := together(calls, func(i int) (struct{}, error) {
			j, mine := replicas[i%len(replicas)], ids[i*each:(i+1)*each]
			if _, err := j.SubmitSettlements(t.Context(), relayer, owner, 0, mine, sign); err != nil {
				return struct{}{}, err
			}
			if _, err := j.RenewLeases(t.Context(), relayer.Network, lease()); err != nil {
				return struct{}{}, err
			}
			if _, err := j.LeaseSettlements(t.Context(), relayer.Network, lease(), epoch, 5); err != nil {
				return struct{}{}, err
			}
			outcomes := make([]facilitator.Outcome, len(ids))
			for n, id := range ids { // one's own end, the others are unknown: in another order each
				n = (n + i*each) % len(ids)
				outcomes[n] = facilitator.Outcome{ID: id, State: facilitator.Unknown}
				if slices.Contains(mine, id) {
					outcomes[n].State = facilitator.Confirmed
				}
			}
			_, err := j.FinishSettlements(t.Context(), outcomes)
			return struct{}{}, err
		})
		noErrors(t, errs)
		for _, id := range ids {
			require.Equal(t, facilitator.Confirmed, load(t, replicas[1], id).State)
		}
	},
	"of all who claim one payment one wins": func(t *testing.T, replicas []Store) {
		results, errs := together(60, func(i int) (middleware.Claimed, error) {
			return replicas[i%len(replicas)].Claim(t.Context(), claim(fmt.Sprint("owner-", i)), epoch)
		})
		noErrors(t, errs)
		won := 0
		for _, r := range results {
			if r.Won {
				won++
			}
		}
		require.Equal(t, 1, won)
	},
	"claims that are taken and released at once are held by one at a time": func(t *testing.T, replicas []Store) {
		results, errs := together(45, func(i int) (bool, error) {
			name, s := fmt.Sprint("owner-", i), replicas[i%len(replicas)]
			claimed, err := s.Claim(t.Context(), claim(name), epoch)
			if err != nil || !claimed.Won {
				return false, err
			}
			return true, s.Release(t.Context(), claim(name).Key, name)
		})
		noErrors(t, errs)
		require.Contains(t, results, true)
		require.True(t, try(t, replicas[0], claim("last"), epoch).Won)
	},
	"a limit holds for all together": func(t *testing.T, replicas []Store) {
		_, errs := together(60, func(i int) (struct{}, error) {
			return struct{}{}, replicas[i%len(replicas)].Reserve(t.Context(), spending(fmt.Sprint(i), 7), limitOf(100))
		})
		through := 0
		for _, err := range errs {
			if err == nil {
				through++
			} else {
				require.ErrorIs(t, err, payer.ErrOverBudget)
			}
		}
		require.Equal(t, 14, through)
	},
	"a spending is signed by one": func(t *testing.T, replicas []Store) {
		require.NoError(t, replicas[0].Reserve(t.Context(), spending("1", 1), nil))
		_, errs := together(12, func(i int) (struct{}, error) {
			return struct{}{}, replicas[i%len(replicas)].Sign(t.Context(), "1", json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)))
		})
		signed := 0
		for _, err := range errs {
			if err == nil {
				signed++
			}
		}
		require.Equal(t, 1, signed)
	},
}

package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// revoke revokes a contract.
func revoke(t *testing.T, s RegistryStore, c registry.Contract) error {
	_, err := s.UpdateContract(t.Context(), c.Key, func(c *registry.Contract) (registry.Trail, error) {
		c.Status = registry.ContractRevoked
		return registry.Trail{}, nil
	})
	return err
}

var contractPromises = promises[RegistryStore]{
	"who uses a contract is who sold it and who mirrors its work": func(t *testing.T, s RegistryStore) {
		origin, seller, c := sellers(t, s)
		used := func(key string) []int64 {
			users, err := s.ContractUsers(t.Context(), key)
			require.NoError(t, err)
			return users
		}
		require.Empty(t, used(c.Key))
		require.Empty(t, used("unknown"))
		third, fourth := addPlatform(t, s, newPlatform(3)), addPlatform(t, s, newPlatform(4))
		sibling := addContracts(t, s, origin, "h2")[0] // of the same work
		for n, p := range []registry.Platform{third, seller, third} {
			addSale(t, s, newSale(p, c, n))
		}
		m := newMirror(seller, sibling)
		_, _, err := s.PutMirror(t.Context(), m, sibling.Key, at, noMirrorTrail)
		require.NoError(t, err)
		m.PlatformID = fourth.ID
		stored, _, err := s.PutMirror(t.Context(), m, sibling.Key, at, noMirrorTrail)
		require.NoError(t, err)
		require.Equal(t, []int64{seller.ID, third.ID, fourth.ID}, used(c.Key))
		require.Equal(t, []int64{seller.ID, fourth.ID}, used(sibling.Key))
		require.NoError(t, s.DeleteMirror(t.Context(), stored.ID, func(registry.Mirror) error { return nil }, registry.Trail{}))
		require.Equal(t, []int64{seller.ID}, used(sibling.Key))
	},
	"250 contracts are registered at once, with their terms": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		hashes := make([]string, registry.MaxBatch)
		for i := range hashes {
			hashes[i] = fmt.Sprintf("0xAB%03d/ü", i)
		}
		contracts := newContracts(p, hashes...)
		require.NoError(t, s.RegisterContracts(t.Context(), contracts, trailOf("register")))
		seen := map[int64]bool{}
		for _, want := range contracts {
			got, err := s.Contract(t.Context(), want.Key)
			require.NoError(t, err)
			require.Positive(t, got.ID)
			require.False(t, seen[got.ID], "IDs differ")
			seen[got.ID] = true
			want.ID = got.ID
			require.Equal(t, want, got)
		}
		actions, types := trails(t, s)
		require.Equal(t, []string{"register"}, actions)
		require.Equal(t, []string{"register"}, types)
	},
	"one hash that is taken keeps out the whole batch, and all that are taken are named": func(t *testing.T, s RegistryStore) {
		p, other := addPlatform(t, s, newPlatform(1)), addPlatform(t, s, newPlatform(2))
		addContracts(t, s, p, "h1", "h2")
		_, err := s.UpdateContract(t.Context(), "h2", func(c *registry.Contract) (registry.Trail, error) {
			c.Status, c.RevokedAt = registry.ContractRevoked, at
			return registry.Trail{}, nil
		})
		require.NoError(t, err)
		err = s.RegisterContracts(t.Context(), newContracts(other, "h3", "H2", "h4", "h1"), trailOf("register"))
		var taken *registry.HashesTakenError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, []string{"H2", "h1"}, taken.Hashes, "as given, in order")
		for _, key := range []string{"h3", "h4"} {
			_, err := s.Contract(t.Context(), key)
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		actions, types := trails(t, s)
		require.Empty(t, actions)
		require.Empty(t, types)
		addContracts(t, s, other, "h3", "h4")
	},
	"a contract changes its status and terms with a trail, or not at all": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		c := addContracts(t, s, p, "h1")[0]
		_, err := s.UpdateContract(t.Context(), "h1", func(c *registry.Contract) (registry.Trail, error) {
			c.Status = registry.ContractRevoked
			c.Terms.Payees[0].Name = "Eve"
			return trailOf("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		got, err := s.Contract(t.Context(), "h1")
		require.NoError(t, err)
		require.Equal(t, c, got)

		want := c
		want.Status, want.RevokedAt, want.RevokeReason, want.Terms = registry.ContractRevoked, at.Add(time.Hour), "über – “old”", nil
		got, err = s.UpdateContract(t.Context(), "h1", func(c *registry.Contract) (registry.Trail, error) {
			c.Status, c.RevokedAt, c.RevokeReason, c.Terms = want.Status, want.RevokedAt, want.RevokeReason, nil
			c.Hash, c.PlatformID = "other", 77
			return trailOf("revoke"), nil
		})
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = s.Contract(t.Context(), "h1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		actions, types := trails(t, s)
		require.Equal(t, []string{"revoke"}, actions)
		require.Equal(t, []string{"revoke"}, types)
	},
	"a contract tells its platform's name and whether it is suspended": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		addContracts(t, s, p, "h1")
		_, err := s.UpdatePlatform(t.Context(), p.ID, func(p *registry.Platform) (registry.Trail, error) {
			p.Status, p.PlatformName = registry.PlatformInactive, "New name"
			return registry.Trail{}, nil
		})
		require.NoError(t, err)
		c, err := s.Contract(t.Context(), "h1")
		require.NoError(t, err)
		require.Equal(t, "New name", c.PlatformName)
		require.True(t, c.Suspended)
	},
	"contracts are listed by platform, status, work and prefix": func(t *testing.T, s RegistryStore) {
		a, b := addPlatform(t, s, newPlatform(1)), addPlatform(t, s, newPlatform(2))
		addContracts(t, s, a, "äa1", "äa2")
		addContracts(t, s, b, "äb3", "x_4")
		require.NoError(t, revoke(t, s, registry.Contract{Key: "äa2"}))
		for want, f := range map[string]registry.ContractFilter{
			"x_4 äb3 äa2 äa1": {IPFSHash: "QmWork"}, "äa2 äa1": {PlatformID: a.ID}, "äa2": {Status: registry.ContractRevoked},
			"äb3": {Query: "äb"}, "x_4": {Query: "x_"}, "": {IPFSHash: "QmOther"}, "äa1": {PlatformID: a.ID, Status: registry.ContractActive},
		} {
			list, err := s.Contracts(t.Context(), f, registry.PageOptions{})
			require.NoError(t, err)
			var got []string
			for _, c := range list.Items {
				got = append(got, c.Hash)
			}
			require.Equal(t, want, strings.Join(got, " "))
			require.EqualValues(t, len(got), list.Total)
		}
		work, err := s.Publication(t.Context(), "QmWork")
		require.NoError(t, err)
		require.Equal(t, registry.Publication{
			IPFSHash: "QmWork", TotalContracts: 4, ActiveContracts: 3, RevokedContracts: 1, Platforms: 2, FirstRegistered: at, LastRegistered: at,
		}, work)
	},
}

// registryReplicaPromises hold for replicas that share a store.
var registryReplicaPromises = promises[[]RegistryStore]{
	"of registrations of one hash at once, exactly one wins": func(t *testing.T, stores []RegistryStore) {
		p := addPlatform(t, stores[0], newPlatform(1))
		for round := range 5 {
			const callers = 6
			_, errs := together(callers, func(i int) (struct{}, error) {
				hashes := []string{fmt.Sprintf("own-%d-%d", round, i), fmt.Sprintf("shared-%d", round), fmt.Sprintf("also-%d", round)}
				if i%2 == 1 { // in another order
					hashes[1], hashes[2] = hashes[2], hashes[1]
				}
				return struct{}{}, stores[i%len(stores)].RegisterContracts(t.Context(), newContracts(p, hashes...), trailOf(hashes[0]))
			})
			won := -1
			for i, err := range errs {
				if err == nil {
					require.Equal(t, -1, won, "one wins")
					won = i
					continue
				}
				var taken *registry.HashesTakenError
				require.ErrorAs(t, err, &taken)
				require.Len(t, taken.Hashes, 2)
			}
			require.NotEqual(t, -1, won, "one wins")
			for i := range callers {
				_, err := stores[0].Contract(t.Context(), fmt.Sprintf("own-%d-%d", round, i))
				if i == won {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, store.ErrNotFound)
				}
			}
		}
		actions, types := trails(t, stores[0])
		require.Len(t, actions, 5)
		require.Len(t, types, 5)
	},
	"of approvals at once, exactly one mints a key": func(t *testing.T, stores []RegistryStore) {
		pending := newPlatform(1)
		pending.Status = registry.PlatformPending
		pending = addPlatform(t, stores[0], pending)
		_, errs := together(6, func(i int) (registry.Platform, error) {
			return stores[i%len(stores)].UpdatePlatform(t.Context(), pending.ID, func(p *registry.Platform) (registry.Trail, error) {
				if p.Status != registry.PlatformPending {
					return registry.Trail{}, errRefused
				}
				p.Status, p.KeyHash = registry.PlatformActive, fmt.Sprint("minted-", i)
				return trailOf(fmt.Sprint("approve-", i)), nil
			})
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				require.ErrorIs(t, err, errRefused)
			}
		}
		require.Equal(t, 1, won)
		actions, _ := trails(t, stores[0])
		require.Len(t, actions, 1)
	},
	"of applications with one e-mail at once, exactly one is stored": func(t *testing.T, stores []RegistryStore) {
		_, errs := together(6, func(i int) (registry.Platform, error) {
			p := newPlatform(i)
			p.Email = "one@example.com"
			return stores[i%len(stores)].AddPlatform(t.Context(), p, noTrail)
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				require.ErrorIs(t, err, registry.ErrEmailTaken)
			}
		}
		require.Equal(t, 1, won)
	},
	"a report that is repeated at once counts once": func(t *testing.T, stores []RegistryStore) {
		a, b := addPlatform(t, stores[0], newPlatform(1)), addPlatform(t, stores[0], newPlatform(2))
		c := addContracts(t, stores[0], a, "h1")[0]
		for round := range 4 {
			sale := newSale(b, c, round)
			if round%2 == 0 {
				sale.Sale.IdempotencyKey = ""
			} else {
				sale.Sale.TransactionHash, sale.Sale.TransactionKey = "", ""
			}
			reports, errs := together(6, func(i int) (registry.Reported, error) {
				return report(t, stores[i%len(stores)], sale)
			})
			noErrors(t, errs)
			created := 0
			for _, r := range reports {
				if r.Created {
					created++
				}
				require.Equal(t, reports[0].Sale, r.Sale)
				require.Equal(t, reports[0].Royalty, r.Royalty)
			}
			require.Equal(t, 1, created)
		}
		owed, _, err := stores[0].OwedSums(t.Context(), registry.Run{To: at.Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, []registry.Owed{{SellerID: b.ID, OriginID: a.ID, Amount: 4 * 299, Count: 4}}, owed)
	},
	"a sale that is voided at once is voided once": func(t *testing.T, stores []RegistryStore) {
		a, b := addPlatform(t, stores[0], newPlatform(1)), addPlatform(t, stores[0], newPlatform(2))
		r := addSale(t, stores[0], newSale(b, addContracts(t, stores[0], a, "h1")[0], 1))
		_, errs := together(6, func(i int) (registry.Voided, error) {
			return stores[i%len(stores)].VoidSale(t.Context(), r.Sale.ID, "", at, onlyReported, noTrail)
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				require.ErrorIs(t, err, errRefused)
			}
		}
		require.Equal(t, 1, won)
	},
	"mirrors that are reported at once are one, and every access counts": func(t *testing.T, stores []RegistryStore) {
		a := addPlatform(t, stores[0], newPlatform(1))
		c := addContracts(t, stores[0], a, "h1")[0]
		mirrors, errs := together(6, func(i int) (registry.Mirror, error) {
			m, _, err := stores[i%len(stores)].PutMirror(t.Context(), newMirror(a, c), c.Key, at, noMirrorTrail)
			return m, err
		})
		noErrors(t, errs)
		for _, m := range mirrors {
			require.Equal(t, mirrors[0].ID, m.ID)
		}
		_, errs = together(12, func(i int) (registry.Mirror, error) {
			return stores[i%len(stores)].CountAccess(t.Context(), mirrors[0].ID, at)
		})
		noErrors(t, errs)
		list, err := stores[0].Mirrors(t.Context(), registry.MirrorFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		require.EqualValues(t, 17, list.Items[0].AccessCount)
	},
	"once a contract was revoked, no sale or mirror of it appears": func(t *testing.T, stores []RegistryStore) {
		origin, seller, _ := sellers(t, stores[0])
		there := func() ([2]int64, error) {
			stats, err := stores[0].Stats(t.Context())
			return [2]int64{stats.Sales[registry.SaleReported], stats.Mirrors}, err
		}
		for round := range 10 {
			c := addContracts(t, stores[0], origin, fmt.Sprint("revoked ", round))[0]
			var seen [2]int64
			_, errs := together(7, func(i int) (struct{}, error) {
				s, err := stores[i%len(stores)], error(nil)
				switch {
				case i == 0:
					if err = revoke(t, s, c); err == nil {
						seen, err = there()
					}
				case i%2 == 0:
					m := newMirror(seller, c)
					m.Key = fmt.Sprint(c.Key, i)
					_, _, err = s.PutMirror(t.Context(), m, c.Key, at, noMirrorTrail)
				default:
					_, err = report(t, s, newSale(seller, c, 10*round+i))
				}
				if inactive := (&registry.ContractInactiveError{}); errors.As(err, &inactive) {
					err = nil
				}
				return struct{}{}, err
			})
			noErrors(t, errs)
			now, err := there()
			require.NoError(t, err)
			require.Equal(t, seen, now)
		}
	},
}

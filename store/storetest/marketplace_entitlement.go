package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

var entitlementPromises = promises[MarketplaceStore]{
	"entitlements are listed by ID and filtered, in pages": func(t *testing.T, s MarketplaceStore) {
		for n := range 6 {
			sold(t, s, n, marketWallet(n%2))
		}
		_, err := s.UpdateEntitlement(t.Context(), marketplace.EntitlementID(8453, marketWallet(0), 1), func(e *marketplace.Entitlement) (marketplace.Trail, error) {
			e.State = marketplace.EntitlementSuspended
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		late := at.Add(time.Hour + 2*time.Second) // when the first three have run out
		for _, c := range []struct {
			want string // wallet and number of each
			f    marketplace.EntitlementFilter
		}{
			{"01 02 03 11 12 13", marketplace.EntitlementFilter{}},
			{"11 12 13", marketplace.EntitlementFilter{Wallet: marketWallet(1)}},
			{"01 02 03 11 12 13", marketplace.EntitlementFilter{OfferID: newOffer(1).ID, IssuerID: "edut.firstparty", OrgRootID: "org.acme.root", WorkspaceID: "workspace.1"}},
			{"", marketplace.EntitlementFilter{OfferID: "other"}},
			{"", marketplace.EntitlementFilter{OrgRootID: "other"}},
			{"01", marketplace.EntitlementFilter{State: marketplace.EntitlementSuspended, Now: at}},
			{"02 03 11 12 13", marketplace.EntitlementFilter{State: marketplace.EntitlementActive, Now: at}},
			{"03 12 13", marketplace.EntitlementFilter{State: marketplace.EntitlementActive, Now: late}},
			{"02 11", marketplace.EntitlementFilter{State: marketplace.EntitlementExpired, Now: late}},
		} {
			var got []string
			for _, e := range walk(t, 2, func(p store.Page) (marketplace.List[marketplace.Entitlement], error) {
				return s.Entitlements(t.Context(), c.f, p)
			}) {
				got = append(got, e.Wallet[41:]+e.ID[len(e.ID)-1:])
			}
			require.Equal(t, c.want, strings.Join(got, " "), "%+v", c.f)
		}
		_, err = s.Entitlement(t.Context(), "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"what a wallet holds of an offer is read the newest first": func(t *testing.T, s MarketplaceStore) {
		for n := range 4 {
			sold(t, s, n, marketWallet(1))
		}
		sold(t, s, 9, marketWallet(2))
		list, err := s.HeldEntitlements(t.Context(), marketWallet(1), newOffer(1).ID, 3)
		require.NoError(t, err)
		require.Len(t, list, 3)
		for i, e := range list {
			want, err := s.Entitlement(t.Context(), marketplace.EntitlementID(8453, marketWallet(1), int64(4-i)))
			require.NoError(t, err)
			require.Equal(t, want, e)
		}
		for _, pair := range [][2]string{{marketWallet(3), newOffer(1).ID}, {marketWallet(1), "other"}} {
			list, err := s.HeldEntitlements(t.Context(), pair[0], pair[1], 3)
			require.NoError(t, err)
			require.Empty(t, list)
		}
	},
	"an entitlement changes its state with a trail, or not at all, and nothing else": func(t *testing.T, s MarketplaceStore) {
		want := sold(t, s, 1, marketWallet(1))
		_, err := s.UpdateEntitlement(t.Context(), want.ID, func(e *marketplace.Entitlement) (marketplace.Trail, error) {
			e.State = marketplace.EntitlementRevoked
			return marketTrail("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, err = s.UpdateEntitlement(t.Context(), "unknown", func(*marketplace.Entitlement) (marketplace.Trail, error) { return marketplace.Trail{}, nil })
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := s.UpdateEntitlement(t.Context(), want.ID, func(e *marketplace.Entitlement) (marketplace.Trail, error) {
			require.Equal(t, want, *e)
			*e = marketplace.Entitlement{
				ID: "other", Wallet: marketWallet(5), State: marketplace.EntitlementSuspended, Availability: marketplace.AvailabilityParked,
				Reason: "reason", UpdatedAt: at.Add(time.Hour),
			}
			return marketTrail("suspend"), nil
		})
		require.NoError(t, err)
		want.State, want.Availability, want.Reason = marketplace.EntitlementSuspended, marketplace.AvailabilityParked, "reason"
		want.ExpiresAt, want.UpdatedAt = time.Time{}, at.Add(time.Hour)
		require.Equal(t, want, got)
		got, err = s.Entitlement(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, []string{"sell " + newQuote(1, "").ID, "suspend"}, marketTrails(t, s))
	},
	"an entitlement is transferred with a trail and without its seats, or not at all": func(t *testing.T, s MarketplaceStore) {
		want := sold(t, s, 1, marketWallet(1))
		sold(t, s, 2, marketWallet(2))
		activate(t, s, want.ID, "machine", at)
		_, err := s.TransferEntitlement(t.Context(), want.ID, marketWallet(2), at, func(*marketplace.Entitlement, int) (marketplace.Trail, error) {
			return marketTrail("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, err = s.TransferEntitlement(t.Context(), "unknown", marketWallet(2), at, nil)
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := s.TransferEntitlement(t.Context(), want.ID, marketWallet(2), at, func(e *marketplace.Entitlement, held int) (marketplace.Trail, error) {
			require.Equal(t, want, *e)
			require.Equal(t, 1, held)
			e.Wallet, e.OrgRootID, e.PrincipalID, e.PrincipalRole, e.WorkspaceID = marketWallet(2), "org", "human", "workspace_member", "ws"
			e.Reason, e.UpdatedAt = "sold", at.Add(time.Hour)
			return marketTrail("transfer"), nil
		})
		require.NoError(t, err)
		want.Wallet, want.OrgRootID, want.PrincipalID, want.PrincipalRole, want.WorkspaceID = marketWallet(2), "org", "human", "workspace_member", "ws"
		want.Reason, want.UpdatedAt = "sold", at.Add(time.Hour)
		require.Equal(t, want, got)
		for wallet, n := range map[string]int{marketWallet(1): 0, marketWallet(2): 2} {
			list, err := s.HeldEntitlements(t.Context(), wallet, want.OfferID, 10)
			require.NoError(t, err)
			require.Len(t, list, n)
		}
		seats, err := s.Seats(t.Context(), want.ID)
		require.NoError(t, err)
		require.Empty(t, seats)
		require.Contains(t, marketTrails(t, s), "transfer")
		require.EqualValues(t, "ent:8453:"+marketWallet(1)+":000002", sold(t, s, 3, marketWallet(1)).ID, "a number is never given again")
	},
	"active entitlements expire, and each is told once": func(t *testing.T, s MarketplaceStore) {
		for n := range 3 {
			sold(t, s, n, marketWallet(1))
		}
		_, err := s.UpdateEntitlement(t.Context(), marketplace.EntitlementID(8453, marketWallet(1), 1), func(e *marketplace.Entitlement) (marketplace.Trail, error) {
			e.ExpiresAt = time.Time{}
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		expire := func(now time.Time, limit int) (ids []string) {
			list, err := s.ExpireEntitlements(t.Context(), now, limit, func(e marketplace.Entitlement) marketplace.Trail { return marketTrail("expire " + e.ID) })
			require.NoError(t, err)
			for _, e := range list {
				require.Equal(t, marketplace.EntitlementExpired, e.State)
				ids = append(ids, e.ID[len(e.ID)-1:])
			}
			return ids
		}
		end := at.Add(time.Hour)
		require.Empty(t, expire(end.Add(time.Second-time.Microsecond), 10))
		require.Equal(t, []string{"2"}, expire(end.Add(time.Second), 10))
		require.Equal(t, []string{"3"}, expire(end.Add(1000*time.Hour), 1))
		require.Empty(t, expire(end.Add(1000*time.Hour), 10))
		require.Len(t, marketTrails(t, s), 5)
	},
	"seats are given up to what is decided, kept and released": func(t *testing.T, s MarketplaceStore) {
		e := sold(t, s, 1, marketWallet(1))
		a := activate(t, s, e.ID, "a", at)
		require.Equal(t, marketplace.Activation{EntitlementID: e.ID, InstanceID: "a", Name: "Machine a", ActivatedAt: at, LastSeenAt: at}, a)
		activate(t, s, e.ID, "b", at.Add(time.Minute))
		take := func(instance string, stale time.Time, want int, wantHas bool) error {
			_, err := s.ActivateSeat(t.Context(), marketplace.Activation{EntitlementID: e.ID, InstanceID: instance, ActivatedAt: at, LastSeenAt: at}, stale,
				func(given marketplace.Entitlement, taken int, has bool) (marketplace.Trail, error) {
					require.Equal(t, e, given)
					require.Equal(t, want, taken)
					require.Equal(t, wantHas, has)
					return marketTrail("refused"), errRefused
				})
			return err
		}
		require.ErrorIs(t, take("c", time.Time{}, 2, false), errRefused)
		require.ErrorIs(t, take("a", time.Time{}, 1, true), errRefused)
		require.ErrorIs(t, take("c", at.Add(time.Second), 1, false), errRefused)
		touched, err := s.TouchSeat(t.Context(), e.ID, "a", at.Add(-time.Hour))
		require.NoError(t, err)
		require.Equal(t, a, touched, "it never goes back")
		activate(t, s, e.ID, "a", at.Add(2*time.Minute))
		seats, err := s.Seats(t.Context(), e.ID)
		require.NoError(t, err)
		a.LastSeenAt = at.Add(2 * time.Minute)
		require.Equal(t, []marketplace.Activation{a, {EntitlementID: e.ID, InstanceID: "b", Name: "Machine b", ActivatedAt: at.Add(time.Minute), LastSeenAt: at.Add(time.Minute)}}, seats)
		_, err = s.ActivateSeat(t.Context(), marketplace.Activation{EntitlementID: e.ID, InstanceID: "c", ActivatedAt: at, LastSeenAt: at.Add(3 * time.Minute)},
			at.Add(90*time.Second), func(marketplace.Entitlement, int, bool) (marketplace.Trail, error) { return marketplace.Trail{}, nil })
		require.NoError(t, err)
		_, err = s.TouchSeat(t.Context(), e.ID, "b", at)
		require.ErrorIs(t, err, store.ErrNotFound, "it made room")
		require.NoError(t, s.ReleaseSeat(t.Context(), e.ID, "a", marketTrail("release")))
		require.ErrorIs(t, s.ReleaseSeat(t.Context(), e.ID, "a", marketTrail("again")), store.ErrNotFound)
		_, err = s.ActivateSeat(t.Context(), marketplace.Activation{EntitlementID: "unknown"}, time.Time{}, nil)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{"sell " + newQuote(1, "").ID, "release"}, marketTrails(t, s))
	},
}

// activate gives an instance a seat, or keeps it, at a time.
func activate(t *testing.T, s MarketplaceStore, id, instance string, when time.Time) marketplace.Activation {
	t.Helper()
	a, err := s.ActivateSeat(t.Context(), marketplace.Activation{
		EntitlementID: id, InstanceID: instance, Name: "Machine " + instance, ActivatedAt: when, LastSeenAt: when,
	}, time.Time{}, func(marketplace.Entitlement, int, bool) (marketplace.Trail, error) { return marketplace.Trail{}, nil })
	require.NoError(t, err)
	return a
}

var marketReplicaPromises = promises[[]MarketplaceStore]{
	"all use one transaction for different quotes at once, and one wins": func(t *testing.T, replicas []MarketplaceStore) {
		const quotes = 12
		for n := range quotes {
			addQuote(t, replicas[0], newQuote(n, marketWallet(n)))
		}
		_, errs := together(quotes, func(i int) (struct{}, error) {
			_, err := sell(t, replicas[i%len(replicas)], newQuote(i, "").ID, 1, at)
			return struct{}{}, err
		})
		require.Equal(t, quotes-1, countErrors(t, errs, marketplace.ErrTransactionUsed))
		list, err := replicas[1].Entitlements(t.Context(), marketplace.EntitlementFilter{}, store.Page{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	},
	"all consume one quote at once, and one does": func(t *testing.T, replicas []MarketplaceStore) {
		addQuote(t, replicas[0], newQuote(1, marketWallet(1)))
		const calls = 12
		_, errs := together(calls, func(i int) (struct{}, error) {
			_, err := sell(t, replicas[i%len(replicas)], newQuote(1, "").ID, i, at)
			return struct{}{}, err
		})
		require.Equal(t, calls-1, countErrors(t, errs, errRefused))
	},
	"entitlements of one wallet are numbered without a gap": func(t *testing.T, replicas []MarketplaceStore) {
		const calls = 24
		for n := range calls {
			addQuote(t, replicas[0], newQuote(n, marketWallet(n%2)))
		}
		results, errs := together(calls, func(i int) (string, error) {
			c, err := sell(t, replicas[i%len(replicas)], newQuote(i, "").ID, i, at)
			if err != nil {
				return "", err
			}
			return c.Issue.ID, nil
		})
		noErrors(t, errs)
		var want []string
		for n := range calls {
			want = append(want, marketplace.EntitlementID(8453, marketWallet(n%2), int64(n/2+1)))
		}
		require.ElementsMatch(t, want, results)
	},
	"what a wallet may hold at most holds for all together, with what it is given": func(t *testing.T, replicas []MarketplaceStore) {
		const calls, most = 18, 5
		var given []string
		for n := range calls {
			to := marketWallet(1)
			if n%3 == 0 {
				given = append(given, sold(t, replicas[0], 100+n, marketWallet(2)).ID)
			}
			addQuote(t, replicas[0], newQuote(n, to))
		}
		limit := func(held int) error {
			if held >= most {
				return errRefused
			}
			return nil
		}
		_, errs := together(calls, func(i int) (struct{}, error) {
			s := replicas[i%len(replicas)]
			if i%3 == 0 {
				_, err := s.TransferEntitlement(t.Context(), given[i/3], marketWallet(1), at, func(_ *marketplace.Entitlement, held int) (marketplace.Trail, error) {
					return marketplace.Trail{}, limit(held)
				})
				return struct{}{}, err
			}
			_, err := s.CheckOut(t.Context(), newQuote(i, "").ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
				e := newEntitlement(c, at)
				c.Issue, c.Use = &e, txClaim(i)
				return marketTrail(fmt.Sprint("sell ", i)), limit(c.Held + c.Reserved)
			})
			return struct{}{}, err
		})
		require.Equal(t, calls-most, countErrors(t, errs, errRefused))
		list, err := replicas[2].HeldEntitlements(t.Context(), marketWallet(1), newOffer(1).ID, 100)
		require.NoError(t, err)
		require.Len(t, list, most)
	},
	"seats are limited for all together": func(t *testing.T, replicas []MarketplaceStore) {
		e := sold(t, replicas[0], 1, marketWallet(1))
		const calls, most = 15, 4
		_, errs := together(calls, func(i int) (struct{}, error) {
			a := marketplace.Activation{EntitlementID: e.ID, InstanceID: fmt.Sprint(i), ActivatedAt: at, LastSeenAt: at}
			_, err := replicas[i%len(replicas)].ActivateSeat(t.Context(), a, time.Time{}, func(_ marketplace.Entitlement, taken int, _ bool) (marketplace.Trail, error) {
				if taken >= most {
					return marketplace.Trail{}, errRefused
				}
				return marketTrail(fmt.Sprint("seat ", i)), nil
			})
			return struct{}{}, err
		})
		require.Equal(t, calls-most, countErrors(t, errs, errRefused))
	},
	"one payment reserves one of many quotes": func(t *testing.T, replicas []MarketplaceStore) {
		const calls = 9
		for n := range calls {
			addQuote(t, replicas[0], newQuote(n, marketWallet(n)))
		}
		_, errs := together(calls, func(i int) (struct{}, error) {
			_, err := replicas[i%len(replicas)].CheckOut(t.Context(), newQuote(i, "").ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
				c.Quote.PaymentKey = "key"
				return marketplace.Trail{}, nil
			})
			return struct{}{}, err
		})
		require.Equal(t, calls-1, countErrors(t, errs, marketplace.ErrPaymentUsed))
	},
	"what is expired by all at once is told once": func(t *testing.T, replicas []MarketplaceStore) {
		const sales = 10
		for n := range sales {
			sold(t, replicas[0], n, marketWallet(n))
		}
		found, errs := together(6, func(i int) (n int, err error) {
			for range sales {
				list, err := replicas[i%len(replicas)].ExpireEntitlements(t.Context(), at.Add(100*time.Hour), 3, noMarketTrail)
				if err != nil {
					return n, err
				}
				n += len(list)
			}
			return n, nil
		})
		noErrors(t, errs)
		total := 0
		for _, n := range found {
			total += n
		}
		require.Equal(t, sales, total)
	},
}

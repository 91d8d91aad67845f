package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var checkoutPromises = promises[MarketplaceStore]{
	"a quote is added once, and read as it was given": func(t *testing.T, s MarketplaceStore) {
		q := newQuote(1, marketWallet(1))
		require.NoError(t, s.AddCheckoutQuote(t.Context(), q, "", marketTrail("add")))
		require.ErrorIs(t, s.AddCheckoutQuote(t.Context(), q, "", marketTrail("again")), store.ErrConflict)
		got, err := s.CheckoutQuote(t.Context(), q.ID)
		require.NoError(t, err)
		require.Equal(t, q, got)
		_, err = s.CheckoutQuote(t.Context(), "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{"add"}, marketTrails(t, s))
	},
	"a nonce is good once, for its wallet, until it expires": func(t *testing.T, s MarketplaceStore) {
		nonce := marketplace.Challenge{ID: "n1", Wallet: marketWallet(1), CreatedAt: at, ExpiresAt: at.Add(time.Minute)}
		require.NoError(t, s.AddChallenge(t.Context(), nonce))
		late := newQuote(1, marketWallet(1))
		late.CreatedAt = at.Add(time.Minute)
		for _, q := range []marketplace.CheckoutQuote{newQuote(2, marketWallet(2)), late} {
			require.ErrorIs(t, s.AddCheckoutQuote(t.Context(), q, "n1", marketTrail("refused")), store.ErrNotFound)
		}
		require.NoError(t, s.AddCheckoutQuote(t.Context(), newQuote(3, marketWallet(1)), "n1", marketTrail("add")))
		require.ErrorIs(t, s.AddCheckoutQuote(t.Context(), newQuote(4, marketWallet(1)), "n1", marketTrail("again")), store.ErrNotFound)
		_, err := s.CheckoutQuote(t.Context(), newQuote(4, "").ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{"add"}, marketTrails(t, s))
	},
	"quotes are listed by ID and filtered, in pages": func(t *testing.T, s MarketplaceStore) {
		for n := range 5 {
			addQuote(t, s, newQuote(n, marketWallet(n%2)))
		}
		_, err := sell(t, s, newQuote(0, "").ID, 1, at)
		require.NoError(t, err)
		_, err = s.UpdateCheckoutQuote(t.Context(), newQuote(3, "").ID, func(q *marketplace.CheckoutQuote) (marketplace.Trail, error) {
			q.PaymentKey = "key"
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		for want, f := range map[string]marketplace.QuoteFilter{
			"01234": {}, "024": {Wallet: marketWallet(0)}, "0": {State: marketplace.QuoteConsumed}, "": {OfferID: "other"},
			"01234 ": {PayerWallet: marketWallet(99), IssuerID: "edut.firstparty"}, "3": {Reserved: true},
		} {
			got := ""
			for _, q := range walk(t, 2, func(p store.Page) (marketplace.List[marketplace.CheckoutQuote], error) {
				return s.CheckoutQuotes(t.Context(), f, p)
			}) {
				got += q.ID[len(q.ID)-1:]
			}
			require.Equal(t, strings.TrimSpace(want), got)
		}
	},
	"a quote is reserved for a payment, and a payment for one quote": func(t *testing.T, s MarketplaceStore) {
		one, two := addQuote(t, s, newQuote(1, marketWallet(1))), addQuote(t, s, newQuote(2, marketWallet(2)))
		reserve := func(id, key string) error {
			_, err := s.UpdateCheckoutQuote(t.Context(), id, func(q *marketplace.CheckoutQuote) (marketplace.Trail, error) {
				q.PaymentKey, q.Payment, q.PaymentUntil = key, json.RawMessage(`{"p":1}`), at.Add(time.Hour)
				return marketplace.Trail{}, nil
			})
			return err
		}
		require.NoError(t, reserve(one.ID, "key-1"))
		require.NoError(t, reserve(one.ID, "key-1"))
		require.ErrorIs(t, reserve(two.ID, "key-1"), marketplace.ErrPaymentUsed)
		got, err := s.CheckoutQuote(t.Context(), one.ID)
		require.NoError(t, err)
		require.Equal(t, "key-1", got.PaymentKey)
		require.JSONEq(t, `{"p":1}`, string(got.Payment))
		require.Equal(t, at.Add(time.Hour), got.PaymentUntil)
		_, err = s.CheckOut(t.Context(), two.ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
			c.Quote.PaymentKey = "key-1"
			return marketTrail("refused"), nil
		})
		require.ErrorIs(t, err, marketplace.ErrPaymentUsed)
		require.NoError(t, reserve(one.ID, ""))
		require.NoError(t, reserve(two.ID, "key-1"))
		require.Empty(t, marketTrails(t, s))
	},
	"open quotes expire, but for those that are reserved": func(t *testing.T, s MarketplaceStore) {
		for n := range 4 {
			addQuote(t, s, newQuote(n, marketWallet(1)))
		}
		_, err := s.UpdateCheckoutQuote(t.Context(), newQuote(1, "").ID, func(q *marketplace.CheckoutQuote) (marketplace.Trail, error) {
			q.PaymentKey = "key"
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		_, err = sell(t, s, newQuote(2, "").ID, 1, at)
		require.NoError(t, err)
		expire := func(now time.Time) int {
			list, err := s.ExpireCheckoutQuotes(t.Context(), now, 1, func(q marketplace.CheckoutQuote) marketplace.Trail { return marketTrail("expire " + q.ID) })
			require.NoError(t, err)
			return len(list)
		}
		require.Zero(t, expire(at.Add(15*time.Minute-time.Microsecond)))
		require.Equal(t, []int{1, 1, 0}, []int{expire(at.Add(15 * time.Minute)), expire(at.Add(15 * time.Minute)), expire(at.Add(15 * time.Minute))})
		for n, want := range []marketplace.QuoteState{marketplace.QuoteExpired, marketplace.QuoteOpen, marketplace.QuoteConsumed, marketplace.QuoteExpired} {
			q, err := s.CheckoutQuote(t.Context(), newQuote(n, "").ID)
			require.NoError(t, err)
			require.Equal(t, want, q.State)
		}
		require.Len(t, marketTrails(t, s), 3)
	},
	"old quotes that have bought nothing are forgotten, some at a time": func(t *testing.T, s MarketplaceStore) {
		states := []marketplace.QuoteState{
			marketplace.QuoteExpired, marketplace.QuoteVoid, marketplace.QuoteOpen, marketplace.QuoteConsumed, marketplace.QuoteExpired, marketplace.QuoteExpired,
		}
		for n, state := range states {
			q := newQuote(n, marketWallet(1))
			if n == 5 {
				q.ExpiresAt = q.ExpiresAt.Add(time.Microsecond)
			}
			addQuote(t, s, q)
			_, err := s.UpdateCheckoutQuote(t.Context(), q.ID, func(q *marketplace.CheckoutQuote) (marketplace.Trail, error) {
				if q.State = state; n == 4 {
					q.PaymentKey = "key"
				}
				return marketplace.Trail{}, nil
			})
			require.NoError(t, err)
		}
		for _, want := range []int{1, 1, 0} {
			n, err := s.DropCheckoutQuotes(t.Context(), at.Add(15*time.Minute+time.Microsecond), 1)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		left, err := s.CheckoutQuotes(t.Context(), marketplace.QuoteFilter{}, store.Page{})
		require.NoError(t, err)
		require.Equal(t, []string{newQuote(2, "").ID, newQuote(3, "").ID, newQuote(4, "").ID, newQuote(5, "").ID}, ids(left.Items))
	},
	"a checkout writes quote, transaction, membership, entitlement and trail": func(t *testing.T, s MarketplaceStore) {
		q := addQuote(t, s, newQuote(1, marketWallet(1)))
		var want marketplace.Entitlement
		c, err := s.CheckOut(t.Context(), q.ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
			require.Equal(t, marketplace.Checkout{
				Quote: q, Membership: marketplace.Membership{Wallet: marketWallet(1), Status: marketplace.MembershipNone}, Number: 1,
			}, *c)
			want = newEntitlement(c, at)
			e := want
			c.Issue, c.Use = &e, txClaim(1)
			c.Quote.State, c.Quote.TxHash, c.Quote.EntitlementID, c.Quote.ConsumedAt = marketplace.QuoteConsumed, "0x01", e.ID, at
			c.Membership.Status, c.Membership.QuoteID, c.Membership.TxHash, c.Membership.ChainID = marketplace.MembershipActive, q.ID, "0x01", 8453
			c.Membership.ActivatedAt, c.Membership.UpdatedAt = at, at
			return marketTrail("sell"), nil
		})
		require.NoError(t, err)
		require.Equal(t, want, *c.Issue)
		e, err := s.Entitlement(t.Context(), "ent:8453:"+marketWallet(1)+":000001")
		require.NoError(t, err)
		require.Equal(t, want, e)
		stored, err := s.CheckoutQuote(t.Context(), q.ID)
		require.NoError(t, err)
		require.Equal(t, c.Quote, stored)
		require.Equal(t, marketplace.QuoteConsumed, stored.State)
		m, err := s.Membership(t.Context(), marketWallet(1))
		require.NoError(t, err)
		require.Equal(t, marketplace.Membership{
			Wallet: marketWallet(1), Status: marketplace.MembershipActive, QuoteID: q.ID, TxHash: "0x01", ChainID: 8453, ActivatedAt: at, UpdatedAt: at,
		}, m)
		used, err := s.TransactionUsed(t.Context(), *txClaim(1), "another")
		require.NoError(t, err)
		require.True(t, used)
		require.Equal(t, []string{"sell"}, marketTrails(t, s))
	},
	"a checkout that is refused, or whose transaction is used up, changes nothing": func(t *testing.T, s MarketplaceStore) {
		sold(t, s, 1, marketWallet(1))
		q := addQuote(t, s, newQuote(2, marketWallet(1)))
		_, err := s.CheckOut(t.Context(), q.ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
			e := newEntitlement(c, at)
			c.Issue, c.Use, c.Quote.State, c.Membership.Status = &e, txClaim(2), marketplace.QuoteConsumed, marketplace.MembershipActive
			return marketTrail("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, err = sell(t, s, q.ID, 1, at)
		require.ErrorIs(t, err, marketplace.ErrTransactionUsed)
		_, err = s.CheckOut(t.Context(), "unknown", at, nil)
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := s.CheckoutQuote(t.Context(), q.ID)
		require.NoError(t, err)
		require.Equal(t, q, got)
		m, err := s.Membership(t.Context(), marketWallet(1))
		require.NoError(t, err)
		require.Equal(t, marketplace.MembershipNone, m.Status)
		used, err := s.TransactionUsed(t.Context(), *txClaim(2), q.ID)
		require.NoError(t, err)
		require.False(t, used)
		c, err := sell(t, s, q.ID, 2, at)
		require.NoError(t, err)
		require.EqualValues(t, 2, c.Number, "no number is lost")
		require.Len(t, marketTrails(t, s), 2)
	},
	"one transaction pays one quote, or several by x402, of one payer": func(t *testing.T, s MarketplaceStore) {
		use := func(n int, claim marketplace.TransactionClaim) error {
			q := addQuote(t, s, newQuote(n, marketWallet(n)))
			_, err := s.CheckOut(t.Context(), q.ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
				c.Use = &claim
				return marketplace.Trail{}, nil
			})
			return err
		}
		plain, shared := *txClaim(1), *txClaim(2)
		shared.Shared = true
		require.NoError(t, use(1, plain))
		require.ErrorIs(t, use(2, plain), marketplace.ErrTransactionUsed)
		require.NoError(t, use(3, shared))
		require.NoError(t, use(4, shared))
		asPlain, asShared := shared, plain
		asPlain.Shared, asShared.Shared = false, true
		require.ErrorIs(t, use(5, asPlain), marketplace.ErrTransactionUsed)
		require.ErrorIs(t, use(6, asShared), marketplace.ErrTransactionUsed)
		other := plain
		other.Payer = marketWallet(98)
		require.NoError(t, use(7, other), "another payer's money in the same transaction")
		other = plain
		other.Network = x402.BaseSepolia
		require.NoError(t, use(8, other))
	},
	"a checkout counts what the wallet holds and what is reserved": func(t *testing.T, s MarketplaceStore) {
		for n := range 4 {
			sold(t, s, n, marketWallet(1))
		}
		sold(t, s, 5, marketWallet(2))
		for n, state := range []marketplace.EntitlementState{marketplace.EntitlementSuspended, marketplace.EntitlementRevoked} {
			_, err := s.UpdateEntitlement(t.Context(), marketplace.EntitlementID(8453, marketWallet(1), int64(n+1)), func(e *marketplace.Entitlement) (marketplace.Trail, error) {
				e.State = state
				return marketplace.Trail{}, nil
			})
			require.NoError(t, err)
		}
		for n := 10; n < 13; n++ {
			q := newQuote(n, marketWallet(1))
			if n == 12 {
				q.Renews = marketplace.EntitlementID(8453, marketWallet(1), 1)
			}
			addQuote(t, s, q)
			_, err := s.UpdateCheckoutQuote(t.Context(), q.ID, func(q *marketplace.CheckoutQuote) (marketplace.Trail, error) {
				q.PaymentKey = fmt.Sprint("key ", n)
				return marketplace.Trail{}, nil
			})
			require.NoError(t, err)
		}
		look := func(id string, now time.Time) (seen marketplace.Checkout) {
			_, err := s.CheckOut(t.Context(), id, now, func(c *marketplace.Checkout) (marketplace.Trail, error) {
				seen = *c
				return marketplace.Trail{}, errRefused
			})
			require.ErrorIs(t, err, errRefused)
			return seen
		}
		seen := look(newQuote(10, "").ID, at.Add(time.Minute))
		require.Equal(t, 3, seen.Held, "one suspended, two active")
		require.Equal(t, 1, seen.Reserved, "neither itself nor a renewal")
		require.EqualValues(t, 5, seen.Number)
		require.Nil(t, seen.Renewed)
		seen = look(newQuote(12, "").ID, at.Add(time.Hour+2*time.Second))
		require.Equal(t, 2, seen.Held, "one of the active has expired")
		require.Equal(t, 2, seen.Reserved)
		require.Equal(t, marketplace.EntitlementID(8453, marketWallet(1), 1), seen.Renewed.ID)
		require.True(t, seen.Joining)
		_, err := s.TransferEntitlement(t.Context(), marketplace.EntitlementID(8453, marketWallet(2), 1), marketWallet(1), at.Add(time.Minute),
			func(_ *marketplace.Entitlement, held int) (marketplace.Trail, error) {
				require.Equal(t, 3+2, held)
				return marketplace.Trail{}, errRefused
			})
		require.ErrorIs(t, err, errRefused)

		again := newQuote(13, marketWallet(1)) // renews one that has ended, as does another
		again.Renews = marketplace.EntitlementID(8453, marketWallet(1), 2)
		addQuote(t, s, again)
		_, err = s.UpdateCheckoutQuote(t.Context(), again.ID, func(q *marketplace.CheckoutQuote) (marketplace.Trail, error) {
			q.PaymentKey = "key 13"
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		seen = look(newQuote(10, "").ID, at.Add(time.Minute))
		require.Equal(t, 2, seen.Reserved, "what a renewal of something that has ended gives back counts")
		require.Equal(t, 2, look(again.ID, at.Add(time.Minute)).Reserved)
		alone := newQuote(14, marketWallet(2))
		addQuote(t, s, alone)
		require.False(t, look(alone.ID, at).Joining, "nothing of another wallet counts")
	},
	"a checkout renews an entitlement": func(t *testing.T, s MarketplaceStore) {
		e := sold(t, s, 1, marketWallet(1))
		q := newQuote(2, marketWallet(1))
		q.Renews = e.ID
		addQuote(t, s, q)
		c, err := s.CheckOut(t.Context(), q.ID, at, func(c *marketplace.Checkout) (marketplace.Trail, error) {
			require.Equal(t, e, *c.Renewed)
			c.Renewed.ExpiresAt, c.Renewed.Availability, c.Renewed.UpdatedAt = at.Add(5*time.Hour), marketplace.AvailabilityGrace, at.Add(time.Minute)
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		e.ExpiresAt, e.Availability, e.UpdatedAt = at.Add(5*time.Hour), marketplace.AvailabilityGrace, at.Add(time.Minute)
		require.Equal(t, e, *c.Renewed)
		got, err := s.Entitlement(t.Context(), e.ID)
		require.NoError(t, err)
		require.Equal(t, e, got)
	},
	"memberships are changed with a trail, or not at all, and listed": func(t *testing.T, s MarketplaceStore) {
		set := func(n int, status marketplace.MembershipStatus, err error) error {
			_, err = s.UpdateMembership(t.Context(), marketWallet(n), func(m *marketplace.Membership) (marketplace.Trail, error) {
				m.Status, m.Reason, m.UpdatedAt = status, "because", at
				return marketTrail(fmt.Sprint("set ", n)), err
			})
			return err
		}
		require.NoError(t, set(1, marketplace.MembershipActive, nil))
		require.NoError(t, set(2, marketplace.MembershipSuspended, nil))
		require.ErrorIs(t, set(3, marketplace.MembershipActive, errRefused), errRefused)
		none, err := s.Membership(t.Context(), marketWallet(3))
		require.NoError(t, err)
		require.Equal(t, marketplace.Membership{Wallet: marketWallet(3), Status: marketplace.MembershipNone}, none)
		sold(t, s, 4, marketWallet(4)) // without membership
		list := walk(t, 1, func(p store.Page) (marketplace.List[marketplace.Membership], error) {
			return s.Memberships(t.Context(), marketplace.MembershipFilter{}, p)
		})
		require.Equal(t, []marketplace.Membership{
			{Wallet: marketWallet(1), Status: marketplace.MembershipActive, Reason: "because", UpdatedAt: at},
			{Wallet: marketWallet(2), Status: marketplace.MembershipSuspended, Reason: "because", UpdatedAt: at},
		}, list)
		active, err := s.Memberships(t.Context(), marketplace.MembershipFilter{Status: marketplace.MembershipActive}, store.Page{})
		require.NoError(t, err)
		require.Len(t, active.Items, 1)
		require.Len(t, marketTrails(t, s), 3)
	},
}

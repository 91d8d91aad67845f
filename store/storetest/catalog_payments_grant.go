package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var grantPromises = promises[PaymentStore]{
	"a grant is used until it is exhausted, expired or gone": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		_, g := confirm(t, s, p, proofOf(p, 1, 0))
		for n := range 3 {
			used, ok, err := s.UseAccessGrant(t.Context(), g.ID, at.Add(time.Second))
			require.NoError(t, err)
			require.Equal(t, n < 2, ok)
			g.Accesses, g.LastAccessAt = min(int64(n)+2, 3), at.Add(time.Second)
			require.Equal(t, g, used)
		}
		require.Equal(t, catalog.GrantExhausted, g.Status(at))
		q := addPayment(t, s, newPayment(2))
		_, g = confirm(t, s, q, proofOf(q, 2, 0))
		_, ok, err := s.UseAccessGrant(t.Context(), g.ID, g.ExpiresAt)
		require.NoError(t, err)
		require.False(t, ok)
	},
	"a grant is started once, while it is live": func(t *testing.T, s PaymentStore) {
		for n, edit := range []func(*catalog.Grant){
			func(*catalog.Grant) {}, func(g *catalog.Grant) { g.RevokedAt = at }, func(g *catalog.Grant) { g.ExpiresAt = at },
		} {
			p := addPayment(t, s, newPayment(n))
			_, g, err := s.ConfirmProductPayment(t.Context(), p.ID, proofOf(p, n, 0), func(c *catalog.Payment) (*catalog.Grant, []store.Event, error) {
				g, events, err := confirming(proofOf(p, n, 0), at)(c)
				g.Accesses, g.LastAccessAt = 0, time.Time{}
				edit(g)
				return g, events, err
			})
			require.NoError(t, err)
			want := *g
			if n == 0 {
				want.Accesses, want.LastAccessAt = 1, at.Add(time.Second)
			}
			for d := range 2 {
				got, err := s.StartAccessGrant(t.Context(), g.ID, at.Add(time.Duration(d+1)*time.Second))
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
		_, err := s.StartAccessGrant(t.Context(), "none", at)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"the last access is repeated so often and for so long": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1))
		_, g := confirm(t, s, p, proofOf(p, 1, 0))
		repeat := func(since time.Time) bool {
			ok, err := s.RepeatAccessGrant(t.Context(), g.ID, since, 2)
			require.NoError(t, err)
			return ok
		}
		require.False(t, repeat(at), "it was not later")
		require.Equal(t, []bool{true, true, false}, []bool{repeat(at.Add(-1)), repeat(at.Add(-time.Second)), repeat(at.Add(-time.Second))})
		_, ok, err := s.UseAccessGrant(t.Context(), g.ID, at.Add(time.Second))
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, repeat(at), "another one")
		got, err := s.AccessGrant(t.Context(), g.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, got.Accesses)
		ok, err = s.RepeatAccessGrant(t.Context(), "none", at, 2)
		require.NoError(t, err)
		require.False(t, ok)
	},
	"the live grant that lasts longest is found by user or payer": func(t *testing.T, s PaymentStore) {
		const payer = "0x857b06519e91e3a54538791bdbb0e22373e36b66"
		var ids []string
		for n, d := range []time.Duration{time.Hour, 0, 2 * time.Hour} {
			p := addPayment(t, s, newPayment(n, func(p *catalog.Payment) { p.AccessDuration, p.MaxAccesses = d, 0 }))
			_, g := confirm(t, s, p, proofOf(p, n, 0))
			ids = append(ids, g.ID)
		}
		find := func(product, user, payer string, now time.Time) string {
			g, err := s.AccessGrantOf(t.Context(), product, user, payer, now)
			if errors.Is(err, store.ErrNotFound) {
				return ""
			}
			require.NoError(t, err)
			return g.ID
		}
		require.Equal(t, ids[1], find("product-1", "user-1", "", at))
		require.Equal(t, ids[1], find("product-1", "", payer, at.Add(1000*time.Hour)))
		require.Empty(t, find("product-1", "", "", at))
		require.Empty(t, find("product-1", "user-2", "0x00", at))
		require.Empty(t, find("product-2", "user-1", payer, at))
		list, err := s.AccessGrants(t.Context(), "product-1", "user-1", "", at.Add(90*time.Minute))
		require.NoError(t, err)
		require.Len(t, list, 2)
		for _, c := range []struct {
			buyers []string
			want   bool
		}{{nil, false}, {[]string{"user-2"}, false}, {[]string{"user-2", "user-1"}, true}, {[]string{payer}, true}, {[]string{""}, false}} {
			bought, err := s.HasBought(t.Context(), "product-1", c.buyers)
			require.NoError(t, err)
			require.Equal(t, c.want, bought, "%v", c.buyers)
		}
	},
	"a buyer who is not a user has no user's grants": func(t *testing.T, s PaymentStore) {
		p := addPayment(t, s, newPayment(1, func(p *catalog.Payment) { p.UserID = "" }))
		confirm(t, s, p, proofOf(p, 1, 0))
		_, err := s.AccessGrantOf(t.Context(), "product-1", "", "0x01", at)
		require.ErrorIs(t, err, store.ErrNotFound)
		bought, err := s.HasBought(t.Context(), "product-1", []string{""})
		require.NoError(t, err)
		require.False(t, bought)
	},
}

var quotePromises = promises[PaymentStore]{
	"quotes are found until they expire, the newest first, and then purged": func(t *testing.T, s PaymentStore) {
		for n := range 12 {
			require.NoError(t, s.AddAccessQuote(t.Context(), catalog.Quote{
				ID: fmt.Sprintf("q%02d", n), ProductID: "p", Requester: "r", Resource: "/x", Amount: x402.NewAmount(uint64(n)),
				CreatedAt: at.Add(time.Duration(n) * time.Second), ExpiresAt: at.Add(time.Duration(n) * time.Minute),
			}))
		}
		list, err := s.AccessQuotes(t.Context(), "p", "r", "/x", at.Add(9*time.Minute))
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, catalog.Quote{
			ID: "q11", ProductID: "p", Requester: "r", Resource: "/x", Amount: x402.NewAmount(11), CreatedAt: at.Add(11 * time.Second), ExpiresAt: at.Add(11 * time.Minute),
		}, list[0])
		list, err = s.AccessQuotes(t.Context(), "p", "r", "/x", at.Add(-time.Hour))
		require.NoError(t, err)
		require.Len(t, list, catalog.MaxQuotes)
		for _, c := range [][3]string{{"q", "r", "/x"}, {"p", "s", "/x"}, {"p", "r", "/y"}} {
			list, err := s.AccessQuotes(t.Context(), c[0], c[1], c[2], at)
			require.NoError(t, err)
			require.Empty(t, list)
		}
		n, err := s.PurgeAccessQuotes(t.Context(), at.Add(5*time.Minute), 4)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		n, err = s.PurgeAccessQuotes(t.Context(), at.Add(5*time.Minute), 100)
		require.NoError(t, err)
		require.Equal(t, 2, n)
	},
}

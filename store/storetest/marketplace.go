package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// MarketplaceStore is a marketplace with the outbox that its events go to.
type MarketplaceStore interface {
	marketplace.Store
	store.Outbox
}

// TestMarketplace shows that open returns empty stores that keep a marketplace as
// [marketplace.Store] promises, on so many replicas as are asked for. Sessions of
// wallets have [TestWallet].
func TestMarketplace(t *testing.T, open Open[MarketplaceStore]) {
	marketPromises.run(t, open.one)
	checkoutPromises.run(t, open.one)
	entitlementPromises.run(t, open.one)
	marketReplicaPromises.run(t, open.some(3))
	promises[[]MarketplaceStore]{"a marketplace does what a simple model does": checkMarketModel}.run(t, open.some(2))
}

// marketTrail leaves an audit entry and an event with the name.
func marketTrail(name string) marketplace.Trail {
	return marketplace.Trail{
		Audit:  []marketplace.AuditEntry{{At: epoch, Actor: "tester", Action: name, Subject: "thing:1", Detail: []byte(`{"n":1}`)}},
		Events: []store.Event{{ID: "event-" + name, Type: name, Subject: "1", Data: []byte(`{}`), CreatedAt: epoch}},
	}
}

// noMarketTrail is what a change saves that leaves none.
func noMarketTrail[T any](T) marketplace.Trail { return marketplace.Trail{} }

// marketTrails are the actions in the audit log and the types in the outbox, the
// oldest first, which must be the same.
func marketTrails(t *testing.T, s MarketplaceStore) []string {
	t.Helper()
	list, err := s.MarketAudit(t.Context(), marketplace.AuditFilter{}, store.Page{})
	require.NoError(t, err)
	var actions, types []string
	for i := range list.Items {
		actions = append(actions, list.Items[len(list.Items)-1-i].Action)
	}
	events, err := s.LeaseEvents(t.Context(), "reader", epoch, epoch, 1000)
	require.NoError(t, err)
	for _, e := range events {
		types = append(types, e.Type)
	}
	require.Equal(t, actions, types)
	return actions
}

// marketWallet is the nth wallet.
func marketWallet(n int) string { return fmt.Sprintf("0x%040x", n) }

// newOffer is the nth offer, active.
func newOffer(n int) marketplace.Offer {
	return marketplace.Offer{
		ID: fmt.Sprintf("edut.offer.%03d", n), IssuerID: "edut.firstparty", Title: fmt.Sprintf("Offer №%d 100%%", n), Summary: "A licence.",
		Status: marketplace.OfferActive, AccessClass: marketplace.Connected, Type: marketplace.ModuleLicense, Scope: marketplace.ScopeWorkspace,
		Pricing:  marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(499_000_000), Decimals: 6, ChainID: 8453},
		Policies: marketplace.Policies{MemberOnly: true, WorkspaceBound: true, MaxPerWallet: 2}, TermSeconds: 3600, Seats: 3,
		LineLabel: "Licence", Approved: true, RevokedPolicies: []string{strings.Repeat("a", 64)}, CreatedAt: at, UpdatedAt: at.Add(time.Second),
	}
}

func addOffers(t *testing.T, s MarketplaceStore, n int) []marketplace.Offer {
	t.Helper()
	list := make([]marketplace.Offer, n)
	for i := range list {
		list[i] = newOffer(i)
		require.NoError(t, s.AddOffer(t.Context(), list[i], marketplace.Trail{}))
	}
	return list
}

// newIssuer fills in the nth issuer.
func newIssuer(n int) func(*marketplace.Issuer, bool) (marketplace.Trail, error) {
	return func(i *marketplace.Issuer, _ bool) (marketplace.Trail, error) {
		i.Name, i.URL, i.Status, i.CreatedAt, i.UpdatedAt = fmt.Sprint("Issuer ", n), "https://example.com", marketplace.IssuerActive, epoch, epoch
		i.OwnerID = fmt.Sprint("user ", n)
		return marketplace.Trail{}, nil
	}
}

// walk reads a list page by page.
func walk[T any](t *testing.T, limit int, list func(store.Page) (marketplace.List[T], error)) []T {
	t.Helper()
	var out []T
	for page := (store.Page{Limit: limit}); ; {
		got, err := list(page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got.Items), limit)
		out = append(out, got.Items...)
		if page.Cursor = got.Next; page.Cursor == "" {
			return out
		}
		require.Len(t, got.Items, limit, "only the last page is short")
	}
}

var marketPromises = promises[MarketplaceStore]{
	"an issuer is put, changed and read, with a trail or not at all": func(t *testing.T, s MarketplaceStore) {
		i, err := s.PutIssuer(t.Context(), "edut.firstparty", func(i *marketplace.Issuer, exists bool) (marketplace.Trail, error) {
			require.False(t, exists)
			require.Equal(t, marketplace.Issuer{ID: "edut.firstparty"}, *i)
			_, err := newIssuer(1)(i, exists)
			return marketTrail("put"), err
		})
		require.NoError(t, err)
		want := marketplace.Issuer{
			ID: "edut.firstparty", Name: "Issuer 1", URL: "https://example.com", Status: marketplace.IssuerActive, OwnerID: "user 1", CreatedAt: at, UpdatedAt: at,
		}
		require.Equal(t, want, i)
		_, err = s.PutIssuer(t.Context(), "edut.firstparty", func(i *marketplace.Issuer, exists bool) (marketplace.Trail, error) {
			require.True(t, exists)
			i.Name = "refused"
			return marketTrail("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, err = s.PutIssuer(t.Context(), "other", func(*marketplace.Issuer, bool) (marketplace.Trail, error) {
			return marketTrail("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		i, err = s.Issuer(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, i)
		_, err = s.Issuer(t.Context(), "other")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{"put"}, marketTrails(t, s))
	},
	"issuers are listed by ID, in pages": func(t *testing.T, s MarketplaceStore) {
		for n := range 7 {
			_, err := s.PutIssuer(t.Context(), fmt.Sprintf("issuer-%d", 6-n), newIssuer(n))
			require.NoError(t, err)
		}
		list := walk(t, 3, func(p store.Page) (marketplace.List[marketplace.Issuer], error) {
			return s.Issuers(t.Context(), marketplace.IssuerFilter{Status: marketplace.IssuerActive}, p)
		})
		require.Len(t, list, 7)
		for n, i := range list {
			require.Equal(t, fmt.Sprintf("issuer-%d", n), i.ID)
		}
		_, err := s.PutIssuer(t.Context(), "issuer-2", func(i *marketplace.Issuer, _ bool) (marketplace.Trail, error) {
			i.OwnerID = "ann"
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		owned, err := s.Issuers(t.Context(), marketplace.IssuerFilter{OwnerID: "ann"}, store.Page{})
		require.NoError(t, err)
		require.Len(t, owned.Items, 1)
		require.Equal(t, "issuer-2", owned.Items[0].ID)
		none, err := s.Issuers(t.Context(), marketplace.IssuerFilter{Status: marketplace.IssuerSuspended}, store.Page{})
		require.NoError(t, err)
		require.Empty(t, none.Items)
	},
	"an offer is added once, and read as it was given": func(t *testing.T, s MarketplaceStore) {
		require.NoError(t, s.AddOffer(t.Context(), newOffer(1), marketTrail("add")))
		require.ErrorIs(t, s.AddOffer(t.Context(), newOffer(1), marketTrail("again")), store.ErrConflict)
		o, err := s.Offer(t.Context(), newOffer(1).ID)
		require.NoError(t, err)
		require.Equal(t, newOffer(1), o)
		_, err = s.Offer(t.Context(), "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{"add"}, marketTrails(t, s))
	},
	"an offer changes with a trail, or not at all, and keeps its ID and issuer": func(t *testing.T, s MarketplaceStore) {
		addOffers(t, s, 2)
		_, err := s.UpdateOffer(t.Context(), newOffer(1).ID, func(o *marketplace.Offer) (marketplace.Trail, error) {
			o.Title = "refused"
			return marketTrail("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		_, err = s.UpdateOffer(t.Context(), "unknown", func(*marketplace.Offer) (marketplace.Trail, error) { return marketplace.Trail{}, nil })
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := s.UpdateOffer(t.Context(), newOffer(1).ID, func(o *marketplace.Offer) (marketplace.Trail, error) {
			require.Equal(t, newOffer(1), *o)
			*o = newOffer(5)
			o.IssuerID, o.CreatedAt, o.Status = "somebody", epoch.Add(time.Hour), marketplace.OfferPaused
			return marketTrail("edit"), nil
		})
		require.NoError(t, err)
		want := newOffer(5)
		want.ID, want.Status = newOffer(1).ID, marketplace.OfferPaused
		require.Equal(t, want, got)
		got, err = s.Offer(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, []string{"edit"}, marketTrails(t, s))
	},
	"offers are listed by ID and filtered, in pages": func(t *testing.T, s MarketplaceStore) {
		all := addOffers(t, s, 9)
		_, err := s.UpdateOffer(t.Context(), all[4].ID, func(o *marketplace.Offer) (marketplace.Trail, error) {
			o.Status, o.Pricing.Currency, o.Pricing.ChainID, o.Summary = marketplace.OfferPaused, "ETH", 1, "Needle_in 100% hay"
			return marketplace.Trail{}, nil
		})
		require.NoError(t, err)
		for want, f := range map[int]marketplace.OfferFilter{
			9: {}, 8: {Status: marketplace.OfferActive}, 1: {Status: marketplace.OfferPaused}, 0: {IssuerID: "other"},
		} {
			list := walk(t, 2, func(p store.Page) (marketplace.List[marketplace.Offer], error) { return s.Offers(t.Context(), f, p) })
			require.Len(t, list, want)
		}
		for _, f := range []marketplace.OfferFilter{{Currency: "ETH"}, {ChainID: 1}, {Search: "NEEDLE_IN 100%"}, {Search: "offer.004"}} {
			list, err := s.Offers(t.Context(), f, store.Page{})
			require.NoError(t, err)
			require.Len(t, list.Items, 1, "%+v", f)
			require.Equal(t, all[4].ID, list.Items[0].ID)
		}
		list, err := s.Offers(t.Context(), marketplace.OfferFilter{Search: "needle%in"}, store.Page{})
		require.NoError(t, err)
		require.Empty(t, list.Items, "wildcards are text")
	},
	"an approval is given, replaced, listed and withdrawn": func(t *testing.T, s MarketplaceStore) {
		for n := range 3 {
			a := marketplace.Approval{OfferID: "offer", Wallet: marketWallet(n), By: "admin:a", At: at}
			require.NoError(t, s.ApproveBuyer(t.Context(), a, marketTrail(fmt.Sprint("approve ", n))))
		}
		again := marketplace.Approval{OfferID: "offer", Wallet: marketWallet(1), By: "admin:b", At: at.Add(time.Hour)}
		require.NoError(t, s.ApproveBuyer(t.Context(), again, marketplace.Trail{}))
		got, err := s.BuyerApproval(t.Context(), "offer", marketWallet(1))
		require.NoError(t, err)
		require.Equal(t, again, got)
		list := walk(t, 2, func(p store.Page) (marketplace.List[marketplace.Approval], error) {
			return s.BuyerApprovals(t.Context(), "offer", p)
		})
		require.Len(t, list, 3)
		require.NoError(t, s.WithdrawApproval(t.Context(), "offer", marketWallet(1), marketTrail("withdraw")))
		require.ErrorIs(t, s.WithdrawApproval(t.Context(), "offer", marketWallet(1), marketTrail("again")), store.ErrNotFound)
		_, err = s.BuyerApproval(t.Context(), "offer", marketWallet(1))
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{"approve 0", "approve 1", "approve 2", "withdraw"}, marketTrails(t, s))
	},
	"the audit log is listed the newest first and filtered, in pages": func(t *testing.T, s MarketplaceStore) {
		for n := range 6 {
			trail := marketTrail(fmt.Sprint("do ", n))
			trail.Audit[0].At, trail.Audit[0].Subject = epoch.Add(time.Duration(n)*time.Second), fmt.Sprint("thing:", n%2)
			require.NoError(t, s.AddOffer(t.Context(), newOffer(n), trail))
		}
		list := walk(t, 4, func(p store.Page) (marketplace.List[marketplace.AuditEntry], error) {
			return s.MarketAudit(t.Context(), marketplace.AuditFilter{Actor: "tester"}, p)
		})
		require.Len(t, list, 6)
		for n, e := range list {
			require.Equal(t, marketplace.AuditEntry{
				ID: int64(6 - n), At: at.Add(time.Duration(5-n) * time.Second), Actor: "tester", Action: fmt.Sprint("do ", 5-n),
				Subject: fmt.Sprint("thing:", (5-n)%2), Detail: []byte(`{"n":1}`),
			}, e)
		}
		for want, f := range map[int]marketplace.AuditFilter{
			3: {Subject: "thing:1"}, 1: {Action: "do 4"}, 2: {From: epoch.Add(time.Second), To: epoch.Add(3 * time.Second)}, 0: {Actor: "nobody"},
		} {
			got, err := s.MarketAudit(t.Context(), f, store.Page{})
			require.NoError(t, err)
			require.Len(t, got.Items, want, "%+v", f)
		}
		_, err := s.MarketAudit(t.Context(), marketplace.AuditFilter{}, store.Page{Cursor: "x"})
		require.ErrorIs(t, err, marketplace.ErrCursor)
	},
	"nothing is done in a context that has ended": func(t *testing.T, s MarketplaceStore) {
		require.Error(t, s.AddOffer(cancelled(t), newOffer(1), marketplace.Trail{}))
		_, err := s.Offer(cancelled(t), newOffer(1).ID)
		require.Error(t, err)
		_, err = s.Offer(t.Context(), newOffer(1).ID)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
}

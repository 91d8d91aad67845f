package marketplace_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

func TestAnEntitlementGoesFromStateToStateAsDocumented(t *testing.T) {
	t.Parallel()
	type step = func(*room, string) error
	steps := map[string]step{
		"suspend": func(r *room, id string) error {
			_, err := r.SuspendEntitlement(context.Background(), roomIssuer, id, "why")
			return err
		},
		"reinstate": func(r *room, id string) error {
			_, err := r.ReinstateEntitlement(context.Background(), roomIssuer, id, "why")
			return err
		},
		"revoke": func(r *room, id string) error {
			_, err := r.RevokeEntitlement(context.Background(), roomIssuer, id, "why")
			return err
		},
		"expire": func(r *room, _ string) error { r.now = r.now.Add(time.Hour); return nil },
		"extend": func(r *room, id string) error {
			_, err := r.ExtendEntitlement(context.Background(), roomIssuer, id, marketplace.Extension{ExpiresAt: r.now.Add(time.Hour)})
			return err
		},
	}
	for _, c := range []struct {
		steps string // what is done
		want  marketplace.EntitlementState
		event string // of the last step; empty if it changes nothing
		err   marketplace.Code
	}{
		{"suspend", marketplace.EntitlementSuspended, "entitlement.suspended", ""},
		{"suspend suspend", marketplace.EntitlementSuspended, "", ""},
		{"suspend reinstate", marketplace.EntitlementActive, "entitlement.reinstated", ""},
		{"reinstate", marketplace.EntitlementActive, "", ""},
		{"revoke", marketplace.EntitlementRevoked, "entitlement.revoked", ""},
		{"suspend revoke", marketplace.EntitlementRevoked, "entitlement.revoked", ""},
		{"revoke revoke", marketplace.EntitlementRevoked, "", ""},
		{"revoke suspend", marketplace.EntitlementRevoked, "", marketplace.CodeEntitlementState},
		{"revoke reinstate", marketplace.EntitlementRevoked, "", marketplace.CodeEntitlementState},
		{"revoke extend", marketplace.EntitlementRevoked, "", marketplace.CodeEntitlementState},
		{"expire", marketplace.EntitlementExpired, "", ""},
		{"expire suspend", marketplace.EntitlementExpired, "", marketplace.CodeEntitlementState},
		{"expire revoke", marketplace.EntitlementExpired, "", marketplace.CodeEntitlementState},
		{"expire reinstate", marketplace.EntitlementExpired, "", marketplace.CodeEntitlementState},
		{"expire extend", marketplace.EntitlementActive, "entitlement.extended", ""},
		{"suspend expire", marketplace.EntitlementSuspended, "", ""},
		{"suspend expire reinstate", marketplace.EntitlementExpired, "entitlement.reinstated", ""},
		{"suspend extend", marketplace.EntitlementSuspended, "entitlement.extended", ""},
	} {
		t.Run(c.steps, func(t *testing.T) {
			t.Parallel()
			r := openRoom(t, nil)
			r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
			id := r.buy("edut.term", 1).ID
			var err error
			for _, name := range strings.Fields(c.steps) {
				require.NoError(t, err)
				r.events()
				err = steps[name](r, id)
			}
			if c.err != "" {
				refused(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			e, err := r.Entitlement(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, c.want, e.State)
			var events []string
			if c.event != "" {
				events = []string{c.event}
			}
			require.Equal(t, events, r.events())
		})
	}
}

func TestAvailabilityGoesAStepAtATimeAndBackAtOnce(t *testing.T) {
	t.Parallel()
	states := []marketplace.Availability{
		marketplace.AvailabilityActive, marketplace.AvailabilityGrace, marketplace.AvailabilityContinuity, marketplace.AvailabilityParked,
	}
	for from := range states {
		for to := range states {
			r := openRoom(t, nil)
			id := r.buy(roomOffer, 1).ID
			for _, state := range states[1 : from+1] {
				_, err := r.SetAvailability(t.Context(), roomAdmin, id, state, "late")
				require.NoError(t, err)
			}
			e, err := r.SetAvailability(t.Context(), roomAdmin, id, states[to], "")
			if to != 0 && to != from && to != from+1 {
				refused(t, err, marketplace.CodeAvailabilityState)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, states[to], e.Availability)
			require.Equal(t, marketplace.EntitlementActive, e.State, "the state is another matter")
		}
	}
	r := openRoom(t, nil)
	_, err := r.SetAvailability(t.Context(), roomAdmin, r.buy(roomOffer, 1).ID, "asleep", "")
	refused(t, err, marketplace.CodeInvalidRequest)
}

func TestOnlyAdminsAndTheIssuerManageAnEntitlement(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	id := r.buy(roomOffer, 1).ID
	for _, actor := range []marketplace.Actor{{}, {IssuerID: "somebody"}, {Wallet: roomWallet(1)}} {
		for _, do := range []func() error{
			func() error { _, err := r.SuspendEntitlement(t.Context(), actor, id, ""); return err },
			func() error {
				_, err := r.ExtendEntitlement(t.Context(), actor, id, marketplace.Extension{})
				return err
			},
			func() error {
				_, err := r.SetAvailability(t.Context(), actor, id, marketplace.AvailabilityGrace, "")
				return err
			},
		} {
			code := marketplace.CodeForbidden
			if actor == (marketplace.Actor{}) {
				code = marketplace.CodeUnauthorized
			}
			refused(t, do(), code)
		}
	}
	_, err := r.SuspendEntitlement(t.Context(), roomAdmin, "ent:1:0x0:000001", "")
	refused(t, err, marketplace.CodeEntitlementNotFound)
}

func TestASweepTellsOnceWhatHasExpired(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
	id := r.buy("edut.term", 1).ID
	q := r.quote("edut.term", 2)
	r.events()
	require.NoError(t, r.Sweep(t.Context()))
	require.Empty(t, r.events())
	r.now = r.now.Add(time.Hour)
	_, err := r.SetAvailability(t.Context(), roomAdmin, id, marketplace.AvailabilityGrace, "")
	require.NoError(t, err)
	require.Equal(t, []string{"entitlement.availability_changed"}, r.events())
	require.NoError(t, r.Sweep(t.Context()))
	require.Equal(t, []string{"entitlement.expired", "quote.expired"}, r.events())
	require.NoError(t, r.Sweep(t.Context()))
	require.Empty(t, r.events())
	stored, err := r.store.CheckoutQuote(t.Context(), q.ID)
	require.NoError(t, err)
	require.Equal(t, marketplace.QuoteExpired, stored.State)
}

func TestAnEntitlementIsRenewedForAFurtherTerm(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds, in.Policies.MaxPerWallet = 3600, 1 })
	first := r.buy("edut.term", 1)
	renew := func() marketplace.Entitlement {
		request := ask("edut.term", 1)
		request.Renews = first.ID
		q, err := r.Quote(t.Context(), request)
		require.NoError(t, err)
		payment := r.payment(q)
		c, err := r.settle(q, payment)
		require.NoError(t, err)
		require.Equal(t, first.ID, c.Entitlement.ID)
		again, err := r.settle(q, payment)
		require.NoError(t, err)
		require.Equal(t, c.Entitlement.ExpiresAt, again.Entitlement.ExpiresAt, "once")
		return c.Entitlement
	}
	r.now = r.now.Add(30 * time.Minute)
	require.Equal(t, first.ExpiresAt.Add(time.Hour), renew().ExpiresAt, "from its end")
	for _, state := range []marketplace.Availability{marketplace.AvailabilityGrace, marketplace.AvailabilityContinuity, marketplace.AvailabilityParked} {
		_, err := r.SetAvailability(t.Context(), roomAdmin, first.ID, state, "")
		require.NoError(t, err)
	}
	r.now = r.now.Add(5 * time.Hour)
	require.NoError(t, r.Sweep(t.Context()))
	r.events()
	e := renew()
	require.Equal(t, r.now.Add(time.Hour), e.ExpiresAt, "from now, since that has passed")
	require.Equal(t, marketplace.EntitlementActive, e.State)
	require.Equal(t, marketplace.AvailabilityActive, e.Availability)
	require.Contains(t, r.events(), "entitlement.renewed")
}

func TestWhatCannotBeRenewedIsNotQuoted(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds, in.Policies.MaxPerWallet = 3600, 1 })
	r.plain("edut.forever", nil)
	e, forever := r.buy("edut.term", 1), r.buy("edut.forever", 1)
	renew := func(offerID string, n int, change func(*marketplace.QuoteRequest)) error {
		request := ask(offerID, n)
		request.Renews = e.ID
		if change != nil {
			change(&request)
		}
		_, err := r.Quote(t.Context(), request)
		return err
	}
	require.NoError(t, renew("edut.term", 1, nil))
	refused(t, renew("edut.term", 2, nil), marketplace.CodeEntitlementNotFound)
	refused(t, renew("edut.forever", 1, nil), marketplace.CodeEntitlementNotFound)
	refused(t, renew("edut.forever", 1, func(q *marketplace.QuoteRequest) { q.Renews = forever.ID }), marketplace.CodeEntitlementState)
	refused(t, renew("edut.term", 1, func(q *marketplace.QuoteRequest) { q.OrgRootID = "org.other" }), marketplace.CodeBoundaryMismatch)
	refused(t, renew("edut.term", 1, func(q *marketplace.QuoteRequest) { q.WorkspaceID = "other" }), marketplace.CodeInvalidRequest)
	r.now = r.now.Add(2 * time.Hour)
	r.buy("edut.term", 1)
	refused(t, renew("edut.term", 1, nil), marketplace.CodeMaxPerWallet)
	_, err := r.ExtendEntitlement(t.Context(), roomAdmin, e.ID, marketplace.Extension{ExpiresAt: r.now.Add(time.Hour)})
	require.NoError(t, err)
	_, err = r.SuspendEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	refused(t, renew("edut.term", 1, nil), marketplace.CodeEntitlementState)
}

func TestAnEntitlementIsTransferredIfItsPoliciesAllowIt(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.pass", func(in *marketplace.OfferInput) { in.Policies.Transferable, in.Policies.MaxPerWallet = true, 1 })
	r.plain("edut.bound", func(in *marketplace.OfferInput) { in.Policies.Transferable, in.Policies.WorkspaceBound = true, true })
	fixed, pass, bound := r.buy(roomOffer, 1), r.buy("edut.pass", 1), r.buy("edut.bound", 1)
	holder := marketplace.Actor{Wallet: roomWallet(1)}
	transfer := func(actor marketplace.Actor, id string, n int, workspace string) (marketplace.Entitlement, error) {
		return r.TransferEntitlement(t.Context(), actor, id, marketplace.Transfer{Wallet: roomWallet(n), WorkspaceID: workspace})
	}
	_, err := transfer(roomAdmin, fixed.ID, 2, "")
	refused(t, err, marketplace.CodeNotTransferable)
	_, err = transfer(marketplace.Actor{Wallet: roomWallet(2)}, pass.ID, 2, "")
	refused(t, err, marketplace.CodeForbidden)
	_, err = transfer(holder, pass.ID, 1, "")
	refused(t, err, marketplace.CodeInvalidRequest)
	_, err = transfer(holder, bound.ID, 2, "")
	refused(t, err, marketplace.CodeWorkspaceRequired)
	r.buy("edut.pass", 3)
	_, err = transfer(holder, pass.ID, 3, "")
	refused(t, err, marketplace.CodeMaxPerWallet)
	r.events()
	moved, err := transfer(holder, pass.ID, 2, "")
	require.NoError(t, err)
	require.Equal(t, roomWallet(2), moved.Wallet)
	require.Equal(t, pass.ID, moved.ID)
	require.Equal(t, []string{"entitlement.transferred"}, r.events())
	_, err = transfer(holder, pass.ID, 4, "")
	refused(t, err, marketplace.CodeForbidden)
	moved, err = transfer(holder, bound.ID, 2, "workspace.new")
	require.NoError(t, err)
	require.Equal(t, "workspace.new", moved.WorkspaceID)
	_, err = r.SuspendEntitlement(t.Context(), roomAdmin, pass.ID, "")
	require.NoError(t, err)
	_, err = transfer(roomAdmin, pass.ID, 5, "")
	refused(t, err, marketplace.CodeEntitlementState)
}

func TestEntitlementsAreListedInTheStateThatTheyHave(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
	r.buy("edut.term", 1)
	r.buy(roomOffer, 1)
	r.now = r.now.Add(time.Hour)
	list, err := r.Entitlements(t.Context(), marketplace.EntitlementFilter{Wallet: "0x" + strings.ToUpper(roomWallet(1)[2:])}, store.Page{})
	require.NoError(t, err)
	require.Equal(t, []marketplace.EntitlementState{marketplace.EntitlementExpired, marketplace.EntitlementActive},
		[]marketplace.EntitlementState{list.Items[0].State, list.Items[1].State})
	list, err = r.Entitlements(t.Context(), marketplace.EntitlementFilter{State: marketplace.EntitlementExpired}, store.Page{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	list, err = r.Entitlements(t.Context(), marketplace.EntitlementFilter{Wallet: roomWallet(7)}, store.Page{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
	_, err = r.Audit(t.Context(), roomAdmin, marketplace.AuditFilter{}, store.Page{Cursor: "x"})
	require.Equal(t, "cursor", refused(t, err, marketplace.CodeInvalidRequest).Field)
}

func TestAnEndStaysWithinWhatJSONCanTell(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
	e := r.buy("edut.term", 1)
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	_, err := r.ExtendEntitlement(t.Context(), roomAdmin, e.ID, marketplace.Extension{ExpiresAt: last.Add(time.Second)})
	refused(t, err, marketplace.CodeInvalidRequest)
	_, err = r.ExtendEntitlement(t.Context(), roomAdmin, e.ID, marketplace.Extension{ExpiresAt: last})
	require.NoError(t, err)
	request := ask("edut.term", 1)
	request.Renews = e.ID
	q, err := r.Quote(t.Context(), request)
	require.NoError(t, err)
	c, err := r.settle(q, r.payment(q))
	require.NoError(t, err)
	require.Equal(t, last, c.Entitlement.ExpiresAt)
}

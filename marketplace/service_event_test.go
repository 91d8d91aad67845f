package marketplace_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

// told takes all events out of the outbox: the types by who is told.
func (r *room) told() map[string][]string {
	r.t.Helper()
	list, err := r.store.LeaseEvents(r.t.Context(), "test", r.now, r.now.Add(time.Hour), 1000)
	require.NoError(r.t, err)
	out := map[string][]string{}
	for _, e := range list {
		owner, err := r.EventOwner(r.t.Context(), e)
		require.NoError(r.t, err)
		out[owner] = append(out[owner], e.Type)
		require.NoError(r.t, r.store.AckEvents(r.t.Context(), "test", []string{e.ID}))
	}
	return out
}

func TestTheOwnerOfAnIssuerIsToldOfItsQuotesMembershipsAndEntitlements(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	owner := "ann"
	_, err := r.PutIssuer(t.Context(), roomAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT", OwnerID: &owner})
	require.NoError(t, err)
	r.told()
	r.buy(roomOffer, 1)
	require.Equal(t, map[string][]string{"ann": {"quote.created", "membership.activated", "entitlement.activated", "quote.consumed"}}, r.told())
	_, err = r.SetMembership(t.Context(), roomAdmin, roomWallet(1), marketplace.MembershipSuspended, "a doubt")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"ann": {"membership.suspended"}}, r.told(), "its quote brought the membership")

	nobody := ""
	_, err = r.PutIssuer(t.Context(), roomAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT", OwnerID: &nobody})
	require.NoError(t, err)
	r.quote(roomOffer, 2)
	require.Equal(t, map[string][]string{"": {"quote.created"}}, r.told())
	id, err := r.EventOwner(t.Context(), store.Event{Type: "product.created", Data: []byte(`{"issuer_id":"edut.firstparty"}`)})
	require.NoError(t, err)
	require.Empty(t, id, "an event of another domain")
}

func TestOnlyAdminsSayWhoOwnsAnIssuer(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	ann, mallory := "ann", "mallory"
	_, err := r.PutIssuer(t.Context(), roomAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT", OwnerID: &ann})
	require.NoError(t, err)
	_, err = r.PutIssuer(t.Context(), roomIssuer, "edut.firstparty", marketplace.IssuerUpdate{Name: "X", OwnerID: &mallory})
	refused(t, err, marketplace.CodeForbidden)
	i, err := r.PutIssuer(t.Context(), roomIssuer, "edut.firstparty", marketplace.IssuerUpdate{Name: "Y"})
	require.NoError(t, err)
	require.Equal(t, "ann", i.OwnerID, "a new name changes nothing else")
}

func TestAnOwnerActsForItsIssuer(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	own := func(id, owner string) {
		_, err := r.PutIssuer(t.Context(), roomAdmin, id, marketplace.IssuerUpdate{Name: "EDUT", OwnerID: &owner})
		require.NoError(t, err)
	}
	ann := marketplace.Actor{OwnerID: "ann"}
	pause := func(issuerID string, to marketplace.OfferStatus) error {
		actor, err := r.ActFor(t.Context(), ann, issuerID)
		if err == nil {
			_, err = r.SetOfferStatus(t.Context(), actor, roomOffer, to)
		}
		return err
	}
	refused(t, pause("", marketplace.OfferPaused), marketplace.CodeForbidden)
	refused(t, pause("edut.firstparty", marketplace.OfferPaused), marketplace.CodeForbidden)
	refused(t, pause("edut.nobody", marketplace.OfferPaused), marketplace.CodeIssuerNotFound)
	own("edut.firstparty", "ann")
	require.NoError(t, pause("", marketplace.OfferPaused))
	require.NoError(t, pause("edut.firstparty", marketplace.OfferActive))
	own("edut.other", "ann")
	e := refused(t, pause("", marketplace.OfferPaused), marketplace.CodeForbidden)
	require.Contains(t, e.Message, "X-Issuer-Id")
	refused(t, pause("edut.other", marketplace.OfferPaused), marketplace.CodeForbidden)
	require.NoError(t, pause("edut.firstparty", marketplace.OfferPaused))
	own("edut.other", "bob")
	require.NoError(t, pause("", marketplace.OfferActive))
	list, err := r.Audit(t.Context(), roomAdmin, marketplace.AuditFilter{Action: "offer.status"}, store.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, "issuer:edut.firstparty", list.Items[0].Actor)

	d := openDesk(t, func(c *config) {
		c.Authenticate = func(q *http.Request) (marketplace.Actor, error) {
			owner := q.Header.Get("X-Owner")
			return marketplace.Actor{Admin: owner == "", Name: "user:" + owner, OwnerID: owner}, nil
		}
	})
	for _, id := range []string{firstParty, "other.party"} {
		d.want(d.do("PUT", "/marketplace/issuers/"+id, `{"name":"EDUT","owner_id":"ann"}`), 200)
	}
	path, body := "/marketplace/offers/"+offerID+"/status", `{"status":"paused"}`
	d.refused(d.do("POST", path, body, "X-Owner", "ann"), 403, "forbidden")
	d.refused(d.do("POST", path, body, "X-Owner", "eve", marketplace.HeaderIssuer, firstParty), 403, "forbidden")
	d.want(d.do("POST", path, body, "X-Owner", "ann", marketplace.HeaderIssuer, firstParty), 200)
}

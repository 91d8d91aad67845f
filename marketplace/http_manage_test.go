package marketplace_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

func TestAnOfferGoesItsWay(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		const path = "/marketplace/offers/new.offer"
		d.refused(d.do("POST", "/marketplace/offers", newOffer("new.offer", "1")), 401, "unauthorized")
		d.refused(d.do("POST", "/marketplace/offers", newOffer("new.offer", "1"), "Authorization", "Bearer guess"), 401, "unauthorized")
		d.want(d.issuer("POST", "/marketplace/offers", newOffer("new.offer", "1")), 201)
		d.refused(d.do("GET", path, ""), 404, "offer_not_found")
		d.want(d.issuer("GET", path, ""), 200)
		d.refused(d.do("GET", "/marketplace/offers?status=draft", ""), 401, "unauthorized")
		w := d.issuer("GET", "/marketplace/offers?status=draft", "")
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"offer_id":"new.offer"`)
		w = d.do("GET", "/marketplace/offers", "", "Authorization", "Bearer "+otherKey)
		d.want(w, 200)
		require.NotContains(t, w.Body.String(), "new.offer")

		quote := strings.Replace(quoteBody(buyer), offerID, "new.offer", 1)
		d.refused(d.do("POST", "/marketplace/checkout/quote", quote), 409, "offer_not_active")
		for _, step := range []struct {
			to     string
			status int
			quote  int
		}{{"paused", 409, 409}, {"active", 200, 200}, {"active", 200, 200}, {"paused", 200, 409}, {"active", 200, 200}, {"retired", 200, 409}, {"active", 409, 409}} {
			w := d.issuer("POST", path+"/status", `{"status":"`+step.to+`"}`)
			d.want(w, step.status)
			d.want(d.do("POST", "/marketplace/checkout/quote", quote), step.quote)
		}
		d.refused(d.do("PUT", path, newOffer("new.offer", "2"), "Authorization", "Bearer "+otherKey), 403, "forbidden")
		d.refused(d.issuer("PUT", path, newOffer("new.offer", "2")), 409, "offer_state")
	})
}

func TestAnOfferThatAsksForApprovalIsSoldToWhomItIsGiven(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.sell("guarded", `"multi_tenant":false`, `"multi_tenant":false,"requires_admin_approval":true,"max_per_wallet":1`)
		quote := strings.Replace(quoteBody(buyer), offerID, "guarded", 1)
		d.refused(d.do("POST", "/marketplace/checkout/quote", quote), 409, "approval_required")
		const path = "/marketplace/offers/guarded/approvals"
		d.refused(d.do("PUT", path+"/"+buyer, ""), 401, "unauthorized")
		d.want(d.issuer("PUT", path+"/"+buyer, ""), 200)
		w := d.issuer("GET", path, "")
		d.want(w, 200)
		require.Equal(t, `{"approvals":[{"offer_id":"guarded","wallet":"`+buyer+`","approved_by":"issuer:edut.firstparty","approved_at":"2026-02-17T07:29:30Z"}]}`+"\n", w.Body.String())
		w = d.do("POST", "/marketplace/checkout/quote", quote)
		d.want(w, 200)
		var q quoted
		d.read(w, &q)
		d.chain.mine(d.paid(q, 1))
		d.want(d.do("POST", "/marketplace/checkout/confirm", strings.Replace(confirmBody(q, buyer, 1), offerID, "guarded", 1)), 200)
		d.refused(d.do("POST", "/marketplace/checkout/quote", quote), 409, "max_per_wallet")
		d.want(d.issuer("DELETE", path+"/"+buyer, ""), 200)
		d.want(d.issuer("DELETE", path+"/"+buyer, ""), 404)
	})
}

func TestAnEntitlementIsManagedByItsIssuerAndAdmins(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		path := "/marketplace/entitlements/" + d.buy(buyer, 1)
		valid := func() string {
			w := d.do("POST", "/marketplace/entitlements/verify", `{"wallet":"`+buyer+`","offer_id":"`+offerID+`"}`)
			d.want(w, 200)
			var got struct {
				Valid bool
				Code  string
			}
			d.read(w, &got)
			require.Equal(t, got.Code == "valid", got.Valid)
			return got.Code
		}
		require.Equal(t, "valid", valid())
		for _, step := range []struct {
			action, body string
			status       int
			code         string
		}{
			{"reinstate", ``, 200, "valid"},
			{"suspend", `{"reason":"late"}`, 200, "entitlement_suspended"},
			{"suspend", ``, 200, "entitlement_suspended"},
			{"reinstate", ``, 200, "valid"},
			{"availability", `{"state":"parked"}`, 409, "valid"},
			{"availability", `{"state":"grace"}`, 200, "valid"},
			{"availability", `{"state":"continuity"}`, 200, "valid"},
			{"availability", `{"state":"parked"}`, 200, "availability_parked"},
			{"availability", `{"state":"active"}`, 200, "valid"},
			{"availability", `{"state":"gone"}`, 400, "valid"},
			{"extend", `{}`, 400, "valid"},
			{"extend", `{"expires_at":"yesterday"}`, 400, "valid"},
			{"extend", `{"expires_at":"2026-02-17T07:00:00Z"}`, 400, "valid"},
			{"extend", `{"expires_at":"2026-03-01T00:00:00Z","forever":true}`, 400, "valid"},
			{"extend", `{"expires_at":"2026-03-01T00:00:00Z"}`, 200, "valid"},
			{"transfer", `{"wallet":"` + sponsor + `"}`, 403, "valid"},
			{"revoke", `{"reason":"fraud"}`, 200, "entitlement_revoked"},
			{"reinstate", ``, 409, "entitlement_revoked"},
		} {
			require.Contains(t, []int{400, 401}, d.do("POST", path+"/"+step.action, step.body).Code, "a stranger")
			d.want(d.issuer("POST", path+"/"+step.action, step.body), step.status)
			require.Equal(t, step.code, valid(), step.action)
		}
		w := d.admin("GET", "/marketplace/audit?subject=entitlement:"+strings.TrimPrefix(path, "/marketplace/entitlements/")+"&limit=1", "")
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"actor":"issuer:edut.firstparty","action":"entitlement.revoked"`)
		require.Contains(t, w.Body.String(), `"next_cursor"`)
		d.refused(d.issuer("GET", "/marketplace/audit", ""), 403, "forbidden")
		d.refused(d.do("GET", "/marketplace/audit", ""), 401, "unauthorized")
	})
}

func TestAHolderHandsAnEntitlementOn(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.sell("handed", `"transferable":false`, `"transferable":true`)
		key := signer(t, 1)
		w := d.do("POST", "/marketplace/checkout/quote", strings.Replace(quoteBody(key.Address().String()), offerID, "handed", 1))
		d.want(w, 200)
		var q quoted
		d.read(w, &q)
		d.chain.mine(d.paid(q, 1))
		w = d.do("POST", "/marketplace/checkout/confirm", strings.Replace(confirmBody(q, key.Address().String(), 1), offerID, "handed", 1))
		d.want(w, 200)
		var got struct {
			ID string `json:"entitlement_id"`
		}
		d.read(w, &got)
		path, body := "/marketplace/entitlements/"+got.ID+"/transfer", `{"wallet":"`+sponsor+`","workspace_id":"w2"}`
		d.refused(d.do("POST", path, body, "X-Edut-Session", d.signIn(signer(t, 2))), 403, "forbidden")
		w = d.do("POST", path, body, "X-Edut-Session", d.signIn(key))
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"wallet_address":"`+strings.ToLower(sponsor)+`","workspace_id":"w2"`)
		require.NotContains(t, w.Body.String(), "tx_hash", "it is another's now")
		d.refused(d.do("POST", path, body, "X-Edut-Session", d.signIn(key)), 403, "forbidden")
	})
}

func TestSeatsAreTakenKeptAndGivenUp(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.sell("seated", `"line_label"`, `"seats":2,"line_label"`, `"workspace_bound":true`, `"workspace_bound":false`)
		key := signer(t, 1)
		w := d.do("POST", "/marketplace/checkout/quote", strings.Replace(quoteBody(key.Address().String()), offerID, "seated", 1))
		d.want(w, 200)
		var q quoted
		d.read(w, &q)
		d.chain.mine(d.paid(q, 1))
		w = d.do("POST", "/marketplace/checkout/confirm", strings.Replace(confirmBody(q, key.Address().String(), 1), offerID, "seated", 1))
		d.want(w, 200)
		var got struct {
			ID string `json:"entitlement_id"`
		}
		d.read(w, &got)
		path, session := "/marketplace/entitlements/"+got.ID+"/activations", d.signIn(key)
		as := func(method, path, body string) int { return d.do(method, path, body, "X-Edut-Session", session).Code }
		require.Equal(t, 401, d.do("POST", path, `{"instance_id":"a"}`).Code)
		require.Equal(t, 400, as("POST", path, `{}`))
		require.Equal(t, 200, as("POST", path, `{"instance_id":"a","name":"laptop"}`))
		require.Equal(t, 200, as("POST", path, `{"instance_id":"b/c"}`))
		require.Equal(t, 409, as("POST", path, `{"instance_id":"d"}`))
		require.Equal(t, 200, as("POST", path, `{"instance_id":"a","name":"laptop"}`), "it has a seat already")
		require.Equal(t, 200, as("POST", path+"/b%2Fc/heartbeat", ``))
		require.Equal(t, 404, as("POST", path+"/d/heartbeat", ``))
		require.Equal(t, 200, as("DELETE", path+"/b%2Fc", ``))
		require.Equal(t, 404, as("DELETE", path+"/b%2Fc", ``))
		require.Equal(t, 200, as("POST", path, `{"instance_id":"d"}`))
		w = d.issuer("GET", path, "")
		d.want(w, 200)
		require.Equal(t, 2, strings.Count(w.Body.String(), `"instance_id"`))
	})
}

func TestALicenceFileIsSignedByThePublishedKey(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	key := signer(t, 1)
	path := "/marketplace/entitlements/" + d.buy(key.Address().String(), 1) + "/licence"
	d.refused(d.do("POST", path, ""), 401, "unauthorized")
	d.refused(d.do("POST", path, `{"ttl_seconds":9999999999}`, "X-Edut-Session", d.signIn(key)), 400, "invalid_request")
	file := d.do("POST", path, `{"ttl_seconds":3600}`, "X-Edut-Session", d.signIn(key))
	d.want(file, 200)
	var published struct {
		Key string `json:"public_key"`
		ID  string `json:"key_id"`
	}
	d.read(d.do("GET", "/marketplace/licence-key", ""), &published)
	public, err := base64.RawURLEncoding.DecodeString(published.Key)
	require.NoError(t, err)
	require.Equal(t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)).Public(), ed25519.PublicKey(public))
	licence, err := marketplace.ReadLicence(file.Body.Bytes(), public, d.clock())
	require.NoError(t, err)
	require.Equal(t, offerID, licence.Entitlement.OfferID)
	_, err = marketplace.ReadLicence(file.Body.Bytes(), public, d.clock().Add(time.Hour))
	require.ErrorIs(t, err, marketplace.ErrLicenceExpired)

	none := openDesk(t, func(c *config) { c.LicenceKey = nil })
	none.refused(none.do("GET", "/marketplace/licence-key", ""), 503, "licence_key_unconfigured")
}

func TestMembershipIsBoughtByItself(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		w := d.do("POST", "/secret/membership/quote", `{"wallet":"`+buyer+`"}`)
		d.want(w, 200)
		var q struct {
			ID     string `json:"quote_id"`
			Amount string
			Total  string `json:"amount_atomic"`
		}
		d.read(w, &q)
		require.Equal(t, "5.00", q.Amount)
		d.refused(d.do("POST", "/secret/membership/quote", `{"wallet":"`+buyer+`","designation_code":"x"}`), 400, "invalid_request")
		d.chain.mine(d.paid(quoted{QuoteID: q.ID, Total: q.Total, Payer: buyer}, 1))
		body := `{"quote_id":"` + q.ID + `","wallet":"` + buyer + `","tx_hash":"` + hash(1) + `","chain_id":8453}`
		for range 2 {
			w = d.do("POST", "/secret/membership/confirm", body)
			d.want(w, 200)
			require.Contains(t, w.Body.String(), `{"status":"membership_active","wallet":"`+buyer+`"`)
		}
		w = d.do("GET", "/secret/membership/status?wallet="+buyer, "")
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"status":"active"`)
		d.refused(d.do("GET", "/secret/membership/status", ""), 400, "invalid_request")
		d.refused(d.do("POST", "/secret/membership/quote", `{"wallet":"`+buyer+`"}`), 409, "membership_active")
		d.refused(d.do("POST", "/marketplace/memberships/"+buyer+"/revoke", ``), 401, "unauthorized")
		d.refused(d.issuer("POST", "/marketplace/memberships/"+buyer+"/revoke", ``), 403, "forbidden")
		d.want(d.admin("POST", "/marketplace/memberships/"+buyer+"/revoke", `{"reason":"fraud"}`), 200)
		d.want(d.admin("POST", "/marketplace/memberships/"+buyer+"/reinstate", ``), 409)
		d.refused(d.do("POST", "/marketplace/checkout/quote", quoteBody(buyer)), 403, "membership_required")
		w = d.admin("GET", "/marketplace/memberships?status=revoked", "")
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"reason":"fraud"`)
	})
}

func TestListsAreReadPageByPage(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		var ids []string
		for n := range 5 {
			ids = append(ids, d.buy(buyer, n+1))
		}
		for _, list := range []string{"/marketplace/entitlements?wallet=" + buyer, "/marketplace/entitlements?wallet=" + buyer + "&offer_id=" + offerID + "&state=active"} {
			var seen []string
			cursor := ""
			for pages := 0; pages == 0 || cursor != ""; pages++ {
				require.Less(t, pages, 4)
				w := d.do("GET", list+"&limit=2&cursor="+cursor, "")
				d.want(w, 200)
				var page struct {
					Entitlements []struct {
						ID string `json:"entitlement_id"`
					}
					Next string `json:"next_cursor"`
				}
				d.read(w, &page)
				for _, e := range page.Entitlements {
					seen = append(seen, e.ID)
				}
				cursor = page.Next
			}
			require.Equal(t, ids, seen)
		}
		for _, none := range []string{"org_root_id=other", "workspace_id=other", "state=revoked", "offer_id=other"} {
			w := d.do("GET", "/marketplace/entitlements?wallet="+buyer+"&"+none, "")
			d.want(w, 200)
			require.Equal(t, "{\"entitlements\":[]}\n", w.Body.String(), none)
		}
		w := d.issuer("GET", "/marketplace/entitlements", "")
		d.want(w, 200)
		require.Equal(t, 5, strings.Count(w.Body.String(), `"entitlement_id"`))
		w = d.do("GET", "/marketplace/entitlements", "", "Authorization", "Bearer "+otherKey)
		d.want(w, 200)
		require.Equal(t, "{\"entitlements\":[]}\n", w.Body.String(), "of its own")
		require.Equal(t, fmt.Sprintf("ent:8453:%s:000005", buyer), ids[4])
	})
}

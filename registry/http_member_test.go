package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAPlatformKeepsItsProfileAndItsKey(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m, other := a.join("Platform A"), a.join("Platform B")
		w := m.do("GET", "/api/platforms/me", "")
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"platform_phone":"+1 555 0100"`)
		require.NotContains(t, w.Body.String(), m.key)
		a.want(m.do("PUT", "/api/platforms/me", `{"platform_phone":"+1 555 0199","api_endpoint":"https://a.example.com/hook","bank_name":"Second Bank","bank_account_number":"000999"}`), 200)
		w = m.do("GET", "/api/platforms/me", "")
		require.Contains(t, w.Body.String(), `"platform_phone":"+1 555 0199"`)
		require.Contains(t, w.Body.String(), `"api_endpoint":"https://a.example.com/hook"`)
		require.Contains(t, a.admin("GET", "/api/admin/applications/1", "").Body.String(), `"bank_name":"Second Bank"`)
		require.Contains(t, m.do("PUT", "/api/platforms/me", `{"api_endpoint":""}`).Body.String(), `"api_endpoint":null`)
		a.same(m.do("PUT", "/api/platforms/me", `{"name":"","platform_email":"x","api_endpoint":"javascript:x","bank_name":5}`), 422,
			`{"success":false,"message":"Validation failed","errors":{"api_endpoint":["The api endpoint must be a valid URL."],"bank_name":["The bank name must be a string."],"name":["The name field is required."],"platform_email":["The platform email must be a valid email address."]}}`)

		_, names := a.list(other.do("GET", "/api/platforms", ""), "name")
		require.ElementsMatch(t, []string{"Platform A", "Platform B"}, names)
		a.want(a.do("POST", "/api/platforms/register", application("c@example.com", "Not Yet")), 201)
		_, names = a.list(other.do("GET", "/api/platforms?q=Platform&status=active", ""), "name")
		require.ElementsMatch(t, []string{"Platform A", "Platform B"}, names)
		require.Equal(t, `{"id":1,"name":"Platform A","status":"active"}`, entry(t, other.do("GET", "/api/platforms?q=Platform%20A", "").Body.String()))

		var rotated struct {
			Key string `json:"api_key"`
		}
		a.data(m.do("POST", "/api/platforms/me/api-key/rotate", ""), &rotated)
		require.NotEqual(t, m.key, rotated.Key)
		a.want(m.do("GET", "/api/platforms/me", ""), 401)
		m.key = rotated.Key
		a.want(m.do("GET", "/api/platforms/me", ""), 200)

		a.data(a.admin("POST", "/api/admin/platforms/1/rotate-key", ""), &rotated)
		a.want(m.do("GET", "/api/platforms/me", ""), 401)
		a.want(a.admin("POST", "/api/admin/platforms/3/rotate-key", ""), 400) // not approved
		a.want(a.admin("POST", "/api/admin/platforms/9/rotate-key", ""), 404)

		suspend, reinstate := "/api/admin/platforms/2/suspend", "/api/admin/platforms/2/reinstate"
		a.same(a.admin("POST", reinstate, ""), 400, `{"success":false,"message":"Platform status does not allow this","data":null}`)
		a.same(a.admin("POST", suspend, `{"notes":"late"}`), 200, `{"success":true,"message":"Platform suspended successfully","data":{"platform_name":"Platform B","status":"inactive"}}`)
		a.want(a.admin("POST", suspend, ""), 400)
		a.want(other.do("GET", "/api/platforms/me", ""), 403)
		a.same(a.admin("POST", reinstate, ""), 200, `{"success":true,"message":"Platform reinstated successfully","data":{"platform_name":"Platform B","status":"active"}}`)
		a.want(other.do("GET", "/api/platforms/me", ""), 200)
		a.want(a.admin("POST", "/api/admin/platforms/3/suspend", ""), 400)
		a.want(a.admin("POST", "/api/admin/platforms/9/suspend", ""), 404)
	})
}

// entry is the only one of a list.
func entry(t *testing.T, body string) string {
	t.Helper()
	var page struct{ Data []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	require.Len(t, page.Data, 1)
	return string(page.Data[0])
}

func TestAdminsSeeApplicationsAuditAndCounts(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m := a.join("Platform A")
		m.publish("hash1")
		a.want(a.do("POST", "/api/platforms/register", application("b@example.com", "Platform B")), 201)
		_, names := a.list(a.admin("GET", "/api/admin/applications?status=pending", ""), "platform_name")
		require.Equal(t, []string{"Platform B"}, names)
		_, names = a.list(a.admin("GET", "/api/admin/applications", ""), "platform_name")
		require.ElementsMatch(t, []string{"Platform A", "Platform B"}, names)
		a.want(a.admin("GET", "/api/admin/applications?status=lost", ""), 422)
		a.want(a.admin("GET", "/api/admin/applications/7", ""), 404)

		_, actions := a.list(a.admin("GET", "/api/admin/audit?subject=platform:1&per_page=250", ""), "action")
		require.Contains(t, actions, "application.approve")
		page, actors := a.list(a.admin("GET", "/api/admin/audit?actor=platform:1&action=contract.register", ""), "actor")
		require.Equal(t, []string{"platform:1"}, actors)
		require.Equal(t, map[string]any{"count": 1.0}, page.Data[0]["detail"])
		_, actors = a.list(a.admin("GET", "/api/admin/audit?from=2024-01-21", ""), "actor")
		require.Empty(t, actors)
		a.want(a.admin("GET", "/api/admin/audit?to=never", ""), 422)

		w := a.admin("GET", "/api/admin/stats", "")
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"active":1`)
	})
}

func TestChangesLeaveEventsInTheOutbox(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1")
		id, _ := seller.sell("hash1", "10", "1")
		a.want(seller.do("POST", fmt.Sprintf("/api/sales/%d/void", id), ""), 200)
		a.want(owner.do("PUT", "/api/contracts/hash1/revoke", ""), 200)
		a.want(seller.do("POST", "/api/sales", `{}`), 422) // tells nobody
		now := time.Now()
		events, err := a.store.LeaseEvents(context.Background(), "me", now, now.Add(time.Minute), 100)
		require.NoError(t, err)
		var kinds []string
		for _, e := range events {
			kinds = append(kinds, e.Type)
			require.True(t, json.Valid(e.Data))
			require.NotContains(t, string(e.Data), "000123456789")
		}
		slices.Sort(kinds)
		require.Equal(t, []string{"contract.registered", "contract.revoked", "sale.reported", "sale.voided"}, kinds)
	})
}

func TestSecretsAreNeitherStoredNorShownNorLogged(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m := a.join("Platform A")
		p, err := a.store.Platform(context.Background(), m.id)
		require.NoError(t, err)
		stored := fmt.Sprintf("%+v", p)
		for _, secret := range []string{"12-3456789", "000123456789", "021000021", "First Bank", "correct horse", m.key} {
			require.NotContains(t, stored, secret)
		}
		for _, path := range []string{"applications", "applications/pending", "applications/1", "audit?per_page=250", "stats"} {
			body := a.admin("GET", "/api/admin/"+path, "").Body.String()
			for _, secret := range []string{"000123456789", "021000021", "correct horse", m.key, p.KeyHash, p.PasswordHash} {
				require.NotContains(t, body, secret, path)
			}
		}
		require.Empty(t, a.log.String())
		require.True(t, strings.HasPrefix(m.key, p.KeyPrefix))

		// Every read of the tax number was audited.
		_, actors := a.list(a.admin("GET", "/api/admin/audit?action=secrets.read", ""), "actor")
		require.GreaterOrEqual(t, len(actors), 3)
		require.Equal(t, "admin:ada", actors[0])
	})
}

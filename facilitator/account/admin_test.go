package account_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
)

// root is the super admin of the tests.
var root = account.User{ID: "admin:root", Role: account.RoleSuperAdmin}

// reset is the API key that an admin gets for a user.
func (a *api) reset(by member, user string) string {
	a.t.Helper()
	var got struct {
		APIKey string `json:"api_key"`
	}
	a.read(a.as(by.key, "POST", "/api/v1/admin/users/"+user+"/reset-api-key", ""), 200, &got)
	return got.APIKey
}

func TestOfADeletedUserNothingPersonalIsKept(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		r := w.request("POST", "/api/v1/auth/register", john)
		var made struct {
			User   struct{ ID string }
			APIKey string `json:"api_key"`
		}
		a.read(a.send(r), 201, &made)
		id := made.User.ID
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+id, `{"verified":true}`), 200)
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+id+"/status", `{"new_status":"deleted","reason":"as they asked"}`), 200)

		u, err := a.service.User(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, account.User{
			ID: id, Role: account.RoleContentProvider, Status: account.StatusDeleted, StatusReason: "as they asked",
			CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastSeenAt: u.LastSeenAt,
		}, u)
		for _, search := range []string{"john", "example.com", "films", w.Address().String()} {
			l, err := a.service.Users(t.Context(), account.Filter{Search: search}, pageOf(9))
			require.NoError(t, err)
			require.Zero(t, l.Total, search)
		}
		keys, err := a.service.Keys(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, keys)
		a.refused(a.as(made.APIKey, "GET", "/api/v1/clients/profile", ""), 401, "INVALID_CREDENTIALS")
		a.refused(a.send(w.request("GET", "/api/v1/clients/profile", "")), 401, "INVALID_CREDENTIALS")
		a.want(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201)
	})
}

func TestABannedWalletCannotRegisterAgain(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		var made struct{ User struct{ ID string } }
		a.read(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201, &made)
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+made.User.ID+"/status", `{"new_status":"banned"}`), 200)
		a.refused(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 409, "CONFLICT")
		a.refused(a.send(w.request("GET", "/api/v1/clients/profile", "")), 403, "ACCOUNT_SUSPENDED")
	})
}

func TestWhoResetAKeyHasNotThePowersOfTheAdminThatItsUserBecomes(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann, eve, bob := a.join(`{}`), a.join(john), a.join(`{}`)
		user := func(id string) string { return "/api/v1/admin/users/" + id }
		a.want(a.admin("PATCH", user(ann.id), `{"role":"admin"}`), 200)
		a.want(a.as(ann.key, "GET", "/api/v1/admin/users", ""), 200)

		known, w := a.reset(ann, eve.id), a.wallet()
		var another struct {
			APIKey string `json:"api_key"`
		}
		a.read(a.as(known, "POST", "/api/v1/clients/api-keys", `{"name":"another"}`), 201, &another)
		connect := w.request("POST", "/api/v1/auth/wallet", "")
		connect.Header.Set("X-API-Key", known)
		a.want(a.send(connect), 200)
		a.want(a.admin("PATCH", user(eve.id), `{"role":"index_client"}`), 200)
		a.want(a.as(known, "GET", "/api/v1/clients/profile", ""), 200)

		a.want(a.admin("PATCH", user(eve.id), `{"role":"admin"}`), 200)
		for _, key := range []string{known, another.APIKey} {
			a.refused(a.as(key, "GET", "/api/v1/admin/users", ""), 401, "INVALID_CREDENTIALS")
		}
		a.refused(a.send(w.request("GET", "/api/v1/admin/users", "")), 401, "INVALID_CREDENTIALS")

		for _, id := range []string{eve.id, bob.id} { // the super admin's own resets count as theirs
			secret, err := a.service.ResetKeys(t.Context(), root, id)
			require.NoError(t, err)
			a.want(a.admin("PATCH", user(id), `{"role":"super_admin"}`), 200)
			a.want(a.as(secret, "GET", "/api/v1/admin/users", ""), 200)
		}
	})
}

func TestOfAResetAndAPromotionAtOnceNeitherGivesAnAdminMorePower(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann := account.User{ID: "ann", Role: account.RoleAdmin}
		for range 8 {
			u := a.join(`{}`)
			role := account.RoleAdmin
			var secret string
			var reset, promoted error
			var wg sync.WaitGroup
			wg.Go(func() { secret, reset = a.service.ResetKeys(t.Context(), ann, u.id) })
			wg.Go(func() { _, promoted = a.service.Decide(t.Context(), root, u.id, account.Decision{Role: &role}) })
			wg.Wait()
			require.NoError(t, promoted)
			if reset != nil {
				require.ErrorIs(t, reset, account.ErrSuperAdminRequired)
				continue
			}
			_, err := a.service.AuthenticateKey(t.Context(), secret)
			require.ErrorIs(t, err, account.ErrInvalidCredentials)
		}
	})
}

func TestAnAdminWhoIsUnknownOrNoAdminResetsNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	m := a.join(`{}`)
	_, err := a.service.ResetKeys(t.Context(), account.User{ID: "x", Role: account.RoleEndUser}, m.id)
	require.ErrorIs(t, err, account.ErrAdminRequired)
	_, err = a.service.ResetKeys(t.Context(), root, "nobody")
	require.ErrorIs(t, err, store.ErrNotFound)
	a.want(a.as(m.key, "GET", "/api/v1/clients/profile", ""), 200)
}

func TestTheLastOfSeveralResetsDoesNotHideWhoHasConnectedAWallet(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann, eve := a.join(`{}`), a.join(john)
		user := func(id string) string { return "/api/v1/admin/users/" + id }
		a.want(a.admin("PATCH", user(ann.id), `{"role":"admin"}`), 200)
		w := a.wallet()
		connect := w.request("POST", "/api/v1/auth/wallet", "")
		connect.Header.Set("X-API-Key", a.reset(ann, eve.id))
		a.want(a.send(connect), 200)

		_, err := a.service.ResetKeys(t.Context(), root, eve.id)
		require.NoError(t, err)
		a.want(a.send(w.request("GET", "/api/v1/clients/profile", "")), 200)
		a.want(a.admin("PATCH", user(eve.id), `{"role":"admin"}`), 200)
		a.refused(a.send(w.request("GET", "/api/v1/admin/users", "")), 401, "INVALID_CREDENTIALS")
	})
}

func TestWhatAUserSaysWhileTheyAreDeletedIsNotKept(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m, w := a.join(john), a.wallet()
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+m.id+"/status", `{"new_status":"deleted"}`), 200)
		email := "john@example.com"
		_, err := a.service.UpdateProfile(t.Context(), m.id, account.ProfileUpdate{Email: &email})
		require.ErrorIs(t, err, account.ErrInvalidCredentials)
		_, err = a.service.ConnectWallet(t.Context(), m.id, w.Address().String())
		require.ErrorIs(t, err, account.ErrInvalidCredentials)
		u, err := a.service.User(t.Context(), m.id)
		require.NoError(t, err)
		require.Empty(t, u.Email+u.PublicKey)
		a.want(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201)
	})
}

func TestWhoSendsABodySlowlyDoesNothingWithAKeyThatHasEnded(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann, eve := a.join(`{}`), a.join(john)
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+ann.id, `{"role":"admin"}`), 200)
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+eve.id, `{"role":"admin"}`), 200)
		slow := func(by member, method, path, body string, happens func()) {
			r, err := http.NewRequestWithContext(t.Context(), method, path, webtest.Late(body, happens))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+by.key)
			r.Header.Set("Content-Type", "application/json")
			a.refused(webtest.Send(a.service.Handler(), r), 401, "INVALID_CREDENTIALS")
		}
		slow(eve, "POST", "/api/v1/clients/api-keys", `{"name":"another"}`, func() {
			_, err := a.service.ResetKeys(t.Context(), root, eve.id)
			require.NoError(t, err)
		})
		keys, err := a.service.Keys(t.Context(), eve.id)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		bob := a.join(`{}`)
		slow(ann, "PATCH", "/api/v1/admin/users/"+bob.id, `{"role":"content_provider"}`, func() {
			_, err := a.service.SetStatus(t.Context(), root, ann.id, account.StatusChange{Status: account.StatusDeleted})
			require.NoError(t, err)
		})
		u, err := a.service.User(t.Context(), bob.id)
		require.NoError(t, err)
		require.NotEqual(t, account.RoleContentProvider, u.Role)
	})
}

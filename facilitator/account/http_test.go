package account_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

const john = `{"role":"content_provider","username":"john","email":"john@example.com","name":"John's Films","website":"https://john.example/"}`

func TestAUserRegistersAndReadsTheirProfile(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		var got struct {
			User    map[string]any
			APIKey  string `json:"api_key"`
			Warning string
		}
		a.read(a.do("POST", "/api/v1/auth/register", john), 201, &got)
		require.Regexp(t, `^v402_[0-9A-Za-z]{32}$`, got.APIKey)
		require.NotEmpty(t, got.Warning)
		require.Equal(t, map[string]any{
			"id": got.User["id"], "role": "content_provider", "status": "active", "username": "john", "email": "john@example.com",
			"name": "John's Films", "website": "https://john.example/", "public_key": nil, "verified": false,
			"created_at": "2024-01-15T10:45:00Z", "updated_at": "2024-01-15T10:45:00Z", "last_seen_at": nil,
		}, got.User)

		var profile map[string]any
		a.read(a.as(got.APIKey, "GET", "/api/v1/providers/profile", ""), 200, &profile)
		require.Equal(t, got.User, profile)
		for _, header := range []string{"X-API-Key", "X-V402-API-Key"} {
			a.read(a.do("GET", "/api/v1/clients/profile", "", header, got.APIKey), 200, &profile)
			require.Equal(t, got.User["id"], profile["id"])
			require.Equal(t, "2024-01-15T10:45:00Z", profile["last_seen_at"])
		}
		a.pass(time.Minute)
		a.read(a.as(got.APIKey, "PUT", "/api/v1/providers/profile", `{"name":" J. Films ","website":""}`), 200, &profile)
		require.Equal(t, "J. Films", profile["name"])
		require.Equal(t, "", profile["website"])
		require.Equal(t, "john", profile["username"])
		require.Equal(t, "2024-01-15T10:46:00Z", profile["updated_at"])
		a.pass(time.Minute)
		a.read(a.as(got.APIKey, "PUT", "/api/v1/providers/profile", `{"name":"J. Films"}`), 200, &profile)
		require.Equal(t, "2024-01-15T10:46:00Z", profile["updated_at"], "nothing has changed")
		types, last := a.events()
		require.Equal(t, []string{"user.registered", "user.updated"}, types)
		require.Equal(t, got.User["id"], last.OwnerID)
	})
}

func TestRegistrationMayWaitForAnAdmin(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *account.Config) { c.RequireApproval = true })
	m := a.join(`{}`)
	require.Contains(t, a.refused(a.as(m.key, "GET", "/api/v1/clients/profile", ""), 403, "FORBIDDEN").Message, "approval")
	a.want(a.admin("PATCH", "/api/v1/admin/users/"+m.id+"/status", `{"new_status":"active"}`), 200)
	a.want(a.as(m.key, "GET", "/api/v1/clients/profile", ""), 200)
	types, _ := a.events()
	require.Equal(t, []string{"user.registered", "user.approved"}, types)
}

func TestTheRequestsOfTheDocumentationWorkAsWritten(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m := a.join(john)
		a.join(`{"role":"content_provider","email":"ann@example.com"}`)
		a.join(`{"role":"end_user","email":"john@example.com"}`)

		var list struct {
			Items                    []map[string]any
			Total, Page, Size, Pages int
		}
		a.read(a.admin("GET", "/api/v1/admin/users?page=1&size=50&role=content_provider&status=active&search=john@example.com", ""), 200, &list)
		require.Len(t, list.Items, 1)
		require.Equal(t, []int{1, 1, 50, 1}, []int{list.Total, list.Page, list.Size, list.Pages})
		require.Equal(t, m.id, list.Items[0]["id"])

		var user map[string]any
		a.read(a.admin("GET", "/api/v1/admin/users/"+m.id, ""), 200, &user)
		require.Equal(t, "john@example.com", user["email"])
		require.EqualValues(t, 1, user["api_keys"])

		var changed struct {
			Message   string
			User      map[string]any
			UpdatedBy string `json:"updated_by"`
			Timestamp string
		}
		a.read(a.admin("PATCH", "/api/v1/admin/users/"+m.id+"/status?reason=Terms%20violation", "{\n\"new_status\": \"suspended\"\n}"), 200, &changed)
		require.Equal(t, "suspended", changed.User["status"])
		require.Equal(t, "Terms violation", changed.User["status_reason"])
		require.Equal(t, "admin:root", changed.UpdatedBy)
		require.Equal(t, "2024-01-15T10:45:00Z", changed.Timestamp)
		require.NotEmpty(t, changed.Message)

		var reset struct {
			Message string
			APIKey  string `json:"api_key"`
			Warning string
		}
		a.read(a.admin("POST", "/api/v1/admin/users/"+m.id+"/reset-api-key", ""), 200, &reset)
		require.NotEqual(t, m.key, reset.APIKey)
		require.NotEmpty(t, reset.Message)
		require.NotEmpty(t, reset.Warning)
		a.refused(a.as(m.key, "GET", "/api/v1/providers/profile", ""), 401, "INVALID_CREDENTIALS")
		a.refused(a.as(reset.APIKey, "GET", "/api/v1/providers/profile", ""), 403, "ACCOUNT_SUSPENDED")
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+m.id+"/status", `{"new_status":"active"}`), 200)
		a.want(a.as(reset.APIKey, "GET", "/api/v1/providers/profile", ""), 200)
	})
}

func TestSuspendedAndBannedUsersMayDoNothing(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		paths := []string{"GET /api/v1/clients/profile", "PUT /api/v1/providers/profile", "GET /api/v1/providers/api-keys",
			"POST /api/v1/clients/api-keys", "POST /api/v1/auth/wallet", "GET /api/v1/admin/users"}
		m := a.join(john)
		for _, step := range []struct{ status, code, event string }{
			{"suspended", "ACCOUNT_SUSPENDED", "user.suspended"},
			{"active", "", "user.reinstated"},
			{"suspended", "ACCOUNT_SUSPENDED", "user.suspended"},
			{"banned", "ACCOUNT_SUSPENDED", "user.banned"},
			{"deleted", "INVALID_CREDENTIALS", "user.deleted"},
		} {
			a.want(a.admin("PATCH", "/api/v1/admin/users/"+m.id+"/status", `{"new_status":"`+step.status+`","reason":"because"}`), 200)
			types, last := a.events()
			require.Equal(t, step.event, types[len(types)-1])
			require.Equal(t, account.UserEvent{
				UserID: m.id, OwnerID: m.id, Role: "content_provider", Status: account.Status(step.status), PreviousStatus: last.PreviousStatus,
				Reason: "because", At: today.Truncate(time.Microsecond),
			}, last)
			if step.code == "" {
				continue
			}
			for _, path := range paths {
				method, path, _ := strings.Cut(path, " ")
				w := a.as(m.key, method, path, "{}")
				a.refused(w, v402api.Code(step.code).Status(), step.code)
			}
		}
	})
}

func TestAStatusChangesOnlyAsItMay(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m := a.join(john)
		path := "/api/v1/admin/users/" + m.id + "/status"
		for _, step := range []struct {
			to     string
			status int
		}{{"active", 400}, {"pending", 400}, {"suspended", 200}, {"suspended", 400}, {"active", 200}, {"banned", 200}, {"active", 400}, {"suspended", 400}, {"deleted", 200}, {"active", 400}, {"banned", 400}} {
			w := a.admin("PATCH", path, `{"new_status":"`+step.to+`"}`)
			a.want(w, step.status)
			if step.status == 400 {
				a.refused(w, 400, "INVALID_STATE")
			}
		}
		types, _ := a.events()
		require.Len(t, types, 5, "what was refused is not told")
	})
}

func TestOnlySuperAdminsMakeAndChangeAdmins(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann, bob, eve := a.join(john), a.join(`{}`), a.join(`{}`)
		user := func(m member) string { return "/api/v1/admin/users/" + m.id }
		a.refused(a.as(ann.key, "GET", "/api/v1/admin/users", ""), 403, "FORBIDDEN")
		a.want(a.admin("PATCH", user(ann), `{"role":"admin"}`), 200)
		a.want(a.admin("PATCH", user(bob), `{"role":"admin","verified":true}`), 200)
		a.want(a.as(ann.key, "GET", "/api/v1/admin/users", ""), 200)

		a.refused(a.as(ann.key, "PATCH", user(eve), `{"role":"admin"}`), 403, "FORBIDDEN")
		a.refused(a.as(ann.key, "PATCH", user(bob), `{"role":"end_user"}`), 403, "FORBIDDEN")
		a.refused(a.as(ann.key, "PATCH", user(bob)+"/status", `{"new_status":"banned"}`), 403, "FORBIDDEN")
		a.refused(a.as(ann.key, "POST", user(bob)+"/reset-api-key", ""), 403, "FORBIDDEN")
		a.refused(a.as(ann.key, "PATCH", user(ann)+"/status", `{"new_status":"deleted"}`), 403, "FORBIDDEN")
		a.refused(a.as(ann.key, "PATCH", user(ann), `{"role":"super_admin"}`), 403, "FORBIDDEN")
		a.want(a.as(ann.key, "PATCH", user(eve), `{"verified":true}`), 200)
		a.want(a.as(ann.key, "PATCH", user(eve)+"/status", `{"new_status":"banned"}`), 200)
		a.want(a.admin("PATCH", user(ann), `{"role":"super_admin"}`), 200)
		a.want(a.as(ann.key, "PATCH", user(bob), `{"role":"end_user"}`), 200)
		a.refused(a.as(ann.key, "PATCH", user(ann)+"/status", `{"new_status":"suspended"}`), 403, "FORBIDDEN")
		a.refused(a.as(ann.key, "PATCH", user(ann), `{"role":"end_user"}`), 403, "FORBIDDEN")
		a.refused(a.as(bob.key, "GET", "/api/v1/admin/users", ""), 403, "FORBIDDEN")

		var log struct {
			Items []struct {
				Actor, Action, Subject string
				Detail                 map[string]any
			}
			Total int
		}
		a.read(a.admin("GET", "/api/v1/admin/audit-log?actor="+ann.id+"&subject=user:"+eve.id, ""), 200, &log)
		require.Equal(t, 2, log.Total)
		require.Equal(t, "user.set_status", log.Items[0].Action)
		require.Equal(t, "banned", log.Items[0].Detail["to"])
	})
}

func TestAUserKeepsTheirOwnKeys(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann, bob := a.join(john), a.join(`{}`)
		a.pass(time.Second)
		var made struct{ ID, Name, APIKey, Prefix string }
		var secret struct {
			APIKey string `json:"api_key"`
		}
		w := a.as(ann.key, "POST", "/api/v1/providers/api-keys", `{"name":"build server"}`)
		a.read(w, 201, &made)
		a.read(w, 201, &secret)
		require.Equal(t, secret.APIKey[:11], made.Prefix)
		a.pass(time.Hour)
		a.want(a.as(secret.APIKey, "GET", "/api/v1/providers/profile", ""), 200)

		var list struct {
			Items []map[string]any
			Total int
		}
		a.read(a.as(ann.key, "GET", "/api/v1/clients/api-keys", ""), 200, &list)
		require.Equal(t, 2, list.Total)
		require.Equal(t, "build server", list.Items[1]["name"])
		require.Equal(t, "2024-01-15T11:45:01Z", list.Items[1]["last_used_at"])
		require.NotContains(t, list.Items[1], "api_key")

		a.refused(a.as(bob.key, "POST", "/api/v1/clients/api-keys/"+made.ID+"/rotate", ""), 404, "NOT_FOUND")
		a.refused(a.as(bob.key, "DELETE", "/api/v1/clients/api-keys/"+made.ID, ""), 404, "NOT_FOUND")
		a.refused(a.as(bob.key, "GET", "/api/v1/providers/api-keys", ""), 403, "FORBIDDEN")

		old := secret.APIKey
		a.read(a.as(ann.key, "POST", "/api/v1/providers/api-keys/"+made.ID+"/rotate", ""), 200, &secret)
		a.refused(a.as(old, "GET", "/api/v1/providers/profile", ""), 401, "INVALID_CREDENTIALS")
		a.want(a.as(secret.APIKey, "GET", "/api/v1/providers/profile", ""), 200)
		a.refused(a.as(ann.key, "POST", "/api/v1/providers/api-keys/"+made.ID+"/rotate", ""), 404, "NOT_FOUND")
		a.read(a.as(ann.key, "GET", "/api/v1/clients/api-keys", ""), 200, &list)
		require.Equal(t, "build server", list.Items[1]["name"])
		a.want(a.as(ann.key, "DELETE", "/api/v1/providers/api-keys/"+list.Items[1]["id"].(string), ""), 200)
		a.refused(a.as(secret.APIKey, "GET", "/api/v1/providers/profile", ""), 401, "INVALID_CREDENTIALS")
	})
}

func TestKeysAreBoundedAndStoredAsHashesOnly(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *account.Config) { c.MaxKeys = 2 })
	m := a.join(`{}`)
	a.want(a.as(m.key, "POST", "/api/v1/clients/api-keys", `{"name":"a"}`), 201)
	a.refused(a.as(m.key, "POST", "/api/v1/clients/api-keys", `{"name":"b"}`), 409, "CONFLICT")
	keys, err := a.service.Keys(t.Context(), m.id)
	require.NoError(t, err)
	require.NotContains(t, keys[0].Hash, m.key)
	require.Len(t, keys[0].Hash, 64)
	log := a.admin("GET", "/api/v1/admin/audit-log", "").Body.String()
	require.NotContains(t, log, m.key)
	require.NotContains(t, log, keys[0].Hash)
}

func TestAStaticAdminTokenHasNoAccount(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	var profile map[string]any
	a.read(a.admin("GET", "/api/v1/clients/profile", ""), 200, &profile)
	require.Equal(t, "admin:root", profile["id"])
	require.Equal(t, "super_admin", profile["role"])
	for _, path := range []string{"PUT /api/v1/clients/profile", "GET /api/v1/providers/api-keys", "POST /api/v1/clients/api-keys", "POST /api/v1/auth/wallet"} {
		method, path, _ := strings.Cut(path, " ")
		a.refused(a.admin(method, path, "{}"), 403, "FORBIDDEN")
	}
	for _, c := range []account.Config{{Store: a.store, AdminTokens: map[string]string{"x": ""}}, {Store: a.store, AdminTokens: map[string]string{"": adminToken}},
		{Store: a.store, AdminTokens: map[string]string{"x": "v402_" + strings.Repeat("a", 32)}}, {}} {
		_, err := account.New(c)
		require.Error(t, err)
	}
}

func TestRequestsAreLimitedByUserAndByAddress(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *account.Config) {
		c.Limits = account.NewLimits(account.Rates{Anonymous: 3, Authenticated: 5, Admin: 2})
	})
	m := a.join(`{}`)
	for range 5 {
		a.want(a.as(m.key, "GET", "/api/v1/clients/profile", ""), 200)
	}
	w := a.as(m.key, "GET", "/api/v1/clients/profile", "")
	a.refused(w, 429, "RATE_LIMIT_EXCEEDED")
	require.Equal(t, "12", w.Header().Get("Retry-After"))
	require.Equal(t, "5", w.Header().Get("X-RateLimit-Limit"))
	a.want(a.as("wrong", "GET", "/api/v1/clients/profile", ""), 401)
	a.want(a.as("wrong", "GET", "/api/v1/clients/profile", ""), 401)
	a.refused(a.as("wrong", "GET", "/api/v1/clients/profile", ""), 429, "RATE_LIMIT_EXCEEDED")
	a.refused(a.do("POST", "/api/v1/auth/register", `{}`), 429, "RATE_LIMIT_EXCEEDED")
	a.want(a.admin("GET", "/api/v1/admin/users", ""), 200)
}

func TestTheSpecificationIsServedAndWhatItHasIsServed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	w := a.do("GET", "/api/v1/account/openapi.yaml", "")
	a.want(w, 200)
	require.Equal(t, string(want), w.Body.String())

	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			w := a.do(method, parameter.ReplaceAllString(path, "1"), "")
			if len(*cmp.Or(operation.Security, &doc.Security)) > 0 {
				a.refused(w, 401, "AUTHENTICATION_REQUIRED")
				require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
				continue
			}
			require.Less(t, w.Code, 300, "%s %s", method, path)
		}
	}
}

func TestHandlersAreJoinedToOne(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	_, err := account.Join(a.service.Handler(), http.NotFoundHandler())
	require.Error(t, err)
	joined, err := account.Join(newAPI(t, backends["memory"](t)).service.Handler(), a.service.Handler())
	require.NoError(t, err)
	for path, status := range map[string]int{"/api/v1/clients/profile": 401, "/api/v1/account/openapi.yaml": 200, "/api/v1/nothing": 404} {
		w := httptest.NewRecorder()
		joined.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		a.want(w, status)
	}
}

func TestPathsMethodsAndPreflightsAreAnsweredInForm(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	a.refused(a.do("GET", "/api/v1/nothing", ""), 404, "NOT_FOUND")
	w := a.do("DELETE", "/api/v1/clients/profile", "")
	a.refused(w, 405, "METHOD_NOT_ALLOWED")
	require.Equal(t, "GET, HEAD, PUT", w.Header().Get("Allow"))
	plain := httptest.NewRecorder()
	a.service.Handler().ServeHTTP(plain, httptest.NewRequest("OPTIONS", "/api/v1/clients/profile", nil))
	require.Equal(t, 204, plain.Code)
	require.Contains(t, plain.Header().Get("Access-Control-Allow-Headers"), "X-V402-Nonce")
	require.Contains(t, plain.Header().Get("Access-Control-Allow-Methods"), "PATCH")
}

package account_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadInputIsToldByFieldAndChangesNothing(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m := a.join(john)
		long := strings.Repeat("x", 1001)
		user := "/api/v1/admin/users/" + m.id
		for _, c := range []struct{ who, method, path, body, field, code string }{
			{"", "POST", "/api/v1/auth/register", `{"role":"admin"}`, "role", "INVALID_ENUM"},
			{"", "POST", "/api/v1/auth/register", `{"role":"super_admin"}`, "role", "INVALID_ENUM"},
			{"", "POST", "/api/v1/auth/register", `{"role":1}`, "role", "INVALID_TYPE"},
			{"", "POST", "/api/v1/auth/register", `{"email":"john"}`, "email", "INVALID_EMAIL"},
			{"", "POST", "/api/v1/auth/register", `{"email":"John <john@example.com>"}`, "email", "INVALID_EMAIL"},
			{"", "POST", "/api/v1/auth/register", `{"email":"` + long[:250] + `@example.com"}`, "email", "TOO_LONG"},
			{"", "POST", "/api/v1/auth/register", `{"username":"` + long[:101] + `"}`, "username", "TOO_LONG"},
			{"", "POST", "/api/v1/auth/register", `{"username":"a\u0000b"}`, "username", "INVALID_FORMAT"},
			{"", "POST", "/api/v1/auth/register", `{"name":["x"]}`, "name", "INVALID_TYPE"},
			{"", "POST", "/api/v1/auth/register", `{"website":"javascript:alert(1)"}`, "website", "INVALID_URL"},
			{"", "POST", "/api/v1/auth/register", `{"website":"https://u:p@example.com"}`, "website", "INVALID_URL"},
			{"", "POST", "/api/v1/auth/register", `{"public_key":"0x123"}`, "public_key", "INVALID_ADDRESS"},
			{"", "POST", "/api/v1/auth/register", `{"public_key":"0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9"}`, "public_key", "INVALID_SIGNATURE"},
			{"", "POST", "/api/v1/auth/register", `{"status":"active"}`, "status", "UNKNOWN_FIELD"},
			{"", "POST", "/api/v1/auth/register", `[]`, "", ""},
			{"", "POST", "/api/v1/auth/register", `{"role":`, "", ""},
			{"user", "PUT", "/api/v1/clients/profile", `{"email":"@"}`, "email", "INVALID_EMAIL"},
			{"user", "PUT", "/api/v1/clients/profile", `{"role":"admin"}`, "role", "UNKNOWN_FIELD"},
			{"user", "PUT", "/api/v1/clients/profile", `{"public_key":"0x1"}`, "public_key", "UNKNOWN_FIELD"},
			{"user", "PUT", "/api/v1/providers/profile", `null`, "", ""},
			{"user", "POST", "/api/v1/clients/api-keys", `{}`, "name", "REQUIRED"},
			{"user", "POST", "/api/v1/clients/api-keys", `{"name":"  "}`, "name", "REQUIRED"},
			{"user", "POST", "/api/v1/clients/api-keys", `{"name":"` + long[:101] + `"}`, "name", "TOO_LONG"},
			{"admin", "GET", "/api/v1/admin/users?page=0", ``, "page", "INVALID_RANGE"},
			{"admin", "GET", "/api/v1/admin/users?size=201", ``, "size", "INVALID_RANGE"},
			{"admin", "GET", "/api/v1/admin/users?size=ten", ``, "size", "INVALID_TYPE"},
			{"admin", "GET", "/api/v1/admin/users?role=provider", ``, "role", "INVALID_ENUM"},
			{"admin", "GET", "/api/v1/admin/users?status=gone", ``, "status", "INVALID_ENUM"},
			{"admin", "GET", "/api/v1/admin/users?created_after=yesterday", ``, "created_after", "INVALID_DATE"},
			{"admin", "GET", "/api/v1/admin/users?search=" + long[:256], ``, "search", "TOO_LONG"},
			{"admin", "GET", "/api/v1/admin/users?search=%FF", ``, "search", "INVALID_FORMAT"},
			{"admin", "PATCH", user, `{}`, "role", "REQUIRED"},
			{"admin", "PATCH", user, `{"role":"king"}`, "role", "INVALID_ENUM"},
			{"admin", "PATCH", user, `{"verified":"yes"}`, "verified", "INVALID_TYPE"},
			{"admin", "PATCH", user + "/status", `{}`, "new_status", "REQUIRED"},
			{"admin", "PATCH", user + "/status", `{"new_status":"frozen"}`, "new_status", "INVALID_ENUM"},
			{"admin", "PATCH", user + "/status", `{"status":"banned"}`, "status", "UNKNOWN_FIELD"},
			{"admin", "PATCH", user + "/status?reason=" + long, `{"new_status":"banned"}`, "reason", "TOO_LONG"},
			{"admin", "PATCH", user + "/status", `{"new_status":"banned","reason":"` + long + `"}`, "reason", "TOO_LONG"},
			{"admin", "GET", "/api/v1/admin/audit-log?start_date=2024-13-01", ``, "start_date", "INVALID_DATE"},
		} {
			headers := map[string][]string{"": nil, "user": {"X-API-Key", m.key}, "admin": {"Authorization", "Bearer " + adminToken}}[c.who]
			got := a.refused(a.do(c.method, c.path, c.body, headers...), 400, "VALIDATION_ERROR")
			require.Equal(t, []string{c.field, c.code}, []string{got.Field, got.Code}, "%+v", c)
		}
		for _, path := range []string{"GET ", "PATCH ", "POST /reset-api-key", "PATCH /status"} {
			method, rest, _ := strings.Cut(path, " ")
			body := map[string]string{"PATCH ": `{"verified":true}`, "PATCH /status": `{"new_status":"banned"}`}[path]
			a.refused(a.admin(method, "/api/v1/admin/users/nobody"+rest, body), 404, "NOT_FOUND")
		}
		a.refused(a.do("POST", "/api/v1/auth/register", strings.Repeat(" ", 65<<10)), 413, "PAYLOAD_TOO_LARGE")
		types, _ := a.events()
		require.Equal(t, []string{"user.registered"}, types)
		var user1 struct{ Status, Role string }
		a.read(a.admin("GET", user, ""), 200, &user1)
		require.Equal(t, "active", user1.Status)
		require.Equal(t, "content_provider", user1.Role)
	})
}

func TestBadCredentialsAreAllRefusedAlike(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t))
	m := a.join(`{}`)
	w := a.wallet()
	a.want(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201)
	without := func(name string) *http.Request {
		r := w.request("GET", "/api/v1/clients/profile", "")
		r.Header.Del(name)
		return r
	}
	with := func(name, value string) *http.Request {
		r := w.request("GET", "/api/v1/clients/profile", "")
		r.Header.Set(name, value)
		return r
	}
	for name, r := range map[string]*http.Request{
		"no public key": without("X-Public-Key"), "no time": without("X-V402-Timestamp"), "no nonce": without("X-V402-Nonce"),
		"no signature":      without("X-V402-Signature"),
		"a short nonce":     with("X-V402-Nonce", "1234567"),
		"a long nonce":      with("X-V402-Nonce", strings.Repeat("n", 129)),
		"a nonce of blanks": with("X-V402-Nonce", "a nonce here"),
		"time as text":      with("X-V402-Timestamp", "2024-01-15T10:45:00Z"),
		"time of too much":  with("X-V402-Timestamp", "99999999999999999999"),
		"a signature of 0x": with("X-V402-Signature", "0x"),
		"half a signature":  with("X-V402-Signature", "0x"+strings.Repeat("ab", 32)),
		"no hex":            with("X-V402-Signature", "0x"+strings.Repeat("zz", 65)),
		"a huge signature":  with("X-V402-Signature", "0x"+strings.Repeat("ab", 20<<10)),
		"another key":       with("X-Public-Key", "0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9"),
		"no key at all":     with("X-Public-Key", "me"),
	} {
		got := a.send(r)
		a.refused(got, 401, "INVALID_CREDENTIALS")
		require.NotContains(t, got.Body.String(), "user", name)
	}
	for _, token := range []string{"v402_", "v402_short", m.key + "x", m.key[:len(m.key)-1] + "!", "v402_" + strings.Repeat("0", 32), "Bearer", "admin", adminToken + "x", adminToken[:20], "\x00"} {
		require.Equal(t, 401, a.as(token, "GET", "/api/v1/clients/profile", "").Code, token)
	}
	for _, scheme := range []string{"Basic dXNlcjpwdw==", "Bearer", "Bearer ", "v402_x", "Digest x"} {
		require.Equal(t, 401, a.do("GET", "/api/v1/clients/profile", "", "Authorization", scheme).Code, scheme)
	}
	a.refused(a.do("GET", "/api/v1/clients/profile", ""), 401, "AUTHENTICATION_REQUIRED")
	a.want(a.do("GET", "/api/v1/clients/profile", "", "Authorization", "bearer  "+m.key), 200)
	a.want(a.do("GET", "/api/v1/clients/profile", "", "X-API-Key", m.key, "Authorization", "Bearer nonsense"), 200)
}

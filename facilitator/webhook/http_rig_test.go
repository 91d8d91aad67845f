package webhook_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/internal/webtest"
)

// backends open an empty store of each kind.
var backends = webtest.Stores[backend]()

// today is when requests are made: in the middle of a second.
var today = time.Date(2024, 1, 20, 12, 0, 0, 345678000, time.UTC)

// users are those whose bearer token is their ID.
var users = map[string]account.User{
	ann:     {ID: ann, Role: account.RoleContentProvider, Status: account.StatusActive},
	bob:     {ID: bob, Role: account.RoleContentProvider, Status: account.StatusActive},
	"ada":   {ID: "ada", Role: account.RoleAdmin, Status: account.StatusActive},
	"buyer": {ID: "buyer", Role: account.RoleEndUser, Status: account.StatusActive},
	"anon":  {Role: account.RoleContentProvider, Status: account.StatusActive},
}

func authenticate(r *http.Request) (account.User, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return account.User{}, account.ErrUnauthenticated
	}
	u, known := users[token]
	if !known {
		return account.User{}, account.ErrInvalidCredentials
	}
	return u, nil
}

// api is a publisher behind its handler, whose answers are checked against
// openapi.yaml. It does not run.
type api struct {
	*rig
	handler http.Handler
	time    *webtest.Clock
}

func newAPI(t *testing.T, s backend, edits ...func(*webhook.Config)) *api {
	t.Helper()
	a := &api{time: webtest.NewClock(today)}
	edits = append([]func(*webhook.Config){func(c *webhook.Config) {
		c.Authenticate, c.Now = authenticate, a.clock
	}}, edits...)
	a.rig = rigOn(t, s, edits...)
	a.handler = webtest.Specified(t, "openapi.yaml", a.Handler())
	return a
}

func (a *api) clock() time.Time { return a.time.Now() }

// pass lets time go by.
func (a *api) pass(d time.Duration) { a.time.Pass(d) }

// do sends a request, such as "GET /api/v1/providers/webhooks", as a user.
func (a *api) do(as, what, body string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(what, " ")
	r := webtest.Request(method, path, body)
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	return webtest.Send(a.handler, r)
}

const base = "/api/v1/providers/webhooks"

// create registers a webhook for payment.confirmed and returns its ID.
func (a *api) create(as string) string {
	a.t.Helper()
	w := a.do(as, "POST "+base, `{"url":"https://a.example/hook","events":["payment.confirmed"]}`)
	require.Equal(a.t, 201, w.Code, "%s", w.Body)
	return member[string](a.t, w, "id")
}

// member is a member of the answer.
func member[T any](t testing.TB, w *httptest.ResponseRecorder, name string) T {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &all), "%s", w.Body)
	var v T
	require.NoError(t, json.Unmarshal(all[name], &v), "%s of %s", name, w.Body)
	return v
}

// What differs from run to run.
var (
	someID      = regexp.MustCompile(`wh-[0-9A-Z]{26}`)
	someUUID    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	someSecret  = regexp.MustCompile(`whsec_[A-Za-z0-9+/]{43}=`)
	someID2     = regexp.MustCompile(`dlv-[0-9a-f]{26}`)
	someTime    = regexp.MustCompile(`"duration_ms":\d+`)
	replacement = []struct {
		what *regexp.Regexp
		by   string
	}{{someID, "wh-ID"}, {someUUID, "UUID"}, {someSecret, "whsec_SECRET"}, {someID2, "dlv-ID"}, {someTime, `"duration_ms":0`}}
)

// same requires an answer to the byte, but for what is random and how long it took.
func (a *api) same(w *httptest.ResponseRecorder, status int, body string) {
	a.t.Helper()
	got := bytes.TrimSuffix(w.Body.Bytes(), []byte("\n"))
	for _, r := range replacement {
		got = r.what.ReplaceAll(got, []byte(r.by))
	}
	require.Equal(a.t, body, string(got), "%s", a.log)
	require.Equal(a.t, status, w.Code)
}

package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// backend is what all three stores are.
type backend interface {
	registry.Store
	store.Outbox
}

// backends open an empty store of each kind.
var backends = webtest.Stores[backend]()

// overEachStore runs a test over each kind of store.
func overEachStore(t *testing.T, test func(t *testing.T, a *api)) {
	webtest.OverEachStore(t, func(t *testing.T, s backend) { test(t, newAPI(t, s)) })
}

// adminToken is that of the admin "ada".
const adminToken = "the-admin-token"

// today is when the tests take place: in the middle of a second.
var today = time.Date(2024, 1, 20, 12, 0, 0, 345678000, time.UTC)

// api is a registry behind its handler.
type api struct {
	t       testing.TB
	store   backend
	service *registry.Service
	handler http.Handler
	log     *webtest.Log

	applicants atomic.Int32
	time       *webtest.Clock
}

// newAPI is one whose answers are checked against openapi.yaml.
func newAPI(t testing.TB, s backend, edits ...func(*registry.Config)) *api {
	t.Helper()
	a := &api{t: t, store: s, log: new(webtest.Log), time: webtest.NewClock(today)}
	c := registry.Config{
		Store: s, Admin: registry.BearerToken("ada", adminToken), EncryptionKey: bytes.Repeat([]byte{7}, 32),
		PasswordCost: bcrypt.MinCost, Now: a.clock, Logger: slog.New(slog.NewTextHandler(a.log, nil)),
	}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	a.service, err = registry.New(c)
	require.NoError(t, err)
	a.handler = webtest.Specified(t, "openapi.yaml", a.service.Handler())
	return a
}

func (a *api) clock() time.Time { return a.time.Now() }

// pass lets time go by.
func (a *api) pass(d time.Duration) { a.time.Pass(d) }

// do sends a request; headers are pairs of name and value.
func (a *api) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := webtest.Request(method, path, body, headers...)
	if path == "/api/platforms/register" { // each applicant is at home
		n := a.applicants.Add(1)
		r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", n>>8, n&255)
	}
	return webtest.Send(a.handler, r)
}

// admin sends a request as the admin.
func (a *api) admin(method, path, body string) *httptest.ResponseRecorder {
	return a.do(method, path, body, "Authorization", "Bearer "+adminToken)
}

// member is an approved platform.
type member struct {
	*api
	id  int64
	key string
}

// application is the body of a registration.
func application(email, platform string) string {
	return fmt.Sprintf(`{"name":"Ann Lee","email":%q,"password":"correct horse","password_confirmation":"correct horse",`+
		`"platform_name":%q,"platform_address":"1 Main St","tin_number":"12-3456789","platform_phone":"+1 555 0100",`+
		`"platform_email":"office@example.com","bank_account_number":"000123456789","bank_routing_number":"021000021","bank_name":"First Bank"}`, email, platform)
}

// join registers a platform and approves it.
func (a *api) join(name string) *member {
	a.t.Helper()
	email := strings.ReplaceAll(strings.ToLower(name), " ", ".") + "@example.com"
	a.want(a.do("POST", "/api/platforms/register", application(email, name)), 201)
	var pending []struct {
		ID           int64  `json:"id"`
		PlatformName string `json:"platform_name"`
	}
	a.data(a.admin("GET", "/api/admin/applications/pending", ""), &pending)
	m := &member{api: a}
	for _, p := range pending {
		if p.PlatformName == name {
			m.id = p.ID
		}
	}
	var approved struct {
		Key string `json:"api_key"`
	}
	a.data(a.admin("POST", fmt.Sprintf("/api/admin/applications/%d/approve", m.id), ""), &approved)
	m.key = approved.Key
	return m
}

// do sends a request as the platform.
func (m *member) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	return m.api.do(method, path, body, append(headers, "X-API-Key", m.key)...)
}

// publish registers contracts.
func (m *member) publish(hashes ...string) {
	m.t.Helper()
	list, err := json.Marshal(hashes)
	require.NoError(m.t, err)
	m.want(m.do("POST", "/api/contracts/register", `{"ipfs_hash":"QmOriginalContent","metadata_cid":"QmMeta","contract_hashes":`+string(list)+`}`), 201)
}

// sell reports a sale and returns its transaction and royalty IDs.
func (m *member) sell(hash, amount, royalty string) (transaction, owed int64) {
	m.t.Helper()
	var got struct {
		Transaction int64 `json:"transaction_id"`
		Royalty     int64 `json:"royalty_id"`
	}
	m.data(m.do("POST", "/api/sales", fmt.Sprintf(`{"contract_hash":%q,"sale_amount":%s,"royalty_amount":%s}`, hash, amount, royalty)), &got)
	return got.Transaction, got.Royalty
}

// want requires a status.
func (a *api) want(w *httptest.ResponseRecorder, status int) {
	a.t.Helper()
	require.Equal(a.t, status, w.Code, "%s%s", w.Body, a.log)
}

// same requires an answer to the byte.
func (a *api) same(w *httptest.ResponseRecorder, status int, body string) {
	a.t.Helper()
	a.want(w, status)
	require.Equal(a.t, body, strings.TrimSuffix(w.Body.String(), "\n"))
}

// data reads the data of a success.
func (a *api) data(w *httptest.ResponseRecorder, into any) {
	a.t.Helper()
	var got struct {
		Success bool
		Data    json.RawMessage
	}
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), &got), "%s", w.Body)
	require.True(a.t, got.Success, "%d %s%s", w.Code, w.Body, a.log)
	require.NoError(a.t, json.Unmarshal(got.Data, into), "%s", got.Data)
}

// stats are counts of everything there is.
func (a *api) stats() registry.Stats {
	a.t.Helper()
	stats, err := a.store.Stats(context.Background())
	require.NoError(a.t, err)
	return stats
}

package account_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402/evm"
)

// backend is what all three stores are.
type backend interface {
	account.Store
	store.Outbox
}

// backends open an empty store of each kind.
var backends = webtest.Stores[backend]()

// overEachStore runs a test over each kind of store.
func overEachStore(t *testing.T, test func(t *testing.T, a *api)) {
	webtest.OverEachStore(t, func(t *testing.T, s backend) { test(t, newAPI(t, s)) })
}

// adminToken is that of the super admin "root".
const adminToken = "the-first-admin-token"

// today is when the tests take place: in the middle of a second.
var today = time.Date(2024, 1, 15, 10, 45, 0, 345678000, time.UTC)

// api is an account service behind its handler.
type api struct {
	t       testing.TB
	store   backend
	service *account.Service
	handler http.Handler
	time    *webtest.Clock
	log     *webtest.Log
}

// newAPI is one whose answers are checked against openapi.yaml.
func newAPI(t testing.TB, s backend, edits ...func(*account.Config)) *api {
	t.Helper()
	a := &api{t: t, store: s, time: webtest.NewClock(today), log: new(webtest.Log)}
	c := account.Config{
		Store: s, AdminTokens: map[string]string{"root": adminToken}, Now: a.clock,
		Logger: slog.New(slog.NewTextHandler(a.log, nil)),
	}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	a.service, err = account.New(c)
	require.NoError(t, err)
	a.handler = webtest.Specified(t, "openapi.yaml", a.service.Handler())
	return a
}

func (a *api) clock() time.Time { return a.time.Now() }

// pass lets time go by.
func (a *api) pass(d time.Duration) { a.time.Pass(d) }

// do sends a request; headers are pairs of name and value.
func (a *api) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	return a.send(webtest.Request(method, path, body, headers...))
}

func (a *api) send(r *http.Request) *httptest.ResponseRecorder { return webtest.Send(a.handler, r) }

// admin sends a request as the first admin.
func (a *api) admin(method, path, body string) *httptest.ResponseRecorder {
	return a.do(method, path, body, "Authorization", "Bearer "+adminToken)
}

// as sends a request with an API key.
func (a *api) as(key, method, path, body string) *httptest.ResponseRecorder {
	return a.do(method, path, body, "Authorization", "Bearer "+key)
}

// member is a user with an API key.
type member struct{ id, key string }

// join registers a user.
func (a *api) join(body string) member {
	a.t.Helper()
	var got struct {
		User   struct{ ID string }
		APIKey string `json:"api_key"`
	}
	a.read(a.do("POST", "/api/v1/auth/register", body), 201, &got)
	return member{got.User.ID, got.APIKey}
}

// want requires a status.
func (a *api) want(w *httptest.ResponseRecorder, status int) {
	a.t.Helper()
	require.Equal(a.t, status, w.Code, "%s%s", w.Body, a.log)
}

// read requires a status and reads the answer.
func (a *api) read(w *httptest.ResponseRecorder, status int, into any) {
	a.t.Helper()
	a.want(w, status)
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), into), "%s", w.Body)
}

// refused requires an error with this code, and returns its details.
func (a *api) refused(w *httptest.ResponseRecorder, status int, code string) (details struct{ Field, Code, Message string }) {
	a.t.Helper()
	var got struct {
		Error, Message, Timestamp string
		Details                   struct{ Field, Code string }
	}
	a.read(w, status, &got)
	require.Equal(a.t, code, got.Error, "%s", w.Body)
	require.NotEmpty(a.t, got.Message)
	details.Field, details.Code, details.Message = got.Details.Field, got.Details.Code, got.Message
	return details
}

// events are the types of all events so far, and the data of the last.
func (a *api) events() (types []string, last account.UserEvent) {
	a.t.Helper()
	events, err := a.store.LeaseEvents(context.Background(), "reader", a.clock(), a.clock(), 1000)
	require.NoError(a.t, err)
	for _, e := range events {
		types = append(types, e.Type)
		require.NoError(a.t, json.Unmarshal(e.Data, &last))
	}
	return types, last
}

// wallet is one that signs requests.
type wallet struct {
	*evm.Signer
	api *api
}

func (a *api) wallet() wallet {
	a.t.Helper()
	var key [32]byte
	_, _ = rand.Read(key[:])
	key[0] &= 0x7f
	s, err := evm.NewSigner(key)
	require.NoError(a.t, err)
	return wallet{s, a}
}

// request is a signed request, with a nonce of its own.
func (w wallet) request(method, path, body string) *http.Request {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	return w.requestWith(method, path, body, w.api.clock(), evm.Hash(append(nonce[:], nonce[:]...)).String())
}

func (w wallet) requestWith(method, path, body string, at time.Time, nonce string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	stamp := strconv.FormatInt(at.Unix(), 10)
	text := account.SigningText(method, path, []byte(body), stamp, nonce)
	r.Header.Set("X-Public-Key", w.Address().String())
	r.Header.Set("X-V402-Timestamp", stamp)
	r.Header.Set("X-V402-Nonce", nonce)
	r.Header.Set("X-V402-Signature", w.SignMessage([]byte(text)).String())
	return r
}

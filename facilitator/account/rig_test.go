package account_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402/evm"
)

// backend is what all three stores are.
type backend interface {
	account.Store
	store.Outbox
}

// backends open an empty store of each kind.
var backends = map[string]func(t testing.TB) backend{
	"memory": func(testing.TB) backend { return memory.New() },
	"sqlite": func(t testing.TB) backend {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "account.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	},
	"postgres": func(t testing.TB) backend {
		s, err := postgres.Open(t.Context(), pgtest.Database(t))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	},
}

// overEachStore runs a test over each kind of store.
func overEachStore(t *testing.T, test func(t *testing.T, a *api)) {
	t.Parallel()
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newAPI(t, open(t)))
		})
	}
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

	mu  sync.Mutex
	now time.Time
	log bytes.Buffer
}

// newAPI is one whose answers are checked against openapi.yaml.
func newAPI(t testing.TB, s backend, edits ...func(*account.Config)) *api {
	t.Helper()
	a := &api{t: t, store: s, now: today}
	c := account.Config{
		Store: s, AdminTokens: map[string]string{"root": adminToken}, Now: a.clock,
		Logger: slog.New(slog.NewTextHandler(a, nil)),
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

// Write is the log.
func (a *api) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.log.Write(p)
}

func (a *api) clock() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// pass lets time go by.
func (a *api) pass(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = a.now.Add(d)
}

// do sends a request; headers are pairs of name and value.
func (a *api) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return a.send(r)
}

func (a *api) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

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
	a.mu.Lock()
	defer a.mu.Unlock()
	require.Equal(a.t, status, w.Code, "%s%s", w.Body, &a.log)
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

package catalog_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
)

// shelves is a whole store.
type shelves interface {
	catalog.Store
	store.Outbox
}

// backend is a store with buyers that a test names.
type backend struct {
	shelves

	mu     sync.Mutex
	buyers map[string][]string // by product
}

func (b *backend) HasBought(_ context.Context, productID string, buyers []string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(buyers, func(buyer string) bool { return slices.Contains(b.buyers[productID], buyer) }), nil
}

// backends open an empty store of each kind.
var backends = func() map[string]func(t testing.TB) *backend {
	all := map[string]func(t testing.TB) *backend{}
	for name, open := range webtest.Stores[shelves]() {
		all[name] = func(t testing.TB) *backend { return &backend{shelves: open(t)} }
	}
	return all
}()

// overEachStore runs a test over each kind of store.
func overEachStore(t *testing.T, test func(t *testing.T, s *shop)) {
	webtest.OverEachStore(t, func(t *testing.T, s shelves) { test(t, newShop(t, &backend{shelves: s})) })
}

// The users of a shop, by their token.
var users = map[string]account.User{
	"ann":   {ID: "user-ann", Role: account.RoleContentProvider, Status: account.StatusActive, Name: "Ann", PublicKey: "0x742d35cc6634c0532925a3b844bc454e4438f44e"},
	"bob":   {ID: "user-bob", Role: account.RoleContentProvider, Status: account.StatusActive, Username: "bob"},
	"eve":   {ID: "user-eve", Role: account.RoleEndUser, Status: account.StatusActive, Name: "Eve", PublicKey: "0x00000000000000000000000000000000000000ee"},
	"dan":   {ID: "user-dan", Role: account.RoleIndexClient, Status: account.StatusActive},
	"gone":  {ID: "user-gone", Role: account.RoleContentProvider, Status: account.StatusSuspended},
	"admin": {ID: "user-admin", Role: account.RoleAdmin, Status: account.StatusActive},
}

// authenticate knows users by their token.
func authenticate(r *http.Request) (account.User, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return account.User{}, account.ErrUnauthenticated
	}
	u, known := users[token]
	if !known {
		return account.User{}, account.ErrInvalidCredentials
	}
	return u, account.Admitted(u)
}

// opening is when the tests begin: in the middle of a second.
var opening = time.Date(2024, 1, 15, 10, 30, 0, 345678000, time.UTC)

// shop is a catalog behind its handler.
type shop struct {
	t       testing.TB
	store   *backend
	service *catalog.Service
	handler http.Handler
	log     *webtest.Log
	time    *webtest.Clock
}

// newShop is one whose answers are checked against openapi.yaml.
func newShop(t testing.TB, b *backend, edits ...func(*catalog.Config)) *shop {
	t.Helper()
	b.buyers = map[string][]string{}
	s := &shop{t: t, store: b, log: new(webtest.Log), time: webtest.NewClock(opening)}
	c := catalog.Config{
		Store: b, Authenticate: authenticate, Now: s.clock, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
		Providers: func(context.Context, []string) (map[string]catalog.Provider, error) {
			return map[string]catalog.Provider{"user-ann": {ID: "user-ann", Name: "Ann", Website: "https://ann.example", Verified: true}}, nil
		},
	}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	s.service, err = catalog.New(c)
	require.NoError(t, err)
	s.handler = webtest.Specified(t, "openapi.yaml", s.service.Handler())
	return s
}

func (s *shop) clock() time.Time { return s.time.Now() }

// pass lets time go by.
func (s *shop) pass(d time.Duration) { s.time.Pass(d) }

// bought makes buyers have bought a product.
func (s *shop) bought(product string, buyers ...string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.buyers[product] = append(s.store.buyers[product], buyers...)
}

// do sends a request of a user; who is empty for nobody.
func (s *shop) do(who, method, path, body string) *httptest.ResponseRecorder {
	r := webtest.Request(method, path, body)
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	return webtest.Send(s.handler, r)
}

// want requires a status and returns the body.
func (s *shop) want(w *httptest.ResponseRecorder, status int) string {
	s.t.Helper()
	require.Equal(s.t, status, w.Code, "%s%s", w.Body, s.log)
	return strings.TrimSuffix(w.Body.String(), "\n")
}

// data requires a status and reads the answer.
func (s *shop) data(w *httptest.ResponseRecorder, status int, into any) {
	s.t.Helper()
	require.NoError(s.t, json.Unmarshal([]byte(s.want(w, status)), into), "%s", w.Body)
}

// refused requires a refusal in the API's form.
func (s *shop) refused(w *httptest.ResponseRecorder, status int, code string) {
	s.t.Helper()
	var got struct {
		Error     string
		Message   *string
		Details   *map[string]any
		Timestamp time.Time
	}
	s.data(w, status, &got)
	require.Equal(s.t, code, got.Error, "%s", w.Body)
	require.NotEmpty(s.t, *got.Message)
	require.NotNil(s.t, *got.Details)
	require.Equal(s.t, s.clock().Truncate(time.Second), got.Timestamp)
}

// product is what the tests read of one.
type product struct {
	ID        string
	Title     string
	Status    string
	Price     string
	Rating    float64
	Views     int64 `json:"view_count"`
	Purchases int64 `json:"purchase_count"`
	OnSale    bool  `json:"on_sale"`
}

// list is a page of products.
type list struct {
	Items       []product
	Total       int
	Page        int
	Size        int
	Pages       int
	Suggestions []string
}

func (l list) titles() []string {
	titles := []string{}
	for _, p := range l.Items {
		titles = append(titles, p.Title)
	}
	return titles
}

// draft creates a product of ann's and returns its ID. The fields are members of
// the body beside title and content_url.
func (s *shop) draft(title, fields string) string {
	s.t.Helper()
	var p product
	quoted, err := json.Marshal(title)
	require.NoError(s.t, err)
	body := `{"title":` + string(quoted) + `,"content_url":"https://ann.example/secret"` + fields + `}`
	if !strings.Contains(fields, `"price"`) && !strings.Contains(fields, `"free"`) {
		body = strings.TrimSuffix(body, "}") + `,"price":"5000000000000000000"}`
	}
	s.data(s.do("ann", "POST", "/api/v1/providers/products", body), 201, &p)
	require.Equal(s.t, "draft", p.Status)
	return p.ID
}

// sell puts a product of ann's on sale and returns its ID.
func (s *shop) sell(title, fields string) string {
	s.t.Helper()
	id := s.draft(title, fields)
	s.want(s.do("ann", "POST", "/api/v1/providers/products/"+id+"/publish", ""), 200)
	return id
}

// discover finds products as nobody.
func (s *shop) discover(query string) list {
	s.t.Helper()
	var l list
	s.data(s.do("", "GET", "/api/v1/clients/discover?"+query, ""), 200, &l)
	return l
}

// events are the types of what is in the outbox, the oldest first.
func (s *shop) events() (types []string) {
	s.t.Helper()
	list, err := s.store.LeaseEvents(context.Background(), "reader", opening, opening, 1000)
	require.NoError(s.t, err)
	for _, e := range list {
		types = append(types, e.Type)
	}
	return types
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

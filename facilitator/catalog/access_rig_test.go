package catalog_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

const (
	usdc  = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
	payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
	buyer = "0x857b06519E91e3A54538791bDbb0E22373e36b66"
)

// kioskOpening is when the kiosk opens.
var kioskOpening = time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)

// kiosk is a catalog over a store in memory, a facilitator and a chain that are
// told what to do, and a clock that stands still.
type kiosk struct {
	t           *testing.T
	store       *faulty
	facilitator *cashier
	chain       *ledgerChain
	service     *catalog.Service
	handler     http.Handler
	roots       http.Handler

	clock *webtest.Clock
	nonce int
}

func openKiosk(t *testing.T, edits ...func(*catalog.Config)) *kiosk {
	t.Helper()
	return openKioskOver(t, memory.New(), edits...)
}

func openKioskOver(t *testing.T, store shelves, edits ...func(*catalog.Config)) *kiosk {
	t.Helper()
	s := &kiosk{t: t, store: &faulty{shelves: store}, facilitator: newCashier(), chain: newLedgerChain(), clock: webtest.NewClock(kioskOpening)}
	s.service, s.handler = s.open(edits...)
	s.roots = webtest.Specified(t, "openapi.yaml", s.service.ResourceHandler())
	for _, n := range []x402.Network{x402.BaseSepolia, x402.Ethereum} {
		s.wallet(n, payTo)
	}
	return s
}

// open makes a replica of the kiosk: another catalog over its store.
func (s *kiosk) open(edits ...func(*catalog.Config)) (*catalog.Service, http.Handler) {
	s.t.Helper()
	c := catalog.Config{
		Store: s.store, Facilitator: s.facilitator, Chains: []catalog.Chain{s.chain}, Networks: []x402.Network{x402.BaseSepolia},
		Authenticate: kioskAuthenticate, Logger: slog.New(slog.DiscardHandler), Now: s.now,
		Payments: catalog.PaymentConfig{Secret: bytes.Repeat([]byte{7}, 32), PublicURL: "https://shop.example"},
	}
	for _, edit := range edits {
		edit(&c)
	}
	service, err := catalog.New(c)
	require.NoError(s.t, err)
	return service, webtest.Specified(s.t, "openapi.yaml", service.Handler())
}

// wallet says where ann is paid.
func (s *kiosk) wallet(n x402.Network, address string) {
	s.t.Helper()
	require.NoError(s.t, s.store.PutWallet(s.t.Context(), catalog.Wallet{OwnerID: "ann", Network: n, Address: address, UpdatedAt: s.now()}))
}

// kioskAuthenticate knows the users that "Bearer NAME" names.
func kioskAuthenticate(r *http.Request) (account.User, error) {
	users := map[string]account.User{
		"ann":  {ID: "ann", Role: account.RoleContentProvider, Status: account.StatusActive},
		"bob":  {ID: "bob", Role: account.RoleEndUser, Status: account.StatusActive},
		"root": {ID: "root", Role: account.RoleAdmin, Status: account.StatusActive},
		"eve":  {ID: "eve", Role: account.RoleEndUser, Status: account.StatusSuspended},
	}
	name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if name == "" {
		return account.User{}, account.ErrUnauthenticated
	}
	u, known := users[name]
	if !known {
		return u, account.ErrInvalidCredentials
	}
	return u, nil
}

func (s *kiosk) now() time.Time { return s.clock.Now() }

// wait lets time pass.
func (s *kiosk) wait(d time.Duration) { s.clock.Pass(d) }

// sell adds a product for a cent of USDC.
func (s *kiosk) sell(id string, edits ...func(*catalog.Product)) catalog.Product {
	s.t.Helper()
	p := catalog.Product{
		ID: id, OwnerID: "ann", Title: "Premium AI Tutorial Series", Type: catalog.TypeCourse, ContentURL: "https://example.com/content/" + id,
		ContentType: "video/series", Price: x402.NewAmount(10_000), Currency: "USDC", Scheme: catalog.SchemeExact,
		AccessDuration: 24 * time.Hour, Status: catalog.ProductActive, CreatedAt: kioskOpening, UpdatedAt: kioskOpening, PublishedAt: kioskOpening,
	}
	for _, edit := range edits {
		edit(&p)
	}
	require.NoError(s.t, s.store.AddProducts(s.t.Context(), []catalog.Product{p}))
	return p
}

// ether makes a product cost 5 ETH.
func ether(p *catalog.Product) {
	p.Price, _ = x402.ParseAtomic("5000000000000000000")
	p.Currency = "ETH"
}

// send asks the API; headers are pairs.
func (s *kiosk) send(method, path string, body any, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.sendTo(s.handler, method, path, body, headers...)
}

func (s *kiosk) sendTo(h http.Handler, method, path string, body any, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	var j []byte
	if text, ok := body.(string); ok {
		j = []byte(text)
	} else if body != nil {
		var err error
		j, err = json.Marshal(body)
		require.NoError(s.t, err)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(j))
	if j != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return webtest.Send(h, r)
}

func (s *kiosk) access(id string, headers ...string) *httptest.ResponseRecorder {
	return s.send("GET", "/api/v1/clients/access/"+id, nil, headers...)
}

// answer is what an API answer holds.
func answer(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), "%s", w.Body)
	return v
}

// refused wants an error in the form of the API, and returns its details.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, code string) map[string]any {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	v := answer(t, w)
	require.Equal(t, code, v["error"], "%s", w.Body)
	require.NotEmpty(t, v["message"])
	require.NotEmpty(t, v["timestamp"])
	require.IsType(t, map[string]any{}, v["details"])
	return v["details"].(map[string]any)
}

// challenge reads a 402 in both versions.
func challenge(t *testing.T, w *httptest.ResponseRecorder) (v2, v1 x402.PaymentRequired) {
	t.Helper()
	require.Equal(t, http.StatusPaymentRequired, w.Code, "%s", w.Body)
	require.NoError(t, x402.DecodeHeader(w.Header().Get(x402.HeaderPaymentRequired), &v2))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v1), "%s", w.Body)
	require.Equal(t, x402.V2, v2.Version)
	require.Equal(t, x402.V1, v1.Version)
	return v2, v1
}

// sign makes a payment for a challenge, as header and value.
func (s *kiosk) sign(version int, w *httptest.ResponseRecorder, edits ...func(*x402.PaymentPayload)) (name, value string) {
	s.t.Helper()
	v2, v1 := challenge(s.t, w)
	accepted, resource := v2.Accepts[0], v2.Resource
	if version == x402.V1 {
		accepted = v1.Accepts[0]
	}
	s.nonce++
	p := x402.PaymentPayload{Version: version, Accepted: accepted, Payload: authorization(accepted.Amount, s.nonce, "0x2d6a")}
	if version == x402.V2 {
		p.Resource = &resource
	}
	for _, edit := range edits {
		edit(&p)
	}
	value, err := x402.EncodeHeader(p)
	require.NoError(s.t, err)
	if version == x402.V1 {
		return x402.HeaderPaymentV1, value
	}
	return x402.HeaderPaymentSignature, value
}

func authorization(amount x402.Amount, nonce int, signature string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"signature":%q,"authorization":{"from":%q,"to":%q,"value":%q,"validAfter":"0","validBefore":"9999999999","nonce":"0x%064x"}}`,
		signature, buyer, payTo, amount, nonce))
}

// buy pays for a product and returns the answer and the payment.
func (s *kiosk) buy(id string, headers ...string) (w *httptest.ResponseRecorder, name, value string) {
	s.t.Helper()
	name, value = s.sign(x402.V2, s.access(id))
	w = s.access(id, append(headers, name, value)...)
	require.Equal(s.t, http.StatusOK, w.Code, "%s", w.Body)
	return w, name, value
}

// payments are all that were stored, the newest first.
func (s *kiosk) payments() []catalog.Payment {
	s.t.Helper()
	list, err := s.service.Payments(s.t.Context(), catalog.PaymentFilter{}, store.PageNumber{Size: 100})
	require.NoError(s.t, err)
	return list.Items
}

// events are the types in the outbox.
func (s *kiosk) events() []string {
	s.t.Helper()
	list, err := s.store.LeaseEvents(s.t.Context(), "reader", kioskOpening, kioskOpening, 1000)
	require.NoError(s.t, err)
	var types []string
	for _, e := range list {
		types = append(types, e.Type)
	}
	return types
}

// cashier is a facilitator that moves each payment once, unless it is told to fail.
type cashier struct {
	mu      sync.Mutex
	moved   map[string]string // transaction by identity
	verdict x402.Reason       // of Verify
	before  error             // of Settle, before the money moves
	after   error             // of Settle, when it has moved
	reason  x402.Reason       // of Settle: the money does not move
	settles int
	kinds   []x402.Kind
	slow    chan struct{} // the next Settle succeeds, and says so when told
	busy    int           // calls of Settle under way
	most    int           // of those at once
}

func newCashier() *cashier {
	return &cashier{moved: map[string]string{}, kinds: []x402.Kind{
		{Version: x402.V2, Scheme: x402.SchemeExact, Network: x402.BaseSepolia}, {Version: x402.V1, Scheme: x402.SchemeExact, Network: x402.BaseSepolia},
	}}
}

func (c *cashier) Supported(context.Context) (x402.Supported, error) {
	return x402.Supported{Kinds: c.kinds}, nil
}

func (c *cashier) Verify(_ context.Context, p x402.Payment) (x402.VerifyResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, err := p.Identity()
	if err != nil {
		return x402.VerifyResponse{}, err
	}
	var payload struct {
		Authorization struct{ To, Value string } `json:"authorization"`
	}
	if err := json.Unmarshal(p.Payload.Payload, &payload); err != nil {
		return x402.VerifyResponse{}, err
	}
	reason := c.verdict
	switch {
	case c.moved[id.String()] != "":
		reason = x402.ReasonEVMNonceUsed
	case payload.Authorization.Value != p.Requirements.Amount.String():
		reason = cmp.Or(reason, x402.ReasonEVMAmount)
	case !p.Requirements.Network.SameAddress(payload.Authorization.To, p.Requirements.PayTo):
		reason = cmp.Or(reason, x402.ReasonEVMRecipient)
	}
	return x402.VerifyResponse{IsValid: reason == "", InvalidReason: reason, Payer: buyer}, nil
}

func (c *cashier) Settle(_ context.Context, p x402.Payment) (x402.SettleResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settles++
	c.busy++
	c.most = max(c.most, c.busy)
	defer func() { c.busy-- }()
	if slow := c.slow; slow != nil {
		c.slow = nil
		c.mu.Unlock()
		slow <- struct{}{}
		<-slow
		c.mu.Lock()
		c.reason = ""
	}
	id, err := p.Identity()
	if err != nil {
		return x402.SettleResponse{}, err
	}
	out := x402.SettleResponse{Payer: buyer, Network: p.Requirements.Network, ErrorReason: c.reason, Success: c.reason == ""}
	switch {
	case c.before != nil:
		return x402.SettleResponse{}, c.before
	case c.reason != "":
		return out, nil
	case c.moved[id.String()] == "":
		c.moved[id.String()] = fmt.Sprintf("0x%064x", 0xabc000+len(c.moved))
	}
	out.Transaction = c.moved[id.String()]
	return out, c.after
}

// count is how many payments have moved.
func (c *cashier) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.moved)
}

// ledgerChain is a chain with the transactions that it is told.
type ledgerChain struct {
	mu   sync.Mutex
	txs  map[string]x402.Transaction
	down error
}

func newLedgerChain() *ledgerChain { return &ledgerChain{txs: map[string]x402.Transaction{}} }

func (c *ledgerChain) Network() x402.Network { return x402.Ethereum }

func (c *ledgerChain) Transaction(_ context.Context, hash string) (x402.Transaction, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tx, known := c.txs[hash]
	switch {
	case c.down != nil:
		return tx, c.down
	case !known:
		return tx, x402.ErrTransactionNotFound
	}
	return tx, nil
}

// put adds a transaction that pays 5 ETH, and returns its hash.
func (c *ledgerChain) put(n int, at time.Time, edits ...func(*x402.Transaction)) string {
	hash := fmt.Sprintf("0x%064x", n)
	value, _ := x402.ParseAtomic("5000000000000000000")
	tx := x402.Transaction{
		Network: x402.Ethereum, Hash: hash, Succeeded: true, From: strings.ToLower(buyer), To: payTo, Value: value, Block: 100, Time: at, Confirmations: 3,
	}
	for _, edit := range edits {
		edit(&tx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.txs[hash] = tx
	return hash
}

// faulty is a store that fails when it is told to: before a call, or after it.
type faulty struct {
	shelves
	mu     sync.Mutex
	before map[string]bool
	after  map[string]bool
	takes  atomic.Int64 // calls of TakeProductPayment
}

var errBroken = errors.New("the store is broken")

// breakAt makes the next call of a method fail.
func (f *faulty) breakAt(method string, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if done {
		f.after = map[string]bool{method: true}
	} else {
		f.before = map[string]bool{method: true}
	}
}

func (f *faulty) fails(method string, done bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	set := f.before
	if done {
		set = f.after
	}
	defer delete(set, method)
	return set[method]
}

func (f *faulty) AddProductPayment(ctx context.Context, p catalog.Payment, owner string, until time.Time, events ...store.Event) (catalog.Payment, bool, error) {
	if f.fails("add", false) {
		return p, false, errBroken
	}
	stored, created, err := f.shelves.AddProductPayment(ctx, p, owner, until, events...)
	if f.fails("add", true) {
		return p, false, errBroken
	}
	return stored, created, err
}

func (f *faulty) ConfirmProductPayment(ctx context.Context, id string, proof catalog.Proof, change func(*catalog.Payment) (*catalog.Grant, []store.Event, error)) (catalog.Payment, *catalog.Grant, error) {
	if f.fails("confirm", false) {
		return catalog.Payment{}, nil, errBroken
	}
	p, g, err := f.shelves.ConfirmProductPayment(ctx, id, proof, change)
	if f.fails("confirm", true) {
		return catalog.Payment{}, nil, errBroken
	}
	return p, g, err
}

func (f *faulty) UpdateProductPayment(ctx context.Context, id string, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	if f.fails("update", false) {
		return catalog.Payment{}, errBroken
	}
	p, err := f.shelves.UpdateProductPayment(ctx, id, change)
	if f.fails("update", true) {
		return catalog.Payment{}, errBroken
	}
	return p, err
}

func (f *faulty) TakeProductPayment(ctx context.Context, id, owner string, now, until time.Time) (catalog.Payment, bool, error) {
	f.takes.Add(1)
	return f.shelves.TakeProductPayment(ctx, id, owner, now, until)
}

func (f *faulty) FreeProductPayment(ctx context.Context, id, owner string) error {
	if f.fails("free", false) {
		return errBroken
	}
	return f.shelves.FreeProductPayment(ctx, id, owner)
}

func (f *faulty) UseAccessGrant(ctx context.Context, id string, now time.Time) (catalog.Grant, bool, error) {
	if f.fails("use", false) {
		return catalog.Grant{}, false, errBroken
	}
	return f.shelves.UseAccessGrant(ctx, id, now)
}

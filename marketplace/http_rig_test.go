package marketplace_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// The parties of the tests.
const (
	buyer      = "0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5" // a contract wallet
	sponsor    = "0x2299547f6fA9A8f9b6d9aEA9F9D8A4B53C8A0e11"
	treasury   = "0x2222222222222222222222222222222222222222"
	usdc       = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	offerID    = "edut.governance.core"
	adminKey   = "admin-token"
	issuerKey  = "issuer-token"
	otherKey   = "other-issuer-token"
	proofOfIt  = "0x9f20" // what the buyer's contract takes for its signature
	firstParty = "edut.firstparty"
)

// today is when the tests begin.
var today = time.Date(2026, 2, 17, 7, 29, 30, 345678000, time.UTC)

// ledger is a chain that knows what it is told.
type ledger struct {
	mu           sync.Mutex
	transactions map[string]x402.Transaction
	down         error
}

func (l *ledger) Network() x402.Network { return x402.Base }

func (l *ledger) Transaction(_ context.Context, hash string) (x402.Transaction, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return x402.Transaction{}, l.down
	}
	t, ok := l.transactions[hash]
	if !ok {
		return t, x402.ErrTransactionNotFound
	}
	return t, nil
}

// ValidSignature is the contract of the buyer, which knows one signature.
func (l *ledger) ValidSignature(_ context.Context, wallet string, _ [32]byte, signature []byte) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.EqualFold(wallet, buyer) && fmt.Sprintf("0x%x", signature) == proofOfIt, l.down
}

// stop makes the chain fail, or work again.
func (l *ledger) stop(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

// mine puts a transaction on the chain.
func (l *ledger) mine(t x402.Transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transactions[t.Hash] = t
}

// desk is a marketplace behind its handler.
type desk struct {
	t       testing.TB
	chain   *ledger
	store   backend
	service *marketplace.Service
	handler http.Handler
	log     *lines

	mu  sync.Mutex
	now time.Time
}

// backend is what all three stores are.
type backend interface {
	marketplace.Store
	store.Outbox
}

// backends open an empty store of each kind.
var backends = map[string]func(t testing.TB) backend{
	"memory": func(testing.TB) backend { return memory.New() },
	"sqlite": func(t testing.TB) backend {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "marketplace.db"))
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
func overEachStore(t *testing.T, test func(t *testing.T, d *desk), edits ...func(*config)) {
	t.Parallel()
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newDesk(t, open(t), edits...))
		})
	}
}

// openDesk opens one over the store in memory.
func openDesk(t testing.TB, edits ...func(*config)) *desk { return newDesk(t, memory.New(), edits...) }

// newDesk opens one with the offer of the documentation. Its answers are checked
// against openapi.yaml.
func newDesk(t testing.TB, s backend, edits ...func(*config)) *desk {
	t.Helper()
	d := &desk{t: t, chain: &ledger{transactions: map[string]x402.Transaction{}}, store: s, log: new(lines), now: today}
	c := marketplace.Config{
		Store: d.store, BundleMembership: true, RateLimit: -1, Clock: d.clock, Logger: slog.New(slog.NewTextHandler(d.log, nil)),
		Chains: []marketplace.ChainConfig{{
			Network: x402.Base, Chain: d.chain, Treasury: treasury, Currencies: []marketplace.Currency{{Code: "USDC", Address: usdc, Decimals: 6}},
		}},
		LicenceKey: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)),
		Authenticate: marketplace.BearerTokens(map[string]marketplace.Actor{
			adminKey: {Name: "admin:ada", Admin: true}, issuerKey: {IssuerID: firstParty}, otherKey: {IssuerID: "other.party"},
		}),
	}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	d.service, err = marketplace.New(c)
	require.NoError(t, err)
	d.handler = webtest.Specified(t, "openapi.yaml", d.service.Handler())
	d.want(d.admin("PUT", "/marketplace/issuers/"+firstParty, `{"name":"EDUT"}`), 200)
	d.want(d.admin("PUT", "/marketplace/issuers/other.party", `{"name":"Other"}`), 200)
	d.want(d.issuer("POST", "/marketplace/offers", newOffer(offerID, "499000000")), 201)
	d.want(d.issuer("POST", "/marketplace/offers/"+offerID+"/status", `{"status":"active"}`), 200)
	return d
}

// newOffer is the body of a new offer: that of the documentation at a price.
func newOffer(id, amount string) string {
	return `{"offer_id":"` + id + `","issuer_id":"edut.firstparty","title":"EDUT Governance Core","summary":"First paid runtime license.",` +
		`"pricing":{"currency":"USDC","amount_atomic":"` + amount + `","decimals":6,"chain_id":8453},"line_label":"Governance Core License",` +
		`"policies":{"member_only":true,"workspace_bound":true,"transferable":false,"internal_use_only":true,"multi_tenant":false}}`
}

// sell makes one more offer and puts it on sale; edits are pairs of what is
// replaced in newOffer and by what.
func (d *desk) sell(id string, edits ...string) {
	d.t.Helper()
	d.want(d.issuer("POST", "/marketplace/offers", strings.NewReplacer(edits...).Replace(newOffer(id, "1000000"))), 201)
	d.want(d.issuer("POST", "/marketplace/offers/"+id+"/status", `{"status":"active"}`), 200)
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// at moves the clock.
func (d *desk) at(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

// pass lets time go by.
func (d *desk) pass(by time.Duration) { d.at(d.clock().Add(by)) }

// do sends a request; headers are pairs of name and value.
func (d *desk) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

func (d *desk) admin(method, path, body string) *httptest.ResponseRecorder {
	return d.do(method, path, body, "Authorization", "Bearer "+adminKey)
}

func (d *desk) issuer(method, path, body string) *httptest.ResponseRecorder {
	return d.do(method, path, body, "Authorization", "Bearer "+issuerKey)
}

// want requires a status.
func (d *desk) want(w *httptest.ResponseRecorder, status int) {
	d.t.Helper()
	require.Equal(d.t, status, w.Code, "%s%s", w.Body, d.log)
}

// refused requires a refusal with a status and a code.
func (d *desk) refused(w *httptest.ResponseRecorder, status int, code string) {
	d.t.Helper()
	d.want(w, status)
	var got struct{ Error, Code, Message string }
	d.read(w, &got)
	require.Equal(d.t, code, got.Code, "%s", w.Body)
	require.Equal(d.t, got.Code, got.Error)
	require.NotEmpty(d.t, got.Message)
}

// read reads an answer.
func (d *desk) read(w *httptest.ResponseRecorder, into any) {
	d.t.Helper()
	require.NoError(d.t, json.Unmarshal(w.Body.Bytes(), into), "%s", w.Body)
}

type config = marketplace.Config

func notBundled(c *config) { c.BundleMembership = false }

// quoted is what the tests use of a quote.
type quoted struct {
	QuoteID    string `json:"quote_id"`
	Total      string `json:"total_amount_atomic"`
	PolicyHash string `json:"policy_hash"`
	Payer      string `json:"payer_wallet"`
	State      string
	Tx         struct{ To, Data, Value string }
}

// quoteBody asks for the offer, for a wallet that pays by itself.
func quoteBody(wallet string) string {
	return `{"wallet":"` + wallet + `","offer_id":"` + offerID + `","org_root_id":"org.acme.root","principal_id":"human.joshua",` +
		`"principal_role":"org_root_owner","workspace_id":"workspace.work.acme.exec"}`
}

// quote asks what the offer costs a wallet.
func (d *desk) quote(wallet string) quoted {
	d.t.Helper()
	w := d.do("POST", "/marketplace/checkout/quote", quoteBody(wallet))
	d.want(w, 200)
	var q quoted
	d.read(w, &q)
	return q
}

// hash is the nth transaction hash.
func hash(n int) string { return fmt.Sprintf("0x%064x", n) }

// paid is a transaction that pays a quote as it asks for, mined now.
func (d *desk) paid(q quoted, n int) x402.Transaction {
	d.t.Helper()
	total, err := x402.ParseAtomic(q.Total)
	require.NoError(d.t, err)
	return x402.Transaction{
		Network: x402.Base, Hash: hash(n), Succeeded: true, From: q.Payer, To: usdc, Block: 100, Time: d.clock(), Confirmations: 1, Input: decodeHex(d.t, q.Tx.Data),
		Transfers: []x402.TokenTransfer{{Asset: usdc, From: q.Payer, To: treasury, Amount: total}},
	}
}

// confirmBody confirms a quote for a wallet.
func confirmBody(q quoted, wallet string, n int) string {
	return `{"quote_id":"` + q.QuoteID + `","wallet":"` + wallet + `","offer_id":"` + offerID + `","tx_hash":"` + hash(n) + `","chain_id":8453}`
}

// buy sells the offer to a wallet, paid by the nth transaction, and returns the
// ID of the entitlement.
func (d *desk) buy(wallet string, n int) string {
	d.t.Helper()
	q := d.quote(wallet)
	d.chain.mine(d.paid(q, n))
	w := d.do("POST", "/marketplace/checkout/confirm", confirmBody(q, wallet, n))
	d.want(w, 200)
	var got struct {
		ID string `json:"entitlement_id"`
	}
	d.read(w, &got)
	return got.ID
}

// signer is the nth wallet with a key.
func signer(t testing.TB, n int) *evm.Signer {
	t.Helper()
	s, err := evm.ParseSigner(fmt.Sprintf("0x%064x", 1000+n))
	require.NoError(t, err)
	return s
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

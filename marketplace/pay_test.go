package marketplace_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// bank is a facilitator that remembers what it settled, and nothing of what it
// refused. It fails as it is told.
type bank struct {
	mu      sync.Mutex
	now     func() time.Time
	settled map[string]x402.SettleResponse
	next    []any // an error, an x402.Reason or a lost for each of the next settlements
	moved   int
	looked  func() // called after each verification
}

// lost is an answer that does not arrive: the payment has moved.
type lost struct{}

func (b *bank) Verify(_ context.Context, p x402.Payment) (x402.VerifyResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, err := p.Identity()
	if err != nil {
		return x402.VerifyResponse{}, err
	}
	if b.looked != nil {
		b.looked()
	}
	if _, ok := b.settled[id.String()]; ok {
		return x402.VerifyResponse{InvalidReason: x402.ReasonEVMNonceUsed}, nil
	}
	return x402.VerifyResponse{IsValid: true}, nil
}

func (b *bank) Supported(context.Context) (x402.Supported, error) {
	return x402.Supported{}, errors.New("nobody asks")
}

func (b *bank) Settle(_ context.Context, p x402.Payment) (x402.SettleResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, err := p.Identity()
	if err != nil {
		return x402.SettleResponse{}, err
	}
	if known, ok := b.settled[id.String()]; ok {
		return known, nil
	}
	var unheard error
	if len(b.next) > 0 {
		trouble := b.next[0]
		b.next = b.next[1:]
		switch trouble := trouble.(type) {
		case lost:
			unheard = errors.New("the line is dead")
		case x402.Reason:
			return x402.SettleResponse{ErrorReason: trouble, Network: p.Requirements.Network}, nil
		default:
			return x402.SettleResponse{}, trouble.(error)
		}
	}
	var payload struct {
		Authorization struct {
			ValidBefore int64 `json:"validBefore,string"`
		}
	}
	if err := json.Unmarshal(p.Payload.Payload, &payload); err != nil {
		return x402.SettleResponse{}, err
	}
	if b.now().Unix() >= payload.Authorization.ValidBefore {
		return x402.SettleResponse{ErrorReason: x402.ReasonEVMExpired, Network: p.Requirements.Network}, nil
	}
	b.moved++
	r := x402.SettleResponse{Success: true, Network: p.Requirements.Network, Transaction: fmt.Sprintf("0x%064x", b.moved)}
	b.settled[id.String()] = r
	return r, unheard
}

// cashier is a desk with a till behind its guard.
type cashier struct {
	*desk
	bank    *bank
	till    *marketplace.Till
	guarded http.Handler
	leaving func(x402.Facilitator) x402.Facilitator // what the guard asks instead, if not nil
	site    *httptest.Server
}

func openCashier(t *testing.T, edits ...func(*config)) *cashier {
	t.Helper()
	return newCashier(openDesk(t, edits...))
}

func newCashier(d *desk) *cashier {
	c := &cashier{desk: d, bank: &bank{now: d.clock, settled: map[string]x402.SettleResponse{}}}
	c.serve(middleware.SettleBefore, nil)
	return c
}

// replica is another process on the store.
func (c *cashier) replica() *cashier {
	c.t.Helper()
	service, err := marketplace.New(c.service.Settings())
	require.NoError(c.t, err)
	d := *c.desk
	d.service = service
	other := &cashier{desk: &d, bank: c.bank}
	other.serve(middleware.SettleBefore, nil)
	return other
}

// serve opens the till; claims are those of the store if nil.
func (c *cashier) serve(mode middleware.Mode, claims middleware.Claims) {
	if claims == nil {
		claims = c.store.(middleware.Claims)
	}
	var asked x402.Facilitator = c.bank
	if c.leaving != nil {
		asked = c.leaving(asked)
	}
	var err error
	c.till, err = c.service.NewTill(marketplace.TillConfig{Facilitator: c.bank, Paid: func(ctx context.Context) (marketplace.TillPayment, bool) {
		p, ok := middleware.PaymentFrom(ctx)
		if !ok {
			return marketplace.TillPayment{}, false
		}
		return marketplace.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
	}})
	require.NoError(c.t, err)
	guard, err := middleware.New(middleware.Config{
		Facilitator: asked, Claims: claims, PublicURL: "https://market.example", Logger: slog.New(slog.DiscardHandler),
		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
			return c.till.Reserve(ctx, a.Request, a.Payment)
		}},
		Routes: []middleware.Route{{
			Pattern: "POST /marketplace/checkout/pay/{quote_id}", Mode: mode,
			Offers: []middleware.Offer{{Network: x402.Base, Asset: usdc, PriceFunc: c.till.Price(x402.Base, usdc), PayToFunc: c.till.PayTo}},
		}},
	})
	require.NoError(c.t, err)
	c.guarded = guard.Wrap(c.till)
	c.site = httptest.NewServer(c.guarded)
	c.t.(*testing.T).Cleanup(c.site.Close)
}

// request asks to pay a quote.
func (c *cashier) request(q quoted) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.site.URL+"/marketplace/checkout/pay/"+q.QuoteID, nil)
	require.NoError(c.t, err)
	r.Host = "market.example"
	return r
}

// wallet is the nth wallet, which pays by itself, and once.
func (c *cashier) wallet(n int, over http.RoundTripper) *http.Client {
	c.t.Helper()
	p, err := payer.New(payer.Config{
		Signers: []payer.Signer{signer(c.t, n)}, Limits: payer.Limits{PerRequest: "$600"}, Resends: -1, Now: c.clock, Base: over,
	})
	require.NoError(c.t, err)
	return p.Client()
}

// pay has the first wallet pay a quote with a payment of its own, sent once.
func (c *cashier) pay(q quoted) (status int, body string) {
	c.t.Helper()
	w, err := c.wallet(1, nil).Do(c.request(q))
	if err != nil {
		return 0, err.Error()
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	require.NoError(c.t, err)
	return w.StatusCode, string(b)
}

// ask is a quote for the first wallet.
func (c *cashier) ask() quoted { return c.quote(signer(c.t, 1).Address().String()) }

func (c *cashier) state(q quoted) string {
	c.t.Helper()
	w := c.do("GET", "/marketplace/checkout/quotes/"+q.QuoteID, "")
	c.want(w, 200)
	c.read(w, &q)
	return q.State
}

func TestAPaymentBuysWhatTheQuoteSays(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	status, body := c.pay(q)
	require.Equal(t, 200, status, body)
	require.True(t, strings.HasPrefix(body, `{"status":"entitlement_active","entitlement_id":"ent:8453:`), body)
	require.Equal(t, "consumed", c.state(q))
	w := c.do("POST", "/marketplace/checkout/confirm", confirmBody(q, signer(t, 1).Address().String(), 1))
	c.want(w, 200)
	require.Equal(t, body, w.Body.String())
	status, again := c.pay(q)
	require.Equal(t, 200, status)
	require.Equal(t, body, again)
	require.Equal(t, 1, c.bank.moved)
}

func TestAPaymentThatFailedMakesRoomForAnotherWhenItHasExpired(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	c.bank.next = []any{x402.ReasonEVMInsufficientFunds, x402.ReasonEVMInsufficientFunds, x402.ReasonEVMInsufficientFunds}
	status, body := c.pay(q)
	require.NotEqual(t, 200, status, body)
	for range 2 {
		status, body = c.pay(q)
		require.Equal(t, 409, status, "who has seen the first one may still send it: %s", body)
		require.Contains(t, body, `"payment_under_way"`)
	}
	require.Equal(t, "open", c.state(q))
	require.Zero(t, c.bank.moved)
	c.pass(8 * time.Minute)
	status, body = c.pay(q)
	require.Equal(t, 409, status, body)
	require.Contains(t, body, "ask again", "that it has failed was not known before")
	status, body = c.pay(q)
	require.Equal(t, 200, status, body)
	require.Equal(t, 1, c.bank.moved)
}

func TestWhileAPaymentIsUnderWayNothingElseHappensToItsQuote(t *testing.T) {
	t.Parallel()
	for _, trouble := range []any{
		x402.ReasonSettlementPending, x402.ReasonDuplicateSettlement, x402.ReasonUnexpectedSettle, x402.ReasonRelayerUnavailable,
		errors.New("the line is dead"),
	} {
		c := openCashier(t)
		q := c.ask()
		c.bank.now = func() time.Time { return today } // the chain is slow
		c.bank.next = []any{trouble, trouble, trouble, trouble, trouble, trouble}
		status, body := c.pay(q)
		require.NotEqual(t, 200, status, body)
		status, body = c.pay(q)
		require.Equal(t, 409, status, body)
		require.Contains(t, body, `"payment_under_way"`)
		require.Zero(t, c.bank.moved)
		wallet := signer(t, 1).Address().String()
		c.chain.mine(c.paid(q, 99))
		c.refused(c.do("POST", "/marketplace/checkout/confirm", confirmBody(q, wallet, 99)), 409, "payment_under_way")
		c.refused(c.do("POST", "/marketplace/checkout/quotes/"+q.QuoteID+"/cancel", `{"wallet":"`+wallet+`"}`), 409, "payment_under_way")
		c.pass(20 * time.Minute)
		require.NoError(t, c.service.Sweep(t.Context()))

		c.bank.next = nil
		require.NoError(t, c.till.Sweep(t.Context()))
		require.Equal(t, "consumed", c.state(q), "the money moved, however late")
		require.NoError(t, c.till.Sweep(t.Context()))
		require.Equal(t, 1, c.bank.moved)
	}
}

func TestWhatAQuoteAsksForIsCheckedBeforeMoneyMoves(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	c.want(c.admin("POST", "/marketplace/memberships/"+signer(t, 1).Address().String()+"/reinstate", ``), 200)
	c.want(c.admin("POST", "/marketplace/memberships/"+signer(t, 1).Address().String()+"/suspend", ``), 200)
	status, body := c.pay(q)
	require.Equal(t, 403, status, body)
	require.Contains(t, body, `"code":"membership_required","correlation_id":"req_`, "the form of every refusal")
	require.Zero(t, c.bank.moved)

	foreign := c.quote(buyer)
	status, body = c.pay(foreign)
	require.Equal(t, 422, status, body)
	require.Contains(t, body, `"payer_mismatch"`)
	require.Zero(t, c.bank.moved)
}

func TestAQuoteInNativeCoinIsNotPaidByX402(t *testing.T) {
	t.Parallel()
	c := openCashier(t, func(c *config) {
		c.BundleMembership = false
		c.Chains[0].Currencies = append(c.Chains[0].Currencies, marketplace.Currency{Code: "ETH", Decimals: 18})
	})
	c.sell("coin", `"USDC"`, `"ETH"`, `"decimals":6`, `"decimals":18`, `"member_only":true`, `"member_only":false`)
	w := c.do("POST", "/marketplace/checkout/quote", strings.Replace(quoteBody(signer(t, 1).Address().String()), offerID, "coin", 1))
	c.want(w, 200)
	var q quoted
	c.read(w, &q)
	require.Equal(t, "0xf4240", q.Tx.Value)
	require.Equal(t, "0x", q.Tx.Data)
	status, body := c.pay(q)
	require.Equal(t, 409, status, body)
	require.Contains(t, body, `"x402_unavailable"`)
	require.Equal(t, "open", c.state(q))
}

func TestATillWithoutItsGuardTakesNothing(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	w := httptest.NewRecorder()
	c.till.ServeHTTP(w, httptest.NewRequest("POST", "/marketplace/checkout/pay/"+q.QuoteID, nil))
	require.Equal(t, 409, w.Code)
	w = httptest.NewRecorder()
	c.till.ServeHTTP(w, httptest.NewRequest("GET", "/marketplace/checkout/pay/"+q.QuoteID, nil))
	require.Equal(t, 405, w.Code)
	c.serve(middleware.SettleAfter, nil)
	status, body := c.pay(q)
	require.NotEqual(t, 200, status, body)
	require.Zero(t, c.bank.moved)
	require.Equal(t, "open", c.state(q))
	_, err := c.service.NewTill(marketplace.TillConfig{})
	require.Error(t, err)
}

package registry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// bank is a facilitator that remembers what it settled. It fails as it is told.
type bank struct {
	mu      sync.Mutex
	settled map[string]x402.SettleResponse
	next    []any // an error, an x402.Reason, a refused or a lost for each of the next settlements
	moved   int
	slow    chan struct{} // if not nil, the next settlement has begun and waits for it to be closed
}

// refused is a reason that leaves no trace: the payment may be asked for again.
type refused x402.Reason

// lost is an answer that does not arrive: the payment has moved.
type lost struct{}

// hold makes the next settlement wait until release is called.
func (b *bank) hold() (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slow := make(chan struct{})
	b.slow = slow
	return sync.OnceFunc(func() { close(slow) })
}

// wait waits if it was told to, once.
func (b *bank) wait() {
	b.mu.Lock()
	slow := b.slow
	b.slow = nil
	b.mu.Unlock()
	if slow != nil {
		<-slow
	}
}

func (b *bank) Verify(_ context.Context, p x402.Payment) (x402.VerifyResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, err := p.Identity()
	if err != nil {
		return x402.VerifyResponse{}, err
	}
	if b.settled[id.String()].Success {
		return x402.VerifyResponse{InvalidReason: x402.ReasonEVMNonceUsed}, nil
	}
	return x402.VerifyResponse{IsValid: true}, nil
}

func (b *bank) Supported(context.Context) (x402.Supported, error) {
	return x402.Supported{}, errors.New("nobody asks")
}

func (b *bank) Settle(_ context.Context, p x402.Payment) (x402.SettleResponse, error) {
	b.wait()
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
		case refused:
			return x402.SettleResponse{ErrorReason: x402.Reason(trouble), Network: p.Requirements.Network}, nil
		case x402.Reason:
			r := x402.SettleResponse{ErrorReason: trouble, Network: p.Requirements.Network, Extra: []byte(`{"settlement":"7"}`)}
			if !trouble.Is(x402.ReasonSettlementPending) {
				b.settled[id.String()] = r
			}
			return r, nil
		default:
			return x402.SettleResponse{}, trouble.(error)
		}
	}
	b.moved++
	r := x402.SettleResponse{Success: true, Network: p.Requirements.Network, Transaction: "0x" + strconv.Itoa(b.moved)}
	b.settled[id.String()] = r
	return r, unheard
}

// counter is a registry with its till behind a guard.
type counter struct {
	*room
	bank *bank
	till *registry.Till
	site *httptest.Server
	key  string // of the seller, who pays
	due  registry.Settlement
}

func quietly(c *registry.Config) {
	c.Logger, c.Admin = slog.New(slog.DiscardHandler), registry.BearerToken("ada", adminToken)
}

func openCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{room: newRoom(t, quietly), bank: &bank{settled: map[string]x402.SettleResponse{}}}
	c.due = c.issued(t)
	rotated, err := c.RotateKey(t.Context(), c.seller.Actor(), c.seller.ID)
	require.NoError(t, err)
	c.key = rotated.APIKey
	c.till, err = c.NewTill(registry.TillConfig{
		PayTo: func(_ context.Context, p registry.Platform) (string, error) {
			if p.ID != c.publisher.ID {
				return "", errors.New("the wrong payee")
			}
			return "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", nil
		},
		Paid: paidBy, Facilitator: c.bank,
	})
	require.NoError(t, err)
	c.serve(t, middleware.SettleBefore)
	return c
}

func paidBy(ctx context.Context) (registry.TillPayment, bool) {
	p, ok := middleware.PaymentFrom(ctx)
	if !ok {
		return registry.TillPayment{}, false
	}
	return registry.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
}

func (c *counter) serve(t *testing.T, mode middleware.Mode) {
	t.Helper()
	guard, err := middleware.New(middleware.Config{
		Facilitator: c.bank, Logger: slog.New(slog.DiscardHandler),
		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
			return c.till.Reserve(ctx, a.Request, a.Payment)
		}},
		Routes: []middleware.Route{{
			Pattern: "POST /api/settlements/{id}/x402", Mode: mode,
			Offers: []middleware.Offer{{Network: x402.BaseSepolia, PriceFunc: c.till.Price, PayToFunc: c.till.PayTo}},
		}},
	})
	require.NoError(t, err)
	c.site = httptest.NewServer(guard.Wrap(c.till))
	t.Cleanup(c.site.Close)
}

// pay has a wallet pay what is due, with a payment of its own, sent once.
func (c *counter) pay(t *testing.T) (status int, body string) {
	t.Helper()
	return c.payOver(t, nil)
}

// payOver does it over a transport; http.DefaultTransport if nil.
func (c *counter) payOver(t *testing.T, over http.RoundTripper) (status int, body string) {
	t.Helper()
	signer, err := evm.ParseSigner("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
	require.NoError(t, err)
	wallet, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Limits: payer.Limits{PerRequest: "$100"}, Base: over, Resends: -1})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(c.due.ID), nil)
	require.NoError(t, err)
	r.Header.Set("X-API-Key", c.key)
	w, err := wallet.Client().Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w.StatusCode, string(b)
}

// now is the settlement as it stands.
func (c *counter) current(t *testing.T) registry.Settlement {
	t.Helper()
	d, err := c.AnySettlement(t.Context(), c.due.ID)
	require.NoError(t, err)
	return d
}

func TestAPaymentClosesASettlement(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	status, body := c.pay(t)
	require.Equal(t, 200, status, body)
	d := c.current(t)
	require.Equal(t, registry.SettlementConfirmed, d.Status)
	require.Equal(t, "0x1", d.Reference)
	require.Equal(t, c.now, d.PaidAt)
	status, body = c.pay(t)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, "Settlement is already paid")
	require.Equal(t, 1, c.bank.moved)
	actions := c.actions(t)
	require.Equal(t, []string{"settlement.payment", "settlement.paid", "settlement.confirmed"}, actions[len(actions)-3:])
}

func TestAPaymentThatFailedKeepsItsPlaceUntilItExpires(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	c.bank.next = []any{x402.ReasonEVMInsufficientFunds}
	status, body := c.pay(t)
	require.NotEqual(t, 200, status, body)
	require.Equal(t, registry.SettlementIssued, c.current(t).Status)
	status, body = c.pay(t)
	require.NotEqual(t, 200, status, body)
	require.Zero(t, c.bank.moved, "what was signed is known on the chain: its payee could send it again beside a second payment")

	c.now = c.current(t).PaymentUntil
	status, body = c.pay(t)
	require.Equal(t, 200, status, body)
	require.Equal(t, registry.SettlementConfirmed, c.current(t).Status)
	require.Equal(t, 1, c.bank.moved)
}

func TestAPaymentThatWasRefusedKeepsItsPlaceUntilItExpires(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	poor := refused(x402.ReasonEVMInsufficientFunds)
	c.bank.next = []any{poor, poor, poor, poor, poor}
	status, body := c.pay(t)
	require.NotEqual(t, 200, status, body)
	until := c.current(t).PaymentUntil
	require.True(t, until.After(c.now), "the time for which it was signed, and some minutes")
	_, err := c.till.Check(t.Context(), c.due.ID)
	require.Equal(t, registry.ErrPaymentUnderWay, err)
	c.now = until.Add(-time.Second)
	status, body = c.pay(t)
	require.NotEqual(t, 200, status, body)
	require.Equal(t, registry.ErrPaymentUnderWay, steps["pay"](t, c.room, c.seller, c.due.ID))
	require.Zero(t, c.bank.moved)

	c.now, c.bank.next = until, []any{poor}
	status, body = c.pay(t)
	require.Equal(t, 200, status, body)
	require.Equal(t, registry.SettlementConfirmed, c.current(t).Status)
	require.Equal(t, 1, c.bank.moved)
}

func TestAPaymentThatIsSlowIsNotOvertakenByAnother(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	release := c.bank.hold()
	defer release()
	first := make(chan string)
	go func() {
		_, body := c.pay(t)
		first <- body
	}()
	require.Eventually(t, func() bool { return c.current(t).PaymentKey != "" }, time.Minute, time.Millisecond, "it is reserved, and on its way")
	require.Eventually(t, func() bool {
		c.bank.mu.Lock()
		defer c.bank.mu.Unlock()
		return c.bank.slow == nil
	}, time.Minute, time.Millisecond)
	c.bank.mu.Lock()
	c.bank.next = []any{refused(x402.ReasonEVMInsufficientFunds)} // what the till is told when it asks for the first
	c.bank.mu.Unlock()
	status, body := c.pay(t)
	require.NotEqual(t, 200, status, body)
	release()
	require.Contains(t, <-first, "Settlement paid successfully")
	require.Equal(t, 1, c.bank.moved)
}

func TestNobodyIsAskedForASecondPaymentWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	c.bank.next = []any{errors.New("the line is dead"), errors.New("the line is dead")}
	status, body := c.pay(t)
	require.NotEqual(t, 200, status, body)
	ask := func() (int, string) { return c.send(t, c.due.ID, "") }
	status, body = ask()
	require.Equal(t, 400, status, "and not 402: %s", body)
	require.Contains(t, body, "A payment of this settlement is under way")
	status, body = ask()
	require.Equal(t, 200, status, body)
	require.Contains(t, body, "Settlement is already paid")
	require.Equal(t, registry.SettlementConfirmed, c.current(t).Status, "what a crash left open is closed by asking")
	require.Equal(t, 1, c.bank.moved)
}

func TestAPlatformIsPaidAtTheAddressThatItGave(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	var err error
	c.till, err = c.NewTill(registry.TillConfig{Paid: paidBy, Facilitator: c.bank})
	require.NoError(t, err)
	c.serve(t, middleware.SettleBefore)
	status, body := c.pay(t)
	require.Equal(t, 400, status, body)
	require.Contains(t, body, "The paid platform takes no stablecoin")
	address := "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
	_, err = c.UpdatePlatform(t.Context(), c.publisher, registry.PlatformUpdate{PayoutAddress: &address})
	require.NoError(t, err)
	status, body = c.pay(t)
	require.Equal(t, 200, status, body)
	require.Equal(t, registry.SettlementConfirmed, c.current(t).Status)
}

func TestAnAdminHasAPaymentChecked(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	admin := webtest.Specified(t, "openapi.yaml", c.till.Handler())
	check := func(id int64, token string) (int, string) {
		r := httptest.NewRequest("POST", "/api/admin/settlements/"+strconv.FormatInt(id, 10)+"/check", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	status, _ := check(c.due.ID, "guess")
	require.Equal(t, 403, status)
	status, _ = check(99, adminToken)
	require.Equal(t, 404, status)
	status, body := check(c.due.ID, adminToken)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, `"status":"issued"`)
	c.bank.next = []any{errors.New("the line is dead"), errors.New("the line is dead")}
	c.pay(t)
	status, body = check(c.due.ID, adminToken)
	require.Equal(t, 400, status)
	require.Contains(t, body, "A payment of this settlement is under way")
	status, body = check(c.due.ID, adminToken)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, `"status":"confirmed"`)
	require.Equal(t, 1, c.bank.moved)

	r := httptest.NewRequest("POST", "/api/settlements/99/x402", nil)
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, r)
	require.Equal(t, 401, w.Code, "it is served, and asks for a key")
}

func TestWhileAPaymentIsUnderWayNothingElseHappensToItsSettlement(t *testing.T) {
	t.Parallel()
	for _, trouble := range []any{x402.ReasonSettlementPending, errors.New("the line is dead")} {
		c := openCounter(t)
		c.bank.next = []any{trouble, trouble, trouble, trouble}
		status, body := c.pay(t)
		require.NotEqual(t, 200, status, body)
		require.NotEmpty(t, c.current(t).PaymentKey)
		status, body = c.pay(t)
		require.NotEqual(t, 200, status, body)
		require.Zero(t, c.bank.moved)
		require.Equal(t, registry.ErrPaymentUnderWay, steps["pay"](t, c.room, c.seller, c.due.ID))
		require.NoError(t, steps["dispute"](t, c.room, c.seller, c.due.ID))
		require.Equal(t, registry.ErrPaymentUnderWay, steps["cancel"](t, c.room, registry.Platform{}, c.due.ID))

		c.bank.next = nil
		d, err := c.till.Check(t.Context(), c.due.ID)
		require.NoError(t, err)
		require.Equal(t, registry.SettlementConfirmed, d.Status, "the money moved, whatever was disputed")
		require.Equal(t, 1, c.bank.moved)
		again, err := c.till.Check(t.Context(), c.due.ID)
		require.NoError(t, err)
		require.Equal(t, d, again)
	}
}

func TestASettlementThatIsNotDueIsNotSold(t *testing.T) {
	t.Parallel()
	for _, path := range [][]string{{"dispute"}, {"dispute", "cancel"}, {"pay"}, {"pay", "confirm"}} {
		c := openCounter(t)
		for _, step := range path {
			who := c.seller
			if step == "confirm" {
				who = c.publisher
			}
			require.NoError(t, steps[step](t, c.room, who, c.due.ID))
		}
		status, body := c.pay(t)
		want := 400
		if path[0] == "pay" {
			want = 200 // and it says that nothing was due
		}
		require.Equal(t, want, status, body)
		require.Zero(t, c.bank.moved)
	}
}

func TestATillWithoutItsGuardTakesNothing(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	r := httptest.NewRequest("POST", "/api/settlements/"+strconv.FormatInt(c.due.ID, 10)+"/x402", nil)
	r.Header.Set("X-API-Key", c.key)
	w := httptest.NewRecorder()
	c.till.ServeHTTP(w, r)
	require.Equal(t, 500, w.Code)
	c.serve(t, middleware.SettleAfter)
	status, body := c.pay(t)
	require.NotEqual(t, 200, status, body)
	require.Zero(t, c.bank.moved)
	require.Equal(t, registry.SettlementIssued, c.current(t).Status)
	_, err := c.NewTill(registry.TillConfig{})
	require.Error(t, err)
}

package marketplace_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

var errKept = errors.New("the payment is kept")

// keeper keeps a payment instead of sending it.
type keeper struct{ signature string }

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.signature = r.Header.Get(x402.HeaderPaymentSignature); k.signature != "" {
		return nil, errKept
	}
	return http.DefaultTransport.RoundTrip(r)
}

// signed is a payment of a quote by the nth wallet that was not sent.
func (c *cashier) signed(n int, q quoted) string {
	c.t.Helper()
	keep := &keeper{}
	w, err := c.wallet(n, keep).Do(c.request(q))
	if err == nil {
		w.Body.Close()
	}
	require.ErrorIs(c.t, err, errKept)
	return keep.signature
}

// answered is an answer to a payment.
type answered struct {
	status  int
	body    string
	receipt *x402.SettleResponse // that the payment has moved, if it says so
}

// present sends a signed payment.
func (c *cashier) present(q quoted, signature string) (answered, error) {
	r := c.request(q)
	r.Header.Set(x402.HeaderPaymentSignature, signature)
	w, err := c.site.Client().Do(r)
	if err != nil {
		return answered{}, err
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	receipt, _ := payer.ReceiptFrom(w)
	return answered{w.StatusCode, string(body), receipt}, err
}

// overEachTill runs a test over each kind of store, with two replicas on it.
func overEachTill(t *testing.T, test func(t *testing.T, tills [2]*cashier)) {
	webtest.OverEachStore(t, func(t *testing.T, s interface {
		backend
		middleware.Claims
	}) {
		c := newCashier(newDesk(t, s))
		test(t, [2]*cashier{c, c.replica()})
	})
}

// quoteOf is a quote of an offer for the nth wallet.
func (c *cashier) quoteOf(offer string, n int) (q quoted) {
	c.t.Helper()
	w := c.do("POST", "/marketplace/checkout/quote", strings.Replace(quoteBody(signer(c.t, n).Address().String()), offerID, offer, 1))
	c.want(w, 200)
	c.read(w, &q)
	return q
}

// held is how many entitlements the nth wallet has.
func (c *cashier) held(n int) int {
	c.t.Helper()
	list, err := c.service.Entitlements(c.t.Context(), marketplace.EntitlementFilter{Wallet: signer(c.t, n).Address().String()}, store.Page{})
	require.NoError(c.t, err)
	return len(list.Items)
}

func TestOnePaymentSentManyTimesAtOnceBuysOnceAndIsAlwaysAnsweredWithIt(t *testing.T) {
	overEachTill(t, func(t *testing.T, tills [2]*cashier) {
		c := tills[0]
		q := c.ask()
		signature := c.signed(1, q)
		answers := make([]answered, 20)
		var g errgroup.Group
		for i := range answers {
			g.Go(func() (err error) {
				answers[i], err = tills[i%2].present(q, signature)
				return err
			})
		}
		require.NoError(t, g.Wait())
		c.serve(middleware.SettleBefore, middleware.NewMemoryClaims()) // a guard that knows of nothing
		late, err := c.present(q, signature)
		require.NoError(t, err)
		for _, a := range append(answers, late) {
			require.Equal(t, 200, a.status, a.body)
			require.Equal(t, late.body, a.body)
			require.NotNil(t, a.receipt)
			require.True(t, a.receipt.Success)
			require.Equal(t, fmt.Sprintf("0x%064x", 1), a.receipt.Transaction)
		}
		require.Equal(t, 1, c.bank.moved)
		require.Equal(t, 1, c.held(1))
	})
}

func TestOfQuotesThatAreTooManyForAWalletAtOnceOneIsPaid(t *testing.T) {
	overEachTill(t, func(t *testing.T, tills [2]*cashier) {
		c := tills[0]
		c.sell("limited", `"member_only":true`, `"member_only":false`, `"multi_tenant":false`, `"multi_tenant":false,"max_per_wallet":1`)
		const wallets, quotes = 2, 4
		var answers [wallets][quotes]answered
		var sends []func() error
		for n := range wallets {
			for i := range quotes {
				q := c.quoteOf("limited", n)
				signature := c.signed(n, q)
				sends = append(sends, func() (err error) {
					answers[n][i], err = tills[i%2].present(q, signature)
					return err
				})
			}
		}
		var g errgroup.Group
		for _, send := range sends {
			g.Go(send)
		}
		require.NoError(t, g.Wait())
		for n := range wallets {
			paid := 0
			for _, a := range answers[n] {
				if a.status == 200 {
					paid++
					continue
				}
				require.Equal(t, 409, a.status, a.body)
				require.Contains(t, a.body, `"max_per_wallet"`)
			}
			require.Equal(t, 1, paid)
			require.Equal(t, 1, c.held(n))
		}
		require.Equal(t, wallets, c.bank.moved, "who was refused has paid nothing")
	})
}

func TestAConfirmationBesideAPaymentBuysOnce(t *testing.T) {
	overEachTill(t, func(t *testing.T, tills [2]*cashier) {
		c := tills[0]
		c.sell("plain", `"member_only":true`, `"member_only":false`)
		for n := range 5 {
			wallet, q := signer(t, n).Address().String(), c.quoteOf("plain", n)
			c.chain.mine(c.paid(q, 100+n))
			signature, before := c.signed(n, q), c.bank.moved
			var paid answered
			var g errgroup.Group
			g.Go(func() (err error) {
				paid, err = tills[1].present(q, signature)
				return err
			})
			var confirmed *httptest.ResponseRecorder
			g.Go(func() error {
				confirmed = c.do("POST", "/marketplace/checkout/confirm", strings.Replace(confirmBody(q, wallet, 100+n), offerID, "plain", 1))
				return nil
			})
			require.NoError(t, g.Wait())
			require.Equal(t, 1, c.held(n))
			require.Equal(t, "consumed", c.state(q))
			if confirmed.Code == 200 {
				require.Equal(t, before, c.bank.moved, "the quote was paid: %s", paid.body)
			} else {
				require.Equal(t, 409, confirmed.Code, "%s", confirmed.Body)
				require.Equal(t, 200, paid.status, paid.body)
			}
		}
	})
}

func TestAQuoteThatExpiresWhileItsPaymentIsVerifiedTakesNoMoney(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	signature := c.signed(1, q)
	c.pass(15*time.Minute - time.Nanosecond)
	c.bank.looked = func() { c.pass(time.Nanosecond) }
	a, err := c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 409, a.status, a.body)
	require.Contains(t, a.body, `"quote_expired"`)
	require.Zero(t, c.bank.moved)
	require.Equal(t, "expired", c.state(q))
}

func TestAnExpiredQuoteThatIsBeingPaidIsNotRefused(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	signature := c.signed(1, q)
	c.pass(14 * time.Minute)
	c.bank.next = []any{x402.ReasonSettlementPending, x402.ReasonSettlementPending}
	a, err := c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 402, a.status, a.body)
	c.pass(2 * time.Minute)
	require.Equal(t, "expired", c.state(q))
	c.bank.next = nil
	c.bank.now = func() time.Time { return today } // the chain is slow
	a, err = c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, 1, c.held(1))
}

// departing is a client that leaves as soon as its payment has moved.
type departing struct {
	x402.Facilitator
	leave func()
}

func (d departing) Settle(ctx context.Context, p x402.Payment) (x402.SettleResponse, error) {
	defer d.leave()
	return d.Facilitator.Settle(ctx, p)
}

func TestAClientThatLeavesAfterItHasPaidGetsWhatItHasBought(t *testing.T) {
	overEachTill(t, func(t *testing.T, tills [2]*cashier) {
		c := tills[0]
		q := c.ask()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		c.leaving = func(f x402.Facilitator) x402.Facilitator { return departing{f, leave} }
		c.serve(middleware.SettleBefore, nil)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/marketplace/checkout/pay/"+q.QuoteID, nil)
		r.Host = "market.example"
		r.Header.Set(x402.HeaderPaymentSignature, tills[1].signed(1, q))
		c.guarded.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, 1, c.bank.moved)
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		require.Equal(t, 1, c.held(1))
		require.Equal(t, "consumed", c.state(q))
	})
}

func TestAfterACrashTheTillGivesWhatWasPaidForByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := openRoom(t, func(c *marketplace.Config) { c.Clock = time.Now })
		b := &bank{now: time.Now, settled: map[string]x402.SettleResponse{}}
		q := r.quote(roomOffer, 1)
		p := x402Payment(q, 1)
		_, err := r.ReserveQuote(t.Context(), q.ID, p)
		require.NoError(t, err)
		_, err = b.Settle(t.Context(), x402PaymentUntil(q, 1, time.Now().Add(time.Minute))) // and the process ends
		require.NoError(t, err)
		require.Equal(t, 1, b.moved)

		again, err := marketplace.New(r.config)
		require.NoError(t, err)
		till, err := again.NewTill(marketplace.TillConfig{
			Facilitator: b, Paid: func(context.Context) (marketplace.TillPayment, bool) { return marketplace.TillPayment{}, false },
		})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = till.Run(ctx) })
		time.Sleep(5 * time.Minute)
		stop()
		running.Wait()
		got, err := again.CheckoutQuote(t.Context(), q.ID)
		require.NoError(t, err)
		require.Equal(t, marketplace.QuoteConsumed, got.State)
		require.NotEmpty(t, got.EntitlementID)
		require.Equal(t, 1, b.moved)
	})
}

// forget puts a guard before the till that knows of no payment.
func (c *cashier) forget() { c.serve(middleware.SettleBefore, middleware.NewMemoryClaims()) }

func TestAPaymentThatMovedBeforeACrashBuysWhenItComesAgainWhereTheGuardForgot(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	signature := c.signed(1, q)
	c.bank.next = []any{lost{}}
	a, err := c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 502, a.status, a.body)
	require.Equal(t, "open", c.state(q))
	c.forget()
	a, err = c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	require.NotNil(t, a.receipt)
	require.True(t, a.receipt.Success)
	require.Equal(t, fmt.Sprintf("0x%064x", 1), a.receipt.Transaction)
	require.Equal(t, 1, c.bank.moved)
	require.Equal(t, 1, c.held(1))
}

func TestAPaymentThatComesAgainIsToldWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	signature := c.signed(1, q)
	c.bank.next = []any{x402.ReasonSettlementPending, x402.ReasonSettlementPending, x402.ReasonSettlementPending, x402.ReasonEVMInsufficientFunds, errors.New("the line is dead")}
	for _, want := range []x402.Reason{x402.ReasonSettlementPending, x402.ReasonSettlementPending, x402.ReasonEVMInsufficientFunds} {
		a, err := c.present(q, signature)
		require.NoError(t, err)
		require.Equal(t, 402, a.status, a.body)
		require.NotNil(t, a.receipt)
		require.Equal(t, want, a.receipt.ErrorReason)
	}
	a, err := c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 502, a.status, a.body)
	require.Contains(t, a.body, "never a new one")
	a, err = c.present(q, signature)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, 1, c.bank.moved)
}

func TestASecondPaymentOfAConsumedQuoteIsNotTakenNorSaidToBe(t *testing.T) {
	t.Parallel()
	c := openCashier(t)
	q := c.ask()
	one, other := c.signed(1, q), c.signed(1, q)
	a, err := c.present(q, one)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	a, err = c.present(q, other)
	require.NoError(t, err)
	require.Equal(t, 409, a.status, a.body)
	require.Contains(t, a.body, `"quote_consumed"`)
	require.Nil(t, a.receipt)
	require.Equal(t, 1, c.bank.moved)
}

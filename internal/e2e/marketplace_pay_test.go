package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// counter is a bazaar whose quotes are paid by x402, in replicas that share
// their claims.
type counter struct {
	*bazaar
	claims      journal
	facilitator x402.Facilitator
	tills       []*marketplace.Till
	pays        []*httptest.Server
	crashes     atomic.Int32 // how many payments the server does not outlive
}

func openCounter(t *testing.T, edits ...func(*marketplace.Config)) *counter {
	b := openBazaar(t, edits...)
	j, err := openJournal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "claims.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	bases := serveFacilitator(t, setup{
		Network: b.network, URLs: []string{b.chain.URL()}, Keys: []string{b.chain.Relayer.Key}, Owner: t.Name(),
	}, j)
	client, err := x402.NewClient(x402.ClientConfig{URL: bases()[0]})
	require.NoError(t, err)
	c := &counter{bazaar: b, claims: j, facilitator: client}
	for _, s := range b.services {
		c.openTill(s)
	}
	return c
}

// openTill opens the till of a replica behind its guard.
func (c *counter) openTill(s *marketplace.Service) {
	till, err := s.NewTill(marketplace.TillConfig{
		Paid: func(ctx context.Context) (marketplace.TillPayment, bool) {
			p, ok := middleware.PaymentFrom(ctx)
			if !ok {
				return marketplace.TillPayment{}, false
			}
			return marketplace.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
		},
		Facilitator: c.facilitator,
	})
	require.NoError(c.t, err)
	guard, err := middleware.New(middleware.Config{
		Facilitator: c.facilitator, Claims: c.claims.(middleware.Claims), Logger: slog.New(slog.DiscardHandler), PublicURL: "https://market.example",
		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
			return till.Reserve(ctx, a.Request, a.Payment)
		}},
		Routes: []middleware.Route{{
			Pattern: "POST /marketplace/checkout/pay/{quote_id}", Mode: middleware.SettleBefore,
			Offers: []middleware.Offer{{
				Network: c.network, Asset: c.chain.Token.Hex(), PriceFunc: till.Price(c.network, c.chain.Token.Hex()), PayToFunc: till.PayTo,
			}},
		}},
	})
	require.NoError(c.t, err)
	site := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, paid := middleware.PaymentFrom(r.Context()); paid && c.crashes.Add(-1) >= 0 {
			panic(http.ErrAbortHandler) // as if the process ended: the money has moved, and nothing is written
		}
		till.ServeHTTP(w, r)
	})))
	c.t.Cleanup(site.Close)
	c.tills, c.pays = append(c.tills, till), append(c.pays, site)
}

func (c *counter) request(site int, q offerQuote) *http.Request {
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.pays[site%len(c.pays)].URL+"/marketplace/checkout/pay/"+q.ID, nil)
	require.NoError(c.t, err)
	r.Host = "market.example"
	return r
}

// wallet pays by x402 from an account.
func (c *counter) wallet(from devchain.Account, over http.RoundTripper) *payer.Payer {
	signer, err := x402evm.ParseSigner(from.Key)
	require.NoError(c.t, err)
	p, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Limits: payer.Limits{PerRequest: "$100"}, Base: over, Resends: -1})
	require.NoError(c.t, err)
	return p
}

func send(client *http.Client, r *http.Request) (bazaarAnswer, error) {
	w, err := client.Do(r)
	if err != nil {
		return bazaarAnswer{}, err
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	a := bazaarAnswer{status: w.StatusCode, body: string(body)}
	return a, errors.Join(err, json.Unmarshal(body, &a))
}

// signed is a payment of q that was made and not sent.
func (c *counter) signed(from devchain.Account, q offerQuote) string {
	keep := &keeper{}
	_, err := c.wallet(from, keep).Client().Do(c.request(0, q))
	require.ErrorIs(c.t, err, errKept)
	return keep.signature
}

// paySigned sends a signed payment for a quote.
func (c *counter) paySigned(site int, q offerQuote, signature string) (bazaarAnswer, error) {
	r := c.request(site, q)
	r.Header.Set(x402.HeaderPaymentSignature, signature)
	return send(http.DefaultClient, r)
}

// took requires that the treasury got the price of so many licences.
func (c *counter) took(licences int) {
	c.t.Helper()
	require.EqualValues(c.t, licences*licencePrice, c.balance(c.chain.PayTo.Address).Int64())
}

func TestAnAgentPaysAQuoteInOneRequest(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	buyer := c.chain.Payer
	q := c.quote(buyer.Address)
	a, err := send(c.wallet(buyer, nil).Client(), c.request(0, q))
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "entitlement_active", a.Status)
	require.NotEmpty(t, a.Entitlement)
	c.took(1)
	require.Equal(t, 1, c.entitlements(buyer.Address))
	paid := c.state(q)
	require.Equal(t, "consumed", paid.State)
	require.Equal(t, a.TxHash, paid.TxHash)

	again, err := send(c.wallet(buyer, nil).Client(), c.request(1, q))
	require.NoError(t, err)
	require.Equal(t, a.body, again.body, "there is nothing more to pay")
	confirmed := c.confirm(0, q, a.TxHash)
	require.Equal(t, a.body, confirmed.body)
	second := c.quote(buyer.Address)
	reused := c.confirm(0, second, a.TxHash)
	require.Equal(t, 409, reused.status, reused.body)
	require.Equal(t, "tx_already_used", reused.Code)
	c.took(1)
}

func TestAnAgentOfVersion1PaysAQuoteInOneRequest(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	buyer := c.chain.Payer
	q, old := c.quote(buyer.Address), &version1{}
	a, err := send(c.wallet(buyer, old).Client(), c.request(0, q))
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "entitlement_active", a.Status)
	require.NotEmpty(t, old.sent)
	require.Equal(t, "consumed", c.state(q).State)
	c.took(1)

	pay := func(q offerQuote) bazaarAnswer { // with the payment that was sent before
		r := c.request(1, q)
		r.Header.Set(x402.HeaderPaymentV1, old.sent)
		a, err := send(http.DefaultClient, r)
		require.NoError(t, err)
		return a
	}
	again := pay(q)
	require.Equal(t, 200, again.status, again.body)
	require.Equal(t, a.body, again.body)
	second := c.quote(buyer.Address)
	reused := pay(second)
	require.NotEqual(t, 200, reused.status, reused.body)
	require.Equal(t, "open", c.state(second).State)
	c.took(1)
	require.Equal(t, 1, c.entitlements(buyer.Address))
}

func TestAQuoteThatCannotBePaidTakesNoMoney(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	c := openCounter(t, func(c *marketplace.Config) {
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	buyer := c.chain.Payer
	expired, void, foreign := c.quote(buyer.Address), c.quote(buyer.Address), c.quote(c.rich[0].Address)
	signature := c.signed(buyer, expired)
	a, err := c.post(0, "/marketplace/checkout/quotes/"+void.ID+"/cancel", map[string]string{"wallet": void.Wallet})
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	refused := func(want int, code string, a bazaarAnswer, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, a.status, a.body)
		require.Contains(t, a.body, code)
	}
	client := c.wallet(buyer, nil).Client()
	a, err = send(client, c.request(0, foreign))
	refused(422, "payer_mismatch", a, err)
	a, err = send(client, c.request(0, void))
	refused(409, "quote_void", a, err)
	a, err = send(client, c.request(0, offerQuote{ID: "cq_nothing"}))
	refused(404, "quote_not_found", a, err)
	ahead.Store(int64(16 * time.Minute))
	a, err = send(client, c.request(0, expired))
	refused(409, "quote_expired", a, err)
	a, err = c.paySigned(1, expired, signature)
	refused(409, "quote_expired", a, err)
	c.took(0)
}

func TestOnePaymentBuysOneQuote(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	first, second := c.quote(c.chain.Payer.Address), c.quote(c.chain.Payer.Address)
	signature := c.signed(c.chain.Payer, first)
	a, err := c.paySigned(0, second, signature)
	require.NoError(t, err)
	require.Equal(t, 402, a.status, "it was made for another: %s", a.body)
	c.took(0)
	a, err = c.paySigned(0, first, signature)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a.body)
	a, err = c.paySigned(1, second, signature)
	require.NoError(t, err)
	require.Equal(t, 402, a.status, a.body)
	require.Equal(t, "open", c.state(second).State)
	c.took(1)
	require.Equal(t, 1, c.entitlements(c.chain.Payer.Address))
}

func TestAfterACrashBetweenPaymentAndEntitlementTheSameRequestGivesIt(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	q := c.quote(c.chain.Payer.Address)
	signature := c.signed(c.chain.Payer, q)
	c.crashes.Store(1)
	_, err := c.paySigned(0, q, signature)
	require.Error(t, err)
	c.took(1)
	require.Zero(t, c.entitlements(c.chain.Payer.Address))

	another, err := send(c.wallet(c.chain.Payer, nil).Client(), c.request(1, q))
	require.NoError(t, err)
	require.Equal(t, 200, another.status, "asked about, the payment is found: %s", another.body)
	c.took(1)
	same, err := c.paySigned(1, q, signature)
	require.NoError(t, err)
	require.Equal(t, another.body, same.body)
	c.took(1)
	require.Equal(t, 1, c.entitlements(c.chain.Payer.Address))
}

func TestAfterACrashTheSweepGivesWhatWasPaidFor(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	c := openCounter(t, func(c *marketplace.Config) {
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	q := c.quote(c.chain.Payer.Address)
	c.crashes.Store(1)
	_, err := c.paySigned(0, q, c.signed(c.chain.Payer, q))
	require.Error(t, err)
	confirmed := c.confirm(0, q, "0x"+strings.Repeat("11", 32))
	require.Equal(t, "payment_under_way", confirmed.Code, "what may be paid for is not paid twice: %s", confirmed.body)
	ahead.Store(int64(20 * time.Minute)) // the price has expired; the money has moved
	require.NoError(t, c.tills[1].Sweep(t.Context()))
	require.Equal(t, 1, c.entitlements(c.chain.Payer.Address))
	require.Equal(t, "consumed", c.state(q).State)
	c.took(1)
}

func TestOfManyPaymentsOfOneQuoteAtOnceOneMoves(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	q := c.quote(c.chain.Payer.Address)
	signatures := make([]string, 6)
	for i := range signatures {
		signatures[i] = c.signed(c.chain.Payer, q)
	}
	var g errgroup.Group
	var bought atomic.Int32
	for i, signature := range signatures {
		for site := range c.pays { // each of them sent twice
			g.Go(func() error {
				a, err := c.paySigned(i+site, q, signature)
				if err == nil && a.status == 200 {
					bought.Add(1)
				}
				return err
			})
		}
	}
	require.NoError(t, g.Wait())
	require.NotZero(t, bought.Load())
	c.took(1)
	require.Equal(t, 1, c.entitlements(c.chain.Payer.Address))
}

func TestOnePaymentOfAQuoteSentManyTimesAtOnceGetsOneAnswer(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	q := c.quote(c.chain.Payer.Address)
	signature := c.signed(c.chain.Payer, q)
	answers := make([]bazaarAnswer, 20)
	var g errgroup.Group
	for i := range answers {
		g.Go(func() (err error) {
			answers[i], err = c.paySigned(i, q, signature)
			return err
		})
	}
	require.NoError(t, g.Wait())
	for _, a := range answers {
		require.Equal(t, 200, a.status, a.body)
		require.Equal(t, answers[0].body, a.body)
	}
	c.took(1)
	require.Equal(t, 1, c.entitlements(c.chain.Payer.Address))
}

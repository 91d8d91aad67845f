package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// clearing is a registry whose statements are paid in stablecoin, in replicas
// over one database.
type clearing struct {
	*world
	t           *testing.T
	store       *sqlite.Store
	facilitator x402.Facilitator
	service     *registry.Service
	a, b        registry.Credentials
	sites       []*httptest.Server
	crashes     atomic.Int32 // how many payments the server does not outlive
}

// openClearing opens a registry where a owes b 8.49 dollars.
func openClearing(t *testing.T) (*clearing, registry.Settlement) {
	w := newWorld(t, devchain.Config{})
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	bases := serveFacilitator(t, setup{
		Network: w.network, URLs: []string{w.chain.URL()}, Keys: []string{w.chain.Relayer.Key}, Owner: t.Name(),
	}, db)
	client, err := x402.NewClient(x402.ClientConfig{URL: bases()[0]})
	require.NoError(t, err)
	c := &clearing{world: w, t: t, store: db, facilitator: client}
	c.service = c.newService(db)
	c.a, c.b = c.join("Alpha"), c.join("Beta")
	c.sell(c.a, c.b, "10.00", "2.99")
	c.sell(c.b, c.a, "4.50")
	run, err := c.service.RunSettlements(t.Context(), "admin:test", registry.RunRequest{
		From: time.Now().Add(-time.Hour), To: time.Now(),
	})
	require.NoError(t, err)
	require.Len(t, run.Settlements, 1)
	require.Equal(t, registry.Money(8_49), run.Settlements[0].Net)
	for range 2 {
		c.open(c.service)
	}
	return c, run.Settlements[0]
}

func (c *clearing) newService(s registry.Store) *registry.Service {
	service, err := registry.New(registry.Config{
		Store: s, EncryptionKey: bytes.Repeat([]byte{4}, 32), PasswordCost: bcrypt.MinCost, Logger: newLog(c.t),
	})
	require.NoError(c.t, err)
	return service
}

func (c *clearing) join(name string) registry.Credentials {
	p, err := c.service.Apply(c.t.Context(), registry.Application{
		Name: "Ann Lee", Email: name + "@example.com", Password: "correct horse", PasswordConfirmation: "correct horse",
		PlatformName: name, PlatformAddress: "1 Main St", TINNumber: "12-3456789", PlatformPhone: "+1 555 0100",
		PlatformEmail: "office@example.com", BankAccountNumber: "000123456789", BankRoutingNumber: "021000021", BankName: "First Bank",
	})
	require.NoError(c.t, err)
	approved, err := c.service.Approve(c.t.Context(), "admin:test", p.ID, registry.Decision{})
	require.NoError(c.t, err)
	return approved
}

// sell has one platform report sales of a work of another, some minutes ago.
func (c *clearing) sell(seller, origin registry.Credentials, royalties ...string) {
	hash := "0x" + seller.Platform.PlatformName + origin.Platform.PlatformName
	_, err := c.service.RegisterContracts(c.t.Context(), origin.Platform, registry.Registration{
		IPFSHash: "QmWork", MetadataCID: "QmMeta", ContractHashes: []string{hash},
	})
	require.NoError(c.t, err)
	sale, err := registry.ParseDecimal("100")
	require.NoError(c.t, err)
	for _, royalty := range royalties {
		owed, err := registry.ParseDecimal(royalty)
		require.NoError(c.t, err)
		_, err = c.service.ReportSale(c.t.Context(), seller.Platform, registry.SaleReport{
			ContractHash: hash, SaleAmount: sale, RoyaltyAmount: owed, SoldAt: time.Now().Add(-10 * time.Minute),
		})
		require.NoError(c.t, err)
	}
}

// open opens one more replica: a registry with its till behind a guard.
func (c *clearing) open(service *registry.Service) {
	till, err := service.NewTill(registry.TillConfig{
		PayTo: func(_ context.Context, p registry.Platform) (string, error) {
			return map[int64]string{c.b.Platform.ID: c.chain.PayTo.Address.Hex()}[p.ID], nil
		},
		Paid: func(ctx context.Context) (registry.TillPayment, bool) {
			p, ok := middleware.PaymentFrom(ctx)
			if !ok {
				return registry.TillPayment{}, false
			}
			return registry.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
		},
		Facilitator: c.facilitator,
	})
	require.NoError(c.t, err)
	guard, err := middleware.New(middleware.Config{
		Facilitator: c.facilitator, Claims: c.store, Logger: slog.New(slog.DiscardHandler), PublicURL: "https://registry.example",
		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
			return till.Reserve(ctx, a.Request, a.Payment)
		}},
		Routes: []middleware.Route{{
			Pattern: "POST /api/settlements/{id}/x402", Mode: middleware.SettleBefore,
			Offers: []middleware.Offer{{Network: c.network, PriceFunc: till.Price, PayToFunc: till.PayTo}},
		}},
	})
	require.NoError(c.t, err)
	mux := http.NewServeMux()
	mux.Handle("/", service.Handler())
	mux.HandleFunc("POST /api/settlements/{id}/x402", func(w http.ResponseWriter, r *http.Request) {
		if _, paid := middleware.PaymentFrom(r.Context()); paid && c.crashes.Add(-1) >= 0 {
			panic(http.ErrAbortHandler) // as if the process ended: the money has moved, and nothing is written
		}
		till.ServeHTTP(w, r)
	})
	site := httptest.NewServer(guard.Wrap(mux))
	c.t.Cleanup(site.Close)
	c.sites = append(c.sites, site)
}

// request asks to pay a settlement, as the platform with the key.
func (c *clearing) request(site int, d registry.Settlement, key string) *http.Request {
	url := fmt.Sprintf("%s/api/settlements/%d/x402", c.sites[site%len(c.sites)].URL, d.ID)
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, url, nil)
	require.NoError(c.t, err)
	r.Host = "registry.example"
	r.Header.Set("X-API-Key", key)
	return r
}

// wallet pays from an account.
func (c *clearing) wallet(from devchain.Account, over http.RoundTripper) *payer.Payer {
	signer, err := evm.ParseSigner(from.Key)
	require.NoError(c.t, err)
	p, err := payer.New(payer.Config{
		Signers: []payer.Signer{signer}, Limits: payer.Limits{PerRequest: "$100"}, Base: over, Resends: -1,
	})
	require.NoError(c.t, err)
	return p
}

// answer is what a till says.
type tillAnswer struct {
	status  int
	Success bool
	Message string
	Data    struct {
		Status    string
		Reference string
	}
	body string
}

func (c *clearing) send(client *http.Client, r *http.Request) (tillAnswer, error) {
	w, err := client.Do(r)
	if err != nil {
		return tillAnswer{}, err
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	a := tillAnswer{status: w.StatusCode, body: string(body)}
	return a, errors.Join(err, json.Unmarshal(body, &a))
}

// paidOnce requires that the payee got the money of d once, and that d says so.
func (c *clearing) paidOnce(d registry.Settlement) registry.Settlement {
	c.t.Helper()
	require.EqualValues(c.t, 8_490_000, c.balance(c.chain.PayTo.Address).Int64(), "millionths of a dollar")
	d, err := c.service.AnySettlement(c.t.Context(), d.ID)
	require.NoError(c.t, err)
	require.Equal(c.t, registry.SettlementConfirmed, d.Status)
	require.Len(c.t, strings.TrimPrefix(d.Reference, "0x"), 64, "the hash of the transaction")
	paid, err := c.service.Royalties(c.t.Context(), c.a.Platform, registry.RoyaltyFilter{Status: registry.RoyaltyPaid}, registry.PageOptions{})
	require.NoError(c.t, err)
	require.EqualValues(c.t, 3, paid.Total)
	return d
}

func TestAPlatformPaysItsStatementInStablecoinOnce(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	wallet := c.wallet(c.chain.Payer, nil).Client()
	first, err := c.send(wallet, c.request(0, d, c.a.APIKey))
	require.NoError(t, err)
	require.Equal(t, 200, first.status, first.body)
	require.Equal(t, "confirmed", first.Data.Status)
	d = c.paidOnce(d)
	require.Equal(t, first.Data.Reference, d.Reference)
	again, err := c.send(wallet, c.request(1, d, c.a.APIKey))
	require.NoError(t, err)
	require.Equal(t, 200, again.status, again.body)
	require.Equal(t, "Settlement is already paid", again.Message)
	c.paidOnce(d)
}

func TestWhoeverIsNotThePayerLearnsNoPriceAndPaysNothing(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	unknown := d
	unknown.ID = 99
	for _, refused := range []struct {
		key        string
		settlement registry.Settlement
		status     int
	}{
		{"", d, 401}, {"wrong", d, 401}, {c.b.APIKey, d, 403}, {c.a.APIKey, unknown, 404},
	} {
		got, err := c.send(c.wallet(c.chain.Payer, nil).Client(), c.request(0, refused.settlement, refused.key))
		require.NoError(t, err)
		require.Equal(t, refused.status, got.status, got.body)
		require.False(t, got.Success)
	}
	require.Zero(t, c.balance(c.chain.PayTo.Address).Int64())
}

func TestOfManyPaymentsOfOneStatementAtOnceOneMoves(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	var g errgroup.Group
	var paid atomic.Int32
	for i, from := range c.rich {
		g.Go(func() error {
			got, err := c.send(c.wallet(from, nil).Client(), c.request(i, d, c.a.APIKey))
			if err == nil && got.status == 200 && got.Message == "Settlement paid successfully" {
				paid.Add(1)
			}
			return nil // a refusal, or an answer that the payer takes for one
		})
	}
	require.NoError(t, g.Wait())
	require.EqualValues(t, 1, paid.Load())
	c.paidOnce(d)
}

// signed is a payment of d that was made and not sent.
func (c *clearing) signed(from devchain.Account, d registry.Settlement) string {
	keep := &keeper{}
	_, err := c.wallet(from, keep).Client().Do(c.request(0, d, c.a.APIKey))
	require.ErrorIs(c.t, err, errKept)
	return keep.signature
}

// pay sends a signed payment.
func (c *clearing) pay(site int, d registry.Settlement, signature string) (tillAnswer, error) {
	r := c.request(site, d, c.a.APIKey)
	r.Header.Set(x402.HeaderPaymentSignature, signature)
	return c.send(http.DefaultClient, r)
}

func TestOnePaymentOfAStatementSentManyTimesAtOnceGetsOneAnswer(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	signature := c.signed(c.chain.Payer, d)
	answers := make([]tillAnswer, 20)
	var g errgroup.Group
	for i := range answers {
		g.Go(func() (err error) {
			answers[i], err = c.pay(i, d, signature)
			return err
		})
	}
	require.NoError(t, g.Wait())
	for _, a := range answers {
		require.Equal(t, 200, a.status, a.body)
		require.Equal(t, answers[0].body, a.body)
	}
	c.paidOnce(d)
}

func TestAfterACrashBetweenPaymentAndClosingTheSamePaymentCloses(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	signature := c.signed(c.chain.Payer, d)
	c.crashes.Store(1)
	_, err := c.pay(0, d, signature)
	require.Error(t, err)
	broken, err := c.service.AnySettlement(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, registry.SettlementIssued, broken.Status)
	require.EqualValues(t, 8_490_000, c.balance(c.chain.PayTo.Address).Int64())
	c.open(c.newService(c.store)) // as after a restart
	got, err := c.pay(2, d, signature)
	require.NoError(t, err)
	require.Equal(t, 200, got.status, got.body)
	c.paidOnce(d)
	replayed, err := c.pay(1, d, signature)
	require.NoError(t, err)
	require.Equal(t, got.body, replayed.body)
	c.paidOnce(d)
}

func TestAfterACrashBetweenPaymentAndClosingAnotherPaymentDoesNotMove(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	first, second := c.signed(c.chain.Payer, d), c.signed(c.rich[0], d)
	c.crashes.Store(1)
	_, err := c.pay(0, d, first)
	require.Error(t, err)
	got, err := c.pay(1, d, second)
	require.NoError(t, err)
	require.Equal(t, 400, got.status, got.body)
	c.paidOnce(d)
}

func TestAfterACrashBetweenPaymentAndClosingWhoAsksIsToldThatItIsPaid(t *testing.T) {
	t.Parallel()
	c, d := openClearing(t)
	first := c.signed(c.chain.Payer, d)
	c.crashes.Store(1)
	_, err := c.pay(0, d, first)
	require.Error(t, err)
	got, err := c.send(c.wallet(c.rich[0], nil).Client(), c.request(1, d, c.a.APIKey))
	require.NoError(t, err)
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, "Settlement is already paid", got.Message)
	c.paidOnce(d)
}

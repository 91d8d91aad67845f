package payer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

func TestAPayerBuysFromShopsOfBothVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []int{x402.V1, x402.V2} {
		s, ledger := newShop(version), payer.NewMemoryLedger()
		var paid []string
		p, signer := pays(t, s, func(c *payer.Config) {
			c.Ledger = ledger
			c.OnPaid = func(_ context.Context, s payer.Spending, r *x402.SettleResponse) { paid = append(paid, r.Transaction) }
		})
		resp, err := get(t, p, t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		assert.Equal(t, "goods", text(t, resp))

		receipt, ok := payer.ReceiptFrom(resp)
		require.True(t, ok)
		assert.True(t, receipt.Success)
		assert.Equal(t, []string{receipt.Transaction}, paid)
		assert.Equal(t, 1, signer.count())
		assert.Equal(t, 1, s.movedCount())

		got := only(t, ledger)
		assert.Equal(t, payer.Paid, got.State)
		assert.Equal(t, receipt.Transaction, got.Transaction)
		assert.Equal(t, "shop.example", got.Host)
		assert.Equal(t, "https://shop.example/thing", got.Resource)
		assert.Equal(t, "10000", got.Value.String())
		assert.Equal(t, "USD", got.Currency)
		bought, ok := payer.SpendingFrom(resp)
		require.True(t, ok)
		assert.Equal(t, got, bought)
	}
}

func TestAV2PaymentCarriesTheOfferTheResourceAndTheExtensionsAsTheyWere(t *testing.T) {
	t.Parallel()
	header := base64.StdEncoding.EncodeToString([]byte(`{"x402Version":2,"error":"Payment required","resource":{"url":"https://shop.example/thing","new":1},
	 "accepts":[{"scheme":"exact","network":"eip155:84532","amount":"10000","asset":"0x036cbd53842c5426634e7929541ec2318f3dcf7e","payTo":"` + shopAddress + `",
	 "maxTimeoutSeconds":60.5,"extra":{"name":"USDC","version":"2","more":[1]},"future":{"a":null}}],
	 "extensions":{"other":{"info":{"x":1}},"payment-identifier":{"info":{"required":true},"schema":{"type":"object"}}}}`))
	var sent string
	p, _ := pays(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent = r.Header.Get("PAYMENT-SIGNATURE"); sent == "" {
			w.Header().Set("PAYMENT-REQUIRED", header)
			w.WriteHeader(http.StatusPaymentRequired)
		}
	}), nil)
	_, err := get(t, p, payer.WithKey(t.Context(), "one"))
	require.NoError(t, err)
	doc, err := base64.StdEncoding.DecodeString(sent)
	require.NoError(t, err)
	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(doc, &got))
	assert.JSONEq(t, `2`, string(got["x402Version"]))
	assert.JSONEq(t, `{"scheme":"exact","network":"eip155:84532","amount":"10000","asset":"0x036cbd53842c5426634e7929541ec2318f3dcf7e","payTo":"`+shopAddress+`",
	 "maxTimeoutSeconds":60.5,"extra":{"name":"USDC","version":"2","more":[1]},"future":{"a":null}}`, string(got["accepted"]))
	assert.JSONEq(t, `{"url":"https://shop.example/thing","new":1}`, string(got["resource"]))
	assert.JSONEq(t, `{"other":{"info":{"x":1}},"payment-identifier":{"info":{"required":true,"id":"pay_7692c3ad3540bb803c020b3aee66cd88"},"schema":{"type":"object"}}}`,
		string(got["extensions"]))
}

func TestTheV2HeaderWinsOverAV1Body(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, _ := pays(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("PAYMENT-SIGNATURE") == "" {
			v1 := newShop(x402.V1)
			v1.offers[0].Amount = x402.NewAmount(5)
			s.challenge(w, "") // header, and its own body
			v1.challenge(w, "")
			return
		}
		assert.Empty(t, r.Header.Get("X-PAYMENT"))
		s.ServeHTTP(w, r)
	}), nil)
	resp, err := get(t, p, t.Context())
	require.NoError(t, err)
	assert.Equal(t, "goods", text(t, resp))
}

func TestA402WithoutAReadableChallengeIsPassedOnUntouched(t *testing.T) {
	t.Parallel()
	huge := `{"x402Version":1,"accepts":[` + strings.Repeat(" ", 1<<20) + `]}`
	for name, c := range map[string]struct{ header, body string }{
		"a bill":                {"", "please pay the bill"},
		"nothing":               {"", ""},
		"a huge body":           {"", huge},
		"v2 in the body":        {"", `{"x402Version":2,"accepts":[{"scheme":"exact"}]}`},
		"version 3":             {"", `{"x402Version":3,"accepts":[{"scheme":"exact"}]}`},
		"no offers":             {base64.StdEncoding.EncodeToString([]byte(`{"x402Version":2,"resource":{"url":"u"},"accepts":[]}`)), "{}"},
		"accepts no list":       {base64.StdEncoding.EncodeToString([]byte(`{"x402Version":2,"accepts":{}}`)), "{}"},
		"null":                  {base64.StdEncoding.EncodeToString([]byte(`null`)), "{}"},
		"base64 that is broken": {"%%%", "{}"},
		"a huge header":         {strings.Repeat("A", 20<<10), "{}"},
		"deep nonsense":         {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("[", 8000))), "{}"},
	} {
		p, signer := pays(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.header != "" {
				w.Header().Set("PAYMENT-REQUIRED", c.header)
			}
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, c.body)
		}), nil)
		resp, err := get(t, p, t.Context())
		require.NoError(t, err, name)
		assert.Equal(t, http.StatusPaymentRequired, resp.StatusCode, name)
		assert.Equal(t, c.body, text(t, resp), name)
		assert.Zero(t, signer.count(), name)
	}
}

func TestAChallengeThatStandsTwiceIsNoChallenge(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, signer := pays(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		good := http.Header{}
		s.challenge(headerOnly{good}, "")
		w.Header().Add(x402.HeaderPaymentRequired, good.Get(x402.HeaderPaymentRequired))
		w.Header().Add(x402.HeaderPaymentRequired, "e30=")
		w.WriteHeader(http.StatusPaymentRequired)
	}), nil)
	resp, err := get(t, p, t.Context())
	require.NoError(t, err)
	assert.Equal(t, http.StatusPaymentRequired, resp.StatusCode)
	assert.Zero(t, signer.count())
}

// headerOnly keeps the header of an answer.
type headerOnly struct{ h http.Header }

func (w headerOnly) Header() http.Header         { return w.h }
func (w headerOnly) WriteHeader(int)             {}
func (w headerOnly) Write(b []byte) (int, error) { return len(b), nil }

func TestA402WhoseBodyBreaksOffIsPassedOnWithItsError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken off")
	p, _ := pays(t, nil, func(c *payer.Config) {
		c.Base = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 402, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"x402`), reader{broken}))}, nil
		})
	})
	resp, err := get(t, p, t.Context())
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	assert.Equal(t, `{"x402`, string(got))
	assert.ErrorIs(t, err, broken)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type reader struct{ err error }

func (r reader) Read([]byte) (int, error) { return 0, r.err }

func TestASuccessWithoutAReceiptCountsAsPaid(t *testing.T) {
	t.Parallel()
	ledger := payer.NewMemoryLedger()
	p, _ := pays(t, newShop(x402.V2, status(http.StatusNoContent)), func(c *payer.Config) { c.Ledger = ledger })
	resp, err := get(t, p, t.Context())
	require.NoError(t, err)
	_, ok := payer.ReceiptFrom(resp)
	assert.False(t, ok)
	assert.Equal(t, payer.Paid, only(t, ledger).State)
	assert.Empty(t, only(t, ledger).Transaction)
}

func TestTheServersClockIsUsedWithinReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		date string // offset of the Date header, or the header
		want time.Duration
	}{
		"equal":            {"0s", 0},
		"2 s is rounding":  {"2s", 0},
		"3 s ahead":        {"3s", 3 * time.Second},
		"5 minutes behind": {"-5m", -5 * time.Minute},
		"an hour ahead":    {"1h", time.Hour},
		"not believed":     {"61m", 0},
		"absurd":           {"-100000h", 0},
		"not a date":       {"yesterday", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
				p, signer := pays(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					date := c.date
					if d, err := time.ParseDuration(c.date); err == nil {
						date = time.Now().Add(d).UTC().Format(http.TimeFormat)
					}
					w.Header().Set("Date", date)
					s.ServeHTTP(w, r)
				}), func(cfg *payer.Config) { cfg.Ledger = ledger })
				_, err := get(t, p, t.Context())
				require.NoError(t, err)
				assert.Equal(t, c.want, time.Until(signer.times[0]))
				left := time.Until(only(t, ledger).ExpiresAt)
				assert.GreaterOrEqual(t, left, max(c.want, 0)+300*time.Second, "the ledger holds on until the payment has expired by both clocks")
			})
		})
	}
}

func TestAFailingSignerCostsNothing(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
	p, signer := pays(t, s, func(c *payer.Config) { c.Ledger = ledger })
	signer.err = errors.New("the key is locked")
	_, err := get(t, p, t.Context())
	require.ErrorIs(t, err, signer.err)
	assert.Equal(t, payer.Released, only(t, ledger).State)
	assert.Zero(t, s.sendings())
}

func TestAHookCanVetoAndNothingIsReserved(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
	no := errors.New("not today")
	p, signer := pays(t, s, func(c *payer.Config) {
		c.Ledger = ledger
		c.OnPaying = func(_ context.Context, s payer.Spending) error {
			assert.Equal(t, "10000", s.Amount.String())
			assert.Equal(t, shopAddress, s.PayTo)
			return no
		}
	})
	_, err := get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrVetoed)
	require.ErrorIs(t, err, no)
	all, err := ledger.Spendings(t.Context(), time.Time{})
	require.NoError(t, err)
	assert.Empty(t, all)
	assert.Zero(t, signer.count())
}

func TestACallerWhoHangsUpWhileSigningPaysNothing(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2), payer.NewMemoryLedger()
	ctx, cancel := context.WithCancel(t.Context())
	p, _ := pays(t, s, func(c *payer.Config) {
		c.Ledger = ledger
		c.Signers = []payer.Signer{hookSigner{c.Signers[0], cancel}}
	})
	_, err := get(t, p, ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, s.sendings())
	assert.Equal(t, payer.Released, only(t, ledger).State)
}

// hookSigner calls a func before it signs.
type hookSigner struct {
	payer.Signer
	before func()
}

func (h hookSigner) Sign(ctx context.Context, version int, r x402.PaymentRequirements, now time.Time) (json.RawMessage, error) {
	h.before()
	return h.Signer.Sign(ctx, version, r, now)
}

func TestPaymentsNeverCrossANetworkInTheClear(t *testing.T) {
	t.Parallel()
	for url, safe := range map[string]bool{
		"http://shop.example/":      false,
		"http://10.0.0.1/":          false,
		"http://localhost.evil.io/": false,
		"https://shop.example/":     true,
		"http://localhost:8080/":    true,
		"http://app.localhost/":     true,
		"http://127.9.9.9/":         true,
		"http://[::1]:1/":           true,
	} {
		s := newShop(x402.V2)
		p, _ := pays(t, s, nil)
		resp, err := p.RoundTrip(request(t, t.Context(), "GET", url, nil))
		if safe {
			require.NoError(t, err, url)
			assert.Equal(t, "goods", text(t, resp), url)
			continue
		}
		require.ErrorIs(t, err, payer.ErrInsecure, url)
		assert.Zero(t, s.sendings(), url)

		p, _ = pays(t, s, func(c *payer.Config) { c.Policy.AllowHTTP = true })
		_, err = p.RoundTrip(request(t, t.Context(), "GET", url, nil))
		require.NoError(t, err, url)
	}
}

func TestAnUnfitConfigurationIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*payer.Config){
		"Signers is empty":        func(c *payer.Config) { c.Signers = nil },
		"Signers[0] is nil":       func(c *payer.Config) { c.Signers = []payer.Signer{nil} },
		"MaxBody is negative":     func(c *payer.Config) { c.MaxBody = -1 },
		"MaxTimeout is negative":  func(c *payer.Config) { c.Policy.MaxTimeout = -1 },
		"Limits.PerRequest":       func(c *payer.Config) { c.Limits.PerRequest = "a dollar" },
		"Budgets[0].Max":          func(c *payer.Config) { c.Limits.Budgets = []payer.Budget{{Max: "0.0000001"}} },
		"Budgets[0].Period":       func(c *payer.Config) { c.Limits.Budgets = []payer.Budget{{Max: "1", Period: -1}} },
		"both Host and PerHost":   func(c *payer.Config) { c.Limits.Budgets = []payer.Budget{{Max: "1", Host: "h", PerHost: true}} },
		"needs a currency":        func(c *payer.Config) { c.Policy.Others = []payer.Asset{{}} },
		"Others[0].MaxPrice":      func(c *payer.Config) { c.Policy.Others = []payer.Asset{{Currency: "EUR"}} },
		"is not a CAIP-2 network": func(c *payer.Config) { c.Policy.Others = []payer.Asset{{Currency: "EUR", MaxPrice: "1"}} },
	} {
		cfg := payer.Config{Signers: []payer.Signer{&fakeSigner{}}}
		change(&cfg)
		_, err := payer.New(cfg)
		require.Error(t, err, want)
		assert.Contains(t, err.Error(), want)
	}
}

func TestALongThoughtBeforePayingIsNoClockSkew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(x402.V2)
		p, signer := pays(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			s.ServeHTTP(w, r)
		}), func(c *payer.Config) {
			c.OnPaying = func(context.Context, payer.Spending) error { time.Sleep(10 * time.Minute); return nil }
		})
		_, err := get(t, p, t.Context())
		require.NoError(t, err)
		assert.Equal(t, time.Now(), signer.times[0].Local())
	})
}

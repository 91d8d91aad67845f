package payer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// tracked is a body that knows whether it was closed.
type tracked struct {
	io.Reader
	closed atomic.Bool
}

func (b *tracked) Close() error {
	b.closed.Store(true)
	return nil
}

func TestTheBodyIsSentAgainWithThePaymentAndTheRequestStaysAsItWas(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("x", 1000)
	for name, body := range map[string]func() io.Reader{
		"with GetBody":    func() io.Reader { return strings.NewReader(content) },
		"without GetBody": func() io.Reader { return &tracked{Reader: strings.NewReader(content)} },
	} {
		s := newShop(x402.V2, hangUp, serve)
		p, _ := pays(t, s, nil)
		req := request(t, t.Context(), http.MethodPost, "https://shop.example/thing", body())
		req.Header.Set("X-Mine", "1")
		before := req.Header.Clone()
		_, err := p.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, []string{content, content, content}, s.bodies, name)
		assert.Equal(t, before, req.Header, name)
		for _, h := range s.headers {
			assert.Equal(t, "1", h.Get("X-Mine"))
		}
		if b, ok := req.Body.(*tracked); ok {
			assert.True(t, b.closed.Load(), "closed")
		}
	}
}

func TestAnEmptyBodyOfUnknownLengthIsSentAsNone(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, _ := pays(t, s, nil)
	_, err := p.RoundTrip(request(t, t.Context(), http.MethodPost, "https://shop.example/", &tracked{Reader: strings.NewReader("")}))
	require.NoError(t, err)
	assert.Equal(t, []string{"", ""}, s.bodies)
}

func TestABodyTooLargeToKeepIsAnErrorBeforePaying(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		s := newShop(x402.V2)
		p, signer := pays(t, s, func(c *payer.Config) { c.MaxBody = 10 })
		body := &tracked{Reader: strings.NewReader("eleven byte")}
		req := request(t, t.Context(), http.MethodPost, "https://shop.example/", body)
		if known {
			req.ContentLength = 11
		}
		_, err := p.RoundTrip(req)
		require.ErrorIs(t, err, payer.ErrBodyTooLarge)
		assert.Contains(t, err.Error(), "GetBody")
		assert.Zero(t, signer.count())
		assert.Equal(t, []string{"eleven byte"}, s.bodies, "what is free is not held up")
		assert.True(t, body.closed.Load())
	}
	s := newShop(x402.V2)
	p, _ := pays(t, s, func(c *payer.Config) { c.MaxBody = 10 })
	_, err := p.RoundTrip(request(t, t.Context(), http.MethodPost, "https://shop.example/", &tracked{Reader: strings.NewReader("ten bytes.")}))
	require.NoError(t, err)
}

func TestABodyThatCannotBeReadIsAnErrorBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, _ := pays(t, s, nil)
	broken := errors.New("disk on fire")
	body := &tracked{Reader: reader{broken}}
	_, err := p.RoundTrip(request(t, t.Context(), http.MethodPost, "https://shop.example/", body))
	require.ErrorIs(t, err, broken)
	assert.True(t, body.closed.Load())
	assert.Empty(t, s.bodies)
}

// recorder remembers the payment headers that reach a handler.
type recorder struct {
	http.Handler
	got []string
}

func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{x402.HeaderPaymentSignature, x402.HeaderPaymentV1} {
		if v := r.Header.Get(name); v != "" {
			h.got = append(h.got, v)
		}
	}
	h.Handler.ServeHTTP(w, r)
}

// serverClient is a client over real connections.
func serverClient(t *testing.T, change func(*payer.Config)) (*http.Client, *fakeSigner) {
	t.Helper()
	p, signer := pays(t, nil, func(c *payer.Config) {
		c.Base = http.DefaultTransport.(*http.Transport).Clone() // httptest closes the idle connections of the default one
		if change != nil {
			change(c)
		}
	})
	return p.Client(), signer
}

func TestAPaymentNeverFollowsARedirectToAnotherOrigin(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		elsewhere := &recorder{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "caught") })}
		thief := httptest.NewServer(elsewhere)
		defer thief.Close()
		s := newShop(x402.V2, func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
			s.report(w, x402.SettleResponse{Success: true, Transaction: s.settle(p)})
			w.Header().Set("Location", thief.URL+"/catch")
			w.WriteHeader(code)
		})
		server := httptest.NewServer(s)
		defer server.Close()
		client, signer := serverClient(t, nil)
		resp, err := client.Post(server.URL+"/thing", "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		assert.Equal(t, "caught", text(t, resp))
		assert.Empty(t, elsewhere.got, "%d", code)
		assert.Equal(t, 1, signer.count())
		assert.Equal(t, 1, s.movedCount())
	}
}

func TestAfterARedirectTheOneWhoAsksIsPaid(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	target := httptest.NewServer(s)
	defer target.Close()
	first := &recorder{Handler: http.RedirectHandler(target.URL+"/thing", http.StatusTemporaryRedirect)}
	server := httptest.NewServer(first)
	defer server.Close()
	ledger := payer.NewMemoryLedger()
	client, _ := serverClient(t, func(c *payer.Config) { c.Ledger = ledger })
	resp, err := client.Post(server.URL, "text/plain", strings.NewReader("body"))
	require.NoError(t, err)
	assert.Equal(t, "goods", text(t, resp))
	assert.Empty(t, first.got)
	assert.Equal(t, strings.TrimPrefix(target.URL, "http://"), only(t, ledger).Host)
	assert.Equal(t, []string{"body", "body"}, s.bodies)
}

func TestOneCallOfAClientPaysOnceAlsoAcrossRedirects(t *testing.T) {
	t.Parallel()
	second := newShop(x402.V2)
	target := httptest.NewServer(second)
	defer target.Close()
	first := newShop(x402.V2, func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		s.settle(p)
		http.Redirect(w, r, target.URL+"/thing", http.StatusSeeOther)
	})
	server := httptest.NewServer(first)
	defer server.Close()
	client, signer := serverClient(t, nil)
	_, err := client.Get(server.URL + "/thing")
	require.ErrorIs(t, err, payer.ErrSecondPayment)
	assert.Equal(t, 1, signer.count())
	assert.Zero(t, second.sendings())
}

func TestAPaymentThatOnlyBoughtARedirectIsSentToItsTargetOnTheSameOrigin(t *testing.T) {
	t.Parallel()
	goods := newShop(x402.V2)
	gate := newShop(x402.V2, func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		http.Redirect(w, r, "/thing/", http.StatusMovedPermanently) // as a ServeMux does, and charges nothing
	})
	mux := http.NewServeMux()
	mux.Handle("/thing", gate)
	mux.Handle("/thing/", goods)
	server := httptest.NewServer(mux)
	defer server.Close()
	ledger := payer.NewMemoryLedger()
	client, signer := serverClient(t, func(cfg *payer.Config) { cfg.Ledger = ledger })
	resp, err := client.Get(server.URL + "/thing")
	require.NoError(t, err)
	assert.Equal(t, "goods", text(t, resp))
	assert.Equal(t, 1, signer.count())
	assert.Equal(t, 1, goods.movedCount())
	assert.Equal(t, payer.Paid, only(t, ledger).State)
	s, ok := payer.SpendingFrom(resp)
	require.True(t, ok)
	assert.Equal(t, only(t, ledger).ID, s.ID)
}

func TestAPaymentOfTheCallersIsSentAsItIsButNotAcrossOrigins(t *testing.T) {
	t.Parallel()
	elsewhere := &recorder{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	thief := httptest.NewServer(elsewhere)
	defer thief.Close()
	here := &recorder{}
	server := httptest.NewServer(here)
	defer server.Close()
	for _, name := range []string{"PAYMENT-SIGNATURE", "X-PAYMENT"} {
		client, signer := serverClient(t, nil)
		for hops, to := range map[int]string{0: thief.URL, 1: "/again"} {
			here.got, elsewhere.got = nil, nil
			here.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/again" {
					http.Redirect(w, r, to, http.StatusPermanentRedirect)
				}
			})
			req := request(t, t.Context(), http.MethodGet, server.URL+"/thing", nil)
			req.Header.Set(name, "mine")
			resp, err := client.Do(req)
			require.NoError(t, err)
			text(t, resp)
			assert.Len(t, here.got, 1+hops)
			assert.Empty(t, elsewhere.got, "another origin never sees it")
			assert.Zero(t, signer.count())
			assert.Equal(t, "mine", req.Header.Get(name))
		}
	}
}

func TestARealServerThatBreaksTheConnectionAfterSettlingIsPaidOnce(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2, takesMoneyThen(hangUp), takesMoneyThen(hangUp), serve)
	server := httptest.NewServer(s)
	defer server.Close()
	client, signer := serverClient(t, nil)
	resp, err := client.Get(server.URL + "/thing")
	require.NoError(t, err)
	assert.Equal(t, "goods", text(t, resp))
	assert.Equal(t, 1, signer.count())
	assert.Equal(t, 1, s.movedCount())
}

func TestAGetBodyThatFailsIsAnErrorBeforePaying(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	p, signer := pays(t, s, nil)
	req := request(t, t.Context(), http.MethodPost, "https://shop.example/", strings.NewReader("body"))
	gone := errors.New("the file is gone")
	req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
	_, err := p.RoundTrip(req)
	require.ErrorIs(t, err, gone)
	assert.Zero(t, signer.count())
}

func TestBodiesThatAreNotSentAreClosed(t *testing.T) {
	t.Parallel()
	var opened []*tracked
	ledger := payer.NewMemoryLedger()
	p, _ := pays(t, newShop(x402.V2, serve), func(c *payer.Config) {
		c.Ledger, c.MaxBody = ledger, 10
		c.OnPaying = func(context.Context, payer.Spending) error { return errors.New("no") }
	})
	post := func(ctx context.Context, getBody bool) error {
		body := func() (io.ReadCloser, error) {
			opened = append(opened, &tracked{Reader: strings.NewReader("eleven byte")})
			return opened[len(opened)-1], nil
		}
		first, _ := body()
		req := request(t, ctx, http.MethodPost, "https://shop.example/", first)
		req.ContentLength = 11
		if getBody {
			req.GetBody = body
		}
		_, err := p.RoundTrip(req)
		return err
	}
	require.ErrorIs(t, post(t.Context(), true), payer.ErrVetoed)
	require.Error(t, post(payer.WithKey(t.Context(), ""), true))
	require.ErrorIs(t, post(t.Context(), false), payer.ErrBodyTooLarge)
	require.Len(t, opened, 4)
	for i, b := range opened {
		assert.True(t, b.closed.Load(), i)
	}
}

func TestAKeyWhoseBodyCannotBeSentAgainIsNotContinued(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2, hangUp, serve)
	p, _ := pays(t, s, func(c *payer.Config) { c.MaxBody, c.Resends = 10, -1 })
	ctx := payer.WithKey(t.Context(), "k")
	_, err := p.RoundTrip(request(t, ctx, http.MethodPost, "https://shop.example/", strings.NewReader("body")))
	require.ErrorIs(t, err, payer.ErrUnknownOutcome)
	_, err = p.RoundTrip(request(t, ctx, http.MethodPost, "https://shop.example/", &tracked{Reader: strings.NewReader("eleven byte")}))
	require.ErrorIs(t, err, payer.ErrBodyTooLarge)
	assert.Equal(t, 1, s.sendings())
}

func TestASlowEndOfA402IsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(x402.V2)
		p, _ := pays(t, nil, func(c *payer.Config) {
			c.Base = roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := inProcess{s}.RoundTrip(r)
				if err == nil && resp.StatusCode == http.StatusPaymentRequired {
					out, in := io.Pipe()
					resp.Body = out
					_ = in // never written to
				}
				return resp, err
			})
		})
		start := time.Now()
		_, err := get(t, p, t.Context())
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestAClientCanCloseItsIdleConnections(t *testing.T) {
	t.Parallel()
	base := &closer{}
	p, _ := pays(t, nil, func(c *payer.Config) { c.Base = base })
	p.Client().CloseIdleConnections()
	assert.True(t, base.closed)
	p, _ = pays(t, http.NotFoundHandler(), nil)
	p.Client().CloseIdleConnections() // a base that has none
}

type closer struct {
	http.RoundTripper
	closed bool
}

func (c *closer) CloseIdleConnections() { c.closed = true }

package e2e_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// shop is a website in two replicas that sells by a facilitator over HTTP.
// Its replicas share their claims.
type shop struct {
	*world
	t       *testing.T
	journal journal
	sites   []*httptest.Server
	ran     atomic.Int64 // handlers
}

func openShop(t *testing.T) *shop {
	w := newWorld(t, devchain.Config{})
	j, err := openJournal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "shop.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	bases := serveFacilitator(t, setup{
		Network: w.network, URLs: []string{w.chain.URL()}, Keys: []string{w.chain.Relayer.Key}, Owner: t.Name(),
	}, j)
	client, err := x402.NewClient(x402.ClientConfig{URL: bases()[0]})
	require.NoError(t, err)
	s := &shop{world: w, t: t, journal: j}
	for range 2 {
		s.open(client, j.(middleware.Claims))
	}
	return s
}

// open opens one more replica.
func (s *shop) open(f x402.Facilitator, claims middleware.Claims) {
	offers := []middleware.Offer{{Network: s.network, Price: "$0.01", PayTo: s.chain.PayTo.Address.Hex()}}
	guard, err := middleware.New(middleware.Config{
		Facilitator: f, Claims: claims, Logger: newLog(s.t), PublicURL: "https://shop.example",
		Routes: []middleware.Route{{Pattern: "/quote", Offers: offers}, {Pattern: "/other", Offers: offers}},
	})
	require.NoError(s.t, err)
	site := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ran.Add(1)
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "the goods for "+string(body))
	})))
	s.t.Cleanup(site.Close)
	s.sites = append(s.sites, site)
}

// order is what is asked of the shop.
type order struct{ method, path, body string }

var usual = order{"POST", "/quote?of=1", "alice"}

func (o order) request(s *shop, site int) *http.Request {
	r, err := http.NewRequest(o.method, s.sites[site%len(s.sites)].URL+o.path, strings.NewReader(o.body))
	require.NoError(s.t, err)
	r.Host = "shop.example"
	return r
}

// bought is an answer of the shop.
type bought struct {
	status   int
	body     string
	replayed bool
	settled  x402.SettleResponse
	refused  x402.Reason // in the challenge
}

// send orders with a signed payment; an empty one is none.
func (s *shop) send(o order, site int, signature string) (bought, error) {
	r := o.request(s, site)
	if signature != "" {
		r.Header.Set(x402.HeaderPaymentSignature, signature)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return bought{}, err
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		return bought{}, err
	}
	b := bought{status: w.StatusCode, body: string(body), replayed: w.Header.Get("X-V402-Replay") == "true"}
	if h := w.Header.Get(x402.HeaderPaymentResponse); h != "" {
		err = errors.Join(err, x402.DecodeHeader(h, &b.settled))
	}
	if h := w.Header.Get(x402.HeaderPaymentRequired); h != "" {
		var c x402.PaymentRequired
		err = errors.Join(err, x402.DecodeHeader(h, &c))
		b.refused = x402.Reason(c.Error)
	}
	return b, err
}

// sign has a payer pay for o, and keeps the payment instead of sending it.
func (s *shop) sign(o order) string {
	s.t.Helper()
	signer, err := evm.ParseSigner(s.chain.Payer.Key)
	require.NoError(s.t, err)
	keep := &keeper{}
	p, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Base: keep, Resends: -1})
	require.NoError(s.t, err)
	_, err = p.Client().Do(o.request(s, 0))
	require.ErrorIs(s.t, err, errKept)
	require.NotEmpty(s.t, keep.signature)
	return keep.signature
}

var errKept = errors.New("the payment is kept")

// keeper is a transport that keeps a payment to itself.
type keeper struct{ signature string }

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.signature = r.Header.Get(x402.HeaderPaymentSignature); k.signature != "" {
		return nil, errKept
	}
	return http.DefaultTransport.RoundTrip(r)
}

// transfers is how many payments moved on the chain; the payee has that much.
func (s *shop) transfers() int {
	s.t.Helper()
	n := s.total(s.uses(s.t))
	require.EqualValues(s.t, 10_000*n, s.balance(s.chain.PayTo.Address).Int64())
	return n
}

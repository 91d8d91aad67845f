package catalog_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

// dynamicKiosk sells "quote" for what price says.
func dynamicKiosk(t *testing.T, price *atomic.Uint64) *kiosk {
	s := openKiosk(t, func(c *catalog.Config) {
		c.Payments.Price = func(context.Context, catalog.PriceRequest) (x402.Amount, error) {
			return x402.NewAmount(price.Load()), nil
		}
	})
	s.sell("quote", func(p *catalog.Product) { p.Scheme = catalog.SchemeDynamic })
	return s
}

func TestAPriceThatMovedBetweenTheChallengeAndThePaymentStillSettles(t *testing.T) {
	t.Parallel()
	for _, version := range []int{x402.V1, x402.V2} {
		var price atomic.Uint64
		price.Store(500)
		s := dynamicKiosk(t, &price)
		header, value := s.sign(version, s.access("quote"))
		price.Store(700)
		s.wait(16 * time.Minute) // within the time of grace
		w := s.access("quote", header, value)
		require.Equal(t, http.StatusOK, w.Code, "version %d: %s", version, w.Body)
		require.Equal(t, "500", s.payments()[0].Amount.String())
		v2, _ := challenge(t, s.access("quote"))
		require.Equal(t, "700", v2.Accepts[0].Amount.String())
	}
}

func TestAPriceThatWasToldLongAgoIsRefused(t *testing.T) {
	t.Parallel()
	var price atomic.Uint64
	price.Store(500)
	s := dynamicKiosk(t, &price)
	header, value := s.sign(x402.V2, s.access("quote"))
	price.Store(700)
	s.wait(17*time.Minute + time.Second)
	v2, _ := challenge(t, s.access("quote", header, value))
	require.Equal(t, "700", v2.Accepts[0].Amount.String())
	require.Zero(t, s.facilitator.count())
}

func TestAPriceIsForWhoAskedAndForWhatWasAsked(t *testing.T) {
	t.Parallel()
	var price atomic.Uint64
	price.Store(500)
	s := dynamicKiosk(t, &price)
	header, value := s.sign(x402.V1, s.access("quote?size=1"))
	price.Store(700)
	require.Equal(t, http.StatusPaymentRequired, s.access("quote?size=2", header, value).Code)
	require.Equal(t, http.StatusPaymentRequired, s.access("quote?size=1", header, value, "Authorization", "Bearer bob").Code)
	require.Equal(t, http.StatusOK, s.access("quote?size=1", header, value).Code)
}

func TestWhereAddressesAreTruncatedAQuoteHasAnAliasInPlaceOfOne(t *testing.T) {
	t.Parallel()
	var told []string
	s := openKiosk(t, func(c *catalog.Config) {
		c.Log.TruncateIP = true
		c.ClientAddr = func(r *http.Request) string { return r.Header.Get("X-From") }
		c.Payments.Price = func(_ context.Context, r catalog.PriceRequest) (x402.Amount, error) {
			told = append(told, r.Requester)
			return x402.NewAmount(5), nil
		}
	})
	s.sell("quote", func(p *catalog.Product) { p.Scheme = catalog.SchemeDynamic })
	for _, from := range []string{"192.0.2.7:1", "192.0.2.7:2", "192.0.2.8:1"} {
		s.access("quote", "X-From", from)
	}
	require.Len(t, told, 3)
	require.Equal(t, told[0], told[1])
	require.NotEqual(t, told[0], told[2])
	for _, requester := range told {
		require.NotContains(t, requester, "192.0.2")
	}
}

func TestAPriceOfNothingOpensTheProduct(t *testing.T) {
	t.Parallel()
	var price atomic.Uint64
	s := dynamicKiosk(t, &price)
	require.Equal(t, http.StatusOK, s.access("quote").Code)
}

// quoter is a provider's quote URL.
type quoter struct {
	key     string
	price   string
	spoil   func(body string) string
	nonce   string // in place of that of the request
	unknown int    // requests without a valid signature
}

func (q *quoter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-V402-Signature") != q.sign(r.Header.Get("X-V402-Timestamp")+"\n"+r.URL.RequestURI()) {
		q.unknown++
	}
	nonce := r.URL.Query().Get("nonce")
	if q.nonce != "" {
		nonce = q.nonce
	}
	body := fmt.Sprintf(`{"price":%s,"nonce":%q}`, q.price, nonce)
	w.Header().Set("X-V402-Signature", q.sign(body))
	if q.spoil != nil {
		body = q.spoil(body)
	}
	_, _ = fmt.Fprint(w, body)
}

func (q *quoter) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(q.key))
	mac.Write([]byte(text))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestAQuoteURLTellsThePriceIfItsProviderHasSignedIt(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) { c.Payments.AllowLoopback = true })
	q := &quoter{key: s.service.ContentKey("ann"), price: `"1234"`}
	site := httptest.NewServer(q)
	t.Cleanup(site.Close)
	s.sell("quote", func(p *catalog.Product) { p.Scheme, p.QuoteURL = catalog.SchemeDynamic, site.URL+"/price?of=x" })
	v2, _ := challenge(t, s.access("quote"))
	require.Equal(t, "1234", v2.Accepts[0].Amount.String())
	require.Zero(t, q.unknown)
	for name, spoil := range map[string]func(){
		"not signed":    func() { q.spoil = func(string) string { return `{"price":"1"}` } },
		"replayed":      func() { q.nonce = "old" },
		"not a price":   func() { q.price = "-5" },
		"no price":      func() { q.price = "null" },
		"another key":   func() { q.key = "ck_00" },
		"not reachable": func() { site.Close() },
	} {
		q.spoil, q.nonce, q.price, q.key = nil, "", `"1234"`, s.service.ContentKey("ann")
		spoil()
		w := s.access("quote")
		refused(t, w, 503, "BLOCKCHAIN_UNAVAILABLE")
		require.NotContains(t, w.Body.String(), "nonce", name)
	}
}

func TestAQuoteURLInsideOurNetworkIsNotAsked(t *testing.T) {
	t.Parallel()
	asked := 0
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(site.Close)
	s := openKiosk(t)
	s.sell("quote", func(p *catalog.Product) { p.Scheme, p.QuoteURL = catalog.SchemeDynamic, site.URL })
	refused(t, s.access("quote"), 503, "BLOCKCHAIN_UNAVAILABLE")
	require.Zero(t, asked)
}

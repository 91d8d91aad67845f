package payer_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

func TestTheCheapestAcceptableOfferIsTakenComparedExactly(t *testing.T) {
	t.Parallel()
	atomic := func(n x402.Network, digits string) x402.PaymentRequirements {
		o := offer(n, "0")
		var err error
		o.Amount, err = x402.ParseAtomic(digits)
		require.NoError(t, err)
		return o
	}
	for name, c := range map[string]struct {
		offers []x402.PaymentRequirements
		want   int
	}{
		"the only one":              {[]x402.PaymentRequirements{offer(x402.Base, "0.5")}, 0},
		"the least":                 {[]x402.PaymentRequirements{offer(x402.Base, "0.5"), offer(x402.Polygon, "0.4"), offer(x402.Avalanche, "0.6")}, 1},
		"the first of equals":       {[]x402.PaymentRequirements{offer(x402.Base, "0.5"), offer(x402.Polygon, "0.5")}, 0},
		"across decimals":           {[]x402.PaymentRequirements{atomic(x402.Base, "10000"), atomic(x402.BSC, "9999999999999999")}, 1},
		"across decimals, by a wei": {[]x402.PaymentRequirements{atomic(x402.Base, "10000"), atomic(x402.BSC, "10000000000000001")}, 0},
		"not the refused one":       {[]x402.PaymentRequirements{{Scheme: "exact", Network: x402.Base, Asset: "0xcheap", PayTo: "0x1", MaxTimeoutSeconds: 60}, offer(x402.Base, "0.5")}, 1},
	} {
		s := newShop(x402.V2)
		s.offers = c.offers
		ledger := payer.NewMemoryLedger()
		p, _ := pays(t, s, func(cfg *payer.Config) { cfg.Ledger = ledger })
		_, err := get(t, p, t.Context())
		require.NoError(t, err, name)
		assert.Equal(t, c.offers[c.want].Network, only(t, ledger).Network, name)
		assert.Equal(t, c.offers[c.want].Amount.String(), only(t, ledger).Amount.String(), name)
	}
}

func TestOnlyAcceptableOffersArePaidAndTheOthersAreExplained(t *testing.T) {
	t.Parallel()
	change := func(f func(*x402.PaymentRequirements)) x402.PaymentRequirements {
		o := offer(x402.BaseSepolia, "0.01")
		f(&o)
		return o
	}
	max, err := x402.ParseAtomic("115792089237316195423570985008687907853269984665640564039457584007913129639935")
	require.NoError(t, err)
	for want, o := range map[string]x402.PaymentRequirements{
		`network "solana:x" is not allowed`:           change(func(r *x402.PaymentRequirements) { r.Network = "solana:x" }),
		`asset "0xdead"`:                              change(func(r *x402.PaymentRequirements) { r.Asset = "0xdead" }),
		`exceeds the limit of 1 for one request`:      change(func(r *x402.PaymentRequirements) { r.Amount = x402.NewAmount(1_000_001) }),
		`beyond any limit`:                            change(func(r *x402.PaymentRequirements) { r.Amount = max }),
		`payTo is empty`:                              change(func(r *x402.PaymentRequirements) { r.PayTo = "" }),
		`maxTimeoutSeconds is 0`:                      change(func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = 0 }),
		`maxTimeoutSeconds is -1`:                     change(func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = -1 }),
		`hold the payment for 3601 s`:                 change(func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = 3601 }),
		`hold the payment for 1e+300 s`:               change(func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = 1e300 }),
		`payment flow "escrow" is not known`:          change(func(r *x402.PaymentRequirements) { r.Extra = []byte(`{"paymentFlow":"escrow"}`) }),
		`extra cannot be read`:                        change(func(r *x402.PaymentRequirements) { r.Extra = []byte(`"extra"`) }),
		`no signer for scheme "upto" on eip155:84532`: change(func(r *x402.PaymentRequirements) { r.Scheme = "upto" }),
	} {
		s := newShop(x402.V2)
		s.offers = []x402.PaymentRequirements{o}
		p, signer := pays(t, s, func(c *payer.Config) { c.Policy.Networks = []x402.Network{x402.BaseSepolia} })
		_, err := get(t, p, t.Context())
		var none *payer.NoOfferError
		require.ErrorAs(t, err, &none, want)
		require.ErrorIs(t, err, payer.ErrNoOffer)
		require.Len(t, none.Rejections, 1)
		assert.Contains(t, err.Error(), "shop.example")
		assert.Contains(t, none.Rejections[0].Why.Error(), want)
		assert.Contains(t, err.Error(), none.Rejections[0].Why.Error())
		assert.Zero(t, signer.count())
	}
}

func TestAnUnreadableOfferDoesNotSpoilTheOthers(t *testing.T) {
	t.Parallel()
	for _, version := range []int{x402.V1, x402.V2} {
		for _, bad := range []string{`{"amount":"1e18","maxAmountRequired":"1e18"}`, `7`, `null`, `{"amount":-1,"maxAmountRequired":-1}`} {
			s := newShop(version)
			raw := rawShop{shop: s, extra: bad}
			ledger := payer.NewMemoryLedger()
			p, _ := pays(t, raw, func(c *payer.Config) { c.Ledger = ledger })
			resp, err := get(t, p, t.Context())
			require.NoError(t, err)
			assert.Equal(t, "goods", text(t, resp))
		}
	}
}

func TestAPriceAboveTheLimitIsOverBudget(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	s.offers[0] = offer(x402.BaseSepolia, "0.100001")
	p, _ := pays(t, s, func(c *payer.Config) { c.Limits.PerRequest = "$0.10" })
	_, err := get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrNoOffer)
	require.ErrorIs(t, err, payer.ErrOverBudget)

	s.offers[0] = offer(x402.BaseSepolia, "0.1")
	_, err = get(t, p, t.Context())
	require.NoError(t, err)
}

func TestACustomChoiceSeesOnlyAcceptableOffers(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	s.offers = []x402.PaymentRequirements{{Scheme: "exact", Network: "eip155:5", PayTo: "x", MaxTimeoutSeconds: 1}, offer(x402.Base, "0.1"), offer(x402.Polygon, "0.2")}
	ledger := payer.NewMemoryLedger()
	choice, problem := 1, error(nil)
	p, _ := pays(t, s, func(c *payer.Config) {
		c.Ledger = ledger
		c.Policy.Choose = func(offers []payer.Offer) (int, error) {
			assert.Len(t, offers, 2)
			assert.Equal(t, "USDC", offers[0].Asset.Symbol)
			return choice, problem
		}
	})
	_, err := get(t, p, t.Context())
	require.NoError(t, err)
	assert.Equal(t, x402.Polygon, only(t, ledger).Network)

	choice = 2
	_, err = get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrNoOffer)
	problem = errors.New("none pleases")
	_, err = get(t, p, t.Context())
	require.ErrorIs(t, err, problem)
}

func TestATokenThatIsNoDollarHasLimitsOfItsOwn(t *testing.T) {
	t.Parallel()
	euro := x402.Asset{Network: x402.Base, Address: "0x00000000000000000000000000000000000000E0", Symbol: "EURC", Name: "EURC", Version: "2", Decimals: 18}
	s := newShop(x402.V2)
	price, err := euro.Price("0.4")
	require.NoError(t, err)
	s.offers = []x402.PaymentRequirements{euro.Requirements(price, shopAddress)}
	p, _ := pays(t, s, nil)
	_, err = get(t, p, t.Context())
	require.ErrorIs(t, err, x402.ErrUnknownAsset)

	ledger := payer.NewMemoryLedger()
	p, _ = pays(t, s, func(c *payer.Config) {
		c.Ledger = ledger
		c.Policy.Others = []payer.Asset{{Asset: euro, Currency: "EUR", MaxPrice: "0.5"}}
		c.Limits.Budgets = []payer.Budget{{Max: "$0.01"}, {Max: "0.9", Currency: "EUR"}}
	})
	for range 2 {
		_, err = get(t, p, t.Context())
		require.NoError(t, err)
	}
	_, err = get(t, p, t.Context())
	var over *payer.OverBudgetError
	require.ErrorAs(t, err, &over)
	assert.Equal(t, "EUR", over.Currency)
	assert.Equal(t, "800000", over.Spent.String())

	s.offers[0].Amount, err = euro.Price("0.500000000000000001")
	require.NoError(t, err)
	_, err = get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrNoOffer)
}

func TestBudgetsHoldForEachSpanOfTimeEachHostAndAllNetworksTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(x402.V2) // at $0.01
		ledger := payer.NewMemoryLedger()
		p, _ := pays(t, s, func(c *payer.Config) {
			c.Ledger = ledger
			c.Limits.Budgets = []payer.Budget{
				{Max: "$0.03", Period: time.Hour},
				{Max: "$0.02", Period: time.Hour, PerHost: true},
				{Max: "$0.01", Period: time.Hour, Host: "Dear.example:443"},
				{Max: "$0.05"},
			}
		})
		buy := func(host string) error {
			_, err := p.RoundTrip(request(t, t.Context(), "GET", "https://"+host+"/", nil))
			return err
		}
		require.NoError(t, buy("dear.example"))
		for _, spelling := range []string{"dear.example", "DEAR.example", "dear.example:443", "dear.example."} {
			require.ErrorIs(t, buy(spelling), payer.ErrOverBudget, spelling)
		}
		s.offers[0] = offer(x402.Base, "0.01") // another network counts as well
		require.NoError(t, buy("a.example"))
		require.NoError(t, buy("a.example:8443"), "another port is another host")
		err := buy("b.example")
		var over *payer.OverBudgetError
		require.ErrorAs(t, err, &over)
		assert.Equal(t, amount(t, "0.03"), over.Spent)
		assert.Contains(t, err.Error(), "0.01 USD more would exceed the limit of 0.03 since 1999-12-31 23:00:00 UTC, of which 0.03 are spent")

		time.Sleep(time.Hour)
		require.ErrorIs(t, buy("b.example"), payer.ErrOverBudget, "an hour is not over before it is over")
		time.Sleep(time.Nanosecond)
		require.NoError(t, buy("b.example"))
		require.NoError(t, buy("b.example"))
		require.ErrorIs(t, buy("c.example"), payer.ErrOverBudget, "the total never comes back")
		time.Sleep(1000 * time.Hour)
		require.ErrorIs(t, buy("c.example"), payer.ErrOverBudget)
	})
}

func TestManyAtOnceNeverExceedABudget(t *testing.T) {
	t.Parallel()
	for name, ledger := range map[string]payer.Ledger{"memory": payer.NewMemoryLedger(), "file": openFile(t, ledgerFile(t))} {
		s := newShop(x402.V2)
		p, _ := pays(t, s, func(c *payer.Config) {
			c.Ledger = ledger
			c.Limits.Budgets = []payer.Budget{{Max: "$0.07"}}
		})
		q, _ := pays(t, s, func(c *payer.Config) { // a second payer on the same ledger
			c.Ledger = ledger
			c.Signers = []payer.Signer{&fakeSigner{signed: 1000}}
			c.Limits.Budgets = []payer.Budget{{Max: "$0.07"}}
		})
		var wg sync.WaitGroup
		var mu sync.Mutex
		outcomes := map[string]int{}
		for i := range 40 {
			wg.Go(func() {
				from := p
				if i%2 == 0 {
					from = q
				}
				_, err := get(t, from, t.Context())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					outcomes["paid"]++
				case errors.Is(err, payer.ErrOverBudget):
					outcomes["over"]++
				default:
					outcomes[err.Error()]++
				}
			})
		}
		wg.Wait()
		assert.Equal(t, map[string]int{"paid": 7, "over": 33}, outcomes, name)
		assert.Equal(t, 7, s.movedCount(), name)
	}
}

// rawShop puts one more entry, of any JSON, in front of its shop's offers.
type rawShop struct {
	*shop
	extra string
}

func (s rawShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(x402.HeaderPaymentSignature) != "" || r.Header.Get(x402.HeaderPaymentV1) != "" {
		s.shop.ServeHTTP(w, r)
		return
	}
	if s.version == x402.V1 {
		w.WriteHeader(http.StatusPaymentRequired)
		good, err := s.offers[0].MarshalV1(x402.ResourceInfo{})
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(w, `{"x402Version":1,"accepts":[%s,%s]}`, s.extra, good)
		return
	}
	good, err := s.offers[0].MarshalJSON()
	if err != nil {
		panic(err)
	}
	h, err := x402.EncodeHeader(jsonText(fmt.Sprintf(`{"x402Version":2,"resource":{"url":"u"},"accepts":[%s,%s]}`, s.extra, good)))
	if err != nil {
		panic(err)
	}
	w.Header().Set(x402.HeaderPaymentRequired, h)
	w.WriteHeader(http.StatusPaymentRequired)
}

type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }

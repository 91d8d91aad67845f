package middleware_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

func TestAnUnpaidRequestGetsTheChallengeOfBothVersions(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.PublicURL = "https://shop.example/api/"
		cfg.Routes[0].Resource = x402.ResourceInfo{Description: `A "quote" <b>`, MimeType: "text/plain", ServiceName: "Quotes", Tags: []string{"a"}}
		cfg.Routes[0].Extensions = map[string]json.RawMessage{"payment-identifier": json.RawMessage(`{"info":{"required":false}}`)}
		cfg.Routes[0].Offers = []middleware.Offer{
			cents("$0.01"),
			{Network: "eip155:42161", Amount: x402.NewAmount(7), PayTo: payTo, MaxTimeoutSeconds: 60, Extra: json.RawMessage(`{"note":1}`)},
			{Network: "base", Price: "1.5", PayTo: payTo},
		}
	})
	w := s.do("GET", "/paid?q=%20x&b=\"2\"", "")

	require.Equal(t, 402, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "PAYMENT-SIGNATURE, X-PAYMENT", w.Header().Get("Vary"))
	c := challenge(t, w.Header())
	const url = "https://shop.example/api/paid?q=%20x&b=%222%22"
	require.Equal(t, x402.V2, c.Version)
	require.Equal(t, "Payment required", c.Error)
	require.Equal(t, url, c.Resource.URL)
	require.Equal(t, `A "quote" <b>`, c.Resource.Description)
	require.Equal(t, "Quotes", c.Resource.ServiceName)
	require.JSONEq(t, `{"info":{"required":false}}`, string(c.Extensions["payment-identifier"]))
	require.Len(t, c.Accepts, 3)
	require.Equal(t, "10000", c.Accepts[0].Amount.String())
	require.Equal(t, x402.DefaultTimeout, c.Accepts[0].MaxTimeoutSeconds)
	require.JSONEq(t, `{"name":"USDC","version":"2"}`, string(c.Accepts[0].Extra))
	require.Equal(t, x402.Seconds(60), c.Accepts[1].MaxTimeoutSeconds)
	require.JSONEq(t, `{"name":"USD Coin","version":"2","note":1}`, string(c.Accepts[1].Extra))
	require.Equal(t, x402.Base, c.Accepts[2].Network)
	require.Equal(t, "1500000", c.Accepts[2].Amount.String())

	var v1 x402.PaymentRequired
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v1))
	require.Equal(t, x402.V1, v1.Version)
	require.Equal(t, "X-PAYMENT header is required", v1.Error)
	require.Equal(t, url, v1.Resource.URL)
	require.Len(t, v1.Accepts, 2, "arbitrum has no v1 name")
	require.Contains(t, w.Body.String(), `"network":"base-sepolia"`)
	require.Contains(t, w.Body.String(), `"maxAmountRequired":"1500000"`)
	require.Equal(t, 2, strings.Count(w.Body.String(), `"resource":"`+url+`"`))
	require.Zero(t, s.ran.Load())
}

func TestNetworksWithoutAV1NameGiveAnEmptyBody(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) { cfg.Routes[0].Offers[0].Network = x402.Arbitrum })
	w := s.do("GET", "/paid", "")
	require.Equal(t, 402, w.Code)
	require.Equal(t, "{}", w.Body.String())
	require.Equal(t, x402.Arbitrum, challenge(t, w.Header()).Accepts[0].Network)
}

// The official v1 client reads all entries of a challenge or none, and its
// payments name no more than scheme and network.
func TestTheV1ChallengeHoldsOnlyWhatV1ClientsCanPay(t *testing.T) {
	t.Parallel()
	const usdt = "0x2222222222222222222222222222222222222222"
	byPermit2 := middleware.Offer{Network: x402.BaseSepolia, Asset: usdt, Amount: x402.NewAmount(1), PayTo: payTo, Extra: json.RawMessage(`{"assetTransferMethod":"permit2"}`)}
	ethereum, base := cents("0.03"), cents("0.04")
	ethereum.Network, base.Network = x402.Ethereum, x402.Base
	second := middleware.Offer{Network: x402.BaseSepolia, Asset: usdt, Amount: x402.NewAmount(5), PayTo: payTo, Extra: json.RawMessage(`{"name":"T","version":"1"}`)}
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Offers = []middleware.Offer{byPermit2, cents("0.02"), ethereum, base, second}
	})
	s.supports = x402.Supported{Kinds: []x402.Kind{{Version: 2, Scheme: x402.SchemeExact, Network: x402.BaseSepolia}}}
	w := s.do("GET", "/paid", "")
	require.Len(t, challenge(t, w.Header()).Accepts, 5)
	var body struct {
		Accepts []struct{ Network, MaxAmountRequired string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	require.Equal(t, []struct{ Network, MaxAmountRequired string }{{"base-sepolia", "20000"}, {"base", "40000"}}, body.Accepts)

	name, value := payV1(t, "base-sepolia")
	require.Equal(t, 200, s.do("GET", "/paid", "", name, value).Code)
	require.Equal(t, "20000", s.last().Requirements.Amount.String(), "what was announced is what is paid")

	s = open(t, nil, func(cfg *middleware.Config) { cfg.Routes[0].Offers = []middleware.Offer{ethereum} })
	require.Contains(t, s.do("GET", "/paid", "").Body.String(), `"network":"ethereum"`)

	s = open(t, nil, func(cfg *middleware.Config) { cfg.Routes[0].Offers = []middleware.Offer{byPermit2} })
	s.supports = x402.Supported{Kinds: []x402.Kind{{Version: 2, Scheme: x402.SchemeExact, Network: x402.BaseSepolia}}}
	require.Equal(t, "{}", s.do("GET", "/paid", "").Body.String())
	name, value = payV1(t, "base-sepolia")
	w = s.do("GET", "/paid", "", name, value)
	require.Equal(t, 402, w.Code)
	require.Contains(t, w.Body.String(), "not sold in version 1")
}

func TestAChallengeStaysUnderEightKiB(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Resource.Description = strings.Repeat("d", 500)
		for range 11 {
			cfg.Routes[0].Offers = append(cfg.Routes[0].Offers, cents("2"))
		}
	})
	w := s.do("GET", "/paid?"+strings.Repeat("q", 9000), "")
	require.Equal(t, 402, w.Code)
	require.Less(t, len(w.Header().Get(x402.HeaderPaymentRequired)), 8<<10)
	require.Equal(t, "http://example.com/paid", challenge(t, w.Header()).Resource.URL, "a query beyond 1 KiB is left out")
}

func TestBrowsersGetAPageAndTheHeaders(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Resource.Description = `<script>alert("1")</script>`
	})
	browser := []string{"Accept", "text/html,*/*", "User-Agent", "Mozilla/5.0"}
	w := s.do("GET", "/paid", "", browser...)
	require.Equal(t, 402, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(t, "10000", challenge(t, w.Header()).Accepts[0].Amount.String())
	page := w.Body.String()
	for _, part := range []string{`<html lang="en">`, "<title>", "<main>", "<h1>", "<dl>", `<div id="v402-wallet"></div>`, "0.01 USDC", "base-sepolia (eip155:84532)", payTo, "&lt;script&gt;"} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "<script>")
	require.Less(t, len(page), 4<<10)
	require.Equal(t, "application/json", s.do("GET", "/paid", "", "Accept", "text/html").Header().Get("Content-Type"), "no browser")
	require.Equal(t, "application/json", s.do("GET", "/paid", "", "User-Agent", "Mozilla/5.0", "Accept", "*/*").Header().Get("Content-Type"))
}

func TestThePageCanBeReplacedButNotTheStatus(t *testing.T) {
	t.Parallel()
	var fail bool
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Paywall = func(w io.Writer, r *http.Request, c x402.PaymentRequired) error {
			if fail {
				return errors.New("template")
			}
			_, err := io.WriteString(w, "pay "+c.Accepts[0].Amount.String()+" for "+c.Resource.URL)
			return err
		}
	})
	browser := []string{"Accept", "text/html", "User-Agent", "Mozilla/5.0"}
	w := s.do("GET", "/paid", "", browser...)
	require.Equal(t, 402, w.Code)
	require.Equal(t, "pay 10000 for http://example.com/paid", w.Body.String())
	fail = true
	w = s.do("GET", "/paid", "", browser...)
	require.Equal(t, 402, w.Code)
	require.Contains(t, w.Body.String(), "Payment required")
}

func TestForwardedHeadersAreBelievedFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	trusting := open(t, nil, func(cfg *middleware.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's address
	})
	plain := open(t, nil, nil)
	for _, c := range []struct {
		shop   *shop
		header []string
		want   string
	}{
		{trusting, nil, "http://example.com/paid"},
		{trusting, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example"}, "https://shop.example/paid"},
		{trusting, []string{"X-Forwarded-Proto", "http, https"}, "https://example.com/paid"},
		{trusting, []string{"Forwarded", `for=1.2.3.4;proto=https;host="shop.example:8443"`}, "https://shop.example:8443/paid"},
		{trusting, []string{"X-Forwarded-Proto", "javascript"}, "http://example.com/paid"},
		{plain, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example"}, "http://example.com/paid"},
		{plain, []string{"Forwarded", "proto=https;host=evil.example"}, "http://example.com/paid"},
	} {
		w := c.shop.do("GET", "/paid", "", c.header...)
		require.Equal(t, c.want, challenge(t, w.Header()).Resource.URL, "%v", c.header)
	}
	w := trusting.do("GET", "/paid", "", "X-Forwarded-Host", `a"b`)
	require.Equal(t, 400, w.Code, "a host that is none is refused")
}

func TestPricesAndRecipientsCanDependOnTheRequest(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append([]byte("got "), b...))
	}, func(cfg *middleware.Config) {
		cfg.Routes[0].Offers = []middleware.Offer{{
			Network: x402.BaseSepolia,
			PriceFunc: func(r *http.Request) (string, error) {
				b, err := io.ReadAll(r.Body)
				if r.URL.Query().Has("fail") {
					return "", errors.New("no price today")
				}
				if r.URL.Query().Has("free") {
					return "0", err
				}
				return "$0.0" + string(b), err
			},
			PayToFunc: func(r *http.Request) (string, error) {
				if r.URL.Query().Has("nobody") {
					return "nobody", nil
				}
				return payTo, nil
			},
		}}
	})
	w := s.do("POST", "/paid", "7")
	require.Equal(t, 402, w.Code)
	c := challenge(t, w.Header())
	require.Equal(t, "70000", c.Accepts[0].Amount.String())

	p := x402.PaymentPayload{Version: 2, Resource: &c.Resource, Accepted: c.Accepts[0], Payload: authorization("70000")}
	header, err := x402.EncodeHeader(p)
	require.NoError(t, err)
	w = s.do("POST", "/paid", "7", x402.HeaderPaymentSignature, header)
	require.Equal(t, 200, w.Code, w.Body)
	require.Equal(t, "got 7", w.Body.String(), "the handler reads the body that the price was made from")

	w = s.do("POST", "/paid", "8", x402.HeaderPaymentSignature, header)
	require.Equal(t, 402, w.Code)
	require.Equal(t, "No matching payment requirements", reason(t, w))
	require.Contains(t, w.Body.String(), "amount: the payment accepts 70000, the offer is 80000")

	require.Equal(t, "got 9", s.do("POST", "/paid?free", "9").Body.String())
	require.Equal(t, "got 9", s.do("POST", "/paid?free&nobody", "9").Body.String(), "what is free is paid to nobody")
	require.Equal(t, 500, s.do("POST", "/paid?fail", "9").Code)
	require.Equal(t, 500, s.do("POST", "/paid?nobody", "9").Code)
	require.EqualValues(t, 3, s.ran.Load())
}

func TestFreeRoutesNeedNoPayment(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) { cfg.Routes[0].Offers[0].Price = "0" })
	w := s.do("GET", "/paid", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "the goods", w.Body.String())
}

func TestWhatTheFacilitatorAddsIsInTheOffer(t *testing.T) {
	t.Parallel()
	const solanaPayTo = "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Offers = append(cfg.Routes[0].Offers, middleware.Offer{Network: x402.SolanaDevnet, Price: "0.01", PayTo: solanaPayTo, Extra: json.RawMessage(`{"memo":"x"}`)})
	})
	s.supports = x402.Supported{Kinds: []x402.Kind{{Version: 2, Scheme: "exact", Network: x402.SolanaDevnet, Extra: json.RawMessage(`{"feePayer":"` + solanaPayTo + `","memo":"theirs"}`)}}}
	c := challenge(t, s.do("GET", "/paid", "").Header())
	require.Len(t, c.Accepts, 2)
	require.JSONEq(t, `{"feePayer":"`+solanaPayTo+`","memo":"x"}`, string(c.Accepts[1].Extra), "the seller's own extra wins")

	s.supports = x402.Supported{}
	c = challenge(t, s.do("GET", "/paid", "").Header())
	require.Len(t, c.Accepts, 1, "what the facilitator does not serve is not offered")

	s.supportErr = errors.New("down")
	require.Equal(t, 502, s.do("GET", "/paid", "").Code)
	require.Zero(t, s.ran.Load())
}

func TestStaticOffersDoNotAskTheFacilitator(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	s.supportErr = errors.New("down")
	require.Equal(t, 402, s.do("GET", "/paid", "").Code)
	require.Zero(t, s.asked.Load())
}

func TestCheckNamesEveryOfferThatIsNotServed(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Offers = append(cfg.Routes[0].Offers, middleware.Offer{Network: x402.Base, Price: "1", PayTo: payTo})
	})
	s.supports = x402.Supported{Kinds: []x402.Kind{{Version: 2, Scheme: "exact", Network: x402.BaseSepolia}}}
	err := s.guard.Check(t.Context())
	require.EqualError(t, err, `middleware: route "/paid", offer 1: the facilitator does not serve scheme "exact" on eip155:8453`)
	s.supportErr = errors.New("down")
	require.ErrorContains(t, s.guard.Check(t.Context()), "down")
}

func TestBadConfigurationsAreErrorsThatSayWhat(t *testing.T) {
	t.Parallel()
	route := func(edit func(*middleware.Route)) middleware.Config {
		r := middleware.Route{Pattern: "/paid", Offers: []middleware.Offer{cents("$0.01")}}
		edit(&r)
		return middleware.Config{Facilitator: &fake{}, Routes: []middleware.Route{r}}
	}
	offer := func(edit func(*middleware.Offer)) middleware.Config {
		return route(func(r *middleware.Route) { edit(&r.Offers[0]) })
	}
	for want, cfg := range map[string]middleware.Config{
		"Facilitator is missing":    {Routes: []middleware.Route{{Pattern: "/"}}},
		"no routes":                 {Facilitator: &fake{}},
		"no offers":                 route(func(r *middleware.Route) { r.Offers = nil }),
		"description has 501 bytes": route(func(r *middleware.Route) { r.Resource.Description = strings.Repeat("x", 501) }),
		"serviceName":               route(func(r *middleware.Route) { r.Resource.ServiceName = strings.Repeat("x", 33) }),
		"unknown mode":              route(func(r *middleware.Route) { r.Mode = 9 }),
		"URL is filled in":          route(func(r *middleware.Route) { r.Resource.URL = "https://x" }),
		"challenge header":          route(func(r *middleware.Route) { r.Offers = make40(cents("1")) }),
		"some offers are free":      route(func(r *middleware.Route) { r.Offers = append(r.Offers, cents("0")) }),
		"extensions":                route(func(r *middleware.Route) { r.Extensions = map[string]json.RawMessage{"a": json.RawMessage("{")} }),
		"exactly one of Price":      offer(func(o *middleware.Offer) { o.Price = "" }),
		"exactly one of":            offer(func(o *middleware.Offer) { o.Amount = x402.NewAmount(1) }),
		"more decimals":             offer(func(o *middleware.Offer) { o.Price = "0.0000001" }),
		"not a decimal":             offer(func(o *middleware.Offer) { o.Price = "-1" }),
		"CAIP-2":                    offer(func(o *middleware.Offer) { o.Network = "moon" }),
		"payTo":                     offer(func(o *middleware.Offer) { o.PayTo = "0x1" }),
		"zero address":              offer(func(o *middleware.Offer) { o.PayTo = "0x" + strings.Repeat("0", 40) }),
		"payTo: missing":            offer(func(o *middleware.Offer) { o.PayTo = "" }),
		"both PayTo and":            offer(func(o *middleware.Offer) { o.PayToFunc = func(*http.Request) (string, error) { return "", nil } }),
		"unknown asset":             offer(func(o *middleware.Offer) { o.Asset = payTo }),
		"no default asset":          offer(func(o *middleware.Offer) { o.Network = "eip155:5" }),
		"MaxTimeoutSeconds":         offer(func(o *middleware.Offer) { o.MaxTimeoutSeconds = -1 }),
		"MaxTimeoutSeconds 1.5":     offer(func(o *middleware.Offer) { o.MaxTimeoutSeconds = 1.5 }),
		"Extra":                     offer(func(o *middleware.Offer) { o.Extra = json.RawMessage(`[1]`) }),
		"EIP-712 name and version":  offer(func(o *middleware.Offer) { o.Asset, o.Price, o.Amount = payTo, "", x402.NewAmount(1) }),
		"is not an origin":          {Facilitator: &fake{}, PublicURL: "shop.example", Routes: []middleware.Route{{Pattern: "/"}}},
		"AllowCredentials needs":    {Facilitator: &fake{}, CORS: &middleware.CORS{AllowCredentials: true}},
	} {
		_, err := middleware.New(cfg)
		require.ErrorContains(t, err, want)
	}
	_, err := middleware.Protect(route(func(*middleware.Route) {}), cents("1"))
	require.ErrorContains(t, err, "takes no Routes")
}

func make40(o middleware.Offer) []middleware.Offer {
	out := make([]middleware.Offer, 40)
	for i := range out {
		out[i] = o
	}
	return out
}

func TestProtectSellsEverything(t *testing.T) {
	t.Parallel()
	protect, err := middleware.Protect(middleware.Config{Facilitator: &fake{}}, cents("1"))
	require.NoError(t, err)
	s := &shop{Handler: protect(http.NotFoundHandler())}
	for _, target := range []string{"/", "/a/b", "/x?y"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PURGE"} {
			require.Equal(t, 402, s.do(method, target, "").Code, "%s %s", method, target)
		}
	}
}

func TestOptionsNeverRunsTheHandler(t *testing.T) {
	t.Parallel()
	edit := func(cfg *middleware.Config) { cfg.Routes[0].Pattern = "POST /paid" }
	s := open(t, nil, edit)
	w := s.do("OPTIONS", "/paid", "", s.preflight()...)
	require.Equal(t, 204, w.Code)
	require.Equal(t, "POST, OPTIONS", w.Header().Get("Allow"))
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	require.Zero(t, s.ran.Load())
	require.Equal(t, 200, s.do("OPTIONS", "/other", "").Code)
	require.EqualValues(t, 1, s.ran.Load(), "what is not guarded is the handler's")
}

func (s *shop) preflight() []string {
	return []string{"Origin", "https://app.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "payment-signature"}
}

func TestScriptsOfOtherOriginsCanBuyWithCORS(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.CORS = &middleware.CORS{AllowOrigins: []string{"https://app.example"}, AllowHeaders: []string{"X-Own"}}
	})
	w := s.do("OPTIONS", "/paid", "", s.preflight()...)
	require.Equal(t, 204, w.Code)
	require.Equal(t, "https://app.example", w.Header().Get("Access-Control-Allow-Origin"))
	for _, h := range []string{"PAYMENT-SIGNATURE", "X-PAYMENT", "Content-Type", "X-Own"} {
		require.Contains(t, w.Header().Get("Access-Control-Allow-Headers"), h)
	}
	require.Contains(t, w.Header().Get("Access-Control-Allow-Methods"), "POST")
	require.Equal(t, "600", w.Header().Get("Access-Control-Max-Age"))

	name, value := s.pay(t, "GET", "/paid")
	for _, header := range [][]string{{}, {name, value}} {
		w = s.do("GET", "/paid", "", append(header, "Origin", "https://app.example")...)
		require.Equal(t, "https://app.example", w.Header().Get("Access-Control-Allow-Origin"), w.Code)
		for _, h := range []string{"PAYMENT-REQUIRED", "PAYMENT-RESPONSE", "X-PAYMENT-RESPONSE"} {
			require.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), h)
		}
		require.Contains(t, w.Header().Values("Vary"), "Origin")
	}
	require.Equal(t, 200, w.Code)
	w = s.do("GET", "/paid", "", "Origin", "https://evil.example")
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	require.Zero(t, s.do("OPTIONS", "/paid", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET").Header().Get("Access-Control-Allow-Headers"))
}

package middleware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/v402/v402/x402"
)

// Defaults of [Config].
const (
	DefaultMaxRequestBody  = 4 << 20 // bytes
	DefaultMaxResponseBody = 4 << 20 // bytes
	DefaultVerifyTimeout   = 30 * time.Second
	DefaultSettleTimeout   = 90 * time.Second
)

// Config says what is guarded and how. Facilitator and Routes are required;
// every other zero field has the default that stands beside it.
type Config struct {
	Facilitator x402.Facilitator // verifies and settles
	Routes      []Route          // what is sold; everything else passes unguarded

	Assets *x402.Assets // known tokens; default x402.DefaultAssets()
	Claims Claims       // replay protection; default NewMemoryClaims(), which serves one process

	// PublicURL is the origin, with the path prefix if there is one, under
	// which buyers reach the guard, such as "https://shop.example". Default:
	// scheme and Host of each request.
	PublicURL string
	// TrustedProxies are those whose X-Forwarded-Proto, X-Forwarded-Host and
	// Forwarded headers are believed; default none.
	TrustedProxies []netip.Prefix

	CORS *CORS // cross-origin headers; default none

	MaxRequestBody  int64         // of a paid request, in bytes; default 4 MiB
	MaxResponseBody int64         // of an answer in mode SettleAfter, in bytes; default 4 MiB
	VerifyTimeout   time.Duration // default 30 s
	SettleTimeout   time.Duration // starts when the handler is done; default 90 s

	Hooks Hooks

	// Paywall writes the body of the page that browsers get; status and headers
	// are the guard's. Default: a plain page without scripts.
	Paywall func(w io.Writer, r *http.Request, c x402.PaymentRequired) error

	Logger *slog.Logger     // default slog.Default()
	Now    func() time.Time // default time.Now
}

// withDefaults fills the zero fields of cfg and checks the others.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.Facilitator == nil {
		return cfg, errors.New("middleware: Config.Facilitator is missing")
	}
	if cfg.Assets == nil {
		cfg.Assets = x402.DefaultAssets()
	}
	if cfg.Claims == nil {
		cfg.Claims = NewMemoryClaims()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	positive(&cfg.MaxRequestBody, DefaultMaxRequestBody)
	positive(&cfg.MaxResponseBody, DefaultMaxResponseBody)
	positive(&cfg.VerifyTimeout, DefaultVerifyTimeout)
	positive(&cfg.SettleTimeout, DefaultSettleTimeout)
	if cfg.PublicURL != "" {
		u, err := url.Parse(cfg.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !validHost(u.Host) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return cfg, fmt.Errorf("middleware: PublicURL %q is not an origin such as https://shop.example", cfg.PublicURL)
		}
		cfg.PublicURL = strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/")
	}
	return cfg, nil
}

// positive replaces a value that is not set.
func positive[T int64 | time.Duration](v *T, byDefault T) {
	if *v <= 0 {
		*v = byDefault
	}
}

// Hooks are called on the way of a payment; each may be nil. An error from a
// Before hook refuses the request with 403 and its text as reason, or, if it is
// an http.Handler, with its own answer, of 400 or above; nothing is charged. They
// are not called for an answer that is sent again.
type Hooks struct {
	BeforeVerify func(context.Context, Attempt) error
	AfterVerify  func(context.Context, Attempt, x402.VerifyResponse, error)
	BeforeSettle func(context.Context, Attempt) error
	// AfterSettle is called with what the facilitator said. An error means that
	// the outcome is unknown, not that the payment failed.
	AfterSettle func(context.Context, Attempt, x402.SettleResponse, error)
}

// Attempt is what a hook is told: a request and the payment that came with it.
type Attempt struct {
	Request *http.Request
	Pattern string       // of the route
	Payment x402.Payment // with the seller's own requirements
}

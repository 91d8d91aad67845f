package payer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/v402/v402/x402"
)

// Signer makes payments of one account by one or several schemes; the one for
// EVM chains is evm.Signer in x402/evm. All methods may be called at once.
type Signer interface {
	// Accepts says whether the signer can pay r. It does no I/O.
	Accepts(r x402.PaymentRequirements) bool
	// Sign returns the scheme's part of the payment of r: "payload" on the wire,
	// in the form of the protocol version. Nothing that it signs may be usable
	// later than r.MaxTimeoutSeconds after now, or more than once.
	Sign(ctx context.Context, version int, r x402.PaymentRequirements, now time.Time) (json.RawMessage, error)
}

// Config configures a [Payer]. Only Signers must be set.
type Config struct {
	Signers []Signer          // asked in this order
	Base    http.RoundTripper // sends the requests; http.DefaultTransport if nil
	Policy  Policy
	Limits  Limits
	Ledger  Ledger // a new [MemoryLedger] if nil, which a restart forgets

	// MaxBody is how much of a request's body is kept to be sent again when the
	// request has no GetBody, in bytes; 1 MiB if zero. A larger body is sent
	// once, and cannot be paid for.
	MaxBody int64
	// Resends is how often the same signed payment is sent again after an
	// ambiguous failure within one call; 3 if zero, never if negative. The whole
	// request is repeated, so handlers may see it more than once.
	Resends int
	// Backoff is the pause before the first of them; it doubles each time, up to
	// 10 s, and yields to a longer Retry-After up to 30 s. 500 ms if zero.
	Backoff time.Duration
	// HoldRefused keeps counting refused payments against the limits, in state
	// Unknown, until they are released by the caller. A refusal is only the
	// seller's word, who could still use the payment until it expires.
	HoldRefused bool

	// OnPaying is called before anything is reserved or signed; an error stops
	// the payment and is returned, matching [ErrVetoed].
	OnPaying func(context.Context, Spending) error
	// OnPaid is called when a payment was answered with what it bought. The
	// receipt is nil where the seller sent none.
	OnPaid func(context.Context, Spending, *x402.SettleResponse)
	// OnUnknown is called when a payment was sent and its outcome stays unknown,
	// also where the seller's answer, such as 404, is returned to the caller.
	OnUnknown func(context.Context, Spending)

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // discards if nil; never sees payments or queries
}

// Policy says which offers are acceptable.
type Policy struct {
	// Networks that may be paid on; nil allows every network of an allowed asset.
	Networks []x402.Network
	// Assets are the tokens that may be paid with and count as dollars;
	// [x402.DefaultAssets] if nil. They must not be changed later.
	Assets *x402.Assets
	// Others are tokens that may be paid with and count in a currency of their own.
	Others []Asset
	// Choose picks one of the acceptable offers, which are at least one and in
	// the seller's order. If nil the cheapest is taken, the first of equals,
	// among those in the currency of the first.
	Choose func([]Offer) (int, error)
	// MaxTimeout is the longest time that a seller may hold a payment before it
	// expires (maxTimeoutSeconds); one hour if zero.
	MaxTimeout time.Duration
	// AllowHTTP permits payment over plain http to hosts other than loopback,
	// where whoever listens can take the payment for a request of its own.
	AllowHTTP bool
}

// USD is the currency of [Policy].Assets.
const USD = "USD"

// Asset is a token that is not worth a dollar.
type Asset struct {
	x402.Asset
	Currency string // what its amounts count in, such as "EUR"; not "USD"
	MaxPrice string // highest price of one request in units of the asset, such as "0.5"; required
}

// Limits bound what is spent. Everything that was or may have been spent counts.
type Limits struct {
	// PerRequest is the highest price of one request in dollars, such as
	// "$0.10"; "$1" if empty.
	PerRequest string
	// Budgets bound sums; each of them must hold. None if empty.
	Budgets []Budget
}

// Budget bounds the sum of what is spent in one currency.
type Budget struct {
	Max      string        // such as "$5"; in units of the currency, at most 6 decimals
	Period   time.Duration // rolling: any span of this length; ever if zero
	PerHost  bool          // each host by itself
	Host     string        // only this host, such as "api.example.com" or "localhost:4021"
	Currency string        // USD if empty
}

const (
	defaultPerRequest = "$1"
	defaultMaxBody    = 1 << 20
	defaultMaxTimeout = time.Hour
	defaultResends    = 3
	defaultBackoff    = 500 * time.Millisecond
)

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	if c.Ledger == nil {
		c.Ledger = NewMemoryLedger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.Resends == 0 {
		c.Resends = defaultResends
	}
	if c.Backoff <= 0 {
		c.Backoff = defaultBackoff
	}
	if c.Policy.MaxTimeout == 0 {
		c.Policy.MaxTimeout = defaultMaxTimeout
	}
	if c.Policy.Assets == nil {
		c.Policy.Assets = x402.DefaultAssets()
	}
	if c.Limits.PerRequest == "" {
		c.Limits.PerRequest = defaultPerRequest
	}
	return c
}

// budget is a Budget that was read.
type budget struct {
	Budget
	max x402.Amount // millionths
}

// readMoney reads a decimal such as "$0.10" in millionths.
func readMoney(s string) (x402.Amount, error) {
	return x402.ParseAmount(strings.TrimPrefix(s, "$"), microDecimals)
}

func readBudgets(budgets []Budget) ([]budget, error) {
	out := make([]budget, 0, len(budgets))
	for i, b := range budgets {
		limit, err := readMoney(b.Max)
		switch {
		case err != nil:
			return nil, fmt.Errorf("payer: Limits.Budgets[%d].Max: %w", i, err)
		case b.Period < 0:
			return nil, fmt.Errorf("payer: Limits.Budgets[%d].Period is negative", i)
		case b.PerHost && b.Host != "":
			return nil, fmt.Errorf("payer: Limits.Budgets[%d] has both Host and PerHost", i)
		}
		if b.Currency == "" {
			b.Currency = USD
		}
		b.Host = strings.TrimSuffix(canonicalHost(b.Host), ":443")
		out = append(out, budget{b, limit})
	}
	return out, nil
}

// limits are the limits on a spending in currency at host, as of now.
func limits(budgets []budget, currency, host string, now time.Time) []Limit {
	var out []Limit
	for _, b := range budgets {
		if b.Currency != currency || (b.Host != "" && b.Host != host) {
			continue
		}
		l := Limit{Amount: b.max}
		if b.PerHost || b.Host != "" {
			l.Host = host
		}
		if b.Period > 0 {
			l.Since = now.Add(-b.Period)
		}
		out = append(out, l)
	}
	return out
}

// other is an Asset of Policy.Others that was read.
type other struct {
	Asset
	max x402.Amount // atomic units
}

func readOthers(assets []Asset) ([]other, error) {
	var out []other
	for i, a := range assets {
		limit, err := a.Price(a.MaxPrice)
		switch {
		case a.Currency == "" || a.Currency == USD:
			return nil, fmt.Errorf("payer: Policy.Others[%d] needs a currency of its own; tokens worth a dollar belong into Policy.Assets", i)
		case err != nil:
			return nil, fmt.Errorf("payer: Policy.Others[%d].MaxPrice: %w", i, err)
		}
		if err := new(x402.Assets).Add(a.Asset); err != nil { // checks it
			return nil, fmt.Errorf("payer: Policy.Others[%d]: %w", i, err)
		}
		out = append(out, other{a, limit})
	}
	return out, nil
}

// check finds what is wrong with a configuration besides what is read from it.
func (c Config) check() error {
	switch {
	case len(c.Signers) == 0:
		return errors.New("payer: Config.Signers is empty: a payer needs a key to pay with")
	case c.MaxBody < 0:
		return errors.New("payer: Config.MaxBody is negative")
	case c.Policy.MaxTimeout < 0:
		return errors.New("payer: Policy.MaxTimeout is negative")
	}
	for i, s := range c.Signers {
		if s == nil {
			return fmt.Errorf("payer: Config.Signers[%d] is nil", i)
		}
	}
	return nil
}

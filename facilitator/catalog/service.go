package catalog

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/x402"
)

// Config says what a [Service] works with. Only Store is required for use
// without HTTP.
type Config struct {
	Store Store // required

	// Authenticate returns who sends a request, such as the Authenticate of an
	// account.Service. For a request without credentials it returns
	// [account.ErrUnauthenticated], and what is open to everybody is served. Nil
	// knows nobody.
	Authenticate func(*http.Request) (account.User, error)

	// Providers tells how clients see the owners of products, by their IDs. If
	// nil, or of one that is not in the answer, only the ID is shown.
	Providers func(ctx context.Context, ids []string) (map[string]Provider, error)

	// Facilitator verifies and settles x402 payments; without it there are none.
	Facilitator x402.Facilitator
	// Chains prove payments by transaction; those of other networks are refused.
	Chains []Chain
	// Networks are sold on beside those of Chains and the well-known ones:
	// Ethereum, Base, Polygon, Arbitrum, Optimism, BSC and Solana.
	Networks []x402.Network
	// Assets has the default token of each network; [x402.DefaultAssets] if nil.
	Assets *x402.Assets
	// Tokens can be paid in beside the default ones.
	Tokens []x402.Asset

	Payments PaymentConfig // how access is paid and given

	Limits *account.Limits // requests per minute; nil limits nothing

	// Log says what is kept of attempts to reach products.
	Log LogConfig
	// ClientAddr is the address of whoever sent a request, for the access log:
	// r.RemoteAddr if nil. Behind a proxy, read what that proxy sets.
	ClientAddr func(*http.Request) string

	ViewsEvery time.Duration // how often views are stored; 5 s if zero

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Service is a catalog. It is safe for concurrent use.
type Service struct {
	store    Store
	options  Config
	networks []x402.Network
	coins    coins
	log      *slog.Logger
	views    *views
	quotes   *quotes
	owner    string // of leases
	recorder *recorder
}

// New returns a Service. It does no I/O.
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("catalog: Config.Store is required, such as memory.New()")
	}
	if c.Assets == nil {
		c.Assets = x402.DefaultAssets()
	}
	if c.ViewsEvery <= 0 {
		c.ViewsEvery = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	payments, err := c.Payments.withDefaults()
	if err != nil {
		return nil, err
	}
	c.Payments = payments
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	more := c.Networks
	for _, chain := range c.Chains {
		more = append(more[:len(more):len(more)], chain.Network())
	}
	s := &Service{store: c.Store, options: c, log: c.Logger, views: newViews()}
	s.recorder = newRecorder(c.Store, c.Log, c.Now, c.Logger)
	s.quotes, s.owner = newQuotes(c.Payments.policy(), c.Now), "catalog-"+uuid.NewString()
	s.networks = networksOf(more)
	s.coins = coinsOf(s.networks, c.Assets, c.Tokens)
	return s, nil
}

// Coins lists what prices can be paid in. A price is in the smallest unit that
// its currency has on the first network that has it.
func (s *Service) Coins() []Coin { return append([]Coin(nil), s.coins...) }

// Run does what a catalog does in the background until ctx ends: it stores views
// and the access log, deletes what is too old of it, and looks after open
// payments. What is under way then is finished.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.runViews(ctx) })
	g.Go(func() error { return s.runPayments(ctx) })
	g.Go(func() error { s.recorder.run(ctx); return nil })
	return g.Wait()
}

// now is the time in UTC, as exact as stores keep it.
func (s *Service) now() time.Time { return s.options.Now().UTC().Truncate(time.Microsecond) }

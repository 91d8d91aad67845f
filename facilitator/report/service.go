package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// Config says what a [Service] works with. Only Store is required for use
// without HTTP.
type Config struct {
	Store Store // required

	// Coins are those of the catalog, as its Coins method lists them: revenue is in
	// the smallest unit of the first coin of its currency, as prices are. What was
	// paid in a coin that is not listed is in the unit of its network.
	Coins []catalog.Coin

	// Region names the part of the world that a country counts for, by its two
	// letters, which are empty if it is unknown; an empty name leaves it out.
	// [RegionOf] if nil.
	Region func(country string) string

	// Authenticate returns who sends a request, such as the Authenticate of an
	// account.Service; nil admits nobody.
	Authenticate func(*http.Request) (account.User, error)
	Limits       *account.Limits // requests per minute; nil limits nothing

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Service makes reports. It is safe for concurrent use.
type Service struct {
	store   Store
	options Config
}

// New returns a Service. It does no I/O.
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("report: Config.Store is required, such as memory.New()")
	}
	if c.Region == nil {
		c.Region = RegionOf
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Service{store: c.Store, options: c}, nil
}

// Error is a refusal: see [catalog.Error].
type Error = v402api.Error

// product is one that u may see the numbers of.
func (s *Service) product(ctx context.Context, u account.User, id string) (catalog.Product, error) {
	p, err := s.store.Product(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && p.OwnerID != u.ID && !u.IsAdmin():
		return catalog.Product{}, catalog.ErrProductUnknown
	case err != nil:
		return catalog.Product{}, failed("read a product", err)
	}
	return p, nil
}

func failed(tried string, err error) error { return fmt.Errorf("report: %s: %w", tried, err) }

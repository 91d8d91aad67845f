package facilitator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/v402/v402/internal/batch"
	"github.com/v402/v402/x402"
)

// Config says what a [Service] serves.
type Config struct {
	Chains  []Chain // one for each network; at least one
	Journal Journal // required
	Policy  Policy

	// Owner of the leases in the journal; the chains must use the same one. The
	// default is ProcessOwner().
	Owner    string
	LeaseFor time.Duration // after which others take over from a process that died; 15 s if zero

	// SettleTimeout is how long Settle waits for the chain before it answers
	// settlement_pending; 60 s if zero. Clients wait 90 s.
	SettleTimeout time.Duration

	// Authorize admits a request to POST /verify and POST /settle, or says why
	// not; nil admits all. See [BearerToken].
	Authorize func(*http.Request) error

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// maxBatch bounds the reservations that share one commit of the journal.
const maxBatch = 128

// Service verifies and settles payments on its chains. It is an
// [x402.Facilitator]; Run must be running while it settles.
type Service struct {
	chains   map[x402.Network]Chain
	networks []x402.Network // in the order of Config.Chains
	journal  Journal
	rules    rules

	owner         string
	leaseFor      time.Duration
	settleTimeout time.Duration
	authorize     func(*http.Request) error
	now           func() time.Time
	log           *slog.Logger

	reservations *batch.Batcher[Settlement, reservation]
	flights      flights
	limbo        limbo
}

var _ x402.Facilitator = (*Service)(nil)

// New returns a Service. It makes no connection and starts nothing: see
// [Service.Run].
func New(c Config) (*Service, error) {
	rules, err := c.Policy.compile()
	switch {
	case err != nil:
		return nil, err
	case len(c.Chains) == 0:
		return nil, errors.New("facilitator: Config.Chains is empty: name at least one chain to settle on")
	case c.Journal == nil:
		return nil, errors.New("facilitator: Config.Journal is required: without it a crash could lose or repeat a settlement; use a store, such as sqlite.Open")
	case c.LeaseFor < 0 || c.SettleTimeout < 0:
		return nil, errors.New("facilitator: Config.LeaseFor and SettleTimeout must not be negative")
	}
	s := &Service{
		chains: make(map[x402.Network]Chain, len(c.Chains)), journal: c.Journal, rules: rules,
		owner: c.Owner, leaseFor: c.LeaseFor, settleTimeout: c.SettleTimeout,
		authorize: c.Authorize, now: c.Now, log: c.Logger,
	}
	for _, chain := range c.Chains {
		n := chain.Network()
		if parsed, err := x402.ParseNetwork(string(n)); err != nil || parsed != n {
			return nil, fmt.Errorf("facilitator: a chain serves %q, which is not one CAIP-2 network", n)
		}
		if _, ok := s.chains[n]; ok {
			return nil, fmt.Errorf("facilitator: two chains serve %s", n)
		}
		s.chains[n] = chain
		s.networks = append(s.networks, n)
	}
	s.setDefaults()
	s.reservations = batch.New(maxBatch, 1, s.reserveBatch)
	s.flights.init()
	return s, nil
}

func (s *Service) setDefaults() {
	if s.owner == "" {
		s.owner = ProcessOwner()
	}
	if s.leaseFor == 0 {
		s.leaseFor = 15 * time.Second
	}
	if s.settleTimeout == 0 {
		s.settleTimeout = 60 * time.Second
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
}

// Supported lists what the chains serve.
func (s *Service) Supported(context.Context) (x402.Supported, error) {
	out := x402.Supported{Signers: map[string][]string{}}
	for _, n := range s.networks {
		chain := s.chains[n]
		out.Kinds = append(out.Kinds, chain.Kinds()...)
		family := n.Namespace() + ":*"
		for _, signer := range chain.Signers() {
			if !slices.Contains(out.Signers[family], signer) {
				out.Signers[family] = append(out.Signers[family], signer)
			}
		}
	}
	return out, nil
}

// Settlement returns one by its ID. It returns store.ErrNotFound, wrapped, for
// an unknown one.
func (s *Service) Settlement(ctx context.Context, id string) (Settlement, error) {
	row, err := s.journal.Settlement(ctx, id)
	if err != nil {
		return Settlement{}, fmt.Errorf("facilitator: settlement %q: %w", id, err)
	}
	return row, nil
}

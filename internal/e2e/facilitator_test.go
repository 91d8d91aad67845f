package e2e_test

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
)

// journal is what the stores offer and the tests use.
type journal interface {
	facilitator.Journal
	store.Outbox
	Close() error
}

// setup says what a facilitator serves. Its times are short, so that what goes
// wrong is mended within seconds.
type setup struct {
	Network x402.Network
	URLs    []string
	Keys    []string
	Journal string // as openJournal takes it
	Owner   string // ProcessOwner if empty

	LeaseFor      time.Duration
	ResendAfter   time.Duration
	ReplaceAfter  time.Duration
	RPCTimeout    time.Duration
	SettleTimeout time.Duration
	Confirmations uint64
}

func (s setup) withDefaults() setup {
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	or(&s.LeaseFor, 2*time.Second)
	or(&s.ResendAfter, 300*time.Millisecond)
	or(&s.ReplaceAfter, 3*time.Second)
	or(&s.RPCTimeout, 10*time.Second)
	or(&s.SettleTimeout, 5*time.Second)
	return s
}

// openJournal opens "sqlite:PATH" or "postgres://...".
func openJournal(ctx context.Context, name string) (journal, error) {
	if path, ok := strings.CutPrefix(name, "sqlite:"); ok {
		return sqlite.Open(ctx, path)
	}
	return postgres.Open(ctx, name)
}

// newService makes the facilitator of s, on a journal that is open.
func newService(s setup, j facilitator.Journal, log *slog.Logger) (*facilitator.Service, *evm.Chain, error) {
	s = s.withDefaults()
	chain, err := evm.New(evm.Config{
		Network: s.Network, URLs: s.URLs, Keys: s.Keys, Journal: j, Owner: s.Owner, Logger: log,
		LeaseFor: s.LeaseFor, ResendAfter: s.ResendAfter, ReplaceAfter: s.ReplaceAfter, RPCTimeout: s.RPCTimeout,
		MinValidity: time.Second, Confirmations: s.Confirmations,
	})
	if err != nil {
		return nil, nil, err
	}
	service, err := facilitator.New(facilitator.Config{
		Chains: []facilitator.Chain{chain}, Journal: j, Owner: s.Owner, Logger: log,
		LeaseFor: s.LeaseFor, SettleTimeout: s.SettleTimeout,
	})
	return service, chain, err
}

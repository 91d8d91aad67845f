package facilitator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/store"
)

// Run follows the chains, resumes what an earlier process left unfinished, and
// keeps the leases of this one, until ctx ends; then it returns nil, after all
// that it and Settle started has stopped. It returns an error if a chain can
// no longer be followed. Run once.
func (s *Service) Run(ctx context.Context) error {
	if s.flights.isClosed() {
		return ErrStopping
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range s.networks {
		g.Go(func() error {
			err := s.chains[n].Run(ctx)
			switch {
			case ctx.Err() != nil:
				return nil
			case err == nil:
				err = errors.New("it stopped by itself")
			}
			return fmt.Errorf("facilitator: run %s: %w", n, err)
		})
	}
	g.Go(func() error {
		s.keepLeases(ctx)
		s.flights.close()
		return nil
	})
	return g.Wait()
}

// keepLeases renews the leases well before they run out, until ctx ends.
func (s *Service) keepLeases(ctx context.Context) {
	every := max(s.leaseFor/3, time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.renew(ctx, every)
		}
	}
}

// renew renews the leases and looks after what is in limbo. A journal that
// hangs is given up after a while, to be tried again.
func (s *Service) renew(ctx context.Context, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, n := range s.networks {
		if _, err := s.journal.RenewLeases(ctx, n, s.lease()); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("facilitator: leases not renewed", "network", n, "error", err)
		}
	}
	for _, l := range s.limbo.all() {
		s.rescue(ctx, l)
	}
}

// rescue gives a stranded settlement to its chain if it was stored, and
// forgets it if it was not.
func (s *Service) rescue(ctx context.Context, l stranded) {
	row, err := s.journal.Settlement(ctx, l.row.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if s.now().Sub(l.since) > limboFor {
			s.limbo.take(l.row.ID)
		}
		return
	case err != nil:
		return // the journal is still out of reach
	case row.State.Final():
		s.limbo.take(row.ID)
		return
	case !s.limbo.take(row.ID):
		return
	}
	s.flights.start(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, s.settleTimeout)
		defer cancel()
		_, err := s.guard(func() (Settlement, error) {
			return s.hand(row, func(row Settlement) (Settlement, error) { return s.chains[row.Network].Settle(ctx, row) })
		})
		if err != nil {
			s.log.Error("facilitator: settlement not resumed", "settlement", row.ID, "error", err)
		}
	})
}

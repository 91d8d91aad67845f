package marketplace

import (
	"context"
	"time"
)

// sweepLimit is how many are marked in one write.
const sweepLimit = 500

// sweepEvery is how often Run sweeps.
const sweepEvery = time.Minute

// Run sweeps until ctx ends, and returns its error. Any number of processes may.
func (s *Service) Run(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "marketplace: sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// Sweep marks quotes and entitlements that have expired, and tells so. They are
// not valid even before it. It forgets quotes that have bought nothing and are
// older than Config.KeepQuotes.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.sweepEntitlements(ctx); err != nil {
		return err
	}
	if err := s.sweepQuotes(ctx); err != nil {
		return err
	}
	for {
		n, err := s.store.DropCheckoutQuotes(ctx, s.now().Add(-s.options.KeepQuotes), sweepLimit)
		if err != nil || n < sweepLimit {
			return refusal(err, nil, "forget quotes")
		}
	}
}

// system is who acts in a sweep.
var system = Actor{Name: "system"}

func (s *Service) sweepEntitlements(ctx context.Context) error {
	for {
		now := s.now()
		list, err := s.store.ExpireEntitlements(ctx, now, sweepLimit, func(e Entitlement) Trail {
			return s.audited(system, EventEntitlementExpired, "entitlement:"+e.ID, nil, entitlementEvent(EventEntitlementExpired, &e, now))
		})
		if err != nil {
			return refusal(err, nil, "expire entitlements")
		}
		for i := range list {
			s.cache.forget(list[i].ID, list[i].OfferID, list[i].Wallet)
		}
		if len(list) < sweepLimit {
			return nil
		}
	}
}

func (s *Service) sweepQuotes(ctx context.Context) error {
	for {
		now := s.now()
		list, err := s.store.ExpireCheckoutQuotes(ctx, now, sweepLimit, func(q CheckoutQuote) Trail {
			return s.audited(system, EventQuoteExpired, "quote:"+q.ID, nil, quoteEvent(EventQuoteExpired, &q, now))
		})
		if err != nil {
			return refusal(err, nil, "expire quotes")
		}
		if len(list) < sweepLimit {
			return nil
		}
	}
}

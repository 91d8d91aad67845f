package catalog

import (
	"context"
	"time"
)

// One request or replica at a time has a payment settled: two attempts at once
// could hear that it has moved and that it has not, and whoever hears that it has
// not pays again. Whoever comes second waits for the first.

// Bounds of what is done about a payment.
const (
	storeTimeout = 30 * time.Second       // to store what a settlement came to, whatever time that took
	firstLook    = 10 * time.Millisecond  // at a payment that somebody else is settling
	lastLook     = 500 * time.Millisecond // between two looks later on
)

// leaseFor is how long a payment is left to who settles it.
func (s *Service) leaseFor() time.Duration { return s.options.Payments.SettleTimeout + storeTimeout }

// newLease names who has a payment: one request, or one round of Run.
func (s *Service) newLease() string { return s.owner + "-" + newULID(s.now()) }

// take gets an open payment for this request. If another one has it, take waits
// until that is done; lease is empty if p is decided then, or is not yet.
func (s *Service) take(ctx context.Context, p Payment) (now Payment, lease string, err error) {
	give := time.NewTimer(s.options.Payments.SettleTimeout)
	defer give.Stop()
	lease = s.newLease()
	for wait := firstLook; ; wait = min(2*wait, lastLook) {
		at := s.now()
		now, ok, err := s.store.TakeProductPayment(ctx, p.ID, lease, at, at.Add(s.leaseFor()))
		switch {
		case err != nil:
			return p, "", paymentError(err, "take a payment")
		case ok:
			return now, lease, nil
		case !now.Status.Open():
			return now, "", nil
		}
		look := time.NewTimer(wait)
		select {
		case <-look.C:
		case <-give.C:
			look.Stop()
			return now, "", nil
		case <-ctx.Done():
			look.Stop()
			return now, "", ctx.Err()
		}
	}
}

// release lets others have a payment. If it fails they wait until the lease runs
// out.
func (s *Service) release(ctx context.Context, id, lease string) {
	ctx, cancel := storing(ctx)
	defer cancel()
	if err := s.store.FreeProductPayment(ctx, id, lease); err != nil {
		s.log.WarnContext(ctx, "catalog: a payment stays leased", "payment", id, "error", err)
	}
}

// storing is ctx with the time to store something, also for a client that has
// hung up.
func storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Bounds of the work on open payments.
const (
	paymentsAtOnce = 50
	quotesAtOnce   = 1000
	graceOfDoubt   = time.Hour // after which a payment that nobody can decide is for an admin
)

// runPayments looks after open payments until ctx ends.
func (s *Service) runPayments(ctx context.Context) error {
	tick := time.NewTicker(s.options.Payments.ExpireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.TendPayments(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("catalog: open payments not tended", "error", err)
		}
	}
}

// TendPayments expires payments that did not come, asks about those that are on
// their way, and forgets old quotes. [Service.Run] calls it now and then; of
// several replicas one works on a payment at a time.
func (s *Service) TendPayments(ctx context.Context) error {
	lease := s.newLease()
	var asked []string
	defer func() { // at the end, or the next round would ask about them again
		for _, id := range asked {
			s.release(ctx, id, lease)
		}
	}()
	for {
		now := s.now()
		list, err := s.store.LeaseProductPayments(ctx, lease, now, now.Add(s.leaseFor()), paymentsAtOnce)
		if err != nil {
			return refusal(err, nil, "lease payments")
		}
		for _, p := range list {
			err := s.tend(ctx, p, lease)
			switch {
			case err != nil: // it is left alone until the lease runs out
				s.log.Warn("catalog: an open payment is not decided", "payment", p.ID, "error", err)
			case p.Method == MethodX402: // if it is pending still, its sender does not wait
				asked = append(asked, p.ID)
			}
		}
		if len(list) < paymentsAtOnce || ctx.Err() != nil {
			break
		}
	}
	_, err := s.store.PurgeAccessQuotes(ctx, s.now(), quotesAtOnce)
	return refusal(err, nil, "purge quotes")
}

// tend moves one payment along.
func (s *Service) tend(ctx context.Context, p Payment, lease string) error {
	switch {
	case p.Status == PaymentPending:
		return s.expire(ctx, p.ID)
	case p.Method == MethodX402:
		return s.ask(ctx, p, lease)
	}
	_, _, err := s.prove(ctx, p, p.Transaction, consentBefore(&p))
	var refused *Error
	switch late := s.now().After(p.ExpiresAt); {
	case err == nil || !errors.As(err, &refused):
		return err
	case refused == ErrTransactionGone && late:
		return s.expire(ctx, p.ID)
	case refused == ErrTransactionUsed, len(refused.Faults) > 0:
		return s.drop(ctx, p.ID, refused)
	default:
		return err
	}
}

// expire ends a payment that did not come in time.
func (s *Service) expire(ctx context.Context, id string) error {
	now := s.now()
	_, err := s.store.UpdateProductPayment(ctx, id, func(p *Payment) ([]store.Event, error) {
		if !p.Status.Open() {
			return nil, ErrPaymentProcessed
		}
		if err := p.move(PaymentExpired, now); err != nil {
			return nil, err
		}
		return []store.Event{paymentEvent(EventPaymentExpired, p, now)}, nil
	})
	return settledMeanwhile(err)
}

// drop fails a payment whose transaction does not pay it.
func (s *Service) drop(ctx context.Context, id string, refused *Error) error {
	now := s.now()
	_, err := s.store.UpdateProductPayment(ctx, id, func(p *Payment) ([]store.Event, error) {
		code := string(refused.Code)
		if len(refused.Faults) > 0 {
			code = refused.Faults[0].Code
		}
		if err := p.fail(code, refused.Message, now); err != nil {
			return nil, err
		}
		return []store.Event{paymentEvent(EventPaymentFailed, p, now)}, nil
	})
	return settledMeanwhile(err)
}

// settledMeanwhile forgives that somebody else was faster.
func settledMeanwhile(err error) error {
	if errors.Is(err, ErrPaymentProcessed) || errors.Is(err, ErrPaymentExpired) {
		return nil
	}
	return paymentError(err, "tend a payment")
}

// ask has the facilitator settle an x402 payment whose request broke off, unless
// another one does. The money may move by that: its payer has signed it for this
// product.
func (s *Service) ask(ctx context.Context, p Payment, lease string) error {
	now := s.now()
	p, ok, err := s.store.TakeProductPayment(ctx, p.ID, lease, now, now.Add(s.leaseFor()))
	if err != nil || !ok {
		return paymentError(err, "take a payment")
	}
	resp, err := s.charge(ctx, &p)
	switch {
	case err != nil:
		return err
	case resp.ErrorReason.Is(x402.ReasonSettlementPending):
		return nil
	case middleware.Undecided(resp) && s.now().Before(p.ExpiresAt.Add(graceOfDoubt)):
		return nil
	case middleware.Undecided(resp):
		_, _, err = s.dispute(ctx, p, "", "It is not known whether the money has moved: "+string(resp.ErrorReason))
		return settledMeanwhile(err)
	}
	_, _, err = s.settled(ctx, p, resp, false)
	if errors.Is(err, ErrTransactionUsed) {
		return nil
	}
	return settledMeanwhile(err)
}

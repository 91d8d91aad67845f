package catalog

import (
	"context"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// RefundRequest asks for money to go back to the payer of a payment.
type RefundRequest struct {
	Actor      string // who decides it
	Reason     string
	Amount     *x402.Amount // nil for all that is left
	NotifyUser bool         // in the event
}

// RefundPayment refunds a payment that is confirmed or disputed, in whole or in
// part; once all is refunded its access is revoked. The refund is recorded as
// owed, and paid out by PaymentConfig.Refund, if there is one: if that fails the
// refund stays owed and [Service.PayRefund] tries again.
func (s *Service) RefundPayment(ctx context.Context, id string, in RefundRequest) (Payment, Refund, error) {
	var faults v402api.Faults
	faults.Required("reason", in.Reason, 1000)
	if err := faults.Err(); err != nil {
		return Payment{}, Refund{}, err
	}
	p, err := s.AnyPayment(ctx, id)
	if err != nil {
		return p, Refund{}, err
	}
	now := s.now()
	r := Refund{ID: "refund-" + newULID(now), PaymentID: id, Reason: in.Reason, Actor: in.Actor, CreatedAt: now}
	if in.Amount != nil {
		r.Amount = *in.Amount
	} else if r.Amount, err = p.Amount.Sub(p.Refunded); err != nil {
		return p, r, refusal(err, nil, "refund a payment")
	}
	p, err = s.store.AddPaymentRefund(ctx, r, func(p *Payment) ([]store.Event, error) {
		if err := p.refund(r.Amount, now); err != nil {
			return nil, err
		}
		e := newPaymentEvent(p, now)
		e.RefundID, e.RefundAmount, e.NotifyUser, e.Reason = r.ID, r.Amount.String(), in.NotifyUser, r.Reason
		return []store.Event{newEvent(EventPaymentRefunded, p.ID, e, now)}, nil
	})
	if err != nil {
		return p, r, paymentError(err, "refund a payment")
	}
	paid, err := s.payOut(ctx, p, r)
	if err != nil {
		s.log.ErrorContext(ctx, "catalog: a refund is not paid out and stays owed", "refund", r.ID, "payment", p.ID, "error", err)
	}
	return p, paid, nil
}

// PayRefund pays out what is owed of a payment's refunds.
func (s *Service) PayRefund(ctx context.Context, paymentID string) ([]Refund, error) {
	p, err := s.AnyPayment(ctx, paymentID)
	if err != nil {
		return nil, err
	}
	list, err := s.store.PaymentRefunds(ctx, paymentID)
	if err != nil {
		return nil, paymentError(err, "list refunds")
	}
	for i, r := range list {
		if r.SettledAt.IsZero() {
			if list[i], err = s.payOut(ctx, p, r); err != nil {
				return list, refusal(err, nil, "pay refund "+r.ID)
			}
		}
	}
	return list, nil
}

// Refunds lists the refunds of a payment, the oldest first.
func (s *Service) Refunds(ctx context.Context, paymentID string) ([]Refund, error) {
	list, err := s.store.PaymentRefunds(ctx, paymentID)
	return list, paymentError(err, "list refunds")
}

// payOut pays a refund that is stored.
func (s *Service) payOut(ctx context.Context, p Payment, r Refund) (Refund, error) {
	if s.options.Payments.Refund == nil {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Payments.SettleTimeout)
	defer cancel()
	transaction, err := s.options.Payments.Refund(ctx, p, r)
	if err != nil {
		return r, err
	}
	r.Transaction, r.SettledAt = transaction, s.now()
	return r, s.store.SettlePaymentRefund(ctx, r.ID, r.Transaction, r.SettledAt)
}

// Reconcile decides what became of a payment, for admins: an open one is asked
// about once more, a disputed one is accepted with the grant that it was made for,
// and what is owed of refunds is paid out.
func (s *Service) Reconcile(ctx context.Context, id string) (Payment, error) {
	p, err := s.AnyPayment(ctx, id)
	if err != nil {
		return p, err
	}
	switch {
	case p.Status == PaymentDisputed:
		return s.accept(ctx, p)
	case p.Status == PaymentProcessing, p.Status == PaymentPending && !s.now().Before(p.ExpiresAt):
		lease := s.newLease()
		defer s.release(ctx, p.ID, lease)
		if err := s.tend(ctx, p, lease); err != nil {
			return p, err
		}
	}
	if _, err := s.PayRefund(ctx, id); err != nil {
		return p, err
	}
	return s.AnyPayment(ctx, id)
}

// accept confirms a payment whose money came too late.
func (s *Service) accept(ctx context.Context, p Payment) (Payment, error) {
	now := s.now()
	proof := Proof{Method: p.Method, Network: p.Network, Transaction: p.Transaction, LogIndex: p.LogIndex, Signed: true}
	p, _, err := s.store.ConfirmProductPayment(ctx, p.ID, proof, func(p *Payment) (*Grant, []store.Event, error) {
		if err := p.move(PaymentConfirmed, now); err != nil {
			return nil, nil, err
		}
		g := newGrant(p, now, false)
		return &g, []store.Event{paymentEvent(EventPaymentConfirmed, p, now), grantEvent(p, &g, now)}, nil
	})
	return p, paymentError(err, "accept a payment")
}

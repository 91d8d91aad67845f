package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// settle moves the money of p, which is leased to this request alone, and stores
// what that buys. It goes on when the client hangs up.
func (s *Service) settle(ctx context.Context, product *Product, r AccessRequest, p Payment, lease string) (Access, error) {
	defer s.release(ctx, p.ID, lease)
	denied := Access{Product: *product}
	version := r.Payment.Version
	resp, err := s.charge(ctx, &p)
	if err != nil {
		resp = x402.SettleResponse{ErrorReason: x402.ReasonFacilitatorUnreached, Payer: p.Payer, Network: p.Network}
		return denied, &UnsettledError{Response: resp, Version: version, Err: err}
	}
	if middleware.Undecided(resp) {
		return denied, &UnsettledError{Response: resp, Version: version}
	}
	_, g, err := s.settled(ctx, p, resp, true)
	switch {
	case errors.Is(err, ErrPaymentProcessed): // by somebody else meanwhile
		now, err := s.store.ProductPayment(ctx, p.ID)
		if err != nil {
			return denied, paymentError(err, "read a payment")
		}
		return s.repeat(ctx, product, r, now)
	case err != nil:
		return denied, err
	case g == nil:
		err := s.refuse(ctx, product, r, resp.ErrorReason, resp.ErrorMessage)
		var required *PaymentRequiredError
		if errors.As(err, &required) {
			required.Settlement, required.Version = &resp, version
		}
		return denied, err
	}
	a, err := s.open(product, *g)
	a.Settlement, a.Version = &resp, version
	return a, err
}

// charge has the facilitator settle p.
func (s *Service) charge(ctx context.Context, p *Payment) (x402.SettleResponse, error) {
	if s.options.Facilitator == nil {
		return x402.SettleResponse{}, errors.New("catalog: there is no facilitator to ask")
	}
	var payment x402.Payment
	if err := json.Unmarshal(p.Payload, &payment); err != nil {
		return x402.SettleResponse{}, fmt.Errorf("catalog: read the payment %s: %w", p.ID, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Payments.SettleTimeout)
	defer cancel()
	resp, err := s.options.Facilitator.Settle(ctx, payment)
	resp.Network = p.Network
	return resp, err
}

// settled stores what a facilitator has decided about p: its grant, whose first
// access is used, or its failure.
func (s *Service) settled(ctx context.Context, p Payment, resp x402.SettleResponse, used bool) (Payment, *Grant, error) {
	ctx, cancel := storing(ctx)
	defer cancel()
	now := s.now()
	if !resp.Success {
		p, err := s.store.UpdateProductPayment(ctx, p.ID, func(p *Payment) ([]store.Event, error) {
			if err := p.fail(string(resp.ErrorReason), resp.ErrorMessage, now); err != nil {
				return nil, err
			}
			return []store.Event{paymentEvent(EventPaymentFailed, p, now)}, nil
		})
		return p, nil, paymentError(err, "fail a payment")
	}
	transaction := foldAddress(p.Network, resp.Transaction)
	proof := Proof{Method: MethodX402, Network: p.Network, Transaction: transaction}
	confirmed, g, err := s.store.ConfirmProductPayment(ctx, p.ID, proof, func(p *Payment) (*Grant, []store.Event, error) {
		p.Transaction, p.Confirmations = transaction, s.options.Payments.confirmations(p.Network)
		if err := p.move(PaymentConfirmed, now); err != nil {
			return nil, nil, err
		}
		g := newGrant(p, now, used)
		return &g, []store.Event{paymentEvent(EventPaymentConfirmed, p, now), grantEvent(p, &g, now)}, nil
	})
	if errors.Is(err, ErrProofUsed) {
		p, g, err := s.dispute(ctx, p, transaction, "The transaction has paid for something else")
		if err == nil {
			err = ErrTransactionUsed
		}
		return p, g, err
	}
	return confirmed, g, paymentError(err, "confirm a payment")
}

// dispute leaves a payment to an admin.
func (s *Service) dispute(ctx context.Context, p Payment, transaction, reason string) (Payment, *Grant, error) {
	now := s.now()
	p, err := s.store.UpdateProductPayment(ctx, p.ID, func(p *Payment) ([]store.Event, error) {
		if err := p.move(PaymentDisputed, now); err != nil {
			return nil, err
		}
		p.Transaction, p.FailureReason = transaction, reason
		return []store.Event{paymentEvent(EventPaymentDisputed, p, now)}, nil
	})
	if err != nil {
		return p, nil, paymentError(err, "dispute a payment")
	}
	return p, nil, nil
}

package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// UnsettledError says that it is not known whether a payment moved. The same
// payment must be sent again, and never a new one.
type UnsettledError struct {
	Response x402.SettleResponse // of the facilitator; its reason is settlement_pending, or says why nobody knows
	Version  int                 // of the payment
	Err      error               // for the log
}

// Error implements error.
func (e *UnsettledError) Error() string {
	text := "catalog: a payment is not settled: " + string(e.Response.ErrorReason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap implements the convention of package errors.
func (e *UnsettledError) Unwrap() error { return e.Err }

// pay opens a product by the payment that came with the request. Before anything
// is asked of the facilitator's settlement the payment is stored, so that whatever
// breaks off, the same payment finds it again, and so does Run.
func (s *Service) pay(ctx context.Context, product *Product, r AccessRequest) (Access, error) {
	denied := Access{Product: *product}
	known, err := s.known(ctx, product, r.Payment)
	switch {
	case err != nil:
		return denied, err
	case known != nil:
		return s.repeat(ctx, product, r, *known)
	}
	p, err := s.prepare(ctx, product, r)
	if err != nil {
		// The same payment may have been taken meanwhile: whoever is told to pay again
		// pays twice.
		known, unread := s.known(ctx, product, r.Payment)
		switch {
		case unread != nil:
			return denied, unread
		case known != nil:
			return s.repeat(ctx, product, r, *known)
		}
		return denied, err
	}
	if p == nil {
		return s.free(product) // the payment is left alone
	}
	now, lease := s.now(), s.newLease()
	stored, created, err := s.store.AddProductPayment(ctx, *p, lease, now.Add(s.leaseFor()), paymentEvent(EventPaymentCreated, p, now))
	switch {
	case err != nil:
		s.release(ctx, p.ID, lease) // it may be stored all the same
		return denied, refusal(err, ErrProductUnknown, "store a payment")
	case !created:
		return s.repeat(ctx, product, r, stored)
	}
	return s.settle(ctx, product, r, stored, lease)
}

// prepare makes a payment that is not known, and that its facilitator finds good;
// nil if there is nothing to pay.
func (s *Service) prepare(ctx context.Context, product *Product, r AccessRequest) (*Payment, error) {
	switch {
	case !product.OnSale():
		return nil, ErrProductUnknown
	case product.Scheme == SchemeUpto:
		return nil, ErrUptoUnsupported
	case isFree(product):
		return nil, nil
	}
	t, err := s.termsOf(ctx, product, r)
	switch {
	case err != nil || t == nil:
		return nil, err
	case t.protocol == nil:
		return nil, t.required(x402.ReasonNoMatchingOffer, "The product is paid by transaction: see POST /clients/payments")
	}
	payment, err := t.protocol.Match(*r.Payment)
	if err != nil {
		return nil, t.refused(err)
	}
	return s.verify(ctx, t, r, payment)
}

// refused is the answer to a payment that does not do.
func (t *terms) refused(err error) error {
	var e *x402.Error
	if !errors.As(err, &e) {
		return err
	}
	return t.required(e.Reason, e.Message())
}

// known finds the stored payment with the identity of a payload.
func (s *Service) known(ctx context.Context, product *Product, payload *x402.PaymentPayload) (*Payment, error) {
	for _, asset := range s.assetsOf(product, payload) {
		requirements := x402.PaymentRequirements{Network: payload.Accepted.Network, Asset: asset}
		id, err := x402.Payment{Payload: *payload, Requirements: requirements}.Identity()
		if err != nil {
			return nil, nil // it will match nothing
		}
		p, err := s.store.ProductPaymentByKey(ctx, id.String())
		switch {
		case err == nil:
			return &p, nil
		case !errors.Is(err, store.ErrNotFound):
			return nil, refusal(err, nil, "find a payment")
		}
	}
	return nil, nil
}

// assetsOf are what a payment may be of, the likeliest first: in version 1 it does
// not say, and the currency of the product may be another one since.
func (s *Service) assetsOf(product *Product, payload *x402.PaymentPayload) []string {
	if payload.Version != x402.V1 {
		return []string{payload.Accepted.Asset}
	}
	var list []string
	for _, c := range s.coins {
		switch {
		case c.Network != payload.Accepted.Network || c.Native():
		case c.Currency == product.Currency:
			list = append([]string{c.Token.Address}, list...)
		default:
			list = append(list, c.Token.Address)
		}
	}
	return list
}

// verify has the facilitator verify a payment, and makes what is stored of it.
func (s *Service) verify(ctx context.Context, t *terms, r AccessRequest, payment x402.Payment) (*Payment, error) {
	id, err := payment.Identity()
	if err != nil {
		return nil, t.refused(err)
	}
	if id.Nonce == "" {
		return nil, t.required(x402.ReasonInvalidPayload, "payload: the authorization has no nonce")
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Payments.SettleTimeout)
	defer cancel()
	verified, err := s.options.Facilitator.Verify(ctx, payment)
	switch {
	case err != nil:
		return nil, &Error{Code: ErrChainUnavailable.Code, Message: "The payment cannot be verified now; nothing was charged; try again later", Err: err}
	case !verified.IsValid:
		reason := verified.InvalidReason
		if reason == "" {
			reason = x402.ReasonUnexpectedVerify
		}
		return nil, t.required(reason, verified.InvalidMessage)
	}
	now := s.now()
	var p Payment
	for _, o := range t.x402 {
		if o.Coin.Network == payment.Requirements.Network {
			p = s.newPayment(&t.product, o, r.User, MethodX402, now)
		}
	}
	p.Status, p.Key, p.Digest = PaymentProcessing, id.String(), digest(payment.Payload)
	if p.Payer = verified.Payer; p.Payer == "" {
		p.Payer = id.Payer
	}
	if p.Payload, err = json.Marshal(payment); err != nil {
		return nil, refusal(err, nil, "store a payment")
	}
	return &p, nil
}

// digest tells whether the same payment is sent again: its identity alone can be
// seen on the chain, and forged with another signature.
func digest(p x402.PaymentPayload) string {
	sum := sha256.Sum256(p.Payload)
	return hex.EncodeToString(sum[:])
}

// refuse answers 402 with the terms of now, if there are any.
func (s *Service) refuse(ctx context.Context, product *Product, r AccessRequest, reason x402.Reason, message string) error {
	if !product.OnSale() {
		return ErrProductUnknown
	}
	t, err := s.termsOf(ctx, product, r)
	switch {
	case err != nil:
		return err
	case t == nil:
		return ErrProductFree
	default:
		return t.required(reason, message)
	}
}

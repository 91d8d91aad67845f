package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/v402/v402/middleware"
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
	case !product.OnSale():
		return denied, ErrProductUnknown
	case product.Scheme == SchemeUpto:
		return denied, ErrUptoUnsupported
	case isFree(product):
		return s.free(product) // the payment is left alone
	}
	t, err := s.termsOf(ctx, product, r)
	switch {
	case err != nil:
		return denied, err
	case t == nil:
		return s.free(product)
	case t.protocol == nil:
		return denied, t.required(x402.ReasonNoMatchingOffer, "The product is paid by transaction: see POST /clients/payments")
	}
	payment, err := t.protocol.Match(*r.Payment)
	if err != nil {
		return denied, t.refused(err)
	}
	p, refused := s.verify(ctx, t, r, payment)
	if refused != nil {
		// The same request may have been served meanwhile: whoever is told to pay
		// again pays twice.
		known, err := s.known(ctx, product, r.Payment)
		switch {
		case err != nil:
			return denied, err
		case known != nil:
			return s.repeat(ctx, product, r, *known)
		}
		return denied, refused
	}
	now := s.now()
	stored, created, err := s.store.AddProductPayment(ctx, p, s.owner, now.Add(s.leaseFor()), paymentEvent(EventPaymentCreated, &p, now))
	switch {
	case err != nil:
		return denied, paymentError(err, "store a payment")
	case !created:
		return s.repeat(ctx, product, r, stored)
	}
	return s.settle(ctx, product, r, stored, payment)
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
	requirements := x402.PaymentRequirements{Network: payload.Accepted.Network, Asset: payload.Accepted.Asset}
	if payload.Version == x402.V1 {
		if coin, ok := s.coins.find(requirements.Network, product.Currency); ok && !coin.Native() {
			requirements.Asset = coin.Token.Address
		}
	}
	id, err := x402.Payment{Payload: *payload, Requirements: requirements}.Identity()
	if err != nil {
		return nil, nil // it will match nothing
	}
	p, err := s.store.ProductPaymentByKey(ctx, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, refusal(err, nil, "find a payment")
	}
	return &p, nil
}

// verify has the facilitator verify a payment, and makes what is stored of it.
func (s *Service) verify(ctx context.Context, t *terms, r AccessRequest, payment x402.Payment) (Payment, error) {
	id, err := payment.Identity()
	if err != nil {
		return Payment{}, t.refused(err)
	}
	if id.Nonce == "" {
		return Payment{}, t.required(x402.ReasonInvalidPayload, "payload: the authorization has no nonce")
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Payments.SettleTimeout)
	defer cancel()
	verified, err := s.options.Facilitator.Verify(ctx, payment)
	switch {
	case err != nil:
		return Payment{}, &Error{Code: ErrChainUnavailable.Code, Message: "The payment cannot be verified now; nothing was charged; try again later", Err: err}
	case !verified.IsValid:
		reason := verified.InvalidReason
		if reason == "" {
			reason = x402.ReasonUnexpectedVerify
		}
		return Payment{}, t.required(reason, verified.InvalidMessage)
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
		return p, refusal(err, nil, "store a payment")
	}
	return p, nil
}

// digest tells whether the same payment is sent again: its identity alone can be
// seen on the chain, and forged with another signature.
func digest(p x402.PaymentPayload) string {
	sum := sha256.Sum256(p.Payload)
	return hex.EncodeToString(sum[:])
}

// repeat answers a payment that is known.
func (s *Service) repeat(ctx context.Context, product *Product, r AccessRequest, p Payment) (Access, error) {
	denied := Access{Product: *product}
	if p.ProductID != product.ID || p.Digest != digest(*r.Payment) {
		return denied, s.refuse(ctx, product, r, x402.ReasonPaymentAlreadyUsed, "")
	}
	switch p.Status {
	case PaymentConfirmed:
		return s.redeliver(ctx, product, r, p)
	case PaymentFailed, PaymentExpired:
		return denied, s.refuse(ctx, product, r, x402.Reason(p.FailureCode), p.FailureReason)
	case PaymentRefunded, PaymentDisputed:
		return denied, ErrAccessRevoked
	}
	var payment x402.Payment
	if err := json.Unmarshal(p.Payload, &payment); err != nil {
		return denied, refusal(err, nil, "read the payment "+p.ID)
	}
	return s.settle(ctx, product, r, p, payment)
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

// retryTime is how long a payment may be repeated for a handler that answers each
// time: enough for an answer that was lost, and too short to live on.
const retryTime = time.Minute

// redeliver gives what a payment has bought once more. Within the time of a
// content URL it is the same access, which the buyer perhaps did not get.
func (s *Service) redeliver(ctx context.Context, product *Product, r AccessRequest, p Payment) (Access, error) {
	g, err := s.store.AccessGrantOfPayment(ctx, p.ID)
	if err != nil {
		return Access{Product: *product}, refusal(err, nil, "read a grant")
	}
	within := s.options.Payments.ContentTTL
	if r.Handled {
		within = min(within, retryTime)
	}
	var a Access
	switch {
	case g.Status(s.now()) == GrantExpired:
		return Access{Product: *product}, s.refuse(ctx, product, r, x402.ReasonPaymentAlreadyUsed, "The access that this payment bought has expired")
	case s.sameAccess(g, within):
		a, err = s.open(product, g)
	default:
		a, err = s.use(ctx, product, g)
	}
	a.Settlement, a.Version = receiptOf(&p), r.Payment.Version
	return a, err
}

// receiptOf is what a facilitator said when it settled p.
func receiptOf(p *Payment) *x402.SettleResponse {
	return &x402.SettleResponse{Success: true, Payer: p.Payer, Transaction: p.Transaction, Network: p.Network}
}

// settle moves the money of p and stores what that buys. It goes on when the
// client hangs up.
func (s *Service) settle(ctx context.Context, product *Product, r AccessRequest, p Payment, payment x402.Payment) (Access, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Payments.SettleTimeout)
	defer cancel()
	denied := Access{Product: *product}
	version := r.Payment.Version
	resp, err := s.options.Facilitator.Settle(ctx, payment)
	if err != nil {
		resp = x402.SettleResponse{ErrorReason: x402.ReasonFacilitatorUnreached, Payer: p.Payer, Network: p.Network}
		return denied, &UnsettledError{Response: resp, Version: version, Err: err}
	}
	resp.Network = p.Network
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
		if now.Status.Open() {
			return denied, &UnsettledError{Response: resp, Version: version}
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

// settled stores what a facilitator has decided about p: its grant, whose first
// access is used, or its failure.
func (s *Service) settled(ctx context.Context, p Payment, resp x402.SettleResponse, used bool) (Payment, *Grant, error) {
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

// leaseFor is how long a payment that a request settles is left to it.
func (s *Service) leaseFor() time.Duration { return s.options.Payments.SettleTimeout + 30*time.Second }

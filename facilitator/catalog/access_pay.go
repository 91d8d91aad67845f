package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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

// repeat answers a payment that is known.
func (s *Service) repeat(ctx context.Context, product *Product, r AccessRequest, p Payment) (Access, error) {
	denied := Access{Product: *product}
	if !p.sameAs(product, r.Payment) {
		return denied, s.refuse(ctx, product, r, x402.ReasonPaymentAlreadyUsed, "")
	}
	lease := ""
	if p.Status.Open() {
		var err error
		if p, lease, err = s.take(ctx, p); err != nil {
			return denied, err
		}
	}
	switch p.Status {
	case PaymentConfirmed:
		return s.redeliver(ctx, product, r, p)
	case PaymentFailed, PaymentExpired:
		return denied, s.refuse(ctx, product, r, x402.Reason(p.FailureCode), p.FailureReason)
	case PaymentRefunded, PaymentDisputed:
		return denied, ErrAccessRevoked
	}
	if lease == "" {
		pending := x402.SettleResponse{ErrorReason: x402.ReasonSettlementPending, Payer: p.Payer, Network: p.Network}
		return denied, &UnsettledError{Response: pending, Version: r.Payment.Version}
	}
	return s.settle(ctx, product, r, p, lease)
}

// sameAs says whether a payload for a product is that of p.
func (p *Payment) sameAs(product *Product, payload *x402.PaymentPayload) bool {
	return p.ProductID == product.ID && p.Digest == digest(*payload)
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

// What a payment that is repeated gets of a handler that answers each time: enough
// for an answer that was lost, and too little to live on.
const (
	retryTime = time.Minute
	retries   = 3
)

// redeliver gives what a payment has bought once more: the same access, which the
// buyer perhaps did not get.
func (s *Service) redeliver(ctx context.Context, product *Product, r AccessRequest, p Payment) (Access, error) {
	denied := Access{Product: *product}
	g, err := s.store.AccessGrantOfPayment(ctx, p.ID)
	if err != nil {
		return denied, refusal(err, nil, "read a grant")
	}
	if g.Accesses == 0 { // Run has settled it
		if g, err = s.store.StartAccessGrant(ctx, g.ID, s.now()); err != nil {
			return denied, refusal(err, nil, "count an access")
		}
	}
	switch g.Status(s.now()) {
	case GrantExpired:
		return denied, s.refuse(ctx, product, r, x402.ReasonPaymentAlreadyUsed, "The access that this payment bought has expired")
	case GrantRevoked:
		return denied, ErrAccessRevoked
	}
	a, err := s.resume(ctx, product, r, g)
	a.Settlement, a.Version = receiptOf(&p), r.Payment.Version
	return a, err
}

// resume opens a product by the first access of g. Who has had another one since
// did get its answer.
func (s *Service) resume(ctx context.Context, product *Product, r AccessRequest, g Grant) (Access, error) {
	denied := Access{Product: *product}
	within := s.options.Payments.ContentTTL
	if r.Handled {
		within = min(within, retryTime)
	}
	since := s.now().Add(-within)
	switch {
	case g.Accesses == 1 && g.LastAccessAt.After(since):
	case g.Status(s.now()) == GrantExhausted:
		return denied, ErrAccessExhausted
	default:
		return denied, ErrPaymentSpent
	}
	if r.Handled {
		ok, err := s.store.RepeatAccessGrant(ctx, g.ID, since, retries)
		switch {
		case err != nil:
			return denied, refusal(err, nil, "repeat an access")
		case !ok:
			return denied, ErrPaymentSpent
		}
	}
	return s.open(product, g)
}

// retried opens a product by the payment that came with the request, if that has
// been taken and gives the same access still; ok says so.
func (s *Service) retried(ctx context.Context, product *Product, r AccessRequest) (a Access, ok bool, err error) {
	p, err := s.known(ctx, product, r.Payment)
	if err != nil || p == nil || p.Status != PaymentConfirmed || !p.sameAs(product, r.Payment) {
		return a, false, err
	}
	a, err = s.redeliver(ctx, product, r, *p)
	var refused *Error
	var required *PaymentRequiredError
	if errors.As(err, &refused) || errors.As(err, &required) {
		return a, false, nil // what the user has otherwise counts
	}
	return a, true, err
}

// receiptOf is what a facilitator said when it settled p.
func receiptOf(p *Payment) *x402.SettleResponse {
	return &x402.SettleResponse{Success: true, Payer: p.Payer, Transaction: p.Transaction, Network: p.Network}
}

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

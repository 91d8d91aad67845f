package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/x402"
)

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

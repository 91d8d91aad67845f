package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// PaymentRequest asks for a payment by transaction. Payee, Amount, Currency and
// Scheme may be left empty: they are those of the product, and are only checked.
type PaymentRequest struct {
	ProductID         string
	Chain             string // as [ParseChain] reads it
	Payer             string // address that will send the money
	Payee             string
	Amount            *x402.Amount
	Currency          string
	Scheme            Scheme
	ExternalReference string // the buyer's own, at most 200 characters

	Buyer     account.User // who asks; zero if nobody knows
	Requester string       // who was told a dynamic price, and
	Resource  string       // for what: see [AccessRequest]
}

const maxReference = 200 // characters

// CreatePayment notes that somebody will pay for a product by a transaction. It
// is confirmed by the hash of that: see [Service.ConfirmPayment].
func (s *Service) CreatePayment(ctx context.Context, in PaymentRequest) (Payment, error) {
	var faults v402api.Faults
	faults.Required("product_id", in.ProductID, maxReference)
	faults.Required("payer_address", in.Payer, 100)
	faults.Required("chain", in.Chain, 100)
	faults.Text("external_reference", in.ExternalReference, maxReference)
	network, err := ParseChain(in.Chain)
	if err != nil {
		faults.Add("chain", v402api.InvalidEnum, "chain is not known")
	} else if !validAddress(network, in.Payer) {
		faults.Add("payer_address", v402api.InvalidAddress, "payer_address is not an address on "+ChainName(network))
	}
	if err := faults.Err(); err != nil {
		return Payment{}, err
	}
	product, err := s.purchasable(ctx, in.ProductID)
	if err != nil {
		return Payment{}, err
	}
	price, err := s.told(ctx, &product, in)
	if err != nil {
		return Payment{}, err
	}
	options, err := s.optionsAt(ctx, &product, price)
	if err != nil {
		return Payment{}, err
	}
	option, err := s.choose(&product, options, network, in)
	if err != nil {
		return Payment{}, err
	}
	now := s.now()
	p := s.newPayment(&product, option, in.Buyer, MethodTransaction, now)
	p.Payer, p.ExternalReference = in.Payer, in.ExternalReference
	p, _, err = s.store.AddProductPayment(ctx, p, "", now, paymentEvent(EventPaymentCreated, &p, now))
	return p, refusal(err, ErrProductUnknown, "create a payment")
}

// purchasable is a product that somebody can pay for.
func (s *Service) purchasable(ctx context.Context, id string) (Product, error) {
	p, err := s.store.Product(ctx, id)
	switch {
	case err != nil:
		return p, refusal(err, ErrProductUnknown, "read a product")
	case !p.OnSale():
		return p, ErrProductUnknown
	case p.Scheme == SchemeUpto:
		return p, ErrUptoUnsupported
	case isFree(&p):
		return p, ErrProductFree
	default:
		return p, nil
	}
}

// isFree says whether nobody pays for p. The price of a dynamic product is not
// its own.
func isFree(p *Product) bool {
	return p.Scheme == SchemeFree || p.Scheme != SchemeDynamic && p.Price.IsZero()
}

// choose finds the option that the request means.
func (s *Service) choose(product *Product, options []PaymentOption, n x402.Network, in PaymentRequest) (PaymentOption, error) {
	if len(options) == 0 {
		return PaymentOption{}, ErrNotPayable
	}
	var faults v402api.Faults
	if in.Currency != "" && !strings.EqualFold(in.Currency, product.Currency) {
		faults.Add("currency", v402api.InvalidEnum, "currency must be "+product.Currency)
	}
	if in.Scheme != "" && in.Scheme != product.Scheme {
		faults.Add("payment_scheme", v402api.InvalidEnum, "payment_scheme must be "+string(product.Scheme))
	}
	var option PaymentOption
	for _, o := range options {
		if o.Coin.Network == n {
			option = o
		}
	}
	_, provable := s.chain(n)
	switch {
	case option.PayTo == "":
		faults.Add("chain", v402api.InvalidEnum, "The product cannot be paid on "+ChainName(n))
	case !provable:
		faults.Add("chain", v402api.InvalidEnum, "Transactions on "+ChainName(n)+" cannot be verified here; pay through x402")
	case in.Payee != "" && !n.SameAddress(in.Payee, option.PayTo):
		faults.Add("payee_address", CodePayeeMismatch, "payee_address must be "+option.PayTo)
	case n.SameAddress(in.Payer, option.PayTo):
		faults.Add("payer_address", CodePayerMismatch, "payer_address is that of the payee")
	}
	if in.Amount != nil && option.PayTo != "" {
		checkAmount(&faults, *in.Amount, option.Amount)
	}
	return option, faults.Err()
}

// checkAmount wants a payment of exactly the price.
func checkAmount(faults *v402api.Faults, amount, price x402.Amount) {
	switch amount.Cmp(price) {
	case -1:
		faults.Add("amount", v402api.AmountTooLow, "Invalid payment amount: the price is "+price.String())
	case 1:
		faults.Add("amount", v402api.AmountMismatch, "Invalid payment amount: the price is "+price.String())
	}
}

// newPayment is a payment of an option, without the payer.
func (s *Service) newPayment(product *Product, o PaymentOption, buyer account.User, method PaymentMethod, now time.Time) Payment {
	p := Payment{
		ID: paymentID(now), ProductID: product.ID, OwnerID: product.OwnerID, UserID: buyer.ID, Method: method,
		Status: PaymentPending, Scheme: product.Scheme, Chain: ChainName(o.Coin.Network), Network: o.Coin.Network,
		Currency: product.Currency, Payee: o.PayTo, Amount: o.Amount,
		Fee:            feeOf(o.Amount, s.options.Payments.FeeBasisPoints),
		AccessDuration: product.AccessDuration, MaxAccesses: product.MaxAccesses,
		CreatedAt: now, ExpiresAt: now.Add(s.options.Payments.Timeout), UpdatedAt: now,
	}
	if !o.Coin.Native() {
		p.Asset = o.Coin.Token.Address
	}
	return p
}

// Payment returns one by ID to its buyer, or to anybody who knows the ID if the
// buyer is not a user.
func (s *Service) Payment(ctx context.Context, buyer account.User, id string) (Payment, error) {
	p, err := s.store.ProductPayment(ctx, id)
	if err != nil {
		return p, paymentError(err, "read a payment")
	}
	if p.UserID != "" && p.UserID != buyer.ID {
		return Payment{}, ErrPaymentUnknown
	}
	return p, nil
}

// ReceivedPayment returns a payment for a product of the owner.
func (s *Service) ReceivedPayment(ctx context.Context, ownerID, id string) (Payment, error) {
	p, err := s.store.ProductPayment(ctx, id)
	if err != nil {
		return p, paymentError(err, "read a payment")
	}
	if p.OwnerID != ownerID {
		return Payment{}, ErrPaymentUnknown
	}
	return p, nil
}

// AnyPayment returns a payment, for admins.
func (s *Service) AnyPayment(ctx context.Context, id string) (Payment, error) {
	p, err := s.store.ProductPayment(ctx, id)
	return p, paymentError(err, "read a payment")
}

// Payments lists payments. It is for whom f restricts to their own: buyers by
// UserID, providers by OwnerID; and for admins.
func (s *Service) Payments(ctx context.Context, f PaymentFilter, page store.PageNumber) (store.List[Payment], error) {
	list, err := s.store.ProductPayments(ctx, f, page)
	return list, paymentError(err, "list payments")
}

// FailPayment ends a payment by transaction that was not sent, by its buyer.
func (s *Service) FailPayment(ctx context.Context, buyer account.User, id, code, reason string) (Payment, error) {
	var faults v402api.Faults
	faults.Text("reason", reason, 1000)
	faults.Text("error_code", code, 100)
	if err := faults.Err(); err != nil {
		return Payment{}, err
	}
	if _, err := s.Payment(ctx, buyer, id); err != nil {
		return Payment{}, err
	}
	now := s.now()
	p, err := s.store.UpdateProductPayment(ctx, id, func(p *Payment) ([]store.Event, error) {
		if p.Status == PaymentProcessing {
			return nil, ErrPaymentState // its transaction is on its way
		}
		if err := p.fail(code, reason, now); err != nil {
			return nil, err
		}
		return []store.Event{paymentEvent(EventPaymentFailed, p, now)}, nil
	})
	return p, paymentError(err, "fail a payment")
}

// CancelPayment ends a payment by transaction that will not be sent, by its buyer.
func (s *Service) CancelPayment(ctx context.Context, buyer account.User, id string) (Payment, error) {
	return s.FailPayment(ctx, buyer, id, CodeCancelled, "Cancelled by the buyer")
}

// MaxPaymentBatch bounds a batch.
const MaxPaymentBatch = 100

// PaymentResult is what became of one of a batch.
type PaymentResult struct {
	Payment Payment
	Err     error // an *[Error], or ours to mend
}

// CreatePayments creates up to [MaxPaymentBatch] payments, each for itself.
func (s *Service) CreatePayments(ctx context.Context, list []PaymentRequest) ([]PaymentResult, error) {
	if len(list) == 0 || len(list) > MaxPaymentBatch {
		return nil, v402api.Invalid("payments", v402api.InvalidRange, fmt.Sprintf("payments must have 1 to %d entries", MaxPaymentBatch))
	}
	results := make([]PaymentResult, len(list))
	for i, in := range list {
		p, err := s.CreatePayment(ctx, in)
		var known *Error
		if err != nil && !errors.As(err, &known) && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		results[i] = PaymentResult{p, err}
	}
	return results, nil
}

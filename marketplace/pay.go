package marketplace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/v402/v402/internal/till"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// TillConfig says how quotes are paid by x402. All is required.
type TillConfig struct {
	// Paid returns the payment of a request that the guard let through, such as
	// the one of middleware.PaymentFrom; ok is false where nothing was paid for.
	Paid func(context.Context) (p TillPayment, ok bool)

	// Facilitator is the one that the guard uses. It must remember what it
	// settled, as package facilitator does: it is asked what became of a payment
	// whose request broke off. Its answer that a payment failed is not the last word
	// before the payment has expired: who has seen the signature on the chain may
	// send it again.
	Facilitator x402.Facilitator
}

// TillPayment is what a guard knows about the payment of a request.
type TillPayment struct {
	Key         string // identity of the payment, as [x402.Identity] writes it
	Settled     bool   // the money has moved
	Transaction string
}

// Till lets a quote be paid by x402: one request pays it, without gas for the
// payer, and the answer is that of POST /marketplace/checkout/confirm. It is a
// handler behind a guard of package middleware, at a URL that ends with the
// quote's ID, and the functions that tell the guard what a request costs. The
// route needs the mode SettleBefore:
//
//	const pattern = "POST /marketplace/checkout/pay/{quote_id}"
//	guard, err := middleware.New(middleware.Config{
//		Facilitator: facilitator,
//		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
//			if a.Pattern != pattern {
//				return nil // something else that the guard sells
//			}
//			return till.Reserve(ctx, a.Request, a.Payment)
//		}},
//		Routes: []middleware.Route{{
//			Pattern: pattern,
//			Mode:    middleware.SettleBefore,
//			Offers: []middleware.Offer{{
//				Network: x402.Base, Asset: usdc, PriceFunc: till.Price(x402.Base, usdc), PayToFunc: till.PayTo,
//			}},
//		}},
//	})
//	mux.Handle("/marketplace/checkout/pay/", guard.Wrap(till))
//
// A guard with an offer that is free for a request lets it pass. To take
// payments on several networks, wrap the till in one guard for each.
//
// The payer must be the quote's payer_wallet. A quote is reserved for one payment
// before that moves, so that no second one can, and what the quote asks for is
// checked then; the payment then consumes the quote. If the server stops between
// the two, the same request with the same payment gives the entitlement, also where
// the guard has forgotten it, and so do [Till.Check] and [Till.Run]. A quote stays reserved until its payment can no
// longer move: a payment that failed may be sent again, and another one only after
// the first has expired.
//
// Requests with one payment at the same time are told apart by the guard's Claims:
// give it those of the store, so that all processes, and those after a restart,
// know which are the same.
type Till struct {
	*TillConfig
	s *Service
}

// NewTill returns the till of s.
func (s *Service) NewTill(c TillConfig) (*Till, error) {
	if c.Paid == nil || c.Facilitator == nil {
		return nil, errors.New("marketplace: TillConfig needs Paid and Facilitator")
	}
	return &Till{&c, s}, nil
}

// settleTimeout bounds what is done for a payment, whatever becomes of its
// request.
const settleTimeout = 90 * time.Second

// Price returns what a request must pay in units of an asset, for Offer.PriceFunc:
// "0" if there is nothing to pay in it. The handler then says why.
func (t *Till) Price(network x402.Network, asset string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		q, err := t.s.CheckoutQuote(r.Context(), quoteOf(r))
		var refused *Error
		switch {
		case errors.As(err, &refused):
			return "0", nil
		case err != nil:
			return "", err
		case q.Network() != network || !payableByX402(&q) || !network.SameAddress(q.Asset, asset):
			return "0", nil
		case q.State == QuoteConsumed, q.State == QuoteVoid:
			return "0", nil
		case till.Repeats(r, q.Payment, q.PaymentKey): // the handler says what became of it, whatever the guard remembers
			return "0", nil
		case till.Carries(r): // Reserve admits no other payment
			return q.Total.Decimal(q.Decimals), nil
		case q.PaymentKey == "" && q.State == QuoteOpen:
			return q.Total.Decimal(q.Decimals), nil
		default:
			return "0", nil
		}
	}
}

// payableByX402 says whether a transfer of a token pays q.
func payableByX402(q *CheckoutQuote) bool { return q.Asset != "" && q.Contract == "" }

// PayTo is the address that a request pays, for Offer.PayToFunc.
func (t *Till) PayTo(r *http.Request) (string, error) {
	q, err := t.s.CheckoutQuote(r.Context(), quoteOf(r))
	return q.PayTo, err
}

// quoteOf reads the ID in the last segment of a path.
func quoteOf(r *http.Request) string { return path.Base(r.URL.Path) }

// Reserve ties the quote of a request to its payment, before that moves. It is
// for middleware.Hooks.BeforeSettle. An error means that the payment must not
// move; it answers for itself, as every refusal of the API does.
func (t *Till) Reserve(ctx context.Context, r *http.Request, p x402.Payment) error {
	id := quoteOf(r)
	_, err := t.s.ReserveQuote(ctx, id, p)
	if errors.Is(err, errUnderWay()) { // perhaps one that has failed
		if _, err := t.Check(ctx, id); err != nil {
			return t.stopped(err)
		}
		_, err = t.s.ReserveQuote(ctx, id, p)
	}
	return t.stopped(err)
}

// stoppedPayment is a refusal that a guard passes on: an http.Handler.
type stoppedPayment struct {
	refused *Error
	s       *Service
}

func (p stoppedPayment) Error() string { return string(p.refused.Code) }
func (p stoppedPayment) Unwrap() error { return p.refused }

func (p stoppedPayment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.s.refuse(w, r, p.refused)
}

func (t *Till) stopped(err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return stoppedPayment{refused, t.s}
	}
	return err
}

// Check asks the facilitator what became of the payment that a quote is reserved
// for, and gives what it has paid for, or frees the quote if the payment can not
// move any more. The payment may move by that: its payer has signed it for this
// quote. Without such a payment nothing happens. [CodePaymentUnderWay] means that
// it may still move, or that nobody knows.
func (t *Till) Check(ctx context.Context, id string) (CheckoutQuote, error) {
	q, _, err := t.check(ctx, id)
	return q, err
}

// check returns also what the facilitator said, if it was asked and could answer.
func (t *Till) check(ctx context.Context, id string) (q CheckoutQuote, resp x402.SettleResponse, err error) {
	q, err = t.s.CheckoutQuote(ctx, id)
	if err != nil || q.PaymentKey == "" || q.State == QuoteConsumed {
		return q, resp, err
	}
	var payment x402.Payment
	if err := json.Unmarshal(q.Payment, &payment); err != nil {
		return q, resp, fmt.Errorf("marketplace: the payment of quote %s: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	until := q.PaymentUntil
	if until.IsZero() { // of a reservation that does not say
		until = payment.Expires(q.ExpiresAt).Add(till.Margin)
	}
	asked := t.s.now()
	resp, err = t.Facilitator.Settle(ctx, payment)
	switch {
	case err != nil:
		t.s.log.ErrorContext(ctx, "marketplace: ask about the payment of a quote", "quote", id, "error", err)
		return q, x402.SettleResponse{}, errUnderWay()
	case resp.Success:
		var c Confirmation
		c, err = t.s.ConfirmPaid(ctx, id, PaidQuote{PaymentKey: q.PaymentKey, Transaction: resp.Transaction})
		q = c.Quote
	case till.Undecided(resp.ErrorReason):
		err = errUnderWay()
	case asked.Before(until):
		err = Refuse(CodePaymentUnderWay, "A payment of the quote has failed and may be sent again; another one can pay when that has expired.").again(until.Sub(asked))
	default:
		q, err = t.s.ReleaseQuote(ctx, id, q.PaymentKey)
	}
	return q, resp, err
}

// How often, and after what time, [Till.Run] looks after payments that broke off.
const (
	tillEvery   = time.Minute
	tillPatient = 2 * time.Minute // more than a request needs
)

// Run checks the payments whose requests broke off, until ctx ends. One process
// of several is enough; more do no harm.
func (t *Till) Run(ctx context.Context) error {
	tick := time.NewTicker(tillEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := t.Sweep(ctx); err != nil && ctx.Err() == nil {
				t.s.log.ErrorContext(ctx, "marketplace: look after payments of quotes", "error", err)
			}
		}
	}
}

// Sweep checks all quotes once that have been reserved for a payment and were
// made some minutes ago.
func (t *Till) Sweep(ctx context.Context) error {
	var errs []error
	before := t.s.now().Add(-tillPatient)
	for page := (store.Page{}); ; {
		list, err := t.s.store.CheckoutQuotes(ctx, QuoteFilter{Reserved: true}, page)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, q := range list.Items {
			if !q.CreatedAt.Before(before) {
				continue
			}
			if _, err := t.Check(ctx, q.ID); err != nil && !errors.Is(err, errUnderWay()) {
				errs = append(errs, err)
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" || ctx.Err() != nil {
			return errors.Join(errs...)
		}
	}
}

var errUnguarded = errors.New("marketplace: the till needs a guard before it, with mode SettleBefore")

// ServeHTTP answers what the guard let through: with what the payment has
// bought, or why there was nothing to pay.
func (t *Till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &api{Service: t.s}
	if r.Method != http.MethodPost {
		a.methodNotAllowed(w, r, []string{http.MethodPost})
		return
	}
	c, err := t.serve(r)
	var open *unsettled
	switch {
	case errors.As(err, &open):
		till.Unsettled(w, r, open.resp)
		return
	case err != nil:
		a.refuse(w, r, err)
		return
	}
	if q := &c.Quote; till.Repeats(r, q.Payment, q.PaymentKey) {
		till.Receipt(w.Header(), r, x402.SettleResponse{Success: true, Payer: q.PayerWallet, Transaction: q.TxHash, Network: q.Network()})
	}
	_ = a.succeed(w, viewConfirmation(c))
}

// unsettled is what the facilitator says of a payment that came once more.
type unsettled struct{ resp x402.SettleResponse }

func (u *unsettled) Error() string { return string(u.resp.ErrorReason) }

func (t *Till) serve(r *http.Request) (Confirmation, error) {
	id := quoteOf(r)
	if paid, ok := t.Paid(r.Context()); ok {
		if !paid.Settled {
			return Confirmation{}, errUnguarded
		}
		return t.s.ConfirmPaid(r.Context(), id, PaidQuote{PaymentKey: paid.Key, Transaction: paid.Transaction})
	}
	before, err := t.s.CheckoutQuote(r.Context(), id)
	if err != nil {
		return Confirmation{}, err
	}
	q, resp, err := t.check(r.Context(), id)
	again := till.Repeats(r, before.Payment, before.PaymentKey)
	switch {
	case again && q.State != QuoteConsumed && (err == nil || errors.Is(err, errUnderWay())):
		return Confirmation{}, &unsettled{resp}
	case err != nil:
		return Confirmation{}, err
	case q.State == QuoteConsumed && till.Carries(r) && !till.Repeats(r, q.Payment, q.PaymentKey): // a payment that was not taken
		return Confirmation{}, errQuoteState(QuoteConsumed)
	case q.State == QuoteConsumed:
		return t.s.confirmation(r.Context(), q)
	case q.State != QuoteOpen:
		return Confirmation{}, errQuoteState(q.State)
	case before.PaymentKey != "":
		return Confirmation{}, Refuse(CodePaymentUnderWay, "The payment that the quote was reserved for has failed; ask again what to pay.").again(time.Second)
	default:
		return Confirmation{}, Refuse(CodeX402Unavailable, "The quote cannot be paid by x402 here; send its transaction and confirm it.")
	}
}

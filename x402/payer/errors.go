package payer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/v402/v402/x402"
)

// Errors of [Payer.RoundTrip]; [http.Client] wraps them in a *url.Error, so
// test with [errors.Is] and [errors.As]. Except for ErrUnknownOutcome,
// ErrAlreadyPaid and ErrSecondPayment they mean that nothing was spent.
var (
	// ErrNoOffer: no offer of the seller is acceptable. See [NoOfferError].
	ErrNoOffer = errors.New("payer: no acceptable offer")
	// ErrRefused: the seller refused the payment. See [RefusedError].
	ErrRefused = errors.New("payer: payment refused")
	// ErrUnknownOutcome: the payment may have been made. See [UnknownOutcomeError].
	ErrUnknownOutcome = errors.New("payer: outcome of the payment unknown")
	// ErrAlreadyPaid: the seller asks for payment of what the ledger has as paid.
	ErrAlreadyPaid = errors.New("payer: paid already")
	// ErrSecondPayment: one call of an http.Client was redirected after it had
	// paid, and is asked to pay again.
	ErrSecondPayment = errors.New("payer: a second payment is asked for")
	// ErrVetoed: Config.OnPaying refused.
	ErrVetoed = errors.New("payer: vetoed")
	// ErrInsecure: the payment would cross a network in the clear.
	ErrInsecure = errors.New("payer: will not pay over plain http")
	// ErrBodyTooLarge: the request's body cannot be sent a second time.
	ErrBodyTooLarge = errors.New("payer: request body cannot be sent again")
	// ErrKeyReused: the key of [WithKey] belongs to a request with another method
	// or URL.
	ErrKeyReused = errors.New("payer: key was used for another request")
	// ErrInProgress: another process is about to pay under the same key.
	ErrInProgress = errors.New("payer: payment in progress elsewhere")
	// ErrStillValid is returned by [Payer.Release] while the payment may still move.
	ErrStillValid = errors.New("payer: the payment can still move")
)

// OverBudgetError says which limit a payment would exceed. It matches
// [ErrOverBudget].
type OverBudgetError struct {
	Currency string
	Limit    Limit
	Spent    x402.Amount // what counts against the limit already, in millionths
	Value    x402.Amount // what was asked for, in millionths
}

// Error implements error.
func (e *OverBudgetError) Error() string {
	return fmt.Sprintf("%v: %s %s more would exceed the limit of %s%s, of which %s are spent or may be",
		ErrOverBudget, e.Value.Decimal(6), e.Currency, e.Limit.Amount.Decimal(6), e.Limit.scope(), e.Spent.Decimal(6))
}

// Is makes the error match ErrOverBudget.
func (e *OverBudgetError) Is(target error) bool { return target == ErrOverBudget }

// scope says what a limit counts, with a blank before it, or is empty.
func (l Limit) scope() string {
	s := ""
	if l.Host != "" {
		s += " for " + l.Host
	}
	if !l.Since.IsZero() {
		s += " since " + l.Since.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return s
}

// Rejection is an offer and why it was not acceptable.
type Rejection struct {
	Requirements x402.PaymentRequirements // zero if the offer could not be read
	Why          error
}

// NoOfferError says of each offer why it was not acceptable. It matches
// [ErrNoOffer] and the causes.
type NoOfferError struct {
	Host       string
	Rejections []Rejection
}

// Error implements error.
func (e *NoOfferError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v from %s", ErrNoOffer, e.Host)
	for i, r := range e.Rejections {
		fmt.Fprintf(&b, "; offer %d: %v", i+1, r.Why)
	}
	return b.String()
}

// Is makes the error match ErrNoOffer.
func (e *NoOfferError) Is(target error) bool { return target == ErrNoOffer }

// Unwrap returns the causes.
func (e *NoOfferError) Unwrap() []error {
	errs := make([]error, 0, len(e.Rejections))
	for _, r := range e.Rejections {
		errs = append(errs, r.Why)
	}
	return errs
}

// RefusedError is a definite refusal: the seller says that the payment is not
// valid, and the budget is free again (unless the spending was paid before, or
// Config.HoldRefused is set). It matches [ErrRefused], and [ErrAlreadyPaid] if
// the ledger has the spending as paid.
type RefusedError struct {
	Spending Spending
	Status   int         // of the answer
	Reason   x402.Reason // as the seller gave it
	Field    string      // what it is about, such as "validBefore"; may be empty
	Message  string      // the seller's words; may be empty
}

// Description says in plain English what the reason means and what to do.
func (e *RefusedError) Description() string { return e.Reason.Description() }

// Error implements error.
func (e *RefusedError) Error() string {
	var b strings.Builder
	if e.Spending.State == Paid {
		fmt.Fprintf(&b, "%v, but %s asks for payment again", ErrAlreadyPaid, e.Spending.Host)
	} else {
		fmt.Fprintf(&b, "%v by %s", ErrRefused, e.Spending.Host)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, ": %s", e.Reason)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, " (%s)", e.Field)
	}
	switch d := e.Description(); {
	case e.Message != "":
		fmt.Fprintf(&b, ": %s", e.Message)
	case d != string(e.Reason):
		fmt.Fprintf(&b, ": %s", d)
	}
	return b.String()
}

// Is makes the error match ErrRefused, and ErrAlreadyPaid where that is so.
func (e *RefusedError) Is(target error) bool {
	return target == ErrRefused || target == ErrAlreadyPaid && e.Spending.State == Paid
}

// UnknownOutcomeError says that a payment was sent and may have been made,
// without an answer that tells. The ledger keeps counting it. Send the same
// request again with [WithKey] and the spending's ID (or [Payer.Resume]): that
// repeats the same payment, which cannot move money twice. Once
// Spending.ExpiresAt has passed, look at the chain: [Payer.Release] it if
// nothing moved, [Payer.Confirm] it if it did. It matches [ErrUnknownOutcome]
// and the cause.
type UnknownOutcomeError struct {
	Spending Spending
	Status   int         // of the last answer; 0 if there was none
	Reason   x402.Reason // that the seller gave; may be empty
	Err      error       // the transport's error; may be nil
}

// Error implements error.
func (e *UnknownOutcomeError) Error() string {
	cause := fmt.Sprintf("status %d", e.Status)
	if e.Reason != "" {
		cause += ", " + string(e.Reason)
	}
	if e.Err != nil {
		cause = e.Err.Error()
	}
	s := e.Spending
	return fmt.Sprintf("%v (%s): %s %s to %s may have been spent; send the same request again with the key %q, "+
		"or look for it on %s after %s and then release or confirm it", ErrUnknownOutcome, cause,
		s.Value.Decimal(6), s.Currency, s.Host, s.ID, s.Network, s.ExpiresAt.UTC().Format("15:04:05 MST"))
}

// Is makes the error match ErrUnknownOutcome.
func (e *UnknownOutcomeError) Is(target error) bool { return target == ErrUnknownOutcome }

// Unwrap returns the transport's error.
func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

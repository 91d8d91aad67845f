package v402api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/v402/v402/store"
)

// Code names a refusal for programs; it is "error" in the answer.
type Code string

// The codes of the API.
const (
	ValidationFailed      Code = "VALIDATION_ERROR"
	InvalidState          Code = "INVALID_STATE" // what it is asked for is not possible as things stand
	AuthenticationMissing Code = "AUTHENTICATION_REQUIRED"
	InvalidCredentials    Code = "INVALID_CREDENTIALS"
	PaymentRequired       Code = "PAYMENT_REQUIRED"
	Forbidden             Code = "FORBIDDEN"
	AccountSuspended      Code = "ACCOUNT_SUSPENDED"
	NotFound              Code = "NOT_FOUND"
	MethodNotAllowed      Code = "METHOD_NOT_ALLOWED"
	Conflict              Code = "CONFLICT"
	PaymentExpired        Code = "PAYMENT_EXPIRED"
	PaymentProcessed      Code = "PAYMENT_ALREADY_PROCESSED"
	TransactionUsed       Code = "TX_ALREADY_USED"
	TooLarge              Code = "PAYLOAD_TOO_LARGE"
	TooManyRequests       Code = "RATE_LIMIT_EXCEEDED"
	Internal              Code = "INTERNAL_ERROR"
	ChainUnavailable      Code = "BLOCKCHAIN_UNAVAILABLE"
)

var statuses = map[Code]int{
	ValidationFailed: http.StatusBadRequest, InvalidState: http.StatusBadRequest,
	AuthenticationMissing: http.StatusUnauthorized, InvalidCredentials: http.StatusUnauthorized,
	PaymentRequired: http.StatusPaymentRequired,
	Forbidden:       http.StatusForbidden, AccountSuspended: http.StatusForbidden,
	NotFound: http.StatusNotFound, MethodNotAllowed: http.StatusMethodNotAllowed,
	Conflict: http.StatusConflict, PaymentExpired: http.StatusConflict, PaymentProcessed: http.StatusConflict, TransactionUsed: http.StatusConflict,
	TooLarge: http.StatusRequestEntityTooLarge, TooManyRequests: http.StatusTooManyRequests,
	Internal: http.StatusInternalServerError, ChainUnavailable: http.StatusServiceUnavailable,
}

// Status is the HTTP status that goes with c.
func (c Code) Status() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Codes of faults: details.code in the answer.
const (
	Required         = "REQUIRED"
	TooLong          = "TOO_LONG"
	TooShort         = "TOO_SHORT"
	InvalidType      = "INVALID_TYPE"
	InvalidFormat    = "INVALID_FORMAT"
	InvalidEnum      = "INVALID_ENUM"
	InvalidURL       = "INVALID_URL"
	InvalidEmail     = "INVALID_EMAIL"
	InvalidAddress   = "INVALID_ADDRESS"
	InvalidSignature = "INVALID_SIGNATURE"
	InvalidDate      = "INVALID_DATE"
	InvalidRange     = "INVALID_RANGE"
	UnknownField     = "UNKNOWN_FIELD"
	AmountTooLow     = "AMOUNT_TOO_LOW"
	AmountTooHigh    = "AMOUNT_TOO_HIGH"
	AmountMismatch   = "AMOUNT_MISMATCH"
)

// Error is a refusal: what the caller did wrong or may not do. Domains hand it to
// their callers under a name of their own. Compare with errors.Is and a value that
// the domain names; errors.Is(err, store.ErrNotFound) and store.ErrConflict hold
// where they fit.
type Error struct {
	Code    Code
	Message string         // for the caller to read
	Faults  []Fault        // of a [ValidationFailed]: at least one
	Details map[string]any // more of details in the answer; may be nil
	Err     error          // the cause, for the log only; may be nil
}

// Fault is what is wrong with one field of an input.
type Fault struct {
	Field   string `json:"field"` // such as "amount" or "events.0"
	Code    string `json:"code"`  // such as AMOUNT_TOO_LOW
	Message string `json:"message"`
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code) + ": " + e.Message)
	for _, f := range e.Faults {
		b.WriteString("; " + f.Field + ": " + f.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap implements the convention of package errors.
func (e *Error) Unwrap() error { return e.Err }

// Is makes refusals comparable with the errors of package store. One missing
// authentication is like another, whichever domain found it, and one chain that
// cannot be asked, whatever the cause.
func (e *Error) Is(target error) bool {
	if other, ok := target.(*Error); ok {
		return e.Code == other.Code && (e.Code == AuthenticationMissing || e.Code == ChainUnavailable)
	}
	switch e.Code {
	case NotFound:
		return target == store.ErrNotFound
	case Conflict, InvalidState, PaymentProcessed, PaymentExpired, TransactionUsed:
		return target == store.ErrConflict
	default:
		return false
	}
}

// Invalid is a refusal for one field.
func Invalid(field, code, message string) *Error {
	return &Error{Code: ValidationFailed, Message: message, Faults: []Fault{{field, code, message}}}
}

// Refusal turns an error of a store into what the caller is told: unknown, for
// what was not found, unless it is nil. Refusals pass; anything else is wrapped
// with what was tried.
func Refusal(err error, unknown *Error, tried string) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case unknown != nil && errors.Is(err, store.ErrNotFound):
		return unknown
	default:
		return fmt.Errorf("%s: %w", tried, err)
	}
}

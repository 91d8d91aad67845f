package catalog

import (
	"errors"
	"fmt"

	"github.com/v402/v402/internal/web/v402api"
)

// What a Service refuses about payments and access.
var (
	ErrPaymentUnknown   = &Error{Code: v402api.NotFound, Message: "Payment not found"}
	ErrPaymentProcessed = &Error{Code: v402api.PaymentProcessed, Message: "The payment is already decided"}
	ErrPaymentExpired   = &Error{Code: v402api.PaymentExpired, Message: "The payment has expired; create another one"}
	ErrPaymentState     = &Error{Code: v402api.InvalidState, Message: "The payment's status does not allow this"}
	ErrTransactionUsed  = &Error{Code: v402api.TransactionUsed, Message: "The transaction has paid for something else"}
	ErrEarlierOpen      = &Error{Code: v402api.Conflict, Message: "Another payment of the same payer waits for this transfer, an earlier one or one that it fits better: confirm or cancel that one, or prove by payer_signature that this one is meant"}
	ErrChainUnavailable = &Error{Code: v402api.ChainUnavailable, Message: "The chain cannot be asked now; try again later"}
	ErrTransactionGone  = &Error{Code: v402api.NotFound, Message: "The chain does not know the transaction; send it, or wait until it has spread", Details: map[string]any{"field": "transaction_hash", "code": CodeTransactionUnknown}}
	ErrUptoUnsupported  = &Error{Code: v402api.InvalidState, Message: "The payment scheme upto is not served yet: the product cannot be bought"}
	ErrProductFree      = &Error{Code: v402api.InvalidState, Message: "The product is free: there is nothing to pay"}
	ErrNotPayable       = &Error{Code: v402api.InvalidState, Message: "The product cannot be paid now: its provider has no wallet that fits"}
	ErrAccessRevoked    = &Error{Code: v402api.Forbidden, Message: "The access was revoked", Details: map[string]any{"code": "ACCESS_REVOKED"}}
	ErrAccessExhausted  = &Error{Code: v402api.Forbidden, Message: "The access is used up; buy it again without the access token", Details: map[string]any{"code": "ACCESS_EXHAUSTED"}}
	ErrAccessExpired    = &Error{Code: v402api.Forbidden, Message: "The access has expired; buy it again without the access token", Details: map[string]any{"code": "ACCESS_EXPIRED"}}
	ErrAccessToken      = &Error{Code: v402api.Forbidden, Message: "The access token is not valid for this product", Details: map[string]any{"code": "ACCESS_TOKEN_INVALID"}}
	ErrPaymentSpent     = &Error{Code: v402api.Forbidden, Message: "The payment was used; show the access token that it gave, or sign the request as its payer", Details: map[string]any{"code": "PAYMENT_ALREADY_USED"}}
	ErrPriceUnavailable = &Error{Code: v402api.ChainUnavailable, Message: "The price of the product is not known now; try again later"}
)

// Codes of what is wrong with a transaction, in details.code.
const (
	CodeTransactionUnknown  = "TRANSACTION_NOT_FOUND"
	CodeTransactionReverted = "TRANSACTION_REVERTED"
	CodeTransactionTooEarly = "TRANSACTION_TOO_EARLY"
	CodeChainMismatch       = "CHAIN_MISMATCH"
	CodePayeeMismatch       = "PAYEE_MISMATCH"
	CodePayerMismatch       = "PAYER_MISMATCH"
	CodeAssetMismatch       = "ASSET_MISMATCH"
	CodeSchemeUnsupported   = "SCHEME_UNSUPPORTED"
	CodeCancelled           = "CANCELLED"
)

// stateError says why a payment cannot go from one state to another.
func stateError(from, to PaymentStatus) *Error {
	switch from {
	case PaymentExpired:
		return ErrPaymentExpired
	case PaymentConfirmed, PaymentFailed, PaymentRefunded, PaymentDisputed:
		return &Error{Code: v402api.PaymentProcessed, Message: fmt.Sprintf("The payment is %s and cannot become %s", from, to), Err: ErrPaymentProcessed}
	default:
		return &Error{Code: v402api.InvalidState, Message: fmt.Sprintf("The payment is %s and cannot become %s", from, to), Err: ErrPaymentState}
	}
}

// paymentError turns an error of a [PaymentStore] into what the caller is told.
func paymentError(err error, tried string) error {
	switch {
	case errors.Is(err, ErrProofUsed):
		return ErrTransactionUsed
	case errors.Is(err, ErrEarlierPayment):
		return ErrEarlierOpen
	default:
		return refusal(err, ErrPaymentUnknown, tried)
	}
}

package marketplace

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/v402/v402/store"
)

// Code is the stable name of a refusal, as the API answers it.
type Code string

// The codes.
const (
	CodeInvalidRequest         Code = "invalid_request"
	CodeWorkspaceRequired      Code = "workspace_required"
	CodeQuoteMismatch          Code = "quote_mismatch" // Field names the first one that differs
	CodeChainMismatch          Code = "chain_mismatch"
	CodeOwnershipProofRequired Code = "ownership_proof_required"
	CodeSessionRequired        Code = "wallet_session_required"
	CodeUnauthorized           Code = "unauthorized"
	CodeMembershipRequired     Code = "membership_required"
	CodeSignatureNotVerified   Code = "signature_not_verified"
	CodeOwnershipProofInvalid  Code = "ownership_proof_invalid"
	CodeBoundaryMismatch       Code = "boundary_mismatch"
	CodeAvailabilityParked     Code = "availability_parked"
	CodeEntitlementRequired    Code = "entitlement_required"
	CodeForbidden              Code = "forbidden"
	CodeNotTransferable        Code = "not_transferable"
	CodeOfferNotFound          Code = "offer_not_found"
	CodeQuoteNotFound          Code = "quote_not_found"
	CodeEntitlementNotFound    Code = "entitlement_not_found"
	CodeIssuerNotFound         Code = "issuer_not_found"
	CodeSeatNotFound           Code = "activation_not_found"
	CodeOfferExists            Code = "offer_exists"
	CodeOfferNotActive         Code = "offer_not_active"
	CodeOfferState             Code = "offer_state"
	CodeQuoteExpired           Code = "quote_expired"
	CodeQuoteConsumed          Code = "quote_consumed"
	CodeQuoteVoid              Code = "quote_void"
	CodePaymentUnderWay        Code = "payment_under_way" // retryable
	CodeTxAlreadyUsed          Code = "tx_already_used"
	CodePolicyMismatch         Code = "policy_mismatch"
	CodeMaxPerWallet           Code = "max_per_wallet"
	CodeApprovalRequired       Code = "approval_required"
	CodeMembershipActive       Code = "membership_active"
	CodeMembershipState        Code = "membership_state"
	CodeEntitlementState       Code = "entitlement_state"
	CodeAvailabilityState      Code = "availability_state"
	CodeSeatLimit              Code = "activation_limit"
	CodeX402Unavailable        Code = "x402_unavailable" // in native coin, through a checkout contract, or on a chain without a guard
	CodeTxNotFound             Code = "tx_not_found"     // retryable
	CodeTxPending              Code = "tx_pending"       // retryable
	CodeTxFailed               Code = "tx_failed"
	CodeTxTooEarly             Code = "tx_too_early" // mined before the quote was made
	CodeAmountMismatch         Code = "amount_mismatch"
	CodeRecipientMismatch      Code = "recipient_mismatch" // another recipient, token or call
	CodePayerMismatch          Code = "payer_mismatch"
	CodeRateLimited            Code = "rate_limited"
	CodeChainUnavailable       Code = "chain_unavailable" // retryable
	CodeContractUnconfigured   Code = "entitlement_contract_unconfigured"
	CodeLicenceUnconfigured    Code = "licence_key_unconfigured"
	CodeInternal               Code = "internal_error" // ours to mend
)

// Codes that only HTTP knows.
const (
	codeNotFound         Code = "not_found"
	codeMethodNotAllowed Code = "method_not_allowed"
	codeTooLarge         Code = "request_too_large"
	codeKeyReused        Code = "idempotency_key_reused"
	codeKeyInUse         Code = "idempotency_key_in_use" // retryable
)

// statuses are those of HTTP; codes that are not listed are 409.
var statuses = map[Code]int{
	CodeInvalidRequest: http.StatusBadRequest, CodeWorkspaceRequired: http.StatusBadRequest, CodeQuoteMismatch: http.StatusBadRequest,
	CodeChainMismatch: http.StatusBadRequest, CodeOwnershipProofRequired: http.StatusBadRequest,
	CodeSessionRequired: http.StatusUnauthorized, CodeUnauthorized: http.StatusUnauthorized,
	CodeMembershipRequired: http.StatusForbidden, CodeSignatureNotVerified: http.StatusForbidden, CodeOwnershipProofInvalid: http.StatusForbidden,
	CodeBoundaryMismatch: http.StatusForbidden, CodeAvailabilityParked: http.StatusForbidden, CodeEntitlementRequired: http.StatusForbidden,
	CodeForbidden: http.StatusForbidden, CodeNotTransferable: http.StatusForbidden,
	CodeOfferNotFound: http.StatusNotFound, CodeQuoteNotFound: http.StatusNotFound, CodeEntitlementNotFound: http.StatusNotFound,
	CodeIssuerNotFound: http.StatusNotFound, CodeSeatNotFound: http.StatusNotFound,
	CodeTxFailed: http.StatusUnprocessableEntity, CodeTxTooEarly: http.StatusUnprocessableEntity, CodeAmountMismatch: http.StatusUnprocessableEntity,
	CodeRecipientMismatch: http.StatusUnprocessableEntity, CodePayerMismatch: http.StatusUnprocessableEntity,
	CodeRateLimited: http.StatusTooManyRequests,
	codeNotFound:    http.StatusNotFound, codeMethodNotAllowed: http.StatusMethodNotAllowed, codeTooLarge: http.StatusRequestEntityTooLarge,
	codeKeyReused:        http.StatusUnprocessableEntity,
	CodeChainUnavailable: http.StatusServiceUnavailable, CodeContractUnconfigured: http.StatusServiceUnavailable,
	CodeLicenceUnconfigured: http.StatusServiceUnavailable, CodeInternal: http.StatusInternalServerError,
}

// Status is the HTTP status that stands for c.
func (c Code) Status() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusConflict
}

// Error is a refusal: nothing was changed. errors.Is compares the Code with that
// of another Error; 404 also is store.ErrNotFound, and 409 store.ErrConflict.
type Error struct {
	Code       Code
	Message    string        // for the caller to read
	Field      string        // of the request, such as "org_root_id"; may be empty
	RetryAfter time.Duration // positive if the same request may succeed later
	Err        error         // the cause, for the log only
}

func (e *Error) Error() string {
	s := "marketplace: " + string(e.Code) + ": " + e.Message
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap implements the convention of package errors.
func (e *Error) Unwrap() error { return e.Err }

// Is implements the convention of package errors.
func (e *Error) Is(target error) bool {
	switch target {
	case store.ErrNotFound:
		return e.Code.Status() == http.StatusNotFound
	case store.ErrConflict:
		return e.Code.Status() == http.StatusConflict
	}
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// Refuse is a refusal with a code and what to tell the caller.
func Refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid refuses a request because of one field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidRequest, Message: fmt.Sprintf(format, args...), Field: field}
}

// again is e for a caller who should try once more.
func (e *Error) again(after time.Duration) *Error {
	e.RetryAfter = after
	return e
}

// ErrCursor is what a [Store] returns, wrapped, for a cursor that it never gave.
var ErrCursor = errors.New("unknown cursor")

// refusal turns an error of a store into what the caller is told: missing, for
// what was not found. Refusals of ours pass.
func refusal(err error, missing *Error, tried string) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, ErrCursor):
		return errCursor()
	case missing != nil && errors.Is(err, store.ErrNotFound):
		return missing
	default:
		return fmt.Errorf("marketplace: %s: %w", tried, err)
	}
}

func noOffer(id string) *Error {
	return Refuse(CodeOfferNotFound, "Offer %s does not exist.", clip(id))
}
func noQuote(id string) *Error {
	return Refuse(CodeQuoteNotFound, "Quote %s does not exist.", clip(id))
}
func noIssuer(id string) *Error {
	return Refuse(CodeIssuerNotFound, "Issuer %s does not exist.", clip(id))
}
func noEntitlement(id string) *Error {
	return Refuse(CodeEntitlementNotFound, "Entitlement %s does not exist.", clip(id))
}

// clip shortens what a stranger sent.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return s
}

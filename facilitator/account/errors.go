package account

import "github.com/v402/v402/internal/web/v402api"

// Error is a refusal: its Code, its Message and, for bad input, its Faults are
// for the caller. Compare with errors.Is and one of the Err values, or with
// store.ErrNotFound and store.ErrConflict.
type Error = v402api.Error

// Fault is what is wrong with one field of an input.
type Fault = v402api.Fault

// What a [Service] refuses, beside bad input. An Authenticate function of another
// make returns the same.
var (
	ErrUnauthenticated    = &Error{Code: v402api.AuthenticationMissing, Message: "Authentication required"}
	ErrInvalidCredentials = &Error{Code: v402api.InvalidCredentials, Message: "Invalid credentials"}
	ErrSuspended          = &Error{Code: v402api.AccountSuspended, Message: "This account is suspended"}
	ErrBanned             = &Error{Code: v402api.AccountSuspended, Message: "This account is banned"}
	ErrPending            = &Error{Code: v402api.Forbidden, Message: "This account waits for approval"}
	ErrProviderRequired   = &Error{Code: v402api.Forbidden, Message: "Only content providers may do this"}
	ErrAdminRequired      = &Error{Code: v402api.Forbidden, Message: "Only admins may do this"}
	ErrSuperAdminRequired = &Error{Code: v402api.Forbidden, Message: "Only super admins may do this"}
	ErrNoAccount          = &Error{Code: v402api.Forbidden, Message: "A static admin token has no account of its own"}
	ErrOwnAccount         = &Error{Code: v402api.Forbidden, Message: "You cannot do this to your own account"}
	ErrUserUnknown        = &Error{Code: v402api.NotFound, Message: "User not found"}
	ErrKeyUnknown         = &Error{Code: v402api.NotFound, Message: "API key not found"}
	ErrPublicKeyTaken     = &Error{Code: v402api.Conflict, Message: "An account has this public key already"}
	ErrTooManyKeys        = &Error{Code: v402api.Conflict, Message: "You have as many API keys as are allowed; revoke one first"}
	ErrChainUnavailable   = &Error{Code: v402api.ChainUnavailable, Message: "The wallet's chain cannot be asked; try again later"}
)

// Admitted is nil for a user who may do anything at all, or else the reason: what
// every way of authentication ends with.
func Admitted(u User) error {
	switch u.Status {
	case StatusActive:
		return nil
	case StatusPending:
		return ErrPending
	case StatusSuspended:
		return ErrSuspended
	case StatusBanned:
		return ErrBanned
	default:
		return ErrInvalidCredentials
	}
}

// refusal turns an error of a store into what the caller is told: unknown, for
// what was not found. Refusals of ours pass.
func refusal(err error, unknown *Error, tried string) error {
	return v402api.Refusal(err, unknown, "account: "+tried)
}

package catalog

import "github.com/v402/v402/internal/web/v402api"

// Error is a refusal. Message is for the caller to read, Code for programs.
// Compare with errors.Is and one of the Err values; errors.Is(err,
// store.ErrNotFound) and store.ErrConflict hold where they fit. Of an invalid
// input, Faults has all that is wrong. Whatever else a [Service] returns is ours
// to mend.
type Error = v402api.Error

// Fault is what is wrong with one field of an input.
type Fault = v402api.Fault

// What a Service refuses, beside invalid input.
var (
	ErrUnauthenticated = &Error{Code: v402api.AuthenticationMissing, Message: "Authentication required"}
	ErrForbidden       = &Error{Code: v402api.Forbidden, Message: "You may not do this"}
	ErrProductUnknown  = &Error{Code: v402api.NotFound, Message: "Product not found"}
	ErrProductDeleted  = &Error{Code: v402api.InvalidState, Message: "The product is deleted"}
	ErrProductState    = &Error{Code: v402api.InvalidState, Message: "The product's status does not allow this"}
	ErrProductRejected = &Error{Code: v402api.InvalidState, Message: "The product was rejected; it can be published once it is approved"}
	ErrSlugTaken       = &Error{Code: v402api.Conflict, Message: "The slug is taken"}
	ErrProductSold     = &Error{Code: v402api.Conflict, Message: "Somebody has paid for the product, or is about to; it can only be deleted softly"}
	ErrWalletUnknown   = &Error{Code: v402api.NotFound, Message: "There is no wallet for this chain"}
	ErrWalletChanged   = &Error{Code: v402api.Conflict, Message: "Another request has set this wallet meanwhile"}
	ErrNotBuyer        = &Error{Code: v402api.Forbidden, Message: "Only those who bought the product can review it"}
)

// refusal turns an error of a store into what the caller is told: unknown, for
// what was not found. Refusals of ours pass.
func refusal(err error, unknown *Error, tried string) error {
	return v402api.Refusal(err, unknown, "catalog: "+tried)
}

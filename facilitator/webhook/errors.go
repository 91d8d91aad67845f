package webhook

import "github.com/v402/v402/internal/web/v402api"

// Error is a refusal: its Code, its Message and, for bad input, its Faults are
// for the caller. Compare with errors.Is and one of the Err values, or with
// store.ErrNotFound and store.ErrConflict.
type Error = v402api.Error

// Fault is what is wrong with one field of an input.
type Fault = v402api.Fault

// What a [Publisher] refuses, beside bad input. A [Store] returns ErrTooMany,
// wrapped, beside the errors of package store.
var (
	ErrWebhookUnknown   = &Error{Code: v402api.NotFound, Message: "Webhook not found"}
	ErrDeliveryUnknown  = &Error{Code: v402api.NotFound, Message: "Delivery not found"}
	ErrTooMany          = &Error{Code: v402api.Conflict, Message: "You have as many webhooks as are allowed; delete one first"}
	ErrWebhookDisabled  = &Error{Code: v402api.InvalidState, Message: "The webhook is disabled; set its status to active first"}
	ErrDeliveryUnderWay = &Error{Code: v402api.InvalidState, Message: "The delivery is under way"}
)

// refusal turns an error of a store into what the caller is told: unknown, for
// what was not found. Refusals of ours pass.
func refusal(err error, unknown *Error, tried string) error {
	return v402api.Refusal(err, unknown, "webhook: "+tried)
}

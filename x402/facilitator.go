package x402

import "context"

// Facilitator verifies payments and settles them on their chain. [Client] is
// one over HTTP; the facilitator package is one in process.
//
// A refused payment is an answer, not an error: IsValid or Success is false
// and a reason is given. An error means that there was no answer. After an
// error of Settle the outcome is unknown: the payment may have moved, so ask
// again with the same payment and never with a new one. Where it certainly did
// not, [Client] says so: its error does not match [ErrUnknownOutcome].
type Facilitator interface {
	Verify(context.Context, Payment) (VerifyResponse, error)
	Settle(context.Context, Payment) (SettleResponse, error)
	Supported(context.Context) (Supported, error)
}

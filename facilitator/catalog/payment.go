package catalog

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

// PaymentStatus is the state of a payment.
type PaymentStatus string

// The states of a payment. Refunded is final; failed and expired are but for
// money that has come all the same: what one attempt failed to settle another
// one has moved, or a transaction was mined in time and told of late.
const (
	PaymentPending    PaymentStatus = "pending"    // nothing was seen
	PaymentProcessing PaymentStatus = "processing" // seen, and not certain yet
	PaymentConfirmed  PaymentStatus = "confirmed"
	PaymentFailed     PaymentStatus = "failed"
	PaymentExpired    PaymentStatus = "expired"
	PaymentRefunded   PaymentStatus = "refunded" // in full
	PaymentDisputed   PaymentStatus = "disputed" // the money came, too late or twice: an admin decides
)

// PaymentStatuses are all of them.
var PaymentStatuses = []PaymentStatus{PaymentPending, PaymentProcessing, PaymentConfirmed, PaymentFailed, PaymentExpired, PaymentRefunded, PaymentDisputed}

// nextStatuses are the steps that a payment can take.
var nextStatuses = map[PaymentStatus][]PaymentStatus{
	PaymentPending:    {PaymentProcessing, PaymentConfirmed, PaymentFailed, PaymentExpired, PaymentDisputed},
	PaymentProcessing: {PaymentConfirmed, PaymentFailed, PaymentExpired, PaymentDisputed},
	PaymentFailed:     {PaymentConfirmed, PaymentDisputed},
	PaymentExpired:    {PaymentProcessing, PaymentConfirmed, PaymentDisputed},
	PaymentConfirmed:  {PaymentRefunded, PaymentDisputed},
	PaymentDisputed:   {PaymentConfirmed, PaymentRefunded},
}

// May says whether a payment can go from s to next.
func (s PaymentStatus) May(next PaymentStatus) bool { return slices.Contains(nextStatuses[s], next) }

// Open says whether the money may still come.
func (s PaymentStatus) Open() bool { return s == PaymentPending || s == PaymentProcessing }

// PaymentMethod is how the money of a payment moves.
type PaymentMethod string

// The methods.
const (
	MethodX402        PaymentMethod = "x402"        // the facilitator settles what the payer signed
	MethodTransaction PaymentMethod = "transaction" // the payer sends a transaction and tells its hash
)

// NativeLog is the log index of a transfer of native coin, which no log tells of.
const NativeLog = -1

// Payment is a purchase of access to a product.
type Payment struct {
	ID        string // "pay-" and a ULID; who knows it may confirm it if UserID is empty
	ProductID string
	OwnerID   string // the provider of the product
	UserID    string // the buyer, if it is a user
	Method    PaymentMethod
	Status    PaymentStatus
	Scheme    Scheme // of the product

	Chain    string // short name, such as "base"
	Network  x402.Network
	Currency string      // symbol, such as "USDC"
	Asset    string      // address of the token; empty for native coin
	Payer    string      // address
	Payee    string      // address
	Amount   x402.Amount // in the smallest unit of the currency
	Fee      x402.Amount // the facilitator's part of it
	Refunded x402.Amount // up to Amount

	ExternalReference string // the buyer's own

	Key     string          // x402.Identity of an x402 payment; no two payments share one
	Digest  string          // SHA-256 of its payload, in hex: who sends the same has the right to the answer
	Payload json.RawMessage // the x402.Payment, to ask the facilitator about

	Transaction   string // hash; empty while none was seen
	LogIndex      int64  // of the transfer in it, or NativeLog
	Block         uint64
	Confirmations uint64 // as last seen
	Signed        bool   // the payer has signed that Transaction pays this payment

	FailureCode   string // such as INSUFFICIENT_PAYMENT_TOKENS
	FailureReason string // of what failed or is disputed, for people

	AccessDuration time.Duration // that it buys; 0 is for ever
	MaxAccesses    int64         // that it buys; 0 is any number

	CreatedAt   time.Time
	ExpiresAt   time.Time // when the money should have moved
	ConfirmedAt time.Time // zero while it is not
	UpdatedAt   time.Time
}

// paymentID makes an ID that nobody can guess.
func paymentID(now time.Time) string { return "pay-" + newULID(now) }

func newULID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}

// feeOf is floor(amount × basisPoints / 10000).
func feeOf(amount x402.Amount, basisPoints int64) x402.Amount {
	fee := amount.Big()
	fee.Mul(fee, big.NewInt(basisPoints)).Quo(fee, big.NewInt(10_000))
	out, err := x402.AmountFromBig(fee)
	if err != nil {
		panic(err) // not above amount
	}
	return out
}

// move takes p to another state, if that step exists.
func (p *Payment) move(to PaymentStatus, now time.Time) error {
	if !p.Status.May(to) {
		return stateError(p.Status, to)
	}
	p.Status, p.UpdatedAt = to, now
	if to == PaymentConfirmed {
		p.ConfirmedAt, p.FailureCode, p.FailureReason = now, "", ""
	}
	return nil
}

// fail ends p, whose money did not move.
func (p *Payment) fail(code, reason string, now time.Time) error {
	if err := p.move(PaymentFailed, now); err != nil {
		return err
	}
	p.FailureCode, p.FailureReason = code, reason
	return nil
}

// refund gives amount back, and ends p once all was given back.
func (p *Payment) refund(amount x402.Amount, now time.Time) error {
	if p.Status != PaymentConfirmed && p.Status != PaymentDisputed {
		return stateError(p.Status, PaymentRefunded)
	}
	sum, err := p.Refunded.Add(amount)
	switch {
	case amount.IsZero():
		return v402api.Invalid("amount", v402api.AmountTooLow, "The refund must be more than zero")
	case err != nil || sum.Cmp(p.Amount) > 0:
		left, _ := p.Amount.Sub(p.Refunded) // Refunded is never more
		return v402api.Invalid("amount", v402api.AmountTooHigh, fmt.Sprintf("At most %s of the payment can still be refunded", left))
	}
	p.Refunded, p.UpdatedAt = sum, now
	if sum.Equal(p.Amount) {
		return p.move(PaymentRefunded, now)
	}
	return nil
}

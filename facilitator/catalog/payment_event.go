package catalog

import (
	"time"

	"github.com/v402/v402/store"
)

// Types of the events of payments and access.
const (
	EventPaymentCreated   = "payment.created" // a [PaymentEvent], as are all of payment.*
	EventPaymentConfirmed = "payment.confirmed"
	EventPaymentFailed    = "payment.failed"
	EventPaymentExpired   = "payment.expired"
	EventPaymentRefunded  = "payment.refunded"
	EventPaymentDisputed  = "payment.disputed"
	EventAccessGranted    = "access.granted" // an [AccessEvent]
)

// PaymentEvent is the data of payment.*.
type PaymentEvent struct {
	OwnerID           string        `json:"owner_id"`
	PaymentID         string        `json:"payment_id"`
	ProductID         string        `json:"product_id"`
	UserID            string        `json:"user_id,omitempty"`
	Status            PaymentStatus `json:"status"`
	Chain             string        `json:"chain"`
	Currency          string        `json:"currency"`
	Amount            string        `json:"amount"` // in the smallest unit
	FacilitatorFee    string        `json:"facilitator_fee"`
	PayerAddress      string        `json:"payer_address"`
	PayeeAddress      string        `json:"payee_address"`
	TransactionHash   string        `json:"transaction_hash,omitempty"`
	ExternalReference string        `json:"external_reference,omitempty"`
	RefundID          string        `json:"refund_id,omitempty"` // of payment.refunded
	RefundAmount      string        `json:"refund_amount,omitempty"`
	NotifyUser        bool          `json:"notify_user,omitempty"`
	Reason            string        `json:"reason,omitempty"`
	At                time.Time     `json:"at"`
}

// AccessEvent is the data of access.granted.
type AccessEvent struct {
	OwnerID   string     `json:"owner_id"`
	GrantID   string     `json:"grant_id"`
	ProductID string     `json:"product_id"`
	PaymentID string     `json:"payment_id"`
	UserID    string     `json:"user_id,omitempty"`
	Payer     string     `json:"payer"`
	ExpiresAt *time.Time `json:"expires_at"`
	At        time.Time  `json:"at"`
}

func newPaymentEvent(p *Payment, at time.Time) PaymentEvent {
	return PaymentEvent{
		OwnerID: p.OwnerID, PaymentID: p.ID, ProductID: p.ProductID, UserID: p.UserID, Status: p.Status, Chain: p.Chain,
		Currency: p.Currency, Amount: p.Amount.String(), FacilitatorFee: p.Fee.String(), PayerAddress: p.Payer, PayeeAddress: p.Payee,
		TransactionHash: p.Transaction, ExternalReference: p.ExternalReference, Reason: p.FailureReason, At: at,
	}
}

// paymentEvent tells what happened to p.
func paymentEvent(kind string, p *Payment, at time.Time) store.Event {
	return newEvent(kind, p.ID, newPaymentEvent(p, at), at)
}

// grantEvent tells that p bought g.
func grantEvent(p *Payment, g *Grant, at time.Time) store.Event {
	e := AccessEvent{OwnerID: p.OwnerID, GrantID: g.ID, ProductID: g.ProductID, PaymentID: p.ID, UserID: g.UserID, Payer: g.Payer, At: at}
	if !g.ExpiresAt.IsZero() {
		e.ExpiresAt = &g.ExpiresAt
	}
	return newEvent(EventAccessGranted, g.ID, e, at)
}

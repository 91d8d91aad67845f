package marketplace

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/store"
)

// Types of the events that a marketplace saves with its changes.
const (
	EventQuoteCreated   = "quote.created" // the data of quote events is a [QuoteEvent]
	EventQuoteConsumed  = "quote.consumed"
	EventQuoteExpired   = "quote.expired"
	EventQuoteCancelled = "quote.cancelled"

	EventMembershipActivated  = "membership.activated" // the data of membership events is a [MembershipEvent]
	EventMembershipSuspended  = "membership.suspended"
	EventMembershipReinstated = "membership.reinstated"
	EventMembershipRevoked    = "membership.revoked"

	EventEntitlementActivated    = "entitlement.activated" // the data of entitlement events is an [EntitlementEvent]
	EventEntitlementRenewed      = "entitlement.renewed"
	EventEntitlementExpired      = "entitlement.expired"
	EventEntitlementSuspended    = "entitlement.suspended"
	EventEntitlementReinstated   = "entitlement.reinstated"
	EventEntitlementRevoked      = "entitlement.revoked"
	EventEntitlementExtended     = "entitlement.extended"
	EventEntitlementTransferred  = "entitlement.transferred"
	EventEntitlementAvailability = "entitlement.availability_changed"

	EventOfferChanged = "offer.status_changed" // an [OfferEvent]
)

// QuoteEvent is the data of quote events. The subject is the quote's ID.
type QuoteEvent struct {
	IssuerID    string     `json:"issuer_id"`
	QuoteID     string     `json:"quote_id"`
	OfferID     string     `json:"offer_id,omitempty"`
	Wallet      string     `json:"wallet"`
	PayerWallet string     `json:"payer_wallet"`
	State       QuoteState `json:"state"`
	ChainID     uint64     `json:"chain_id"`
	Currency    string     `json:"currency"`
	Total       string     `json:"total_amount_atomic"`
	TxHash      string     `json:"tx_hash,omitempty"`
	ExpiresAt   time.Time  `json:"expires_at"`
}

// MembershipEvent is the data of membership events. The subject is the wallet.
type MembershipEvent struct {
	IssuerID string           `json:"issuer_id"` // always empty: membership is the marketplace's own
	Wallet   string           `json:"wallet"`
	Status   MembershipStatus `json:"status"`
	Reason   string           `json:"reason,omitempty"`
	QuoteID  string           `json:"quote_id,omitempty"`
}

// EntitlementEvent is the data of entitlement events. The subject is the
// entitlement's ID.
type EntitlementEvent struct {
	Entitlement
	PreviousWallet string `json:"previous_wallet,omitempty"` // of one that was transferred
}

// OfferEvent is the data of offer.status_changed. The subject is the offer's ID.
type OfferEvent struct {
	IssuerID string      `json:"issuer_id"`
	OfferID  string      `json:"offer_id"`
	Status   OfferStatus `json:"status"`
}

// newEvent makes an event. Every event's data has issuer_id: the issuer that may
// be told, or empty.
func newEvent(kind, subject string, data any, at time.Time) store.Event {
	j, err := json.Marshal(data)
	if err != nil {
		panic(err) // structs of ours
	}
	return store.Event{ID: uuid.NewString(), Type: kind, Subject: subject, Data: j, CreatedAt: at}
}

func quoteEvent(kind string, q *CheckoutQuote, at time.Time) store.Event {
	return newEvent(kind, q.ID, QuoteEvent{
		IssuerID: q.IssuerID, QuoteID: q.ID, OfferID: q.OfferID, Wallet: q.Wallet, PayerWallet: q.PayerWallet, State: q.State,
		ChainID: q.ChainID, Currency: q.Currency, Total: q.Total.String(), TxHash: q.TxHash, ExpiresAt: q.ExpiresAt,
	}, at)
}

func membershipEvent(kind string, m *Membership, at time.Time) store.Event {
	return newEvent(kind, m.Wallet, MembershipEvent{Wallet: m.Wallet, Status: m.Status, Reason: m.Reason, QuoteID: m.QuoteID}, at)
}

func entitlementEvent(kind string, e *Entitlement, at time.Time) store.Event {
	return newEvent(kind, e.ID, EntitlementEvent{Entitlement: *e}, at)
}

// Events are the types of all events of a marketplace.
var Events = []string{
	EventQuoteCreated, EventQuoteConsumed, EventQuoteExpired, EventQuoteCancelled,
	EventMembershipActivated, EventMembershipSuspended, EventMembershipReinstated, EventMembershipRevoked,
	EventEntitlementActivated, EventEntitlementRenewed, EventEntitlementExpired, EventEntitlementSuspended, EventEntitlementReinstated,
	EventEntitlementRevoked, EventEntitlementExtended, EventEntitlementTransferred, EventEntitlementAvailability, EventOfferChanged,
}

// EventIssuer is the issuer that an event of a marketplace may be told to. It is
// empty for other events, and for those of memberships.
func EventIssuer(e store.Event) string {
	var data struct {
		IssuerID string `json:"issuer_id"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return ""
	}
	return data.IssuerID
}

package webhook

import (
	"encoding/json"
	"time"

	"github.com/v402/v402/store"
)

// AllEvents in Endpoint.Events stands for every type.
const AllEvents = "*"

// Types of events of this package.
const (
	EventTest     = "webhook.test"     // sent on request, to one endpoint
	EventDisabled = "webhook.disabled" // an endpoint was disabled, not by its owner; the data is a [DisabledEvent]
	EventPaused   = "webhook.paused"   // a direct recipient is only tried at times; the data is a [RecipientEvent]
	EventResumed  = "webhook.resumed"  // it is told again
)

// CatalogEvents are the types of events that a catalog's owners subscribe to:
// the default of Config.EventTypes.
var CatalogEvents = []string{
	"payment.created", "payment.confirmed", "payment.failed", "payment.refunded", "payment.expired", "payment.disputed",
	"product.created", "product.updated", "product.published", "product.unpublished", "product.viewed",
	"product.archived", "product.deleted", "product.moderated", "review.posted", "wallet.changed",
	"access.granted", "access.denied", "user.registered", EventDisabled,
}

// DisabledEvent is the data of webhook.disabled.
type DisabledEvent struct {
	OwnerID      string        `json:"owner_id"`
	WebhookID    string        `json:"webhook_id"`
	URL          string        `json:"url"`
	Reason       DisableReason `json:"reason"`
	FailingSince *time.Time    `json:"failing_since,omitempty"`
	DisabledAt   time.Time     `json:"disabled_at"`
}

func disabledEvent(id string, e *Endpoint) store.Event {
	d := DisabledEvent{OwnerID: e.OwnerID, WebhookID: e.ID, URL: e.URL, Reason: e.Reason, DisabledAt: e.DisabledAt}
	if !e.FailingSince.IsZero() {
		d.FailingSince = &e.FailingSince
	}
	data, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and times
	}
	return store.Event{ID: id, Type: EventDisabled, Subject: e.ID, Data: data, CreatedAt: e.DisabledAt}
}

// RecipientEvent is the data of webhook.paused and webhook.resumed.
type RecipientEvent struct {
	Directory    string    `json:"directory"`
	Key          string    `json:"key"`
	FailingSince time.Time `json:"failing_since"`
	At           time.Time `json:"at"`
}

func recipientEvent(id, kind, queue string, failingSince, now time.Time) store.Event {
	d, _ := directOf(queue)
	data, err := json.Marshal(RecipientEvent{d.Directory, d.Key, failingSince, now})
	if err != nil {
		panic(err) // strings and times
	}
	return store.Event{ID: id, Type: kind, Subject: queue, Data: data, CreatedAt: now}
}

// Body is what is sent of an event: {id, type, data, created_at}, the same bytes
// in every attempt.
func Body(e store.Event) ([]byte, error) {
	data := e.Data
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	return json.Marshal(struct {
		ID        string          `json:"id"`
		Type      string          `json:"type"`
		Data      json.RawMessage `json:"data"`
		CreatedAt time.Time       `json:"created_at"`
	}{e.ID, e.Type, data, e.CreatedAt.UTC()})
}

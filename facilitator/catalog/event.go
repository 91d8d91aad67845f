package catalog

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/store"
)

// Types of the events that a catalog saves with its changes. The data of each is
// a JSON object with owner_id, the provider who may be told.
const (
	EventProductCreated     = "product.created" // a [ProductEvent], as are all of product.*
	EventProductUpdated     = "product.updated"
	EventProductPublished   = "product.published"
	EventProductUnpublished = "product.unpublished"
	EventProductArchived    = "product.archived"
	EventProductDeleted     = "product.deleted"
	EventProductViewed      = "product.viewed"    // with views of the last seconds; of the most viewed products if they are many
	EventProductModerated   = "product.moderated" // with action and reason
	EventReviewPosted       = "review.posted"     // a [ReviewEvent]
	EventWalletChanged      = "wallet.changed"    // a [WalletEvent]
)

// ProductEvent is the data of product.*.
type ProductEvent struct {
	OwnerID   string        `json:"owner_id"`
	ProductID string        `json:"product_id"`
	Title     string        `json:"title"`
	Status    ProductStatus `json:"status"`
	Price     string        `json:"price"`
	Currency  string        `json:"currency"`
	Views     int64         `json:"views,omitempty"`  // of product.viewed
	Action    string        `json:"action,omitempty"` // of product.moderated
	Reason    string        `json:"reason,omitempty"`
	At        time.Time     `json:"at"`
}

// ReviewEvent is the data of review.posted.
type ReviewEvent struct {
	OwnerID   string    `json:"owner_id"`
	ProductID string    `json:"product_id"`
	ReviewID  string    `json:"review_id"`
	Rating    int       `json:"rating"`
	Edited    bool      `json:"edited"`
	At        time.Time `json:"at"`
}

// WalletEvent is the data of wallet.changed.
type WalletEvent struct {
	OwnerID string    `json:"owner_id"`
	Chain   string    `json:"chain"`
	Address string    `json:"address"` // empty if it was removed
	At      time.Time `json:"at"`
}

// newEvent makes an event.
func newEvent(kind, subject string, data any, at time.Time) store.Event {
	j, err := json.Marshal(data)
	if err != nil {
		panic(err) // structs of ours
	}
	return store.Event{ID: uuid.NewString(), Type: kind, Subject: subject, Data: j, CreatedAt: at}
}

// productEvent tells what happened to p.
func productEvent(kind string, p *Product, at time.Time) store.Event {
	return newEvent(kind, p.ID, newProductEvent(p, at), at)
}

func newProductEvent(p *Product, at time.Time) ProductEvent {
	return ProductEvent{OwnerID: p.OwnerID, ProductID: p.ID, Title: p.Title, Status: p.Status, Price: p.Price.String(), Currency: p.Currency, At: at}
}

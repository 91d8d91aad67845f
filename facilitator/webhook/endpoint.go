package webhook

import (
	"slices"
	"time"
)

// Endpoint is a URL of an owner that hears of events.
type Endpoint struct {
	ID          string // "wh-" and a ULID
	OwnerID     string
	URL         string
	Description string
	Events      []string // types; [AllEvents] for all
	Status      EndpointStatus
	Reason      DisableReason // why it is disabled

	Secrets []SealedSecret // the newest first: one, or two while they are rotated

	FailingSince time.Time // when the first of the failures was that no success has followed
	DisabledAt   time.Time
	DeliveredAt  time.Time // the newest success
	CreatedAt    time.Time
	UpdatedAt    time.Time // by its owner, or when it was disabled
}

// EndpointStatus says whether an endpoint hears of anything.
type EndpointStatus string

// An endpoint is active until its owner, its answers or its failures disable it;
// its owner can make it active again.
const (
	EndpointActive   EndpointStatus = "active"
	EndpointDisabled EndpointStatus = "disabled"
)

// DisableReason is why an endpoint is disabled.
type DisableReason string

// Reasons.
const (
	DisabledByOwner DisableReason = "owner"
	DisabledGone    DisableReason = "gone"    // it answered 410
	DisabledFailing DisableReason = "failing" // for Config.DisableAfter
)

// SealedSecret is a signing secret, encrypted.
type SealedSecret struct {
	Sealed    string    `json:"sealed"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"` // zero: never
}

// Subscribed says whether e is to hear of events of a type now.
func (e *Endpoint) Subscribed(eventType string) bool {
	return e.Status == EndpointActive && (slices.Contains(e.Events, AllEvents) || slices.Contains(e.Events, eventType))
}

// disable turns e off. Its pending deliveries wait until it is active again.
func (e *Endpoint) disable(why DisableReason, now time.Time) {
	e.Status, e.Reason, e.DisabledAt, e.UpdatedAt = EndpointDisabled, why, now, now
}

// enable turns e on, with a clean record.
func (e *Endpoint) enable(now time.Time) {
	e.Status, e.Reason, e.DisabledAt, e.FailingSince, e.UpdatedAt = EndpointActive, "", time.Time{}, time.Time{}, now
}

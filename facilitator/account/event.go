package account

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/store"
)

// Types of the events that are saved with changes; their data is a [UserEvent].
const (
	EventRegistered = "user.registered"
	EventApproved   = "user.approved"   // pending → active
	EventSuspended  = "user.suspended"  // active → suspended
	EventReinstated = "user.reinstated" // suspended → active
	EventBanned     = "user.banned"
	EventDeleted    = "user.deleted"
	EventUpdated    = "user.updated" // profile, wallet, role or verification
)

// UserEvent is the data of an event about a user.
type UserEvent struct {
	UserID         string    `json:"user_id"`
	OwnerID        string    `json:"owner_id"` // whom it is told: the user
	Role           Role      `json:"role"`
	Status         Status    `json:"status"`
	PreviousRole   Role      `json:"previous_role,omitempty"`
	PreviousStatus Status    `json:"previous_status,omitempty"`
	Reason         string    `json:"reason,omitempty"`
	At             time.Time `json:"at"`
}

// newEvent makes an event about u, who was like before.
func newEvent(kind string, u, before User, at time.Time) store.Event {
	data := UserEvent{UserID: u.ID, OwnerID: u.ID, Role: u.Role, Status: u.Status, At: at}
	if before.Role != u.Role {
		data.PreviousRole = before.Role
	}
	if before.Status != u.Status {
		data.PreviousStatus, data.Reason = before.Status, u.StatusReason
	}
	j, err := json.Marshal(data)
	if err != nil {
		panic(err) // texts and a time
	}
	return store.Event{ID: uuid.NewString(), Type: kind, Subject: u.ID, Data: j, CreatedAt: at}
}

// eventOf is the type of the event for a change of a user.
func eventOf(before, after User) string {
	switch from, to := before.Status, after.Status; {
	case from == to:
		return EventUpdated
	case to == StatusSuspended:
		return EventSuspended
	case to == StatusBanned:
		return EventBanned
	case to == StatusDeleted:
		return EventDeleted
	case from == StatusPending:
		return EventApproved
	default:
		return EventReinstated
	}
}

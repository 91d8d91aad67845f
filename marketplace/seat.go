package marketplace

import "time"

// Activation is an instance, such as a machine, that takes a seat of an
// entitlement.
type Activation struct {
	EntitlementID string    `json:"entitlement_id"`
	InstanceID    string    `json:"instance_id"` // chosen by the instance; 1 to 128 characters
	Name          string    `json:"name,omitempty"`
	ActivatedAt   time.Time `json:"activated_at"`
	LastSeenAt    time.Time `json:"last_seen_at"` // of its last heartbeat
}

// SeatRequest asks for a seat or keeps it.
type SeatRequest struct {
	EntitlementID string `json:"entitlement_id"`
	InstanceID    string `json:"instance_id"`
	Name          string `json:"name"` // for people; at most 160 characters
}

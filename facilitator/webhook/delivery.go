package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/v402/v402/store"
)

// Delivery is an event on its way to one recipient. There is one for each event
// and recipient: what is sent again is the same delivery, with the same event ID.
type Delivery struct {
	ID        string // see [DeliveryID]
	Queue     string // an endpoint's ID, or the name of a direct recipient: see [Direct.Queue]
	Event     store.Event
	Status    DeliveryStatus
	Attempts  int       // made so far
	Failures  int       // of those, since it was queued the last time
	NextAt    time.Time // when the next attempt is due, while it is pending
	CreatedAt time.Time
	UpdatedAt time.Time
	Log       []Attempt // the last of them, the oldest first; at most MaxLog
}

// MaxLog is how many attempts of a delivery are remembered.
const MaxLog = 10

// DeliveryStatus says what became of a delivery.
type DeliveryStatus string

// A delivery is pending until it was answered with a status of 200 to 299, or
// given up; both can be queued again.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryDead      DeliveryStatus = "dead"
)

// Attempt is one request and what came of it.
type Attempt struct {
	N          int       `json:"n"` // counted from 1
	At         time.Time `json:"at"`
	DurationMS int64     `json:"duration_ms"`
	StatusCode int       `json:"status_code"` // 0: there was no answer
	Response   string    `json:"response"`    // the first KB of the body, as text
	Error      string    `json:"error"`       // why it did not succeed
}

// Outcome is what is recorded of an attempt at a delivery.
type Outcome struct {
	ID      string
	Attempt Attempt // ignored unless it is the one after those that are recorded, and the delivery is pending
	Status  DeliveryStatus
	NextAt  time.Time // if it stays pending
}

// Batch is what is due to one recipient, leased to one process.
type Batch struct {
	Queue      string
	Endpoint   *Endpoint // nil for a direct recipient
	Standing   Standing  // of a direct recipient
	Deliveries []Delivery
}

// DeliveryID is the ID of the delivery of an event to a queue.
func DeliveryID(queue, eventID string) string {
	sum := sha256.Sum256([]byte(queue + "\n" + eventID))
	return "dlv-" + hex.EncodeToString(sum[:13])
}

// AddAttempt is the log with one attempt more, of which it keeps the last.
func AddAttempt(log []Attempt, a Attempt) []Attempt {
	log = append(log, a)
	return log[max(0, len(log)-MaxLog):]
}

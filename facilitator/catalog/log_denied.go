package catalog

import (
	"time"

	"github.com/v402/v402/store"
)

// EventAccessDenied tells that somebody was not let in: whose payment did not do,
// or who may not. There is one for each product in a minute at most, and for 1000
// products: what anybody can cause must not fill the outbox.
const EventAccessDenied = "access.denied" // a [DeniedEvent]

// DeniedEvent is the data of access.denied.
type DeniedEvent struct {
	OwnerID   string    `json:"owner_id"`
	ProductID string    `json:"product_id"`
	Attempts  int64     `json:"attempts"`        // since the last event, also those that are not in the access log
	Payer     string    `json:"payer,omitempty"` // of the last of them, if it is known
	At        time.Time `json:"at"`              // of the last of them
}

// Bounds of the events.
const (
	deniedEvery = time.Minute
	maxDenied   = 1000
)

// denials counts who was not let in, by product ID.
type denials map[string]*denial

type denial struct {
	DeniedEvent
	told time.Time // when it was last told; zero: not yet
}

// add counts one. Of products beyond the bound nothing is told.
func (d denials) add(e *LogEntry) {
	of := d[e.ProductID]
	if of == nil {
		if len(d) >= maxDenied {
			return
		}
		of = &denial{DeniedEvent: DeniedEvent{OwnerID: e.OwnerID, ProductID: e.ProductID}}
		d[e.ProductID] = of
	}
	of.Attempts++
	of.Payer, of.At = e.Payer, e.CreatedAt
}

// take returns what there is to tell, and forgets what there is no more.
func (d denials) take(now time.Time) (events []store.Event) {
	for id, of := range d {
		switch {
		case now.Sub(of.told) < deniedEvery:
		case of.Attempts == 0:
			delete(d, id)
		default:
			events = append(events, newEvent(EventAccessDenied, id, of.DeniedEvent, now))
			of.told, of.Attempts = now, 0
		}
	}
	return events
}

package facilitator

import (
	"encoding/json"
	"time"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Types of the events that a journal saves with the end of a settlement. The
// data of both is a [SettlementEvent].
const (
	EventConfirmed = "settlement.confirmed"
	EventFailed    = "settlement.failed"
)

// SettlementEvent is the data of a settlement's event.
type SettlementEvent struct {
	ID          string       `json:"id"`
	State       State        `json:"state"`
	Network     x402.Network `json:"network"`
	Scheme      string       `json:"scheme"`
	Payer       string       `json:"payer"`
	PayTo       string       `json:"payTo"`
	Asset       string       `json:"asset"`
	Amount      x402.Amount  `json:"amount"` // atomic units
	Transaction string       `json:"transaction,omitempty"`
	Block       uint64       `json:"block,omitempty"`
	Reason      x402.Reason  `json:"reason,omitempty"`
	Message     string       `json:"message,omitempty"`
}

// Confirm is the outcome of s when transaction, mined in block, moved the
// money: for [Journal.FinishSettlements], with the event that goes with it.
func (s *Settlement) Confirm(transaction string, block uint64, now time.Time) Outcome {
	return s.finish(Outcome{ID: s.ID, State: Confirmed, Transaction: transaction, Block: block}, EventConfirmed, now)
}

// Fail is the outcome of s when the money did not move and never will by this
// payment. The transaction is the one that was reverted, or empty; a message
// left empty is the reason's description.
func (s *Settlement) Fail(transaction string, reason x402.Reason, message string, now time.Time) Outcome {
	if message == "" {
		message = reason.Description()
	}
	o := Outcome{ID: s.ID, State: Failed, Transaction: transaction, Reason: reason, Message: message}
	return s.finish(o, EventFailed, now)
}

// finish adds the event to o. Its ID is made from the settlement's, which ends
// once: whoever finishes it, consumers see one and the same event.
func (s *Settlement) finish(o Outcome, kind string, now time.Time) Outcome {
	data, err := json.Marshal(SettlementEvent{
		ID: s.ID, State: o.State, Network: s.Network, Scheme: s.Scheme,
		Payer: s.Payer, PayTo: s.PayTo, Asset: s.Asset, Amount: s.Amount,
		Transaction: o.Transaction, Block: o.Block, Reason: o.Reason, Message: o.Message,
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	o.Event = &store.Event{ID: kind + ":" + s.ID, Type: kind, Subject: s.ID, Data: data, CreatedAt: now}
	return o
}

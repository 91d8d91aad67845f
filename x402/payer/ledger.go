package payer

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/v402/v402/x402"
)

// State of a spending: reserved before the payment is signed, then paid,
// released (nothing moved) or unknown (it may have moved).
type State string

// The states of a spending. Reserved and unknown count against the limits.
const (
	Reserved State = "reserved"
	Paid     State = "paid"
	Released State = "released"
	Unknown  State = "unknown"
)

// Spending is one payment in the ledger.
type Spending struct {
	ID          string // identity of the logical request; unique
	Host        string // host and port that was paid
	Network     x402.Network
	Asset       string
	Amount      x402.Amount // atomic units
	PayTo       string
	Resource    string // URL without its query
	State       State
	Payload     json.RawMessage // the signed payment, sent again after an ambiguous failure
	Transaction string          // once known
	CreatedAt   time.Time
}

// Limit is a ceiling on what was and may have been spent since a moment.
type Limit struct {
	Host   string // "" for all hosts together
	Since  time.Time
	Amount x402.Amount // of the spending's asset on its network
}

// ErrOverBudget is returned by a Ledger when a spending would exceed a limit.
var ErrOverBudget = errors.New("payer: over budget")

// Ledger remembers what was spent. It must survive a restart for limits per
// period to mean anything: [OpenFile] keeps it in a file, and the stores in
// store/sqlite and store/postgres share it between processes.
type Ledger interface {
	// Reserve stores s in state Reserved, unless the sum of what is not released
	// for the same network and asset, with s, would exceed one of limits: then
	// it returns ErrOverBudget and stores nothing. Checking and storing are one
	// atomic step. A known s.ID is an error.
	Reserve(ctx context.Context, s Spending, limits []Limit) error
	// Sign records the signed payment of a reserved spending, before it is sent.
	Sign(ctx context.Context, id string, payload json.RawMessage) error
	// Finish moves a spending to state Paid, Released or Unknown.
	Finish(ctx context.Context, id string, state State, transaction string) error
	// Spending returns one spending, or an error that matches [ErrUnknownSpending].
	Spending(ctx context.Context, id string) (Spending, error)
	// Spendings lists what was created at or after since, oldest first.
	Spendings(ctx context.Context, since time.Time) ([]Spending, error)
}

// ErrUnknownSpending is returned where a ledger has no spending of that ID.
var ErrUnknownSpending = errors.New("payer: no such spending")

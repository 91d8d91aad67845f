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

// The states of a spending. Reserved, paid and unknown count against the
// limits; released does not.
const (
	Reserved State = "reserved"
	Paid     State = "paid"
	Released State = "released"
	Unknown  State = "unknown"
)

// Spending is one payment in the ledger.
type Spending struct {
	ID          string // identity of the logical request; unique
	Fingerprint string // hash of method and URL, so that an ID used for another request is noticed
	Host        string // host and port that was paid, lower case
	Network     x402.Network
	Asset       string
	Amount      x402.Amount // atomic units of the asset
	Currency    string      // what Value counts in, such as "USD"; limits are kept for each currency apart
	Value       x402.Amount // Amount in millionths of a unit of Currency, rounded up; at most 2^63-1
	PayTo       string
	Resource    string // URL without its query
	State       State
	Payload     json.RawMessage // the signed payment as it is sent (JSON of x402.PaymentPayload), sent again after an ambiguous failure
	Transaction string          // once known
	CreatedAt   time.Time
	ExpiresAt   time.Time // when the signed payment can no longer move
}

// Limit is a ceiling on what was and may have been spent since a moment, in
// the currency of the spending that is checked against it.
type Limit struct {
	Host   string      // counts spendings of this host only; "" counts all hosts together
	Since  time.Time   // counts spendings created at or after it; zero counts all
	Amount x402.Amount // millionths of a unit of the currency
}

// Errors of a Ledger, which it may wrap.
var (
	// ErrOverBudget is returned when a spending would exceed a limit.
	ErrOverBudget = errors.New("payer: over budget")
	// ErrUnknownSpending is returned where a ledger has no spending of that ID.
	ErrUnknownSpending = errors.New("payer: no such spending")
	// ErrDuplicateSpending is returned for an ID that is taken.
	ErrDuplicateSpending = errors.New("payer: spending exists")
	// ErrSpendingState is returned for a step that the spending's state does not
	// allow.
	ErrSpendingState = errors.New("payer: spending is in another state")
)

// Ledger remembers what was spent. It must survive a restart for limits per
// period to mean anything: [OpenFile] keeps it in a file, and the stores in
// store/sqlite and store/postgres share it between processes.
//
// A method that returns nil has stored its change durably; one that returns an
// error has changed nothing, or, if the error is that of the storage, may have.
// Times are kept to the microsecond at least, in any location; Payload is kept
// as JSON, its insignificant spaces may change. All methods may be called at
// once, and by several processes if the storage is shared.
type Ledger interface {
	// Reserve stores s in state Reserved, whatever s.State says, without payload
	// and transaction.
	//
	// For each of limits it takes the sum of Value over all spendings of the
	// same Currency that are not Released, of the limit's Host unless that is
	// empty, and created at or after its Since. If that sum plus s.Value exceeds
	// the limit's Amount it stores nothing and returns an error that matches
	// ErrOverBudget, best an *[OverBudgetError] that tells limit and sum.
	// Checking and storing are one atomic step: of two callers at once, in any
	// process, the second sees the first.
	//
	// If s.ID is known it returns ErrDuplicateSpending and changes nothing,
	// unless the known spending is Released: then s takes its place.
	Reserve(ctx context.Context, s Spending, limits []Limit) error

	// Sign records the signed payment of a reserved spending, before it is sent.
	// It returns ErrSpendingState unless the state is Reserved and no payload was
	// recorded: of two callers at once one wins, and the other reads what won.
	Sign(ctx context.Context, id string, payload json.RawMessage) error

	// Finish moves a spending to state Paid, Released or Unknown, and records
	// the transaction if it is not empty. The steps that are allowed:
	//
	//	Reserved → Paid, Released, Unknown
	//	Unknown  → Paid, Released, Unknown
	//	Released → Paid (it moved after all), Released
	//	Paid     → Paid
	//
	// Anything else is ErrSpendingState and changes nothing.
	Finish(ctx context.Context, id string, state State, transaction string) error

	// Spending returns one spending, or an error that matches ErrUnknownSpending.
	Spending(ctx context.Context, id string) (Spending, error)

	// Spendings lists what was created at or after since, in any state, oldest
	// first; those of one moment are ordered by ID.
	Spendings(ctx context.Context, since time.Time) ([]Spending, error)
}

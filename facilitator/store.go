package facilitator

import (
	"context"
	"time"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Lease says who works on a settlement, and until when the others leave it alone.
type Lease struct {
	Owner string // unique to one process
	Until time.Time
}

// Account is a relayer's account on a network: what nonces belong to.
type Account struct {
	Network x402.Network
	Address string
}

// Outcome is the end of a settlement, or news of it.
type Outcome struct {
	ID          string
	State       State // Unknown, Confirmed or Failed; or Reserved, to be sent anew with another nonce
	Transaction string
	Block       uint64
	Reason      x402.Reason
	Message     string
	Event       *store.Event // saved with the change, if the change took place
}

// Journal is the memory of a facilitator: every step is stored before the side
// effect it precedes, so that a crash between any two lines loses nothing.
// Methods take many settlements at once, each on its own: they share one
// commit. All hold across processes that share the store.
type Journal interface {
	// ReserveSettlements stores each s in state Reserved under lease, unless its
	// Key is known: then the settlement that has it is returned in its place,
	// unchanged. created[i] says which.
	ReserveSettlements(ctx context.Context, s []Settlement, lease Lease) (stored []Settlement, created []bool, err error)

	// SubmitSettlements gives each settlement that is Reserved and leased to
	// owner the next nonce of account, in the order of ids, lets sign make its
	// transaction, and stores it as Submitted. The first nonce is the larger of
	// floor and one above the highest given for account before; where no
	// settlement of account is unfinished, it is floor. sign may be called again
	// and must do nothing but sign. Those left out (not reserved any more, or the
	// lease lost) are not in the result.
	SubmitSettlements(ctx context.Context, account Account, owner string, floor uint64, ids []string,
		sign func(s *Settlement, nonce uint64) (Transaction, error)) ([]Settlement, error)

	// AddTransaction stores one more transaction for an unfinished settlement: a
	// replacement with the same nonce and a higher fee.
	AddTransaction(ctx context.Context, id string, t Transaction) error

	// FinishSettlements applies outcomes to settlements that are not final, and
	// reports which changed. An outcome Reserved clears Relayer (the transactions
	// stay listed).
	FinishSettlements(ctx context.Context, outcomes []Outcome) (changed []bool, err error)

	// LeaseSettlements gives owner up to limit unfinished settlements of network
	// whose lease ran out before now, oldest first.
	LeaseSettlements(ctx context.Context, network x402.Network, lease Lease, now time.Time, limit int) ([]Settlement, error)

	// RenewLeases prolongs the leases that owner still has on unfinished
	// settlements of network, and returns how many those are.
	RenewLeases(ctx context.Context, network x402.Network, lease Lease) (int, error)

	// Settlement returns one by ID; SettlementByKey by the payment's identity.
	// Both return store.ErrNotFound.
	Settlement(ctx context.Context, id string) (Settlement, error)
	SettlementByKey(ctx context.Context, key string) (Settlement, error)

	// UnfinishedNonces lists the nonces of account, from floor up, that belong to
	// unfinished settlements, by whichever process: what the node should know.
	UnfinishedNonces(ctx context.Context, account Account, floor uint64) (map[uint64]Settlement, error)
}

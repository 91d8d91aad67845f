package facilitator

import (
	"encoding/json"
	"time"

	"github.com/v402/v402/x402"
)

// State of a settlement. Each is stored before the side effect that follows it.
//
//	reserved → submitted → confirmed | failed
//	               ↓ ↑
//	             unknown   → confirmed | failed
type State string

// The states. Confirmed and Failed are final.
const (
	Reserved  State = "reserved"  // accepted; nothing was sent yet
	Submitted State = "submitted" // signed and stored; sent, or about to be
	Unknown   State = "unknown"   // sent, and the chain could not be asked what became of it
	Confirmed State = "confirmed" // the money moved as required, as deep as configured
	Failed    State = "failed"    // it did not move and never will by this payment
)

// Final says whether s can no longer change.
func (s State) Final() bool { return s == Confirmed || s == Failed }

// Transaction is one signed transaction for a settlement. A replacement has the
// nonce of what it replaces; all of them are kept, since any may be mined.
type Transaction struct {
	Hash  string `json:"hash"`
	Raw   []byte `json:"raw"` // as sent to the node
	Nonce uint64 `json:"nonce"`
}

// Settlement is one payment on its way to its chain: a row of the journal.
type Settlement struct {
	ID      string // UUID
	Key     string // identity of the payment (x402.Identity); unique
	State   State
	Payment x402.Payment
	Network x402.Network
	Scheme  string
	Payer   string
	PayTo   string
	Asset   string
	Amount  x402.Amount // atomic units that must move

	ValidBefore  time.Time     // the chain refuses the payment from then on
	Relayer      string        // address that sends it
	Transactions []Transaction // all that were signed for it, newest last

	Transaction string      // hash of the one that moved the money, or of the newest
	Block       uint64      // block of Transaction once it is mined
	Reason      x402.Reason // why it failed
	Message     string      // the same in words

	CreatedAt, UpdatedAt time.Time
}

// Response is the answer to POST /settle for s as it stands: success once it is
// confirmed, settlement_pending with the hash until it is final. Its Extra
// names the settlement, for GET /settlements/{id}.
func (s *Settlement) Response() x402.SettleResponse {
	r := x402.SettleResponse{Payer: s.Payer, Network: s.Network, Transaction: s.Transaction, Extra: s.extra()}
	switch s.State {
	case Confirmed:
		r.Success = true
	case Failed:
		r.ErrorReason, r.ErrorMessage = s.Reason, s.Message
	default:
		r.ErrorReason = x402.ReasonSettlementPending
		r.ErrorMessage = x402.ReasonSettlementPending.Description()
	}
	return r
}

func (s *Settlement) extra() json.RawMessage {
	j, err := json.Marshal(struct {
		ID string `json:"settlement"`
	}{s.ID})
	if err != nil {
		panic(err) // one string
	}
	return j
}

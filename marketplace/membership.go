package marketplace

import "time"

// MembershipStatus is where a membership stands: none –pay→ active ↔ suspended,
// and both → revoked.
type MembershipStatus string

// The statuses of a membership.
const (
	MembershipNone      MembershipStatus = "none"
	MembershipActive    MembershipStatus = "active"
	MembershipSuspended MembershipStatus = "suspended"
	MembershipRevoked   MembershipStatus = "revoked" // for good
)

// membershipMoves are the statuses that an admin may set after each.
var membershipMoves = map[MembershipStatus][]MembershipStatus{
	MembershipNone:      {MembershipActive},
	MembershipActive:    {MembershipSuspended, MembershipRevoked},
	MembershipSuspended: {MembershipActive, MembershipRevoked},
}

// Membership is that of one wallet, on all chains.
type Membership struct {
	Wallet      string           `json:"wallet"` // in lower case
	Status      MembershipStatus `json:"status"`
	QuoteID     string           `json:"quote_id,omitempty"` // that paid for it
	TxHash      string           `json:"tx_hash,omitempty"`
	ChainID     uint64           `json:"chain_id,omitempty"`
	Reason      string           `json:"reason,omitempty"` // of the last change by an admin
	ActivatedAt time.Time        `json:"activated_at"`     // zero if never
	UpdatedAt   time.Time        `json:"updated_at"`
}

// MembershipFilter selects memberships; zero fields select all that are not none.
type MembershipFilter struct {
	Status MembershipStatus
}

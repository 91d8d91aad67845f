package marketplace

import (
	"fmt"
	"time"
)

// EntitlementState is where an entitlement stands: active ↔ suspended, both →
// revoked, active –time→ expired –renew→ active.
type EntitlementState string

// The states of an entitlement. Any other counts as none of them.
const (
	EntitlementActive    EntitlementState = "active"
	EntitlementSuspended EntitlementState = "suspended"
	EntitlementRevoked   EntitlementState = "revoked" // for good
	EntitlementExpired   EntitlementState = "expired"
)

// Availability is how far an entitlement may be used, whatever its state:
// active → grace → continuity → parked, and from each back to active.
type Availability string

// The availability states.
const (
	AvailabilityActive     Availability = "active"
	AvailabilityGrace      Availability = "grace"      // full use
	AvailabilityContinuity Availability = "continuity" // use, without growth
	AvailabilityParked     Availability = "parked"     // read and export only
)

// availabilityMoves are the states that may follow each.
var availabilityMoves = map[Availability][]Availability{
	AvailabilityActive:     {AvailabilityGrace},
	AvailabilityGrace:      {AvailabilityActive, AvailabilityContinuity},
	AvailabilityContinuity: {AvailabilityActive, AvailabilityParked},
	AvailabilityParked:     {AvailabilityActive},
}

// Entitlement is what a wallet has bought.
type Entitlement struct {
	ID             string           `json:"entitlement_id"` // see [EntitlementID]
	OfferID        string           `json:"offer_id"`
	IssuerID       string           `json:"issuer_id"`
	Wallet         string           `json:"wallet"` // in lower case
	PayerWallet    string           `json:"payer_wallet"`
	OrgRootID      string           `json:"org_root_id"`
	PrincipalID    string           `json:"principal_id"`
	PrincipalRole  string           `json:"principal_role"`
	WorkspaceID    string           `json:"workspace_id,omitempty"`
	Type           EntitlementType  `json:"entitlement_type"`
	Scope          Scope            `json:"scope"`
	State          EntitlementState `json:"state"`
	AccessClass    AccessClass      `json:"access_class"`
	Availability   Availability     `json:"availability_state"`
	PolicyHash     string           `json:"policy_hash"`
	Transferable   bool             `json:"transferable"`
	MaxPerWallet   int              `json:"max_per_wallet,omitempty"` // when it was sold; 0 is any number
	WorkspaceBound bool             `json:"workspace_bound"`
	Seats          int              `json:"seats,omitempty"` // 0 is any number
	TermSeconds    int64            `json:"term_seconds,omitempty"`
	ChainID        uint64           `json:"chain_id"`
	TxHash         string           `json:"tx_hash"`
	QuoteID        string           `json:"quote_id"`
	Reason         string           `json:"reason,omitempty"` // of the last change of state
	IssuedAt       time.Time        `json:"issued_at"`
	ExpiresAt      time.Time        `json:"expires_at"` // zero for good
	UpdatedAt      time.Time        `json:"updated_at"`
}

// EntitlementID is the ID of the nth entitlement that was sold to a wallet on a
// chain, such as "ent:8453:0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5:000001".
func EntitlementID(chainID uint64, wallet string, n int64) string {
	return fmt.Sprintf("ent:%d:%s:%06d", chainID, wallet, n)
}

// StateAt is the state at a time: one that nobody has marked yet expires by
// itself.
func (e *Entitlement) StateAt(now time.Time) EntitlementState {
	if e.State == EntitlementActive && !e.ExpiresAt.IsZero() && !now.Before(e.ExpiresAt) {
		return EntitlementExpired
	}
	return e.State
}

// EntitlementFilter selects entitlements; zero fields select all.
type EntitlementFilter struct {
	Wallet      string
	OfferID     string
	IssuerID    string
	OrgRootID   string
	WorkspaceID string
	State       EntitlementState // at Now
	Now         time.Time        // set by the Service
}

// Extension moves the end of an entitlement.
type Extension struct {
	ExpiresAt time.Time `json:"expires_at"` // later than now; zero makes it last for good
	Reason    string    `json:"reason"`
}

// Transfer hands an entitlement to another wallet.
type Transfer struct {
	Wallet        string `json:"wallet"` // that gets it
	OrgRootID     string `json:"org_root_id"`
	PrincipalID   string `json:"principal_id"`
	PrincipalRole string `json:"principal_role"`
	WorkspaceID   string `json:"workspace_id"`
	Reason        string `json:"reason"`
}

package marketplace

import (
	"time"

	"github.com/v402/v402/x402"
)

// OfferStatus is where an offer stands: draft → active ↔ paused → retired. Only
// an active one can be quoted; what was sold lives on.
type OfferStatus string

// The statuses of an offer.
const (
	OfferDraft   OfferStatus = "draft"
	OfferActive  OfferStatus = "active"
	OfferPaused  OfferStatus = "paused"
	OfferRetired OfferStatus = "retired" // for good
)

// offerMoves are the statuses that may follow each.
var offerMoves = map[OfferStatus][]OfferStatus{
	OfferDraft:  {OfferActive, OfferRetired},
	OfferActive: {OfferPaused, OfferRetired},
	OfferPaused: {OfferActive, OfferRetired},
}

// AccessClass says where a licence runs.
type AccessClass string

// The access classes.
const (
	Connected AccessClass = "connected"
	Sovereign AccessClass = "sovereign"
)

// EntitlementType is what kind of thing an offer sells.
type EntitlementType string

// The types of entitlements.
const (
	ModuleLicense EntitlementType = "module_license"
	ServicePlan   EntitlementType = "service_plan"
	AccessPass    EntitlementType = "access_pass"
)

// Scope is whom an entitlement is for.
type Scope string

// The scopes.
const (
	ScopeWallet    Scope = "wallet"
	ScopeWorkspace Scope = "workspace"
)

// Pricing is what an offer costs.
type Pricing struct {
	Currency string      `json:"currency"`      // such as "USDC"; see [ChainConfig]
	Amount   x402.Amount `json:"amount_atomic"` // in units of 10^-Decimals
	Decimals int         `json:"decimals"`      // those of the currency on the chain
	ChainID  uint64      `json:"chain_id"`      // of the EVM chain that it is paid on
}

// Offer is something that an issuer sells.
type Offer struct {
	ID          string      `json:"offer_id"` // see [ValidID]
	IssuerID    string      `json:"issuer_id"`
	Title       string      `json:"title"`   // 1 to 160 characters
	Summary     string      `json:"summary"` // at most 400
	Status      OfferStatus `json:"status"`
	Pricing     Pricing     `json:"pricing"`
	Policies    Policies    `json:"policies"`
	AccessClass AccessClass `json:"access_class"`

	Type        EntitlementType `json:"entitlement_type"`
	Scope       Scope           `json:"scope"`
	TermSeconds int64           `json:"term_seconds,omitempty"` // how long it lasts; 0 is for good
	Seats       int             `json:"seats,omitempty"`        // how many instances may be activated; 0 is any number
	LineLabel   string          `json:"line_label,omitempty"`   // on quotes; the title if empty

	Approved        bool      `json:"approved"` // by an admin; see Config.ApproveOffers
	RevokedPolicies []string  `json:"revoked_policies,omitempty"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
}

// OfferInput describes an offer, to create or to replace it. The status is not
// part of it.
type OfferInput struct {
	ID          string          `json:"offer_id"`
	IssuerID    string          `json:"issuer_id"`
	Title       string          `json:"title"`
	Summary     string          `json:"summary"`
	Pricing     Pricing         `json:"pricing"`
	Policies    Policies        `json:"policies"`
	AccessClass AccessClass     `json:"access_class"`     // connected if empty
	Type        EntitlementType `json:"entitlement_type"` // module_license if empty
	Scope       Scope           `json:"scope"`            // workspace if bound to one, else wallet
	TermSeconds int64           `json:"term_seconds"`
	Seats       int             `json:"seats"`
	LineLabel   string          `json:"line_label"`
}

// OfferFilter selects offers; zero fields select all.
type OfferFilter struct {
	IssuerID string
	Status   OfferStatus
	Currency string
	ChainID  uint64
	Search   string // in ID, title and summary, in whatever case
}

// Approval lets a wallet buy an offer whose policies ask for an admin's word.
type Approval struct {
	OfferID string    `json:"offer_id"`
	Wallet  string    `json:"wallet"` // in lower case
	By      string    `json:"approved_by"`
	At      time.Time `json:"approved_at"`
}

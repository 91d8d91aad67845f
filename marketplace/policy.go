package marketplace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/gowebpki/jcs"
)

// Policies are the conditions of an offer. All are part of its policy hash.
type Policies struct {
	MemberOnly            bool `json:"member_only"`                       // the wallet needs an active membership
	WorkspaceBound        bool `json:"workspace_bound"`                   // each is for one workspace
	Transferable          bool `json:"transferable"`                      // its holder may hand it on
	InternalUseOnly       bool `json:"internal_use_only"`                 // for the buyer to honour
	MultiTenant           bool `json:"multi_tenant"`                      // for the buyer to honour
	MaxPerWallet          int  `json:"max_per_wallet,omitempty"`          // how many a wallet may hold; 0 is any number
	RequiresAdminApproval bool `json:"requires_admin_approval,omitempty"` // see [Approval]
}

// PolicyVersion is that of [PolicyDocument]: it changes when its members do.
const PolicyVersion = 1

// PolicyDocument is what a buyer agrees to. Its hash is on the quote, on the
// entitlement and, with a checkout contract, on the chain. Title, summary and
// status of the offer are not part of it.
type PolicyDocument struct {
	Version     int             `json:"version"`
	OfferID     string          `json:"offer_id"`
	IssuerID    string          `json:"issuer_id"`
	AccessClass AccessClass     `json:"access_class"`
	Type        EntitlementType `json:"entitlement_type"`
	Scope       Scope           `json:"scope"`
	TermSeconds int64           `json:"term_seconds,omitempty"`
	Seats       int             `json:"seats,omitempty"`
	Policies    Policies        `json:"policies"`
	Pricing     Pricing         `json:"pricing"`
}

// Policy is the policy document of o.
func (o *Offer) Policy() PolicyDocument {
	return PolicyDocument{
		Version: PolicyVersion, OfferID: o.ID, IssuerID: o.IssuerID, AccessClass: o.AccessClass, Type: o.Type, Scope: o.Scope,
		TermSeconds: o.TermSeconds, Seats: o.Seats, Policies: o.Policies, Pricing: o.Pricing,
	}
}

// Canonical is d as RFC 8785 writes it: sorted members, no blanks.
func (d PolicyDocument) Canonical() ([]byte, error) {
	j, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(j)
}

// Hash is the SHA-256 of the canonical form: 64 digits in lower case.
func (d PolicyDocument) Hash() (string, error) {
	j, err := d.Canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(j)
	return hex.EncodeToString(sum[:]), nil
}

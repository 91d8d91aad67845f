package marketplace

import "time"

// IssuerStatus is where an issuer stands: active ↔ suspended. Offers of a
// suspended issuer cannot be quoted.
type IssuerStatus string

// The statuses of an issuer.
const (
	IssuerActive    IssuerStatus = "active"
	IssuerSuspended IssuerStatus = "suspended"
)

// Issuer publishes offers.
type Issuer struct {
	ID        string       `json:"issuer_id"` // such as "edut.firstparty"; see [ValidID]
	Name      string       `json:"name"`      // 1 to 160 characters
	URL       string       `json:"url,omitempty"`
	Status    IssuerStatus `json:"status"`
	OwnerID   string       `json:"owner_id,omitempty"` // who acts for it and hears of its events, as a program calls its users; empty for nobody
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
}

// IssuerUpdate is what an admin says of an issuer.
type IssuerUpdate struct {
	Name    string       `json:"name"`
	URL     string       `json:"url"`      // optional
	Status  IssuerStatus `json:"status"`   // active if empty
	OwnerID *string      `json:"owner_id"` // nil leaves it as it is
}

// IssuerFilter selects issuers; zero fields select all.
type IssuerFilter struct {
	Status  IssuerStatus
	OwnerID string
}

// Actor is who asks for a change. What it may do: an admin everything; an issuer
// what concerns its own offers and their entitlements; a wallet what concerns
// its own entitlements. The zero Actor may nothing of this.
type Actor struct {
	Name     string // for the audit log, such as "admin:alice"
	Admin    bool
	IssuerID string // empty if it acts for none
	OwnerID  string // of issuers, see [Issuer] and [Service.ActFor]; empty if none
	Wallet   string // that it has proved to own; empty if none
}

// String is the name in the audit log.
func (a Actor) String() string {
	switch {
	case a.Name != "":
		return a.Name
	case a.Admin:
		return "admin"
	case a.IssuerID != "":
		return "issuer:" + a.IssuerID
	case a.OwnerID != "":
		return "owner:" + a.OwnerID
	case a.Wallet != "":
		return "wallet:" + a.Wallet
	default:
		return "anonymous"
	}
}

// issues says whether a may act for an issuer.
func (a Actor) issues(issuerID string) bool {
	return a.Admin || a.IssuerID != "" && a.IssuerID == issuerID
}

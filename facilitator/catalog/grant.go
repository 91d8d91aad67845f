package catalog

import (
	"strings"
	"time"

	"github.com/v402/v402/x402"
)

// GrantStatus is what a grant is worth now.
type GrantStatus string

// The states of a grant.
const (
	GrantActive    GrantStatus = "active"
	GrantExpired   GrantStatus = "expired"
	GrantExhausted GrantStatus = "exhausted"
	GrantRevoked   GrantStatus = "revoked"
)

// Grant is a right to read a product that somebody paid for.
type Grant struct {
	ID        string // "grant-" and a ULID
	ProductID string
	PaymentID string // no two grants share one
	UserID    string // the buyer, if it is a user
	Payer     string // address of who paid, in lower case where case means nothing
	Paid      Paid

	CreatedAt     time.Time
	ExpiresAt     time.Time // zero is never
	MaxAccesses   int64     // 0 is any number
	Accesses      int64     // the first one, and all while there is a most
	LastAccessAt  time.Time // of those; zero before the first
	RevokedAt     time.Time // zero while it is not
	RevokedReason string
}

// Paid is what is told of a payment to who bought by it.
type Paid struct {
	Amount        x402.Amount
	Network       x402.Network
	Transaction   string
	Confirmations uint64 // as seen when the payment was confirmed
}

// Status is the state of g at a time.
func (g Grant) Status(now time.Time) GrantStatus {
	switch {
	case !g.RevokedAt.IsZero():
		return GrantRevoked
	case !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt):
		return GrantExpired
	case g.MaxAccesses > 0 && g.Accesses >= g.MaxAccesses:
		return GrantExhausted
	default:
		return GrantActive
	}
}

// Live says whether g opens its product at a time.
func (g Grant) Live(now time.Time) bool { return g.Status(now) == GrantActive }

// Counted says whether each access must be counted.
func (g Grant) Counted() bool { return g.MaxAccesses > 0 }

// newGrant is what p bought. used counts the access that goes with it.
func newGrant(p *Payment, now time.Time, used bool) Grant {
	g := Grant{
		ID: "grant-" + newULID(now), ProductID: p.ProductID, PaymentID: p.ID, UserID: p.UserID,
		Payer: foldAddress(p.Network, p.Payer), CreatedAt: now, MaxAccesses: p.MaxAccesses,
		Paid: Paid{Amount: p.Amount, Network: p.Network, Transaction: p.Transaction, Confirmations: p.Confirmations},
	}
	if p.AccessDuration > 0 {
		g.ExpiresAt = now.Add(p.AccessDuration)
	}
	if used {
		g.Accesses, g.LastAccessAt = 1, now
	}
	return g
}

// foldAddress is the one spelling of an address on n.
func foldAddress(n x402.Network, address string) string {
	if n.Namespace() == "eip155" {
		return strings.ToLower(address)
	}
	return address
}

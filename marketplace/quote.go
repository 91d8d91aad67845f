package marketplace

import (
	"encoding/json"
	"time"

	"github.com/v402/v402/x402"
)

// QuoteState is where a quote stands: open –confirm→ consumed, open –time→
// expired, open –cancel→ void. An expired one can still be consumed by a
// transaction that was mined in time; see Config.ConfirmGrace.
type QuoteState string

// The states of a quote.
const (
	QuoteOpen     QuoteState = "open"
	QuoteConsumed QuoteState = "consumed"
	QuoteExpired  QuoteState = "expired"
	QuoteVoid     QuoteState = "void"
)

// LineKind is what a line of a quote is for.
type LineKind string

// The kinds of lines.
const (
	LineLicense    LineKind = "license"
	LineMembership LineKind = "membership"
)

// LineItem is a part of a quote. All lines are of the quote's currency.
type LineItem struct {
	Kind   LineKind    `json:"kind"`
	Label  string      `json:"label"`
	Amount x402.Amount `json:"amount_atomic"`
}

// UnsignedTransaction is what the payer has to sign and send to pay a quote. The
// last 32 bytes of its data mark the quote, so that the payment cannot be
// confirmed for another one. A payer who is not the wallet must send them; for
// the wallet itself any transfer of the total does, which then pays whichever of
// its quotes is confirmed first.
type UnsignedTransaction struct {
	To    string `json:"to"`
	Data  string `json:"data"`  // "0x" and hexadecimal digits
	Value string `json:"value"` // of native coin, in hexadecimal: "0x0"
}

// Buyer is whom something is sold to. The API wants the same in a quote and in
// its confirmation.
type Buyer struct {
	Wallet        string `json:"wallet"`       // "0x" and 40 hexadecimal digits in any case
	PayerWallet   string `json:"payer_wallet"` // who pays; Wallet if empty
	OfferID       string `json:"offer_id"`
	OrgRootID     string `json:"org_root_id"`
	PrincipalID   string `json:"principal_id"`
	PrincipalRole string `json:"principal_role"` // see Config.Roles
	WorkspaceID   string `json:"workspace_id"`
}

// QuoteRequest asks what an offer costs a wallet.
type QuoteRequest struct {
	Buyer
	OwnershipProof string `json:"ownership_proof"` // see [Proof]; needed if another wallet pays
	ProofNonce     string `json:"ownership_nonce"` // see Config.ProofNonces
	Renews         string `json:"renews"`          // ID of the entitlement that is bought for a further term
}

// MembershipRequest asks what membership costs a wallet.
type MembershipRequest struct {
	Wallet          string `json:"wallet"`
	PayerWallet     string `json:"payer_wallet"` // Wallet if empty
	ChainID         uint64 `json:"chain_id"`     // the first of Config.Chains if 0
	DesignationCode string `json:"designation_code"`
	OwnershipProof  string `json:"ownership_proof"` // see [Proof]; needed if another wallet pays
	ProofNonce      string `json:"ownership_nonce"`
}

// CheckoutQuote is a price that stands until it expires. What it says of the
// offer is a copy: the offer may change meanwhile.
type CheckoutQuote struct {
	ID    string // "cq_" and a ULID
	Buyer        // Wallet and PayerWallet in lower case; OfferID is empty if only membership is bought
	State QuoteState

	SentWallet      string // as the buyer wrote it, to echo
	SentPayer       string
	DesignationCode string // of a MembershipRequest
	Renews          string // ID of the entitlement that gets a further term; mostly empty

	IssuerID     string
	ChainID      uint64
	Currency     string
	Decimals     int
	Amount       x402.Amount // of the license
	Total        x402.Amount // what is to be paid: the sum of Lines
	Lines        []LineItem
	PolicyHash   string // empty if only membership is bought
	Policy       PolicyDocument
	Availability Availability

	// How it is paid.
	Asset         string // address of the token; empty for native coin
	PayTo         string // the treasury
	Contract      string // the checkout contract that is called; mostly empty
	Transaction   UnsignedTransaction
	CreatedAt     time.Time
	ExpiresAt     time.Time
	ConsumedAt    time.Time // zero unless consumed
	TxHash        string    // that paid; empty unless consumed
	EntitlementID string    // that was bought; empty unless consumed

	// A payment by x402 that the quote is reserved for; see [Service.ReserveQuote].
	PaymentKey   string          // its [x402.Identity]; empty if none
	Payment      json.RawMessage // whatever the reservation gave
	PaymentUntil time.Time       // when the payment can no longer move; zero if none
}

// Bundled says whether the quote activates a membership.
func (q *CheckoutQuote) Bundled() bool {
	for _, line := range q.Lines {
		if line.Kind == LineMembership {
			return true
		}
	}
	return false
}

// Network is the chain that q is paid on.
func (q *CheckoutQuote) Network() x402.Network { return x402.EVM(q.ChainID) }

// StateAt is the state at a time: one that nobody has marked yet expires by
// itself.
func (q *CheckoutQuote) StateAt(now time.Time) QuoteState {
	if q.State == QuoteOpen && !now.Before(q.ExpiresAt) {
		return QuoteExpired
	}
	return q.State
}

// ConfirmRequest says which transaction has paid a quote. Every field that is not
// empty must be as in the quote; Wallet, OfferID and ChainID are required (not
// OfferID if only membership is bought).
type ConfirmRequest struct {
	QuoteID string `json:"quote_id"`
	Buyer
	TxHash     string `json:"tx_hash"` // "0x" and 64 hexadecimal digits
	ChainID    uint64 `json:"chain_id"`
	PolicyHash string `json:"policy_hash"` // optional
}

// Confirmation is what a paid quote has bought. The same for the same quote,
// whenever it is asked for.
type Confirmation struct {
	Quote       CheckoutQuote
	Entitlement Entitlement // as it was bought; zero if only membership was
	Membership  Membership  // of the wallet
	ConfirmedAt time.Time
}

// PaidQuote is a payment by x402 that has moved.
type PaidQuote struct {
	PaymentKey  string // as reserved
	Transaction string // hash
}

// QuoteFilter selects quotes; zero fields select all.
type QuoteFilter struct {
	Wallet, PayerWallet, OfferID, IssuerID string
	State                                  QuoteState // as stored
	Reserved                               bool       // only those that are open and reserved for a payment
}

package marketplace

import (
	"fmt"
	"strings"
	"time"
)

// Proof is what an owner signs (EIP-191) to let another wallet pay. Wallets are
// in lower case. It only lets that payer pay for that wallet, so that a proof
// that is used again does no harm; see Config.ProofNonces nevertheless.
type Proof struct {
	OfferID         string // empty for membership
	Wallet          string // that signs
	PayerWallet     string
	OrgRootID       string
	DesignationCode string // of a membership
	ChainID         uint64
	Nonce           string // empty unless Config.ProofNonces
}

// ProofMessage is the text of p that is signed unless Config.ProofMessage says
// otherwise:
//
//	EDUT-CHECKOUT-AUTH:{offer_id}:{wallet}:{payer_wallet}:{org_root_id}:{chain_id}
//	EDUT-PAYER-AUTH:{designation_code}:{wallet}:{payer_wallet}:{chain_id}
//
// the second for membership, and both with ":{nonce}" if there is one.
func ProofMessage(p Proof) string {
	var b strings.Builder
	if p.OfferID != "" {
		fmt.Fprintf(&b, "EDUT-CHECKOUT-AUTH:%s:%s:%s:%s:%d", p.OfferID, p.Wallet, p.PayerWallet, p.OrgRootID, p.ChainID)
	} else {
		fmt.Fprintf(&b, "EDUT-PAYER-AUTH:%s:%s:%s:%d", p.DesignationCode, p.Wallet, p.PayerWallet, p.ChainID)
	}
	if p.Nonce != "" {
		b.WriteString(":" + p.Nonce)
	}
	return b.String()
}

// Purpose says what a challenge is for.
type Purpose string

// The purposes.
const (
	ProveOwnership Purpose = "ownership" // the nonce of a [Proof]
	ProveSession   Purpose = "session"   // the start of a [BuyerSession]
)

// Challenge is something to sign, once.
type Challenge struct {
	ID        string // the nonce, at random
	Purpose   Purpose
	Wallet    string // in lower case
	ChainID   uint64
	Message   string // to sign by EIP-191; empty for ProveOwnership
	CreatedAt time.Time
	ExpiresAt time.Time
}

// BuyerSession is a wallet that has shown itself. Its token is known to the
// buyer only.
type BuyerSession struct {
	ID        string // for the audit log
	TokenHash string // SHA-256, in hexadecimal
	Wallet    string // in lower case
	ChainID   uint64
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero unless revoked
}

// SessionRequest shows a wallet by the signature of a challenge.
type SessionRequest struct {
	Wallet    string `json:"wallet"`
	Challenge string `json:"challenge"` // its ID
	Signature string `json:"signature"` // 65 bytes in hexadecimal; anything that the contract of a contract wallet takes
}

// StartedSession is a session with its token, which is shown this once.
type StartedSession struct {
	BuyerSession
	Token string
}

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

// Challenge is the nonce of a [Proof], good once.
type Challenge struct {
	ID        string // the nonce, at random
	Wallet    string // that signs, in lower case
	CreatedAt time.Time
	ExpiresAt time.Time
}

package marketplace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/v402/v402/x402/evm"
)

// DesignationCode names a wallet in the text that its owner signs to let another
// wallet pay for its membership: 16 hexadecimal digits of the SHA-256 of
// "EDUT Designation:" and the wallet in lower case.
func DesignationCode(wallet string) string {
	sum := sha256.Sum256([]byte("EDUT Designation:" + strings.ToLower(wallet)))
	return hex.EncodeToString(sum[:8])
}

// Domain and type of what a wallet signs (EIP-712).
const (
	intentDomain        = "EDUT Designation"
	intentDomainVersion = "1"
	intentType          = "WalletIntent"
	intentEncoding      = "WalletIntent(string intentId,address wallet,string designationCode,bytes32 nonce,string origin,string issuedAt,string expiresAt)"
)

// TypedData is what the wallet signs, as eth_signTypedData_v4 takes it.
func (i WalletIntent) TypedData() TypedData {
	d := TypedData{PrimaryType: intentType, Types: map[string][]TypedField{
		"EIP712Domain": {{"name", "string"}, {"version", "string"}, {"chainId", "uint256"}},
		intentType: {
			{"intentId", "string"}, {"wallet", "address"}, {"designationCode", "string"}, {"nonce", "bytes32"},
			{"origin", "string"}, {"issuedAt", "string"}, {"expiresAt", "string"},
		},
	}}
	d.Domain.Name, d.Domain.Version, d.Domain.ChainID = intentDomain, intentDomainVersion, i.ChainID
	d.Message = TypedMessage{
		IntentID: i.ID, Wallet: i.Wallet, DesignationCode: DesignationCode(i.Wallet), Nonce: i.Nonce, Origin: i.Origin,
		IssuedAt: i.IssuedAt.UTC().Format(time.RFC3339), ExpiresAt: i.ExpiresAt.UTC().Format(time.RFC3339),
	}
	return d
}

// TypedData is a document of EIP-712.
type TypedData struct {
	Types       map[string][]TypedField `json:"types"`
	PrimaryType string                  `json:"primaryType"`
	Domain      struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		ChainID uint64 `json:"chainId"`
	} `json:"domain"`
	Message TypedMessage `json:"message"`
}

// TypedField is a member of a type of EIP-712.
type TypedField struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// TypedMessage is the message of a [WalletIntent].
type TypedMessage struct {
	IntentID        string `json:"intentId"`
	Wallet          string `json:"wallet"`
	DesignationCode string `json:"designationCode"`
	Nonce           string `json:"nonce"`
	Origin          string `json:"origin"`
	IssuedAt        string `json:"issuedAt"`
	ExpiresAt       string `json:"expiresAt"`
}

// Digest is the hash that the wallet signs, or an error if d is not of a
// [WalletIntent].
func (d TypedData) Digest() (evm.Hash, error) {
	m := d.Message
	wallet, err := evm.ParseAddress(m.Wallet)
	if err != nil {
		return evm.Hash{}, fmt.Errorf("marketplace: the wallet of an intent: %w", err)
	}
	nonce, err := evm.ParseHash(m.Nonce)
	if err != nil {
		return evm.Hash{}, fmt.Errorf("marketplace: the nonce of an intent: %w", err)
	}
	b := make([]byte, 0, 8*32)
	text := func(s string) {
		h := evm.Keccak256([]byte(s))
		b = append(b, h[:]...)
	}
	text(intentEncoding)
	text(m.IntentID)
	b = append(append(b, make([]byte, 12)...), wallet[:]...)
	text(m.DesignationCode)
	b = append(b, nonce[:]...)
	text(m.Origin)
	text(m.IssuedAt)
	text(m.ExpiresAt)
	message := evm.Keccak256(b)
	domain := evm.Domain{Name: d.Domain.Name, Version: d.Domain.Version, ChainID: d.Domain.ChainID}.Separator()
	return evm.Keccak256([]byte{0x19, 0x01}, domain[:], message[:]), nil
}

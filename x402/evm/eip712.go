package evm

import (
	"encoding/binary"

	"github.com/v402/v402/x402"
)

// Domain is what EIP-712 signatures are bound to: a contract on one chain,
// under the name and version that the contract uses. A domain without a version
// (Permit2) or without a contract (x402 offers and receipts) leaves it out.
type Domain struct {
	Name     string // such as "USD Coin"; not the symbol
	Version  string // such as "2"
	ChainID  uint64
	Contract Address
}

var (
	domainType           = Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	domainTypeNoVersion  = Keccak256([]byte("EIP712Domain(string name,uint256 chainId,address verifyingContract)"))
	domainTypeNoContract = Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId)"))
)

// Separator is the domain separator: what a token's DOMAIN_SEPARATOR() returns.
func (d Domain) Separator() Hash {
	kind := domainType
	switch {
	case d.Version == "":
		kind = domainTypeNoVersion
	case d.Contract == Address{}:
		kind = domainTypeNoContract
	}
	name, version := Keccak256([]byte(d.Name)), Keccak256([]byte(d.Version))
	b := make([]byte, 0, 5*32)
	b = append(b, kind[:]...)
	b = append(b, name[:]...)
	if kind != domainTypeNoVersion {
		b = append(b, version[:]...)
	}
	b = appendUint(b, d.ChainID)
	if kind != domainTypeNoContract {
		b = appendAddress(b, d.Contract)
	}
	return Keccak256(b)
}

// typedDigest is what a wallet signs for a struct hash (EIP-712).
func typedDigest(separator, structHash Hash) Hash {
	return Keccak256([]byte{0x19, 0x01}, separator[:], structHash[:])
}

// appendUint appends n as an ABI word of 32 bytes.
func appendUint(b []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, make([]byte, 24)...), n)
}

// appendAddress appends a as an ABI word of 32 bytes.
func appendAddress(b []byte, a Address) []byte {
	return append(append(b, make([]byte, 12)...), a[:]...)
}

// appendAmount appends a as an ABI word of 32 bytes.
func appendAmount(b []byte, a x402.Amount) []byte {
	var word [32]byte
	a.Big().FillBytes(word[:]) // an Amount has 256 bits at most
	return append(b, word[:]...)
}

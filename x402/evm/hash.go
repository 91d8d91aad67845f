package evm

import (
	"encoding/hex"
	"fmt"

	"golang.org/x/crypto/sha3"
)

// Hash is 32 bytes: a Keccak-256 digest, a transaction hash, a nonce.
type Hash [32]byte

// ParseHash reads "0x" and 64 hexadecimal digits in any case.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if err := decodeHex(h[:], s); err != nil {
		return Hash{}, fmt.Errorf("evm: not 32 bytes: %w", err)
	}
	return h, nil
}

// String returns "0x" and 64 lower-case hexadecimal digits.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], as [ParseHash] does.
func (h *Hash) UnmarshalText(text []byte) error {
	v, err := ParseHash(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// Keccak256 hashes the parts, one after the other, as EVM chains do.
func Keccak256(parts ...[]byte) Hash {
	k := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		k.Write(p) // never fails
	}
	var h Hash
	k.Sum(h[:0])
	return h
}

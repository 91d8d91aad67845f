package evm

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// Signature is an ECDSA signature of secp256k1 as EVM contracts take it: r and
// s of 32 bytes each, then v, which is 27 or 28.
type Signature [65]byte

// Errors of [ParseSignature] and [Recover].
var (
	ErrSignatureLength = errors.New("evm: a signature has 65 bytes")
	ErrSignatureValue  = errors.New("evm: r or s of the signature is out of range")
	ErrHighS           = errors.New("evm: s of the signature is in the upper half, which tokens refuse (EIP-2)")
	ErrRecoveryID      = errors.New("evm: v of the signature is not 0, 1, 27 or 28")
)

// ParseSignature reads r, s and v. A v of 0 or 1, as some wallets write it,
// becomes 27 or 28. It refuses what a token would: any other length, r or s
// out of range, and an s above half of the group order.
func ParseSignature(b []byte) (Signature, error) {
	if len(b) != len(Signature{}) {
		return Signature{}, fmt.Errorf("%w, this one has %d", ErrSignatureLength, len(b))
	}
	sig := Signature(b)
	switch sig[64] {
	case 0, 1:
		sig[64] += 27
	case 27, 28:
	default:
		return Signature{}, fmt.Errorf("%w but %d", ErrRecoveryID, sig[64])
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(sig[:32]) || r.IsZero() || s.SetByteSlice(sig[32:64]) || s.IsZero() {
		return Signature{}, ErrSignatureValue
	}
	if s.IsOverHalfOrder() {
		return Signature{}, ErrHighS
	}
	return sig, nil
}

// String returns "0x" and 130 lower-case hexadecimal digits.
func (s Signature) String() string { return "0x" + hex.EncodeToString(s[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (s Signature) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Recover returns the address whose key made sig over digest. Any well-formed
// signature recovers to some address: compare it with the expected one.
func Recover(digest Hash, sig Signature) (Address, error) {
	compact := make([]byte, 65) // v, r, s
	compact[0] = sig[64]
	copy(compact[1:], sig[:64])
	if v := compact[0]; v != 27 && v != 28 {
		return Address{}, fmt.Errorf("%w but %d", ErrRecoveryID, v)
	}
	key, _, err := ecdsa.RecoverCompact(compact, digest[:])
	if err != nil {
		return Address{}, fmt.Errorf("evm: recover signer: %w", err)
	}
	return addressOf(key), nil
}

// addressOf is the last 20 bytes of the hash of a public key.
func addressOf(key *secp256k1.PublicKey) Address {
	h := Keccak256(key.SerializeUncompressed()[1:])
	return Address(h[12:])
}

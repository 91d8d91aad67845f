package evm

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/v402/v402/x402"
)

// ErrKey is returned for what is not a private key. It never quotes the key.
var ErrKey = errors.New("evm: not a private key: 32 bytes, not zero and below the group order, are needed")

// backdateV1 is how long before now a v1 authorization starts to be valid, for
// chains whose clock is behind (official SDK, protocol v1).
const backdateV1 = 10 * time.Minute

// maxTimeout bounds maxTimeoutSeconds: nobody has more than 136 years to pay.
const maxTimeout = math.MaxUint32

// Signer signs payments with a private key in memory. It is safe for
// concurrent use, and prints as its address only.
type Signer struct {
	key     *secp256k1.PrivateKey
	address Address
}

// NewSigner returns the Signer of a private key, or [ErrKey].
func NewSigner(key [32]byte) (*Signer, error) {
	var scalar secp256k1.ModNScalar
	if overflow := scalar.SetBytes(&key); overflow != 0 || scalar.IsZero() {
		return nil, ErrKey
	}
	k := secp256k1.NewPrivateKey(&scalar)
	return &Signer{key: k, address: addressOf(k.PubKey())}, nil
}

// ParseSigner returns the Signer of a private key of 64 hexadecimal digits,
// with or without "0x", or [ErrKey].
func ParseSigner(hexKey string) (*Signer, error) {
	var key [32]byte
	if err := decodeHex(key[:], "0x"+strings.TrimPrefix(hexKey, "0x")); err != nil {
		return nil, ErrKey
	}
	return NewSigner(key)
}

// Address is the account that the key controls.
func (s *Signer) Address() Address { return s.address }

// String returns the address: a Signer that is printed does not tell its key.
func (s *Signer) String() string { return s.address.String() }

// GoString is String, for the verb %#v.
func (s *Signer) GoString() string { return s.String() }

// SignDigest signs a hash. Equal hashes have equal signatures (RFC 6979), and
// s is in the lower half.
func (s *Signer) SignDigest(digest Hash) Signature {
	compact := ecdsa.SignCompact(s.key, digest[:], false) // v, r, s
	var sig Signature
	copy(sig[:], compact[1:])
	sig[64] = compact[0]
	return sig
}

// Accepts says whether Sign could pay r: scheme exact by EIP-3009 on an EVM
// chain, with all that is needed to sign it.
func (s *Signer) Accepts(r x402.PaymentRequirements) bool {
	_, err := readTerms(r)
	return err == nil && timeoutOf(r) > 0
}

// Sign makes the payload of a payment for r in protocol version 1 or 2: an
// EIP-3009 authorization with a new random nonce, valid until
// r.MaxTimeoutSeconds after now. It needs no network. Its error is an
// *[x402.Error] where r cannot be paid this way.
func (s *Signer) Sign(ctx context.Context, version int, r x402.PaymentRequirements, now time.Time) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := readTerms(r)
	if err != nil {
		return nil, err
	}
	a := Authorization{From: s.address, To: t.payTo, Value: r.Amount}
	switch version {
	case x402.V1:
		a.ValidAfter = unix(now.Add(-backdateV1))
	case x402.V2: // from the beginning of time
	default:
		return nil, x402.Refuse(x402.ReasonInvalidVersion, "x402Version", fmt.Sprintf("%d is not 1 or 2", version))
	}
	timeout := timeoutOf(r)
	if timeout == 0 {
		return nil, x402.Refuse(x402.ReasonInvalidRequirements, "maxTimeoutSeconds", "at least one second is needed to pay")
	}
	a.ValidBefore = unix(now) + timeout
	if _, err := rand.Read(a.Nonce[:]); err != nil {
		return nil, fmt.Errorf("evm: random nonce: %w", err)
	}
	return json.Marshal(exactPayload{Authorization: &a, Signature: s.SignDigest(a.Digest(t.domain.Separator())).String()})
}

// timeoutOf is r's time to pay in whole seconds, or 0 if it makes no sense.
func timeoutOf(r x402.PaymentRequirements) uint64 {
	if s := float64(r.MaxTimeoutSeconds); s >= 1 && s <= maxTimeout {
		return uint64(s)
	}
	return 0
}

// unix is t in unix seconds, not before 1970.
func unix(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }

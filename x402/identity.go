package x402

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// Identity names the one-time right to a payment: whatever two payloads share
// it can move money once at most. It is the key of replay protection.
type Identity struct {
	Network Network
	Asset   string // lower case on EVM chains
	Payer   string // lower case on EVM chains; empty where only the scheme knows it
	Nonce   string // the authorization's nonce, or a hash of what is signed
}

// String joins the parts, for use as a key.
func (id Identity) String() string {
	return string(id.Network) + "|" + id.Asset + "|" + id.Payer + "|" + id.Nonce
}

// Identity reads the identity of a payment from its payload, whose scheme need
// not be known: EIP-3009 authorizations and Permit2 permits by payer and nonce
// (never by signature, which others can alter), Solana transactions by the
// hash of their message (never with its signatures), anything else by the hash
// of the payload. Network and asset are those of the requirements.
func (p Payment) Identity() (Identity, error) {
	id := Identity{Network: p.Requirements.Network, Asset: p.Requirements.Asset}
	if id.Network.Namespace() == "eip155" {
		id.Asset = strings.ToLower(id.Asset)
	}
	var payload struct {
		Authorization *onceEVM `json:"authorization"`
		Permit2       *onceEVM `json:"permit2Authorization"`
		Transaction   string   `json:"transaction"`
	}
	if _, err := DecodeObject(p.Payload.Payload, &payload); err != nil {
		return Identity{}, memberError("payload", err)
	}
	switch {
	case payload.Authorization != nil:
		id.Payer, id.Nonce = payload.Authorization.key()
	case payload.Permit2 != nil:
		id.Payer, id.Nonce = payload.Permit2.key()
		id.Nonce = "permit2:" + id.Nonce
	case payload.Transaction != "":
		id.Nonce = messageHash(payload.Transaction)
	default:
		var compact bytes.Buffer
		if err := json.Compact(&compact, p.Payload.Payload); err != nil {
			return Identity{}, &Error{Reason: ReasonInvalidPayload, Field: "payload", Err: err}
		}
		id.Nonce = hash(compact.Bytes())
	}
	return id, nil
}

// onceEVM is what makes an EVM authorization usable once.
type onceEVM struct {
	From  string `json:"from"`
	Nonce string `json:"nonce"`
}

// UnmarshalJSON matches names to the letter, as the scheme does.
func (o *onceEVM) UnmarshalJSON(data []byte) error {
	_, err := DecodeObject(data, o)
	return err
}

func (o *onceEVM) key() (payer, nonce string) {
	return strings.ToLower(o.From), strings.TrimPrefix(strings.ToLower(o.Nonce), "0x")
}

// messageHash hashes a Solana wire transaction without its signatures: a
// compact-u16 count, then 64 bytes for each (Solana transaction format).
func messageHash(transaction string) string {
	raw, err := base64.StdEncoding.DecodeString(transaction)
	if err != nil {
		return hash([]byte(transaction))
	}
	count, n := 0, 0
	for n < len(raw) && n < 3 {
		count |= int(raw[n]&0x7f) << (7 * n)
		n++
		if raw[n-1]&0x80 == 0 {
			break
		}
	}
	if start := n + 64*count; start < len(raw) {
		return hash(raw[start:])
	}
	return hash(raw)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

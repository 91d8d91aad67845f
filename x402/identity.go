package x402

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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
//
// What could be read in two ways is refused, with an *[Error]: if somebody else
// read it the other way, one payment would have two identities.
func (p Payment) Identity() (Identity, error) {
	id := Identity{Network: p.Requirements.Network, Asset: p.Requirements.Asset}
	evm := id.Network.Namespace() == "eip155"
	if evm {
		id.Asset = strings.ToLower(id.Asset)
	}
	var payload struct {
		Authorization *onceEVM `json:"authorization"`
		Permit2       *onceEVM `json:"permit2Authorization"`
		Transaction   *string  `json:"transaction"`
	}
	unknown, err := DecodeObject(p.Payload.Payload, &payload)
	if err == nil {
		err = checkSpelling(unknown, "authorization", "permit2Authorization", "transaction")
	}
	if err != nil {
		return Identity{}, memberError("payload", err)
	}
	kinds := 0
	for _, there := range []bool{payload.Authorization != nil, payload.Permit2 != nil, payload.Transaction != nil} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		err = Refuse(ReasonInvalidPayload, "", "it holds two payments at once")
	case payload.Authorization != nil:
		id.Payer, id.Nonce, err = payload.Authorization.identity("authorization", evm, hexNonce)
	case payload.Permit2 != nil:
		id.Payer, id.Nonce, err = payload.Permit2.identity("permit2Authorization", evm, permit2Nonce)
	case payload.Transaction != nil:
		id.Nonce, err = messageHash(*payload.Transaction)
	default:
		var sorted []byte
		sorted, err = encodeObject(&struct{}{}, unknown)
		id.Nonce = hash(sorted)
	}
	if err != nil {
		return Identity{}, memberError("payload", err)
	}
	return id, nil
}

// onceEVM is what makes an authorization usable once.
type onceEVM struct {
	From  string `json:"from"`
	Nonce string `json:"nonce"`
}

// UnmarshalJSON matches names to the letter, as the scheme does.
func (o *onceEVM) UnmarshalJSON(data []byte) error {
	unknown, err := DecodeObject(data, o)
	if err != nil {
		return err
	}
	return checkSpelling(unknown, "from", "nonce")
}

// checkSpelling refuses a second spelling of a name: many readers of JSON do
// not mind the case of letters.
func checkSpelling(unknown Unknown, names ...string) error {
	for member := range unknown {
		for _, name := range names {
			if strings.EqualFold(member, name) {
				return Refuse(ReasonInvalidPayload, clip(member), "another spelling of "+name)
			}
		}
	}
	return nil
}

// identity is o in the one spelling that stands for all, on EVM chains. Other
// chains borrow the shape of the payload with nonces of their own.
func (o *onceEVM) identity(name string, evm bool, canonical func(string) (string, bool)) (payer, nonce string, err error) {
	if o.From == "" || evm && !isHex(o.From, 40) {
		return "", "", Refuse(ReasonInvalidPayload, name+".from", "not an address")
	}
	if !evm {
		if o.Nonce == "" {
			return "", "", Refuse(ReasonInvalidPayload, name+".nonce", "missing")
		}
		return o.From, o.Nonce, nil
	}
	nonce, ok := canonical(o.Nonce)
	if !ok {
		return "", "", Refuse(ReasonInvalidPayload, name+".nonce", "not a nonce in its usual form")
	}
	return strings.ToLower(o.From), nonce, nil
}

// hexNonce reads the nonce of EIP-3009: "0x" and 64 digits.
func hexNonce(s string) (string, bool) {
	return strings.ToLower(strings.TrimPrefix(s, "0x")), isHex(s, 64)
}

// permit2Nonce reads the nonce of Permit2, a decimal number of 256 bits.
func permit2Nonce(s string) (string, bool) {
	_, err := ParseAtomic(s)
	return "permit2:" + s, err == nil
}

// messageHash hashes a Solana wire transaction without its signatures: a
// compact-u16 count, then 64 bytes for each (Solana transaction format).
func messageHash(transaction string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(transaction)
	if err != nil {
		return "", Refuse(ReasonInvalidPayload, "transaction", "not padded standard base64")
	}
	count, n := 0, 0
	for n < len(raw) && n < 3 {
		count |= int(raw[n]&0x7f) << (7 * n)
		n++
		if raw[n-1]&0x80 == 0 {
			break
		}
	}
	start := n + 64*count
	if start >= len(raw) {
		return "", Refuse(ReasonInvalidPayload, "transaction", "no message after the signatures")
	}
	return hash(raw[start:]), nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

package evm

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/v402/v402/x402"
)

// Authorization is a payer's permission to move tokens once
// (TransferWithAuthorization of EIP-3009).
type Authorization struct {
	From, To    Address
	Value       x402.Amount // atomic units of the token
	ValidAfter  uint64      // unix seconds; valid from the second after it
	ValidBefore uint64      // unix seconds; invalid from that second on
	Nonce       Hash        // random; each works once for From on one token
}

var authorizationType = Keccak256([]byte("TransferWithAuthorization(address from,address to,uint256 value," +
	"uint256 validAfter,uint256 validBefore,bytes32 nonce)"))

// Digest is what the payer signs: the EIP-712 hash of a under the separator
// of the token's [Domain].
func (a Authorization) Digest(separator Hash) Hash {
	b := make([]byte, 0, 7*32)
	b = append(b, authorizationType[:]...)
	b = a.appendWords(b)
	return typedDigest(separator, Keccak256(b))
}

// appendWords appends the six members of a as ABI words, in their order.
func (a Authorization) appendWords(b []byte) []byte {
	b = appendAddress(b, a.From)
	b = appendAddress(b, a.To)
	b = appendAmount(b, a.Value)
	b = appendUint(b, a.ValidAfter)
	b = appendUint(b, a.ValidBefore)
	return append(b, a.Nonce[:]...)
}

// authorizationWire is the JSON of an Authorization: numbers are strings.
type authorizationWire struct {
	From        *Address     `json:"from"`
	To          *Address     `json:"to"`
	Value       *x402.Amount `json:"value"`
	ValidAfter  *seconds     `json:"validAfter"`
	ValidBefore *seconds     `json:"validBefore"`
	Nonce       *Hash        `json:"nonce"`
}

// MarshalJSON writes addresses and nonce in hexadecimal, and numbers as strings
// of decimal digits, as the payload of scheme exact has them.
func (a Authorization) MarshalJSON() ([]byte, error) {
	after, before := seconds(a.ValidAfter), seconds(a.ValidBefore)
	return json.Marshal(authorizationWire{&a.From, &a.To, &a.Value, &after, &before, &a.Nonce})
}

// UnmarshalJSON reads what MarshalJSON writes. Every member must be there;
// others are ignored. The error is an *[x402.Error] that names the member.
func (a *Authorization) UnmarshalJSON(data []byte) error {
	var w authorizationWire
	if _, err := x402.DecodeObject(data, &w); err != nil {
		return err
	}
	missing := ""
	switch {
	case w.From == nil:
		missing = "from"
	case w.To == nil:
		missing = "to"
	case w.Value == nil:
		missing = "value"
	case w.ValidAfter == nil:
		missing = "validAfter"
	case w.ValidBefore == nil:
		missing = "validBefore"
	case w.Nonce == nil:
		missing = "nonce"
	}
	if missing != "" {
		return x402.Refuse(x402.ReasonEVMPayload, missing, "missing")
	}
	*a = Authorization{*w.From, *w.To, *w.Value, uint64(*w.ValidAfter), uint64(*w.ValidBefore), *w.Nonce}
	return nil
}

// seconds is a unix time that JSON holds as a string of decimal digits.
type seconds uint64

func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatUint(uint64(s), 10)), nil
}

func (s *seconds) UnmarshalJSON(data []byte) error {
	var a x402.Amount
	if err := a.UnmarshalJSON(data); err != nil {
		return errors.New("unix seconds as a JSON string of digits are needed")
	}
	n := a.Big()
	if !n.IsUint64() {
		return fmt.Errorf("%s seconds are beyond 2^64-1", a)
	}
	*s = seconds(n.Uint64())
	return nil
}

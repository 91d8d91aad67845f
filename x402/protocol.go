package x402

import (
	"encoding/json"
	"errors"
	"time"
)

// The protocol versions. In Go there is one model, that of v2; v1 documents
// are converted as they are read and written.
const (
	V1 = 1
	V2 = 2
)

// Schemes of payment.
const (
	SchemeExact = "exact"
	SchemeUpto  = "upto"
)

// DefaultTimeout is how long a buyer has to pay after the challenge when a
// requirement does not say otherwise.
const DefaultTimeout Seconds = 300

// Seconds is a span of time as the protocol writes it: a JSON number of seconds.
type Seconds float64

// Duration returns s as a [time.Duration].
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// ResourceInfo describes what is being sold (specification v2, ResourceInfo).
type ResourceInfo struct {
	URL         string   `json:"url"`
	Description string   `json:"description,omitempty"`
	MimeType    string   `json:"mimeType,omitempty"`
	ServiceName string   `json:"serviceName,omitempty"` // 1 to 32 printable ASCII characters
	Tags        []string `json:"tags,omitempty"`        // at most 5, each 1 to 32 printable ASCII characters
	IconURL     string   `json:"iconUrl,omitempty"`     // at most 2048 bytes
	Unknown     Unknown  `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (r ResourceInfo) MarshalJSON() ([]byte, error) { return encodeObject(&r, r.Unknown) }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ResourceInfo) UnmarshalJSON(data []byte) error {
	var v ResourceInfo
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown = unknown
	*r = v
	return nil
}

// PaymentRequirements is one way to pay: one entry of "accepts".
type PaymentRequirements struct {
	Scheme            string          `json:"scheme"`
	Network           Network         `json:"network"`
	Amount            Amount          `json:"amount"` // atomic units of Asset
	Asset             string          `json:"asset"`  // contract or mint address
	PayTo             string          `json:"payTo"`
	MaxTimeoutSeconds Seconds         `json:"maxTimeoutSeconds"`
	Extra             json.RawMessage `json:"extra,omitempty"` // the scheme's own part, a JSON object
	Unknown           Unknown         `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (r PaymentRequirements) MarshalJSON() ([]byte, error) { return encodeObject(&r, r.Unknown) }

// UnmarshalJSON implements [json.Unmarshaler]. An absent amount is an error, lest
// it pass for a price of zero.
func (r *PaymentRequirements) UnmarshalJSON(data []byte) error {
	var v PaymentRequirements
	unknown, err := DecodeObject(data, &v)
	if err == nil && v.Amount.i == nil {
		err = Refuse(ReasonInvalidPayload, "amount", "missing")
	}
	if err != nil {
		return err
	}
	v.Unknown = unknown
	*r = v
	return nil
}

// PaymentRequired is the challenge of a 402 answer: what is sold and how it
// can be paid for. Version says how it was read, and how it is written.
type PaymentRequired struct {
	Version    int                        `json:"x402Version"`
	Error      string                     `json:"error,omitempty"`
	Resource   ResourceInfo               `json:"resource"`
	Accepts    []PaymentRequirements      `json:"accepts"`
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
	Unknown    Unknown                    `json:"-"`
}

// MarshalJSON writes the form of p.Version (v2 if it is zero).
func (p PaymentRequired) MarshalJSON() ([]byte, error) {
	if p.Version == V1 {
		return marshalRequiredV1(p)
	}
	p.Version = V2
	return encodeObject(&p, p.Unknown)
}

// UnmarshalJSON reads either version, as its x402Version says.
func (p *PaymentRequired) UnmarshalJSON(data []byte) error {
	version, err := versionOf(data)
	if err != nil {
		return err
	}
	if version == V1 {
		return unmarshalRequiredV1(data, p)
	}
	var v PaymentRequired
	if v.Unknown, err = DecodeObject(data, &v); err != nil {
		return err
	}
	*p = v
	return nil
}

// PaymentPayload is what a buyer sends: the offer it accepted and the scheme's
// proof of payment.
type PaymentPayload struct {
	Version    int                        `json:"x402Version"`
	Resource   *ResourceInfo              `json:"resource,omitempty"`
	Accepted   PaymentRequirements        `json:"accepted"` // v1 fills Scheme and Network only
	Payload    json.RawMessage            `json:"payload"`  // the scheme's own part
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
	Unknown    Unknown                    `json:"-"`
}

// MarshalJSON writes the form of p.Version (v2 if it is zero).
func (p PaymentPayload) MarshalJSON() ([]byte, error) {
	if p.Version == V1 {
		return marshalPayloadV1(p)
	}
	p.Version = V2
	return encodeObject(&p, p.Unknown)
}

// UnmarshalJSON reads either version, as its x402Version says.
func (p *PaymentPayload) UnmarshalJSON(data []byte) error {
	version, err := versionOf(data)
	if err != nil {
		return err
	}
	if version == V1 {
		return unmarshalPayloadV1(data, p)
	}
	var v PaymentPayload
	if v.Unknown, err = DecodeObject(data, &v); err != nil {
		return err
	}
	if len(v.Payload) == 0 {
		return &Error{Reason: ReasonInvalidPayload, Field: "payload", Err: errors.New("missing")}
	}
	*p = v
	return nil
}

// Payment is a payload together with the requirements that it must meet: the
// body of a facilitator's POST /verify and POST /settle. Requirements are the
// seller's own, never those that the buyer echoes.
type Payment struct {
	Payload      PaymentPayload
	Requirements PaymentRequirements
}

// VerifyResponse is a facilitator's answer to POST /verify.
type VerifyResponse struct {
	IsValid        bool                       `json:"isValid"`
	InvalidReason  Reason                     `json:"invalidReason,omitempty"`
	InvalidMessage string                     `json:"invalidMessage,omitempty"`
	Payer          string                     `json:"payer,omitempty"`
	Extensions     map[string]json.RawMessage `json:"extensions,omitempty"`
	Extra          json.RawMessage            `json:"extra,omitempty"`
	Unknown        Unknown                    `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (r VerifyResponse) MarshalJSON() ([]byte, error) { return encodeObject(&r, r.Unknown) }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *VerifyResponse) UnmarshalJSON(data []byte) error {
	var v VerifyResponse
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown = unknown
	*r = v
	return nil
}

// SettleResponse is a facilitator's answer to POST /settle, and what the buyer
// reads in the PAYMENT-RESPONSE header.
type SettleResponse struct {
	Success      bool                       `json:"success"`
	ErrorReason  Reason                     `json:"errorReason,omitempty"`
	ErrorMessage string                     `json:"errorMessage,omitempty"`
	Payer        string                     `json:"payer,omitempty"`
	Transaction  string                     `json:"transaction"` // "" when nothing was sent
	Network      Network                    `json:"network"`
	Amount       *Amount                    `json:"amount,omitempty"` // what moved, where it can differ from the requirement
	Extensions   map[string]json.RawMessage `json:"extensions,omitempty"`
	Extra        json.RawMessage            `json:"extra,omitempty"`
	Unknown      Unknown                    `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (r SettleResponse) MarshalJSON() ([]byte, error) { return encodeObject(&r, r.Unknown) }

// UnmarshalJSON implements [json.Unmarshaler]. A v1 network name is translated.
func (r *SettleResponse) UnmarshalJSON(data []byte) error {
	var v SettleResponse
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown, v.Network = unknown, fromWire(string(v.Network))
	*r = v
	return nil
}

// Kind is one combination that a facilitator serves.
type Kind struct {
	Version int             `json:"x402Version"`
	Scheme  string          `json:"scheme"`
	Network Network         `json:"network"` // CAIP-2 here; a v1 name on the wire when Version is 1
	Extra   json.RawMessage `json:"extra,omitempty"`
	Unknown Unknown         `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (k Kind) MarshalJSON() ([]byte, error) {
	if k.Version == V1 {
		k.Network = Network(toWireV1(k.Network))
	}
	return encodeObject(&k, k.Unknown)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (k *Kind) UnmarshalJSON(data []byte) error {
	var v Kind
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown = unknown
	if v.Version == V1 {
		v.Network = fromWire(string(v.Network))
	}
	*k = v
	return nil
}

// Supported is a facilitator's answer to GET /supported.
type Supported struct {
	Kinds      []Kind              `json:"kinds"`
	Extensions []string            `json:"extensions"`
	Signers    map[string][]string `json:"signers"` // CAIP-2 family, such as "eip155:*", to addresses
	Unknown    Unknown             `json:"-"`
}

// MarshalJSON implements [json.Marshaler]; lists are never null.
func (s Supported) MarshalJSON() ([]byte, error) {
	if s.Kinds == nil {
		s.Kinds = []Kind{}
	}
	if s.Extensions == nil {
		s.Extensions = []string{}
	}
	if s.Signers == nil {
		s.Signers = map[string][]string{}
	}
	return encodeObject(&s, s.Unknown)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Supported) UnmarshalJSON(data []byte) error {
	var v Supported
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown = unknown
	*s = v
	return nil
}

// Kind returns the entry for a version, scheme and network.
func (s *Supported) Kind(version int, scheme string, network Network) (Kind, bool) {
	for _, k := range s.Kinds {
		if k.Version == version && k.Scheme == scheme && k.Network == network {
			return k, true
		}
	}
	return Kind{}, false
}

package x402

import (
	"encoding/json"
	"errors"
	"fmt"
)

// requirementsV1 is a v1 entry of "accepts": the resource stands in each.
type requirementsV1 struct {
	Scheme            string          `json:"scheme"`
	Network           string          `json:"network"`
	MaxAmountRequired Amount          `json:"maxAmountRequired"`
	Resource          string          `json:"resource"`
	Description       string          `json:"description"`
	MimeType          string          `json:"mimeType"`
	OutputSchema      json.RawMessage `json:"outputSchema,omitempty"`
	PayTo             string          `json:"payTo"`
	MaxTimeoutSeconds Seconds         `json:"maxTimeoutSeconds"`
	Asset             string          `json:"asset"`
	Extra             json.RawMessage `json:"extra,omitempty"`
}

const outputSchemaV1 = "outputSchema" // kept among Unknown in the model

// fromWire translates a v1 name or a CAIP-2 network; what is neither stays as
// it is, to be refused where it is looked up.
func fromWire(name string) Network {
	if n, ok := v1Names[name]; ok {
		return n
	}
	return Network(name)
}

// toWireV1 is the v1 name of n, or n itself where v1 has none.
func toWireV1(n Network) string {
	if name, ok := n.V1Name(); ok {
		return name
	}
	return string(n)
}

// MarshalV1 writes r as a v1 requirement for resource.
func (r PaymentRequirements) MarshalV1(resource ResourceInfo) ([]byte, error) {
	v := requirementsV1{
		Scheme: r.Scheme, Network: toWireV1(r.Network), MaxAmountRequired: r.Amount,
		Resource: resource.URL, Description: resource.Description, MimeType: resource.MimeType,
		PayTo: r.PayTo, MaxTimeoutSeconds: r.MaxTimeoutSeconds, Asset: r.Asset, Extra: r.Extra,
	}
	unknown := Unknown{}
	for name, raw := range r.Unknown {
		if name == outputSchemaV1 {
			v.OutputSchema = raw
		} else {
			unknown[name] = raw
		}
	}
	return encodeObject(&v, unknown)
}

// UnmarshalRequirementsV1 reads a v1 requirement and the resource in it.
func UnmarshalRequirementsV1(data []byte) (PaymentRequirements, ResourceInfo, error) {
	var v requirementsV1
	unknown, err := DecodeObject(data, &v)
	if err == nil && v.MaxAmountRequired.i == nil {
		err = Refuse(ReasonInvalidPayload, "maxAmountRequired", "missing")
	}
	if err != nil {
		return PaymentRequirements{}, ResourceInfo{}, err
	}
	if len(v.OutputSchema) > 0 {
		if unknown == nil {
			unknown = Unknown{}
		}
		unknown[outputSchemaV1] = v.OutputSchema
	}
	return PaymentRequirements{
			Scheme: v.Scheme, Network: fromWire(v.Network), Amount: v.MaxAmountRequired, Asset: v.Asset,
			PayTo: v.PayTo, MaxTimeoutSeconds: v.MaxTimeoutSeconds, Extra: v.Extra, Unknown: unknown,
		},
		ResourceInfo{URL: v.Resource, Description: v.Description, MimeType: v.MimeType}, nil
}

type requiredV1 struct {
	Version int               `json:"x402Version"`
	Error   string            `json:"error,omitempty"`
	Accepts []json.RawMessage `json:"accepts"`
}

// marshalRequiredV1 leaves out what v1 cannot say: networks without a name.
func marshalRequiredV1(p PaymentRequired) ([]byte, error) {
	v := requiredV1{Version: V1, Error: p.Error, Accepts: []json.RawMessage{}}
	for _, r := range p.Accepts {
		if _, ok := r.Network.V1Name(); !ok {
			continue
		}
		j, err := r.MarshalV1(p.Resource)
		if err != nil {
			return nil, err
		}
		v.Accepts = append(v.Accepts, j)
	}
	return encodeObject(&v, p.Unknown)
}

func unmarshalRequiredV1(data []byte, p *PaymentRequired) error {
	var v requiredV1
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	out := PaymentRequired{Version: V1, Error: v.Error, Unknown: unknown}
	for i, j := range v.Accepts {
		r, resource, err := UnmarshalRequirementsV1(j)
		if err != nil {
			return memberError(fmt.Sprintf("accepts[%d]", i), err)
		}
		if i == 0 {
			out.Resource = resource
		}
		out.Accepts = append(out.Accepts, r)
	}
	*p = out
	return nil
}

// MarshalV1 writes r as v1 has it: with the v1 name of the network.
func (r SettleResponse) MarshalV1() ([]byte, error) {
	r.Network = Network(toWireV1(r.Network))
	return r.MarshalJSON()
}

type payloadV1 struct {
	Version int             `json:"x402Version"`
	Scheme  string          `json:"scheme"`
	Network string          `json:"network"`
	Payload json.RawMessage `json:"payload"`
}

func marshalPayloadV1(p PaymentPayload) ([]byte, error) {
	v := payloadV1{Version: V1, Scheme: p.Accepted.Scheme, Network: toWireV1(p.Accepted.Network), Payload: p.Payload}
	return encodeObject(&v, p.Unknown)
}

func unmarshalPayloadV1(data []byte, p *PaymentPayload) error {
	var v payloadV1
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	if len(v.Payload) == 0 {
		return &Error{Reason: ReasonInvalidPayload, Field: "payload", Err: errors.New("missing")}
	}
	*p = PaymentPayload{
		Version:  V1,
		Accepted: PaymentRequirements{Scheme: v.Scheme, Network: fromWire(v.Network)},
		Payload:  v.Payload,
		Unknown:  unknown,
	}
	return nil
}

// paymentWire is the body of POST /verify and POST /settle.
type paymentWire struct {
	Version      *int            `json:"x402Version"`
	Payload      *PaymentPayload `json:"paymentPayload"`
	Requirements json.RawMessage `json:"paymentRequirements"`
}

// MarshalJSON writes the body of POST /verify and POST /settle in the version
// of the payload. In v1 the resource inside the requirements is that of the
// payload, if it has one.
func (p Payment) MarshalJSON() ([]byte, error) {
	version := p.Payload.Version
	var requirements []byte
	var err error
	if version == V1 {
		var resource ResourceInfo
		if p.Payload.Resource != nil {
			resource = *p.Payload.Resource
		}
		requirements, err = p.Requirements.MarshalV1(resource)
	} else {
		version = V2
		requirements, err = p.Requirements.MarshalJSON()
	}
	if err != nil {
		return nil, err
	}
	return encodeObject(&paymentWire{&version, &p.Payload, requirements}, nil)
}

// UnmarshalJSON reads the body of POST /verify and POST /settle. The version is
// the body's x402Version, or the payload's where the body has none; the two
// must agree.
func (p *Payment) UnmarshalJSON(data []byte) error {
	var v paymentWire
	if _, err := DecodeObject(data, &v); err != nil {
		return err
	}
	switch {
	case v.Version != nil && *v.Version != V1 && *v.Version != V2:
		return &Error{Reason: ReasonInvalidVersion, Field: "x402Version", Err: errors.New("not 1 or 2")}
	case v.Payload == nil:
		return &Error{Reason: ReasonInvalidPayload, Field: "paymentPayload", Err: errors.New("missing")}
	case len(v.Requirements) == 0:
		return &Error{Reason: ReasonInvalidRequirements, Field: "paymentRequirements", Err: errors.New("missing")}
	case v.Version != nil && *v.Version != v.Payload.Version:
		return &Error{Reason: ReasonInvalidVersion, Field: "x402Version", Err: errors.New("differs from that of the payload")}
	}
	out := Payment{Payload: *v.Payload}
	var err error
	if out.Payload.Version == V1 {
		var resource ResourceInfo
		out.Requirements, resource, err = UnmarshalRequirementsV1(v.Requirements)
		out.Payload.Resource = &resource
	} else {
		err = out.Requirements.UnmarshalJSON(v.Requirements)
	}
	if err != nil {
		e := memberError("paymentRequirements", err)
		e.Reason = ReasonInvalidRequirements
		return e
	}
	*p = out
	return nil
}

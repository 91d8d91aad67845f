package memory

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

func cloneTransaction(t facilitator.Transaction) facilitator.Transaction {
	t.Raw = bytes.Clone(t.Raw)
	return t
}

func clonePayment(p x402.Payment) x402.Payment {
	p.Requirements = cloneRequirements(p.Requirements)
	p.Payload.Accepted = cloneRequirements(p.Payload.Accepted)
	p.Payload.Payload = bytes.Clone(p.Payload.Payload)
	p.Payload.Extensions = cloneMembers(p.Payload.Extensions)
	p.Payload.Unknown = cloneMembers(p.Payload.Unknown)
	if p.Payload.Resource != nil {
		r := *p.Payload.Resource
		r.Tags = append([]string(nil), r.Tags...)
		r.Unknown = cloneMembers(r.Unknown)
		p.Payload.Resource = &r
	}
	return p
}

func cloneRequirements(r x402.PaymentRequirements) x402.PaymentRequirements {
	r.Extra = bytes.Clone(r.Extra)
	r.Unknown = cloneMembers(r.Unknown)
	return r
}

func cloneMembers[M ~map[string]json.RawMessage](m M) M {
	c := maps.Clone(m)
	for name, value := range c {
		c[name] = bytes.Clone(value)
	}
	return c
}

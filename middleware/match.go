package middleware

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/v402/v402/x402"
)

// matchOffer finds the requirement that a payload accepts. If there is none,
// mismatch says in which field the nearest one differs.
//
// A v1 payload names scheme and network only; the facilitator compares the
// rest with the requirement.
func (t *terms) matchOffer(p x402.PaymentPayload) (index int, mismatch string) {
	best := -1
	mismatch = "x402Version: this is not sold in version 1"
	for i := range t.requirements {
		if p.Version == x402.V1 && !t.inV1[i] {
			continue
		}
		equal, diff := compareOffer(p, &t.requirements[i])
		if diff == "" {
			return i, ""
		}
		if equal > best {
			best, mismatch = equal, diff
		}
	}
	return -1, mismatch
}

// compareOffer counts the equal fields and describes the first that differs.
func compareOffer(p x402.PaymentPayload, o *x402.PaymentRequirements) (equal int, diff string) {
	a := &p.Accepted
	same := []bool{
		a.Scheme == o.Scheme,
		a.Network == o.Network,
		o.Network.SameAddress(a.Asset, o.Asset),
		o.Network.SameAddress(a.PayTo, o.PayTo),
		a.Amount.Equal(o.Amount),
		a.MaxTimeoutSeconds == o.MaxTimeoutSeconds,
		p.Version == x402.V1 || containsExtra(a.Extra, o.Extra),
	}
	if p.Version == x402.V1 {
		same = same[:2]
	}
	first := -1
	for i, is := range same {
		switch {
		case is:
			equal++
		case first < 0:
			first = i
		}
	}
	if first < 0 {
		return equal, ""
	}
	return equal, describe(first, a, o)
}

// describe says how the i-th field of compareOffer differs.
func describe(i int, a, o *x402.PaymentRequirements) string {
	f := []struct {
		name         string
		theirs, ours any
	}{
		{"scheme", a.Scheme, o.Scheme},
		{"network", a.Network, o.Network},
		{"asset", a.Asset, o.Asset},
		{"payTo", a.PayTo, o.PayTo},
		{"amount", a.Amount, o.Amount},
		{"maxTimeoutSeconds", a.MaxTimeoutSeconds, o.MaxTimeoutSeconds},
		{"extra", string(a.Extra), string(o.Extra)},
	}[i]
	return fmt.Sprintf("%s: the payment accepts %s, the offer is %s", f.name, clip(fmt.Sprint(f.theirs)), clip(fmt.Sprint(f.ours)))
}

// containsExtra says whether theirs has all members of ours with equal values.
// Buyers may add members.
func containsExtra(theirs, ours json.RawMessage) bool {
	if len(ours) == 0 || bytes.Equal(theirs, ours) {
		return true
	}
	var a, b map[string]any
	if decodeExact(theirs, &a) != nil || decodeExact(ours, &b) != nil {
		return false
	}
	for name, value := range b {
		got, ok := a[name]
		if !ok || !reflect.DeepEqual(got, value) {
			return false
		}
	}
	return true
}

// tampered names an extension whose info does not come back as it was offered.
// Buyers may leave an extension out, and add members to its info.
func tampered(theirs, ours map[string]json.RawMessage) string {
	for name, sent := range ours {
		back, ok := theirs[name]
		if !ok {
			continue
		}
		var a, b struct {
			Info json.RawMessage `json:"info"`
		}
		if json.Unmarshal(back, &a) != nil || json.Unmarshal(sent, &b) != nil || !containsExtra(a.Info, b.Info) {
			return name
		}
	}
	return ""
}

// decodeExact keeps numbers as they are written.
func decodeExact(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

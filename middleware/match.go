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
func matchOffer(p x402.PaymentPayload, offers []x402.PaymentRequirements) (index int, mismatch string) {
	best := -1
	for i := range offers {
		equal, diff := compareOffer(p, &offers[i])
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
	note := func(same bool, field string, theirs, ours any) {
		switch {
		case same:
			equal++
		case diff == "":
			diff = fmt.Sprintf("%s: the payment accepts %s, the offer is %s", field, clip(fmt.Sprint(theirs)), clip(fmt.Sprint(ours)))
		}
	}
	note(a.Scheme == o.Scheme, "scheme", a.Scheme, o.Scheme)
	note(a.Network == o.Network, "network", a.Network, o.Network)
	if p.Version == x402.V1 {
		return equal, diff
	}
	note(o.Network.SameAddress(a.Asset, o.Asset), "asset", a.Asset, o.Asset)
	note(o.Network.SameAddress(a.PayTo, o.PayTo), "payTo", a.PayTo, o.PayTo)
	note(a.Amount.Equal(o.Amount), "amount", a.Amount, o.Amount)
	note(a.MaxTimeoutSeconds == o.MaxTimeoutSeconds, "maxTimeoutSeconds", a.MaxTimeoutSeconds, o.MaxTimeoutSeconds)
	note(containsExtra(a.Extra, o.Extra), "extra", string(a.Extra), string(o.Extra))
	return equal, diff
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

// decodeExact keeps numbers as they are written.
func decodeExact(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

package x402

import (
	"fmt"
	"math"
	"strings"
)

// Limits of [ResourceInfo] (official SDK, core/schemas).
const (
	maxServiceName = 32
	maxTags        = 5
	maxTag         = 32
	maxIconURL     = 2048
)

// Validate checks r against the limits of the protocol. Its error is an
// *[Error] that names the field. An empty URL passes: servers fill it in for
// each request.
func (r ResourceInfo) Validate() error {
	switch {
	case len(r.ServiceName) > maxServiceName || !printable(r.ServiceName):
		return invalid("serviceName", fmt.Sprintf("%q is not 1 to %d printable ASCII characters", clip(r.ServiceName), maxServiceName))
	case len(r.Tags) > maxTags:
		return invalid("tags", fmt.Sprintf("%d tags exceed %d", len(r.Tags), maxTags))
	case len(r.IconURL) > maxIconURL:
		return invalid("iconUrl", fmt.Sprintf("%d bytes exceed %d", len(r.IconURL), maxIconURL))
	}
	for i, tag := range r.Tags {
		if tag == "" || len(tag) > maxTag || !printable(tag) {
			return invalid(fmt.Sprintf("tags[%d]", i), fmt.Sprintf("%q is not 1 to %d printable ASCII characters", clip(tag), maxTag))
		}
	}
	return nil
}

// Validate checks that r is complete and can be paid in principle. Its error is
// an *[Error] that names the field. Whether the scheme is known is not its
// concern.
func (r PaymentRequirements) Validate() error {
	switch {
	case r.Scheme == "":
		return invalid("scheme", "missing")
	case !r.Network.valid():
		return invalid("network", fmt.Sprintf("%q is not a CAIP-2 network such as %q", clip(string(r.Network)), BaseSepolia))
	case r.Asset == "":
		return invalid("asset", "missing")
	case !r.Network.validAddress(r.Asset):
		return invalid("asset", fmt.Sprintf("%q is not an address on %s", clip(r.Asset), r.Network))
	case r.PayTo == "":
		return invalid("payTo", "missing")
	case !r.Network.validAddress(r.PayTo):
		return invalid("payTo", fmt.Sprintf("%q is not an address on %s", clip(r.PayTo), r.Network))
	case !(r.MaxTimeoutSeconds > 0) || math.IsInf(float64(r.MaxTimeoutSeconds), 0): // NaN is not > 0
		return invalid("maxTimeoutSeconds", "a number of seconds above zero is needed")
	case len(r.Extra) > 0 && !isObject(r.Extra):
		return invalid("extra", "a JSON object is needed")
	}
	return nil
}

// Validate checks p, its resource and each of its offers. Its error is an
// *[Error] that names the field, such as "accepts[1].payTo".
func (p PaymentRequired) Validate() error {
	if p.Version != 0 && p.Version != V1 && p.Version != V2 {
		return Refuse(ReasonInvalidVersion, "x402Version", fmt.Sprintf("%d is not 1 or 2", p.Version))
	}
	if p.Resource.URL == "" {
		return invalid("resource.url", "missing")
	}
	if err := p.Resource.Validate(); err != nil {
		return memberError("resource", err)
	}
	if len(p.Accepts) == 0 {
		return invalid("accepts", "at least one way to pay is needed")
	}
	for i, r := range p.Accepts {
		if err := r.Validate(); err != nil {
			return memberError(fmt.Sprintf("accepts[%d]", i), err)
		}
	}
	return nil
}

func invalid(field, message string) *Error {
	return Refuse(ReasonInvalidRequirements, field, message)
}

// validAddress says whether s has the form of an address on n. Only the forms
// of eip155 and solana are known; elsewhere anything without spaces passes.
func (n Network) validAddress(s string) bool {
	switch n.Namespace() {
	case "eip155":
		return isHex(s, 40)
	case "solana":
		const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
		return len(s) >= 32 && len(s) <= 44 && strings.Trim(s, base58) == ""
	default:
		return s != "" && !strings.ContainsAny(s, " \t\r\n")
	}
}

// isHex says whether s is "0x" and n hexadecimal digits of any case.
func isHex(s string, n int) bool {
	digits, ok := strings.CutPrefix(s, "0x")
	return ok && len(digits) == n && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// printable says whether s holds printable ASCII only.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// isObject says whether raw is one well-formed JSON object.
func isObject(raw []byte) bool {
	return eachMember(raw, func(_, _ []byte) error { return nil }) == nil
}

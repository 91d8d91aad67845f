package evm

import (
	"encoding/json"

	"github.com/v402/v402/x402"
)

// terms is what a requirement of scheme exact by EIP-3009 asks for, decoded.
type terms struct {
	domain Domain
	payTo  Address
}

// extraWire is the part of a requirement's "extra" that EIP-3009 needs.
type extraWire struct {
	Name    string              `json:"name"`
	Version string              `json:"version"`
	Method  x402.TransferMethod `json:"assetTransferMethod"`
}

// exactPayload is the payload of scheme exact by EIP-3009. Permit2 is there to
// tell a payment by another method from one that is broken.
type exactPayload struct {
	Authorization *Authorization  `json:"authorization"`
	Signature     string          `json:"signature"`
	Permit2       json.RawMessage `json:"permit2Authorization,omitempty"`
}

// readTerms decodes r. It refuses, with the reason and the field, whatever is
// not scheme exact by EIP-3009 with a name and version to sign under.
func readTerms(r x402.PaymentRequirements) (terms, error) {
	if r.Scheme != x402.SchemeExact {
		return terms{}, x402.Refuse(x402.ReasonUnsupportedScheme, "scheme", "this is not exact")
	}
	chainID, ok := r.Network.ChainID()
	if !ok {
		return terms{}, x402.Refuse(x402.ReasonInvalidNetwork, "network", "this is not an EVM chain such as eip155:8453")
	}
	var extra extraWire
	if len(r.Extra) > 0 {
		if _, err := x402.DecodeObject(r.Extra, &extra); err != nil {
			return terms{}, within(x402.ReasonInvalidRequirements, "extra", err)
		}
	}
	switch {
	case extra.Method != "" && extra.Method != x402.EIP3009:
		return terms{}, x402.Refuse(x402.ReasonUnsupportedPayload, "extra.assetTransferMethod", "only eip3009 is understood here")
	case extra.Name == "":
		return terms{}, x402.Refuse(x402.ReasonEVMDomain, "extra.name", "the token's EIP-712 name is missing")
	case extra.Version == "":
		return terms{}, x402.Refuse(x402.ReasonEVMDomain, "extra.version", "the token's EIP-712 version is missing")
	}
	asset, err := ParseAddress(r.Asset)
	if err != nil {
		return terms{}, within(x402.ReasonInvalidRequirements, "asset", err)
	}
	payTo, err := ParseAddress(r.PayTo)
	if err != nil {
		return terms{}, within(x402.ReasonInvalidRequirements, "payTo", err)
	}
	return terms{Domain{extra.Name, extra.Version, chainID, asset}, payTo}, nil
}

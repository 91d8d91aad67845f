package evm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/v402/v402/x402"
)

// DefaultMinValidity is how long an authorization must still be valid when it
// is checked: time to settle it (official SDK, scheme exact).
const DefaultMinValidity = 6 * time.Second

// Exact is a payment of scheme exact by EIP-3009 that passed every check that
// needs no chain.
type Exact struct {
	Authorization Authorization
	Signature     Signature
	Domain        Domain
	Asset         Address // the token's contract; that of Domain
}

// Checker checks payments of scheme exact without asking the chain. Its zero
// value is ready to use.
type Checker struct {
	// Recover finds who signed; nil means [Recover].
	Recover func(Hash, Signature) (Address, error)
	// MinValidity is how long the authorization must still be valid; zero means
	// [DefaultMinValidity].
	MinValidity time.Duration
}

// Check decodes p and compares it with its requirements: scheme, network,
// amount (exactly equal), asset, recipient, time window at now, and signature.
// Whatever it refuses is an *[x402.Error] with a Reason and the Field at fault.
//
// It cannot know what only the chain does: whether the nonce was used, the
// balance suffices, and the token has the domain that the requirements name.
func (c Checker) Check(p x402.Payment, now time.Time) (*Exact, error) {
	e, err := c.CheckUnsigned(p, now)
	if err != nil {
		return nil, err
	}
	if err := c.CheckSignature(e); err != nil {
		return nil, err
	}
	return e, nil
}

// CheckUnsigned makes all checks of [Checker.Check] but that of the signature,
// which costs many times as much as the others together: for those who have
// the token itself check it. [Checker.CheckSignature] is the rest.
func (c Checker) CheckUnsigned(p x402.Payment, now time.Time) (*Exact, error) {
	if err := checkAccepted(p); err != nil {
		return nil, err
	}
	t, err := readTerms(p.Requirements)
	if err != nil {
		return nil, err
	}
	e, err := decodeExact(p.Payload.Payload)
	if err != nil {
		return nil, err
	}
	e.Domain, e.Asset = t.domain, t.domain.Contract
	a := &e.Authorization
	if a.To != t.payTo {
		return nil, x402.Refuse(x402.ReasonEVMRecipient, "payload.authorization.to",
			fmt.Sprintf("it pays %s, required is %s", a.To, t.payTo))
	}
	if !a.Value.Equal(p.Requirements.Amount) {
		return nil, x402.Refuse(amountReason(p.Payload.Version), "payload.authorization.value",
			fmt.Sprintf("it is %s, required is exactly %s", a.Value, p.Requirements.Amount))
	}
	if err := c.checkWindow(a, now); err != nil {
		return nil, err
	}
	return e, nil
}

// checkAccepted compares what the buyer says it accepted with what is required:
// the signature does not cover it, and peers do not look at all of it.
func checkAccepted(p x402.Payment) error {
	accepted, required := &p.Payload.Accepted, &p.Requirements
	if accepted.Scheme != required.Scheme {
		return x402.Refuse(x402.ReasonEVMScheme, "accepted.scheme", "it differs from the required scheme")
	}
	if accepted.Network != required.Network {
		return x402.Refuse(x402.ReasonEVMNetwork, "accepted.network", "it differs from the required network")
	}
	if p.Payload.Version == x402.V1 {
		return nil // v1 repeats nothing else
	}
	switch {
	case !accepted.Amount.Equal(required.Amount):
		return x402.Refuse(x402.ReasonEVMAmount, "accepted.amount",
			fmt.Sprintf("it is %s, required is exactly %s", accepted.Amount, required.Amount))
	case !required.Network.SameAddress(accepted.Asset, required.Asset):
		return x402.Refuse(x402.ReasonNoMatchingOffer, "accepted.asset", "it differs from the required asset")
	case !required.Network.SameAddress(accepted.PayTo, required.PayTo):
		return x402.Refuse(x402.ReasonEVMRecipient, "accepted.payTo", "it differs from the required recipient")
	}
	return nil
}

func amountReason(version int) x402.Reason {
	if version == x402.V1 {
		return x402.ReasonEVMAmountV1
	}
	return x402.ReasonEVMAmount
}

// decodeExact reads the payload of scheme exact.
func decodeExact(payload []byte) (*Exact, error) {
	var w exactPayload
	if _, err := x402.DecodeObject(payload, &w); err != nil {
		return nil, within(x402.ReasonEVMPayload, "payload", err)
	}
	switch {
	case w.Authorization == nil && len(w.Permit2) > 0:
		return nil, x402.Refuse(x402.ReasonUnsupportedPayload, "payload.permit2Authorization", "the requirement is to pay by EIP-3009")
	case w.Authorization == nil:
		return nil, x402.Refuse(x402.ReasonEVMPayload, "payload.authorization", "missing")
	case w.Signature == "":
		return nil, x402.Refuse(x402.ReasonEVMSignatureFormat, "payload.signature", "missing")
	}
	digits, ok := strings.CutPrefix(w.Signature, "0x")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return nil, x402.Refuse(x402.ReasonEVMSignatureFormat, "payload.signature", "0x and hexadecimal digits are needed")
	}
	sig, err := ParseSignature(raw)
	if err != nil {
		return nil, within(x402.ReasonEVMSignatureFormat, "payload.signature", err)
	}
	return &Exact{Authorization: *w.Authorization, Signature: sig}, nil
}

func (c Checker) checkWindow(a *Authorization, now time.Time) error {
	need := c.MinValidity
	if need == 0 {
		need = DefaultMinValidity
	}
	if a.ValidBefore < unix(now.Add(need)) {
		return x402.Refuse(x402.ReasonEVMExpired, "payload.authorization.validBefore",
			fmt.Sprintf("it is %d, now is %d, and %s are needed to settle", a.ValidBefore, unix(now), need))
	}
	if a.ValidAfter > unix(now) {
		return x402.Refuse(x402.ReasonEVMNotYetValid, "payload.authorization.validAfter",
			fmt.Sprintf("it is %d, now is %d", a.ValidAfter, unix(now)))
	}
	return nil
}

// CheckSignature compares who signed e with its payer.
func (c Checker) CheckSignature(e *Exact) error {
	recover := c.Recover
	if recover == nil {
		recover = Recover
	}
	signer, err := recover(e.Authorization.Digest(e.Domain.Separator()), e.Signature)
	if err != nil {
		return within(x402.ReasonEVMSignature, "payload.signature", err)
	}
	if signer != e.Authorization.From {
		return x402.Refuse(x402.ReasonEVMSignature, "payload.signature",
			fmt.Sprintf("it is not that of %s under the domain of %q version %q", e.Authorization.From, e.Domain.Name, e.Domain.Version))
	}
	return nil
}

// within is an *x402.Error for err, found inside field.
func within(reason x402.Reason, field string, err error) *x402.Error {
	var inner *x402.Error
	if errors.As(err, &inner) {
		if inner.Field != "" {
			field += "." + inner.Field
		}
		err = inner.Err
	}
	return &x402.Error{Reason: reason, Field: field, Err: err}
}

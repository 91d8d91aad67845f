package middleware

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/v402/v402/x402"
)

// Terms are the ways to pay for one resource. They are for programs that keep
// what was paid for in a memory of their own: such a program writes the
// challenge, matches the payment that comes, and has it settled by itself. All
// others want a [Guard], which does that and more.
type Terms struct {
	terms    *terms
	resource x402.ResourceInfo
	encoded  []byte // the resource, up to its URL
	url      []byte
}

// NewTerms makes the terms of one request for resource, whose URL is required.
// The price and the recipient of each offer are those of this request. It asks
// facilitator where an offer depends on what that supports, and leaves out what
// it does not serve; an error then says that nothing is left.
func NewTerms(r *http.Request, facilitator x402.Facilitator, assets *x402.Assets, resource x402.ResourceInfo, offers ...Offer) (*Terms, error) {
	if resource.URL == "" {
		return nil, errors.New("middleware: terms need the URL of their resource")
	}
	if err := resource.Validate(); err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	compiled := make([]*offer, len(offers))
	for i, o := range offers {
		c, err := o.compile(assets)
		if err != nil {
			return nil, fmt.Errorf("middleware: offer %d: %w", i, err)
		}
		compiled[i] = c
	}
	t, err := makeTerms(compiled, resource, r, facilitator.Supported)
	if err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	if len(t.requirements) == 0 {
		return nil, errors.New("middleware: terms of something that is free")
	}
	out := &Terms{terms: t, resource: resource, url: appendEscaped(nil, resource.URL)}
	out.encoded, err = resourceJSON(resource, nil)
	return out, err
}

// Requirements are what the challenge lists, in the order of the offers.
func (t *Terms) Requirements() []x402.PaymentRequirements { return t.terms.requirements }

// Write answers 402 with the challenge of both protocol versions: v2 in
// PAYMENT-REQUIRED, v1 as body. With [x402.ReasonPaymentRequired] the message is
// the v1 error; with any other reason it says why a payment was refused.
func (t *Terms) Write(w http.ResponseWriter, reason x402.Reason, message string) {
	if message == "" && reason != x402.ReasonPaymentRequired {
		message = reason.Description()
	}
	c := newChallenge(reason, message, t.terms, t.encoded)
	h := w.Header()
	value, _ := c.header(t.url, nil)
	h[keyRequired] = []string{value}
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	addVary(h)
	status := http.StatusPaymentRequired
	if reason.Is(x402.ReasonPermit2Allowance) {
		status = http.StatusPreconditionFailed
	}
	w.WriteHeader(status)
	_, _ = w.Write(c.appendBody(nil, t.url))
}

// Match finds the requirement that a payload accepts and returns the payment to
// verify and settle, with the seller's own requirement. Its error is an
// *[x402.Error] that says in what the nearest requirement differs.
func (t *Terms) Match(p x402.PaymentPayload) (x402.Payment, error) {
	if p.Resource != nil && p.Resource.URL != "" && !sameResource(p.Resource.URL, string(t.url)) {
		return x402.Payment{}, x402.Refuse(x402.ReasonResourceMismatch, "resource.url", "the payment was made for "+clip(p.Resource.URL))
	}
	i, mismatch := t.terms.matchOffer(p)
	if mismatch != "" {
		return x402.Payment{}, x402.Refuse(x402.ReasonNoMatchingOffer, "", mismatch)
	}
	if p.Version == x402.V1 {
		resource := t.resource
		p.Resource = &resource
	}
	return x402.Payment{Payload: p, Requirements: t.terms.requirements[i]}, nil
}

// ReadPayment reads the payment of a request: PAYMENT-SIGNATURE (v2) or X-PAYMENT
// (v1). ok is false if there is none. Its error is an *[x402.Error].
func ReadPayment(r *http.Request) (p x402.PaymentPayload, ok bool, err error) {
	v2, v1 := r.Header[keySignature], r.Header[keyPaymentV1]
	header, version := "", 0
	switch {
	case len(v2)+len(v1) == 0:
		return p, false, nil
	case len(v2)+len(v1) > 1:
		return p, true, x402.Refuse(x402.ReasonInvalidPayload, "", "send one payment: PAYMENT-SIGNATURE or X-PAYMENT, once")
	case len(v2) == 1:
		header, version = v2[0], x402.V2
	default:
		header, version = v1[0], x402.V1
	}
	if err := x402.DecodeHeader(header, &p); err != nil {
		var known *x402.Error
		if !errors.As(err, &known) {
			err = &x402.Error{Reason: x402.ReasonInvalidPayload, Err: err}
		}
		return p, true, err
	}
	if p.Version != version {
		return p, true, x402.Refuse(x402.ReasonInvalidVersion, "x402Version", "PAYMENT-SIGNATURE is for version 2 and X-PAYMENT for version 1")
	}
	return p, true, nil
}

// SetReceipt writes what a facilitator said of a settlement into the header of
// the payment's version: PAYMENT-RESPONSE or X-PAYMENT-RESPONSE.
func SetReceipt(h http.Header, version int, resp x402.SettleResponse) {
	x := &exchange{version: version}
	x.setResponse(h, &resp)
}

// Undecided says whether a settlement that did not succeed may have moved the
// payment all the same, if not by this attempt then by one before: the same
// payment should be sent again, and never a new one.
func Undecided(resp x402.SettleResponse) bool {
	return !resp.Success && (resp.ErrorReason.Is(x402.ReasonSettlementPending) || ambiguous(resp.ErrorReason))
}

package middleware

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/v402/v402/x402"
)

// exchange is one request with a payment, from header to answer.
type exchange struct {
	g     *Guard
	w     http.ResponseWriter
	r     *http.Request // its body can be read again
	route *route
	next  http.Handler

	version int    // of the payment header; 0 if there is none
	header  string // the payment header
	body    []byte
	url     string
	terms   *terms

	payment     x402.Payment
	payer       string
	key         string // identity of the payment
	fingerprint string // of the request
	owner       string

	lease      *lease
	sent       bool                 // the facilitator was asked to settle, now or by an earlier owner
	settlement *x402.SettleResponse // set once the payment has moved
	runs       int                  // of the handler after the settlement
}

// prepare reads the payment and the body and computes the terms. It returns a
// refusal if the payment cannot be read or matches no offer.
func (x *exchange) prepare() *Outcome {
	var payload x402.PaymentPayload
	if x.version != 0 {
		if err := x402.DecodeHeader(x.header, &payload); err != nil {
			return badPayment(err)
		}
		if payload.Version != x.version {
			return badPayment(x402.Refuse(x402.ReasonInvalidVersion, "x402Version",
				"PAYMENT-SIGNATURE is for version 2 and X-PAYMENT for version 1"))
		}
	}
	if x.version != 0 || x.route.static == nil {
		if refusal := x.readBody(); refusal != nil {
			return refusal
		}
	}
	var refusal *Outcome
	if x.terms, refusal = x.findTerms(); refusal != nil || x.version == 0 || len(x.terms.requirements) == 0 {
		return refusal
	}
	url, err := x.g.appendURL(make([]byte, 0, 256), x.r)
	if err != nil {
		return errorOutcome(http.StatusBadRequest, x402.ReasonInvalidPayload, "", err.Error())
	}
	x.url = string(url)
	return x.accept(payload)
}

func badPayment(err error) *Outcome {
	var e *x402.Error
	if !errors.As(err, &e) {
		e = &x402.Error{Reason: x402.ReasonInvalidPayload, Err: err}
	}
	return errorOutcome(http.StatusBadRequest, e.Reason, e.Field, e.Message())
}

// accept ties the payment to the seller's own requirement.
func (x *exchange) accept(payload x402.PaymentPayload) *Outcome {
	if payload.Resource != nil && payload.Resource.URL != "" && !sameResource(payload.Resource.URL, x.url) {
		return x.refuse(x402.ReasonResourceMismatch, "resource.url: the payment was made for "+clip(payload.Resource.URL))
	}
	i, mismatch := x.terms.matchOffer(payload)
	if mismatch != "" {
		return x.refuse(x402.ReasonNoMatchingOffer, mismatch)
	}
	if name := tampered(payload.Extensions, x.route.Extensions); name != "" {
		return x.refuse(x402.ReasonExtensionEcho, "extensions."+name+": "+x402.ReasonExtensionEcho.Description())
	}
	x.payment = x402.Payment{Payload: payload, Requirements: x.terms.requirements[i]}
	if x.version == x402.V1 {
		resource := x.route.Resource
		resource.URL = x.url
		x.payment.Payload.Resource = &resource
	}
	id, err := x.payment.Identity()
	if err != nil {
		return badPayment(err)
	}
	if id.Nonce == "" {
		return badPayment(x402.Refuse(x402.ReasonInvalidPayload, "payload", "the authorization has no nonce"))
	}
	x.key, x.payer, x.owner = id.String(), id.Payer, x.g.owner()
	x.fingerprint = x.computeFingerprint(i)
	return nil
}

// findTerms computes the terms of this request.
func (x *exchange) findTerms() (*terms, *Outcome) {
	t, err := x.g.termsFor(x.route, x.r)
	var unreached errFacilitator
	switch {
	case errors.As(err, &unreached):
		x.g.cfg.Logger.ErrorContext(x.r.Context(), "x402: no terms from the facilitator", "pattern", x.route.Pattern, "error", err)
		return nil, errorOutcome(http.StatusBadGateway, x402.ReasonFacilitatorUnreached, "", "")
	case err != nil:
		return nil, x.fault("compute the terms", err)
	}
	x.rewind()
	return t, nil
}

// fault logs what is ours to fix and answers 500.
func (x *exchange) fault(what string, err error) *Outcome {
	x.g.cfg.Logger.ErrorContext(x.r.Context(), "x402: "+what, "pattern", x.route.Pattern, "error", err)
	return internalOutcome()
}

// readBody keeps the request's body: its digest is part of the fingerprint.
func (x *exchange) readBody() *Outcome {
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return nil
	}
	var err error
	x.body, err = io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, x.g.cfg.MaxRequestBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errorOutcome(http.StatusRequestEntityTooLarge, "request_too_large", "",
			"the body exceeds "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes")
	case err != nil:
		return errorOutcome(http.StatusBadRequest, "invalid_body", "", "the body could not be read")
	}
	x.r = x.r.WithContext(x.r.Context()) // a copy: the caller's request stays as it is
	x.rewind()
	return nil
}

// rewind lets the body be read from its start.
func (x *exchange) rewind() {
	if x.body != nil {
		x.r.Body = io.NopCloser(bytes.NewReader(x.body))
	}
}

// computeFingerprint hashes what one payment buys: method, host, path and
// query, body, the caller's credentials, which part is asked for and on which
// conditions, the requirement (the i-th), and the payment as it was sent. The
// last keeps strangers who see the payment's nonce on its chain from fetching
// the answer with a payment of their own making.
func (x *exchange) computeFingerprint(i int) string {
	body := sha256.Sum256(x.body)
	b := make([]byte, 0, 4096)
	b = append(b, body[:]...)
	for _, part := range []string{
		x.r.Method, x.r.Host, x.r.URL.EscapedPath(), x.r.URL.RawQuery, x.r.Header.Get("Authorization"), x.header,
		x.r.Header.Get("Range"), x.r.Header.Get("If-Range"), x.r.Header.Get("If-None-Match"), x.r.Header.Get("If-Modified-Since"),
	} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(append(b, ':'), part...)
	}
	b = append(b, x.terms.encoded[i]...)
	sum := sha256.Sum256(b)
	return string(hex.AppendEncode(b[:0], sum[:]))
}

// refuse answers 402 with the challenge, the reason and words about it.
func (x *exchange) refuse(reason x402.Reason, message string) *Outcome {
	if message == "" {
		message = reason.Description()
	}
	c := newChallenge(reason, message, x.terms, x.route.resource)
	value, _ := c.header([]byte(x.url), nil)
	o := &Outcome{Status: http.StatusPaymentRequired, Body: c.appendBody(nil, []byte(x.url)), Header: http.Header{
		keyRequired:     {value},
		"Content-Type":  jsonType,
		"Cache-Control": noStore,
		"Vary":          varyOn,
	}}
	if reason.Is(x402.ReasonPermit2Allowance) {
		o.Status = http.StatusPreconditionFailed
	}
	return o
}

// expires is when the payment can no longer be settled.
func (x *exchange) expires(now time.Time) time.Time { return x.payment.Expires(now).Add(claimMargin) }

func (x *exchange) attempt() Attempt {
	return Attempt{Request: x.r, Pattern: x.route.Pattern, Payment: x.payment}
}

// settleContext lasts for the settlement, whatever becomes of the client and
// however long the handler took.
func (x *exchange) settleContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(x.r.Context()), x.g.cfg.SettleTimeout)
}

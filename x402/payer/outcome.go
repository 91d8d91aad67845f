package payer

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/v402/v402/x402"
)

// verdict is what an answer to a paid request means for the money.
type verdict int

const (
	unclear  verdict = iota // the payment may have moved; the same may be sent again
	spent                   // it bought the answer, or the seller says that it moved
	refused                 // the seller says that it is not valid
	answered                // an answer that says nothing about it
)

// outcome is the judgement on one sending of a payment.
type outcome struct {
	verdict verdict
	status  int // 0 without an answer
	reason  x402.Reason
	field   string
	message string
	receipt *x402.SettleResponse
	final   bool // sending it again is of no use
	err     error
}

// judge reads an answer to a paid request. again says that the payment was
// sent before, so that the reasons which an earlier success also explains are
// no refusal. A body that it reads stays readable.
func judge(resp *http.Response, err error, again bool) outcome {
	if err != nil {
		return outcome{verdict: unclear, err: err}
	}
	o := outcome{status: resp.StatusCode}
	o.receipt, _ = ReceiptFrom(resp)
	switch {
	case o.receipt != nil && o.receipt.Success, o.status < 300:
		o.verdict = spent
		return o
	case o.status < 400: // a redirect may have come from what stands before the goods
		o.verdict = answered
		return o
	case o.status == http.StatusPaymentRequired, o.status == http.StatusPreconditionFailed, o.status == http.StatusBadRequest:
		o.readReason(resp)
		if definite(o.reason, again) {
			o.verdict = refused
		} else if o.status != http.StatusPaymentRequired {
			o.verdict = answered
		}
		o.final = x402.ReasonEVMNonceUsed.Is(o.reason) || o.reason == x402.ReasonPaymentAlreadyUsed
	case o.status == http.StatusRequestTimeout, o.status == http.StatusTooEarly, o.status == http.StatusTooManyRequests, o.status >= 500:
		if o.receipt != nil {
			o.reason, o.message = o.receipt.ErrorReason, o.receipt.ErrorMessage
		}
	default:
		o.verdict = answered
	}
	return o
}

// readReason finds the reason of a refusal: in the settlement, in the
// challenge, or in the members of a JSON body.
func (o *outcome) readReason(resp *http.Response) {
	var v struct {
		Error         x402.Reason `json:"error"`
		InvalidReason x402.Reason `json:"invalidReason"`
		Message       string      `json:"message"`
		Field         string      `json:"field"`
	}
	if body, err := peek(resp, maxChallengeBody); err == nil {
		_ = json.Unmarshal(body, &v) // what is no JSON says nothing
	}
	o.reason, o.message = cmp.Or(v.InvalidReason, v.Error), v.Message
	if o.receipt != nil {
		o.reason, o.message = o.receipt.ErrorReason, cmp.Or(o.receipt.ErrorMessage, v.Message)
	} else if c, err := readChallenge(resp); err == nil {
		o.reason = x402.Reason(c.error)
	}
	if code, words, ok := strings.Cut(string(o.reason), ": "); ok {
		o.reason, o.message = x402.Reason(code), cmp.Or(o.message, words) // "reason: message"
	}
	o.reason, o.message = x402.Reason(clip(string(o.reason))), clip(o.message)
	o.field = fieldOf(o.reason, v.Field, o.message)
}

// content are reasons about the signed payment itself: what is wrong with it
// now was wrong with it from the start, so it never moved.
var content = reasons(
	x402.ReasonInvalidPayload, x402.ReasonInvalidScheme, x402.ReasonUnsupportedPayload, x402.ReasonExtensionEcho,
	x402.ReasonEVMScheme, x402.ReasonEVMNetwork, x402.ReasonEVMDomain, x402.ReasonEVMPayload, x402.ReasonEVMRecipient,
	x402.ReasonEVMSignature, x402.ReasonEVMSignatureFormat, x402.ReasonEVMAmount, x402.ReasonEVMTokenName,
	x402.ReasonEVMTokenVersion, x402.ReasonEVMNoEIP3009, x402.ReasonEVMAssetNotContract,
	"invalid_permit2_spender", "invalid_permit2_recipient_mismatch", "permit2_amount_mismatch", "permit2_token_mismatch",
	"invalid_permit2_signature", "upto_facilitator_mismatch",
)

// state are reasons about the chain, the clock or the seller at the moment:
// definite when the payment was sent for the first time, but later they may
// follow from an earlier sending that succeeded.
var state = reasons(
	x402.ReasonInvalidRequirements, x402.ReasonInvalidVersion, x402.ReasonInvalidNetwork, x402.ReasonUnsupportedScheme,
	x402.ReasonPolicy, x402.ReasonResourceMismatch, x402.ReasonPermit2Allowance, x402.ReasonNoMatchingOffer,
	x402.ReasonEVMExpired, x402.ReasonEVMNotYetValid, x402.ReasonEVMInsufficientFunds, x402.ReasonEVMSimulation,
	x402.ReasonEVMUndeployedWallet, x402.ReasonEVMFactoryNotAllowed,
	"permit2_deadline_expired", "permit2_not_yet_valid", "permit2_insufficient_balance", "permit2_simulation_failed",
	"permit2_proxy_not_deployed", "invalid_network_mismatch",
)

func reasons(list ...x402.Reason) map[x402.Reason]bool {
	m := make(map[x402.Reason]bool, len(list))
	for _, r := range list {
		m[x402.ParseReason(string(r))] = true
	}
	return m
}

// definite says whether r means that the payment did not move and will not
// by the seller's doing. Reasons that are not known do not, nor do those that
// come after something was sent to the chain: a transaction can fail because
// the same payment had already moved in another.
func definite(r x402.Reason, again bool) bool {
	r = x402.ParseReason(string(r))
	if content[r] {
		return true
	}
	return !again && (state[r] || strings.HasPrefix(string(r), "invalid_exact_svm_payload_"))
}

var fields = map[x402.Reason]string{
	x402.ReasonEVMNetwork: "network", x402.ReasonInvalidNetwork: "network", x402.ReasonEVMScheme: "scheme",
	x402.ReasonInvalidScheme: "scheme", x402.ReasonUnsupportedScheme: "scheme", x402.ReasonInvalidVersion: "x402Version",
	x402.ReasonEVMDomain: "extra", x402.ReasonEVMTokenName: "extra.name", x402.ReasonEVMTokenVersion: "extra.version",
	x402.ReasonEVMRecipient: "payTo", x402.ReasonEVMAmount: "amount", x402.ReasonEVMSignature: "signature",
	x402.ReasonEVMSignatureFormat: "signature", x402.ReasonEVMExpired: "validBefore", x402.ReasonEVMNotYetValid: "validAfter",
	x402.ReasonEVMAssetNotContract: "asset", x402.ReasonInvalidPayload: "payload", x402.ReasonEVMPayload: "payload",
}

// fieldOf is the field that a refusal is about: the one that is named, that
// with which the message begins (see [x402.Error.Message]), or the one that the
// reason is about.
func fieldOf(r x402.Reason, named, message string) string {
	if isFieldName(named) {
		return named
	}
	if name, _, ok := strings.Cut(message, ": "); ok && isFieldName(name) {
		return name
	}
	return fields[x402.ParseReason(string(r))]
}

func isFieldName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 60 && s[0] >= 'a' && s[0] <= 'z'
}

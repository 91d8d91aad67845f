package x402

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The HTTP headers of both versions.
const (
	HeaderPaymentRequired    = "PAYMENT-REQUIRED"    // v2 challenge, in a 402 answer
	HeaderPaymentSignature   = "PAYMENT-SIGNATURE"   // v2 payment, in a request
	HeaderPaymentResponse    = "PAYMENT-RESPONSE"    // v2 settlement, in an answer
	HeaderPaymentV1          = "X-PAYMENT"           // v1 payment, in a request
	HeaderPaymentResponseV1  = "X-PAYMENT-RESPONSE"  // v1 settlement, in an answer
	HeaderExtensionResponses = "EXTENSION-RESPONSES" // facilitator to server only
)

// MaxHeaderBytes bounds a payment header, in base64. Challenges should stay
// below half of it: clients limit all headers together to 16 KiB.
const MaxHeaderBytes = 16 << 10

// EncodeHeader writes v as the value of a payment header: standard padded
// base64 (RFC 4648, section 4) of its JSON.
func EncodeHeader(v any) (string, error) {
	j, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	s := base64.StdEncoding.EncodeToString(j)
	if len(s) > MaxHeaderBytes {
		return "", fmt.Errorf("x402: header of %d bytes exceeds %d", len(s), MaxHeaderBytes)
	}
	return s, nil
}

// DecodeHeader reads the value of a payment header into v. It returns an
// *[Error] with [ReasonInvalidPayload] for bad base64 or JSON and for more
// than [MaxHeaderBytes].
func DecodeHeader(s string, v any) error {
	if len(s) > MaxHeaderBytes {
		return Refuse(ReasonInvalidPayload, "", fmt.Sprintf("header of %d bytes exceeds %d", len(s), MaxHeaderBytes))
	}
	j, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && strings.ContainsAny(s, "\r\n") {
		err = errors.New("a line break") // encoding/base64 skips them
	}
	if err != nil {
		return &Error{Reason: ReasonInvalidPayload, Err: fmt.Errorf("not padded standard base64: %w", err)}
	}
	if err := json.Unmarshal(j, v); err != nil {
		if ReasonOf(err, "") != "" {
			return err
		}
		return &Error{Reason: ReasonInvalidPayload, Err: fmt.Errorf("not the JSON expected: %w", err)}
	}
	return nil
}

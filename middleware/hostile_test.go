package middleware_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

// hostile is a request that must not be served.
type hostile struct {
	name   string
	header []string // names and values
	status int
	reason string
	says   string // part of the body
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const wellFormed = `{"x402Version":2,"resource":{"url":"http://example.com/paid"},"accepted":{"scheme":"exact","network":"eip155:84532","amount":"10000","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":300,"extra":{"name":"USDC","version":"2"}},"payload":{"signature":"0x01","authorization":{"from":"0x1111111111111111111111111111111111111111","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000","validAfter":"0","validBefore":"4000000000","nonce":"0x00000000000000000000000000000000000000000000000000000000000000aa"}}}`

const wellFormedV1 = `{"x402Version":1,"scheme":"exact","network":"base-sepolia","payload":{"signature":"0x01","authorization":{"from":"0x1111111111111111111111111111111111111111","nonce":"0x00000000000000000000000000000000000000000000000000000000000000aa"}}}`

// v2 is the well-formed payment with one part replaced.
func v2(old, replacement string) []string {
	if !strings.Contains(wellFormed, old) {
		panic(old)
	}
	return []string{x402.HeaderPaymentSignature, b64(strings.Replace(wellFormed, old, replacement, 1))}
}

func v1(old, replacement string) []string {
	if !strings.Contains(wellFormedV1, old) {
		panic(old)
	}
	return []string{x402.HeaderPaymentV1, b64(strings.Replace(wellFormedV1, old, replacement, 1))}
}

func raw(value string) []string { return []string{x402.HeaderPaymentSignature, value} }

const (
	badPayload = "invalid_payload"
	noMatch    = "No matching payment requirements"
)

// unreadable payments are refused with 400.
var unreadable = []hostile{
	{"an empty header", raw(""), 400, badPayload, ""},
	{"a blank", raw(" "), 400, badPayload, ""},
	{"no base64", raw("!!!"), 400, badPayload, "base64"},
	{"base64 without padding", raw("e30"), 400, badPayload, "base64"},
	{"URL-safe base64", raw("eyJhIjoiPz8_In0="), 400, badPayload, "base64"},
	{"trailing bits in base64", raw("e31="), 400, badPayload, "base64"},
	{"plain JSON", raw(wellFormed), 400, badPayload, "base64"},
	{"two values in one header", raw(b64(wellFormed) + "," + b64(wellFormed)), 400, badPayload, "base64"},
	{"a header of 20 KiB", raw(b64(wellFormed + strings.Repeat(" ", 15<<10))), 400, badPayload, "exceeds"},
	{"two payment headers", []string{x402.HeaderPaymentSignature, b64(wellFormed), x402.HeaderPaymentSignature, b64(wellFormed)}, 400, badPayload, "once"},
	{"payments of both versions", []string{x402.HeaderPaymentSignature, b64(wellFormed), x402.HeaderPaymentV1, b64(wellFormedV1)}, 400, badPayload, "once"},
	{"two v1 headers", []string{x402.HeaderPaymentV1, b64(wellFormedV1), x402.HeaderPaymentV1, b64(wellFormedV1)}, 400, badPayload, "once"},
	{"no JSON", raw(b64("hello")), 400, badPayload, "JSON"},
	{"half a JSON", raw(b64(wellFormed[:len(wellFormed)-1])), 400, badPayload, ""},
	{"JSON and more", raw(b64(wellFormed + "{}")), 400, badPayload, ""},
	{"null", raw(b64("null")), 400, badPayload, ""},
	{"a list", raw(b64("[]")), 400, badPayload, ""},
	{"a string", raw(b64(`"x"`)), 400, badPayload, ""},
	{"a number", raw(b64("2")), 400, badPayload, ""},
	{"deep nesting", raw(b64(strings.Repeat("[", 11000))), 400, badPayload, ""},
	{"an empty object", raw(b64("{}")), 400, "invalid_x402_version", "x402Version"},
	{"version 3", v2(`"x402Version":2`, `"x402Version":3`), 400, "invalid_x402_version", "3"},
	{"version 0", v2(`"x402Version":2`, `"x402Version":0`), 400, "invalid_x402_version", ""},
	{"version -2", v2(`"x402Version":2`, `"x402Version":-2`), 400, "invalid_x402_version", ""},
	{"version as text", v2(`"x402Version":2`, `"x402Version":"2"`), 400, "invalid_x402_version", "x402Version"},
	{"no version", v2(`"x402Version":2,`, ``), 400, "invalid_x402_version", ""},
	{"version 1 in the v2 header", []string{x402.HeaderPaymentSignature, b64(wellFormedV1)}, 400, "invalid_x402_version", "X-PAYMENT"},
	{"version 2 in the v1 header", []string{x402.HeaderPaymentV1, b64(wellFormed)}, 400, "invalid_x402_version", "PAYMENT-SIGNATURE"},
	{"no payload", v2(`"payload"`, `"other"`), 400, badPayload, "payload"},
	{"a null payload", raw(b64(`{"x402Version":2,"accepted":{},"payload":null}`)), 400, badPayload, "payload"},
	{"a payload that is a list", raw(b64(strings.Split(wellFormed, `"payload":`)[0] + `"payload":[]}`)), 400, badPayload, "payload"},
	{"accepted is a list", raw(b64(`{"x402Version":2,"accepted":[],"payload":{}}`)), 400, badPayload, "accepted"},
	{"the amount as a number", v2(`"amount":"10000"`, `"amount":10000`), 400, badPayload, "amount"},
	{"a negative amount", v2(`"amount":"10000"`, `"amount":"-10000"`), 400, badPayload, "amount"},
	{"an amount in hex", v2(`"amount":"10000"`, `"amount":"0x2710"`), 400, badPayload, "amount"},
	{"an amount with exponent", v2(`"amount":"10000"`, `"amount":"1e4"`), 400, badPayload, "amount"},
	{"an amount with a point", v2(`"amount":"10000"`, `"amount":"10000.0"`), 400, badPayload, "amount"},
	{"an amount with leading zeros", v2(`"amount":"10000"`, `"amount":"010000"`), 400, badPayload, "amount"},
	{"an amount with a plus", v2(`"amount":"10000"`, `"amount":"+10000"`), 400, badPayload, "amount"},
	{"an amount of 2^256", v2(`"amount":"10000"`, `"amount":"115792089237316195423570985008687907853269984665640564039457584007913129639936"`), 400, badPayload, "amount"},
	{"the timeout as text", v2(`"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":"300"`), 400, badPayload, "maxTimeoutSeconds"},
	{"no amount", v2(`"amount":"10000",`, ``), 400, badPayload, "amount"},
	{"two amounts", v2(`"amount":"10000"`, `"amount":"1","amount":"10000"`), 400, badPayload, ""},
	{"an authorization that is a list", v2(`"authorization":{`, `"authorization":[],"x":{`), 400, badPayload, "authorization"},
	{"no nonce", v2(`"nonce":"0x00000000000000000000000000000000000000000000000000000000000000aa"`, `"n":""`), 400, badPayload, "nonce"},
	{"a short nonce", v2(`"nonce":"0x00`, `"nonce":"0x`), 400, badPayload, "nonce"},
	{"a nonce that is a number", v2(`"nonce":"0x00000000000000000000000000000000000000000000000000000000000000aa"`, `"nonce":170`), 400, badPayload, "nonce"},
	{"no payer", v2(`"from":"0x1111111111111111111111111111111111111111",`, ``), 400, badPayload, "from"},
	{"a payer that is none", v2(`"from":"0x1111111111111111111111111111111111111111"`, `"from":"0x11"`), 400, badPayload, "from"},
	{"two authorizations", v2(`"authorization":{`, `"permit2Authorization":{"from":"0x1111111111111111111111111111111111111111","nonce":"1"},"authorization":{`), 400, badPayload, ""},
	{"v1 without payload", v1(`"payload"`, `"other"`), 400, badPayload, "payload"},
	{"v1 without nonce", v1(`"nonce"`, `"n"`), 400, badPayload, "nonce"},
}

// mismatched payments are refused with 402 and the challenge.
var mismatched = []hostile{
	{"one unit less", v2(`"amount":"10000"`, `"amount":"9999"`), 402, noMatch, "amount: the payment accepts 9999, the offer is 10000"},
	{"one unit more", v2(`"amount":"10000"`, `"amount":"10001"`), 402, noMatch, "amount"},
	{"nothing", v2(`"amount":"10000"`, `"amount":"0"`), 402, noMatch, "amount"},
	{"10^18", v2(`"amount":"10000"`, `"amount":"1000000000000000000"`), 402, noMatch, "amount"},

	{"another asset", v2(`0x036CbD53842c5426634e7929541eC2318f3dCF7e`, payTo), 402, noMatch, "asset"},
	{"no asset", v2(`"asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e",`, ``), 402, noMatch, "asset"},
	{"another recipient", v2(`"payTo":"0x2096`, `"payTo":"0x2097`), 402, noMatch, "payTo"},
	{"another network", v2(`eip155:84532`, `eip155:8453`), 402, noMatch, "network"},
	{"a network that is none", v2(`eip155:84532`, `moon`), 402, noMatch, "network"},
	{"a long network", v2(`eip155:84532`, strings.Repeat("n", 5000)), 402, noMatch, "network"},
	{"another scheme", v2(`"scheme":"exact"`, `"scheme":"upto"`), 402, noMatch, "scheme"},
	{"the scheme in capitals", v2(`"scheme":"exact"`, `"scheme":"EXACT"`), 402, noMatch, "scheme"},
	{"a longer time", v2(`"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":301`), 402, noMatch, "maxTimeoutSeconds"},
	{"a fraction of a second", v2(`"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":300.5`), 402, noMatch, "maxTimeoutSeconds"},
	{"another EIP-712 name", v2(`"name":"USDC"`, `"name":"USD Coin"`), 402, noMatch, "extra"},
	{"no EIP-712 version", v2(`"name":"USDC","version":"2"`, `"name":"USDC"`), 402, noMatch, "extra"},
	{"the version as a number", v2(`"version":"2"`, `"version":2`), 402, noMatch, "extra"},
	{"no extra", v2(`,"extra":{"name":"USDC","version":"2"}`, ``), 402, noMatch, "extra"},
	{"nothing accepted", v2(`"accepted"`, `"agreed"`), 402, noMatch, "scheme"},
	{"another path", v2(`example.com/paid`, `example.com/cheap`), 402, "resource_mismatch", "resource.url"},
	{"another query", v2(`example.com/paid`, `example.com/paid?x=1`), 402, "resource_mismatch", ""},
	{"no URL", v2(`http://example.com/paid`, `%zz`), 402, "resource_mismatch", ""},
	{"another v1 network", v1(`base-sepolia`, `base`), 402, noMatch, "network"},
	{"another v1 scheme", v1(`exact`, `upto`), 402, noMatch, "scheme"},
}

func TestHostilePaymentsAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	all := append(append([]hostile{}, unreadable...), mismatched...)
	require.Greater(t, len(all), 60)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil, nil)
			w := s.do("POST", "/paid", "body", c.header...)
			require.Equal(t, c.status, w.Code, w.Body)
			require.Equal(t, c.reason, reason(t, w), w.Body)
			require.Contains(t, w.Body.String(), c.says)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Empty(t, w.Header().Get(x402.HeaderPaymentResponse))
			if c.status == http.StatusPaymentRequired {
				require.Equal(t, c.reason, challenge(t, w.Header()).Error)
			}
			require.Zero(t, s.ran.Load(), "the handler ran")
			require.Zero(t, s.verified.Load()+s.settled.Load(), "the facilitator was asked")
			require.Zero(t, s.claims.Len(), "something was claimed")
		})
	}
}

func TestHarmlessDifferencesAreAccepted(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{
		"the offer as it is":         v2(`exact`, `exact`),
		"an asset in lower case":     v2(`0x036CbD53842c5426634e7929541eC2318f3dCF7e`, `0x036cbd53842c5426634e7929541ec2318f3dcf7e`),
		"a recipient in lower case":  v2(`"payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C"`, `"payTo":"0x209693bc6afc0c5328ba36faf03c514ef312287c"`),
		"more members in extra":      v2(`"version":"2"`, `"version":"2","decimals":6`),
		"unknown members":            v2(`"payload"`, `"later":{"a":[1]},"payload"`),
		"null for what is optional":  v2(`"payload"`, `"extensions":null,"payload"`),
		"the resource under https":   v2(`http://example.com/paid`, `https://shop.example/paid`),
		"no resource":                v2(`"resource":{"url":"http://example.com/paid"},`, ``),
		"a timeout written as 300.0": v2(`"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":300.0`),
		"version 1":                  v1(`exact`, `exact`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil, nil)
			w := s.do("POST", "/paid", "body", header...)
			require.Equal(t, 200, w.Code, w.Body)
			require.EqualValues(t, 1, s.ran.Load())
			p := s.last()
			require.Equal(t, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", p.Requirements.Asset, "the seller's own requirement is sent")
			require.Equal(t, payTo, p.Requirements.PayTo)
			require.Equal(t, "10000", p.Requirements.Amount.String())
			require.JSONEq(t, `{"name":"USDC","version":"2"}`, string(p.Requirements.Extra))
		})
	}
}

func TestAnythingTheFacilitatorDoesNotCallValidIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said   x402.Reason
		status int
		reason string
	}{
		{x402.ReasonEVMSignature, 402, "invalid_exact_evm_signature"},
		{x402.ReasonEVMExpired, 402, "invalid_exact_evm_payload_authorization_valid_before"},
		{x402.ReasonEVMNotYetValid, 402, "invalid_exact_evm_payload_authorization_valid_after"},
		{x402.ReasonEVMNonceUsed, 402, "invalid_exact_evm_nonce_already_used"},
		{"insufficient_funds", 402, "insufficient_funds"},
		{"a reason of its own", 402, "a reason of its own"},
		{"", 402, "unexpected_verify_error"},
		{x402.ReasonPermit2Allowance, 412, "permit2_allowance_required"},
	} {
		s := open(t, nil, nil)
		s.onVerify = invalid(c.said, strings.Repeat("w", 5000))
		name, value := s.pay(t, "GET", "/paid")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, c.status, w.Code)
		require.Equal(t, c.reason, reason(t, w))
		require.Equal(t, c.reason, challenge(t, w.Header()).Error)
		require.Less(t, w.Body.Len(), 2000)
		require.Zero(t, s.ran.Load(), "isValid:false ran the handler")
		require.Zero(t, s.settled.Load())
		require.Zero(t, s.claims.Len())
	}
}

func FuzzNoPaymentHeaderRunsTheHandlerUnlessItMatches(f *testing.F) {
	f.Add(b64(wellFormed), false)
	f.Add(b64(wellFormedV1), true)
	for _, c := range append(unreadable[:10:10], mismatched...) {
		f.Add(c.header[1], c.header[0] == x402.HeaderPaymentV1)
	}
	f.Fuzz(func(t *testing.T, value string, old bool) {
		s := open(t, nil, nil)
		name := x402.HeaderPaymentSignature
		if old {
			name = x402.HeaderPaymentV1
		}
		w := s.do("GET", "/paid", "", name, value)
		if s.ran.Load() > 0 {
			require.EqualValues(t, 1, s.settled.Load())
			var p x402.PaymentPayload
			require.NoError(t, x402.DecodeHeader(value, &p))
			require.Equal(t, x402.BaseSepolia, p.Accepted.Network)
			return
		}
		require.Contains(t, []int{400, 402}, w.Code)
		require.True(t, json.Valid(w.Body.Bytes()))
		require.Zero(t, s.claims.Len())
	})
}

var _ middleware.Claims = (*middleware.MemoryClaims)(nil)

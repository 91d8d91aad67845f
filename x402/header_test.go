package x402_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

func TestAHeaderIsPaddedStandardBase64OfJSON(t *testing.T) {
	t.Parallel()
	for _, p := range []string{payloadV1, payloadV2} {
		header, err := x402.EncodeHeader(read[x402.PaymentPayload](t, p))
		require.NoError(t, err)
		assert.Regexp(t, `^[A-Za-z0-9+/]*={0,2}$`, header)
		j, err := base64.StdEncoding.DecodeString(header)
		require.NoError(t, err)
		assert.JSONEq(t, p, string(j))
		var again x402.PaymentPayload
		require.NoError(t, x402.DecodeHeader(header, &again))
		assert.Equal(t, read[x402.PaymentPayload](t, p), again)
	}
}

func TestAHeaderInAnyOtherFormIsRefused(t *testing.T) {
	t.Parallel()
	// Padding of a document with bytes that differ between the two alphabets.
	document := strings.Replace(payloadV2, `"description":"d"`, `"description":"???>>>`+"\u00ff\u00fe"+`"`, 1)
	good := base64.StdEncoding.EncodeToString([]byte(document))
	for len(document)%3 != 1 {
		document += " "
		good = base64.StdEncoding.EncodeToString([]byte(document))
	}
	require.True(t, strings.HasSuffix(good, "=="), "where the digit after the last one spells the same byte")
	require.True(t, strings.ContainsAny(good, "+/"))
	var p x402.PaymentPayload
	require.NoError(t, x402.DecodeHeader(good, &p))
	for name, header := range map[string]string{
		"empty":               "",
		"unpadded":            strings.TrimRight(good, "="),
		"half padded":         strings.TrimSuffix(good, "="),
		"padded more":         good + "=",
		"URL-safe":            base64.URLEncoding.EncodeToString([]byte(document)),
		"URL-safe, unpadded":  base64.RawURLEncoding.EncodeToString([]byte(document)),
		"trailing garbage":    good + "AAAA",
		"trailing space":      good + " ",
		"leading space":       " " + good,
		"a line break":        good[:40] + "\n" + good[40:],
		"a carriage return":   good + "\r\n",
		"stray trailing bits": good[:len(good)-3] + string(good[len(good)-3]+1) + "==",
		"two documents":       base64.StdEncoding.EncodeToString([]byte(payloadV2 + payloadV2)),
		"text after it":       base64.StdEncoding.EncodeToString([]byte(payloadV2 + "x")),
		"no JSON":             base64.StdEncoding.EncodeToString([]byte("payment")),
		"an array":            base64.StdEncoding.EncodeToString([]byte("[" + payloadV2 + "]")),
		"null":                base64.StdEncoding.EncodeToString([]byte("null")),
		"not encoded":         payloadV2,
		"too long":            base64.StdEncoding.EncodeToString([]byte(payloadV2 + strings.Repeat(" ", x402.MaxHeaderBytes))),
	} {
		var p x402.PaymentPayload
		err := x402.DecodeHeader(header, &p)
		assert.Equal(t, x402.ReasonInvalidPayload, x402.ReasonOf(err, "no reason"), name)
		assert.Zero(t, p, name)
	}
}

func TestAHeaderThatNobodyWouldAcceptIsNotWritten(t *testing.T) {
	t.Parallel()
	_, err := x402.EncodeHeader(strings.Repeat("x", x402.MaxHeaderBytes))
	assert.Error(t, err)
	_, err = x402.EncodeHeader(func() {})
	assert.Error(t, err)
	_, err = x402.EncodeHeader(x402.PaymentPayload{Payload: json.RawMessage(`{`)})
	assert.Error(t, err)
}

func TestTheVersionInAHeaderIsOneOrTwo(t *testing.T) {
	t.Parallel()
	for _, version := range []string{`0`, `3`, `-1`, `"2"`, `2.5`, `null`, `1e0`, `[2]`, `99999999999999999999`} {
		document := strings.Replace(payloadV2, `"x402Version":2`, `"x402Version":`+version, 1)
		header := base64.StdEncoding.EncodeToString([]byte(document))
		var p x402.PaymentPayload
		err := x402.DecodeHeader(header, &p)
		assert.Equal(t, x402.ReasonInvalidVersion, x402.ReasonOf(err, "no reason"), version)
	}
}

func fuzzHeader[T any](f *testing.F, documents ...string) {
	for _, d := range documents {
		f.Add(base64.StdEncoding.EncodeToString([]byte(d)))
	}
	f.Add("e30")
	f.Fuzz(func(t *testing.T, s string) {
		var v T
		if x402.DecodeHeader(s, &v) != nil {
			return
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		var again T
		if err := json.Unmarshal(j, &again); err != nil {
			t.Fatalf("%s: %v", j, err)
		}
		once, err := json.Marshal(again)
		if err != nil || string(once) != string(j) {
			t.Fatalf("%s becomes %s, %v", j, once, err)
		}
	})
}

func FuzzDecodeHeaderPaymentPayload(f *testing.F) {
	fuzzHeader[x402.PaymentPayload](f, payloadV1, payloadV2)
}

func FuzzDecodeHeaderPaymentRequired(f *testing.F) {
	fuzzHeader[x402.PaymentRequired](f, requiredV1, requiredV2)
}

func FuzzDecodeHeaderSettleResponse(f *testing.F) {
	fuzzHeader[x402.SettleResponse](f, settledV2, pending)
}

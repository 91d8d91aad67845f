package evm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

var now = time.Unix(1740672000, 0)

// offer is what the tests sell for: 10000 of the test USDC on Base Sepolia.
func offer(t testing.TB) x402.PaymentRequirements {
	t.Helper()
	usdc, err := x402.DefaultAssets().Default(x402.BaseSepolia)
	require.NoError(t, err)
	return usdc.Requirements(x402.NewAmount(10000), payTo)
}

type exactPayload struct {
	Authorization map[string]string
	Signature     string
}

func sign(t testing.TB, version int, r x402.PaymentRequirements) exactPayload {
	t.Helper()
	raw, err := signer(t).Sign(t.Context(), version, r, now)
	require.NoError(t, err)
	var p exactPayload
	require.NoError(t, json.Unmarshal(raw, &p))
	return p
}

func TestASignedPaymentHasTheTimesOfItsVersion(t *testing.T) {
	t.Parallel()
	for version, validAfter := range map[int]string{x402.V1: "1740671400", x402.V2: "0"} {
		p := sign(t, version, offer(t))
		nonce := p.Authorization["nonce"]
		assert.Len(t, nonce, 66)
		assert.Equal(t, map[string]string{
			"from": payer, "to": payTo, "value": "10000", "validAfter": validAfter, "validBefore": "1740672300", "nonce": nonce,
		}, p.Authorization)
		assert.Len(t, p.Signature, 132)
		assert.NotEqual(t, nonce, sign(t, version, offer(t)).Authorization["nonce"], "each payment has a nonce of its own")
	}
}

func TestFractionsOfASecondToPayAreDropped(t *testing.T) {
	t.Parallel()
	r := offer(t)
	r.MaxTimeoutSeconds = 60.9
	assert.Equal(t, "1740672060", sign(t, x402.V2, r).Authorization["validBefore"])
}

func TestWhatCannotBePaidByEIP3009IsRefused(t *testing.T) {
	t.Parallel()
	for field, test := range map[string]struct {
		reason x402.Reason
		change func(*x402.PaymentRequirements)
	}{
		"scheme":                    {x402.ReasonUnsupportedScheme, func(r *x402.PaymentRequirements) { r.Scheme = x402.SchemeUpto }},
		"network":                   {x402.ReasonInvalidNetwork, func(r *x402.PaymentRequirements) { r.Network = x402.Solana }},
		"extra.assetTransferMethod": {x402.ReasonUnsupportedPayload, func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`{"assetTransferMethod":"permit2"}`) }},
		"extra.name":                {x402.ReasonEVMDomain, func(r *x402.PaymentRequirements) { r.Extra = nil }},
		"extra.version":             {x402.ReasonEVMDomain, func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`{"name":"USDC","version":null}`) }},
		"extra":                     {x402.ReasonInvalidRequirements, func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`[]`) }},
		"asset":                     {x402.ReasonInvalidRequirements, func(r *x402.PaymentRequirements) { r.Asset = "USDC" }},
		"payTo":                     {x402.ReasonInvalidRequirements, func(r *x402.PaymentRequirements) { r.PayTo = "" }},
		"maxTimeoutSeconds":         {x402.ReasonInvalidRequirements, func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = 0 }},
	} {
		r := offer(t)
		assert.True(t, signer(t).Accepts(r))
		test.change(&r)
		assert.False(t, signer(t).Accepts(r), field)
		_, err := signer(t).Sign(t.Context(), x402.V2, r, now)
		requireRefusal(t, err, test.reason, field)
	}
}

func TestATimeToPayThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []float64{0, -1, 0.5, math.NaN(), math.Inf(1), math.Inf(-1), 1e18, math.MaxFloat64} {
		r := offer(t)
		r.MaxTimeoutSeconds = x402.Seconds(s)
		assert.False(t, signer(t).Accepts(r), s)
		_, err := signer(t).Sign(t.Context(), x402.V2, r, now)
		requireRefusal(t, err, x402.ReasonInvalidRequirements, "maxTimeoutSeconds")
	}
}

func TestSignNeedsAKnownVersionAndALiveContext(t *testing.T) {
	t.Parallel()
	for _, version := range []int{0, 3, -1} {
		_, err := signer(t).Sign(t.Context(), version, offer(t), now)
		requireRefusal(t, err, x402.ReasonInvalidVersion, "x402Version")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := signer(t).Sign(gone, x402.V2, offer(t), now)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestASignerPrintsAsItsAddress(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, payer, fmt.Sprintf(verb, signer(t)), verb)
	}
	//lint:ignore SA9005 that JSON does not show the key is the promise
	j, err := json.Marshal(signer(t))
	require.NoError(t, err)
	assert.Equal(t, "{}", string(j))
}

func requireRefusal(t testing.TB, err error, reason x402.Reason, field string) {
	t.Helper()
	var refused *x402.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, reason, refused.Reason, err)
	assert.Equal(t, field, refused.Field, err)
}

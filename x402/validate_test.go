package x402_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/v402/v402/x402"
)

func refusedField(t *testing.T, err error, field string) {
	t.Helper()
	var refused *x402.Error
	if assert.ErrorAs(t, err, &refused, field) {
		assert.Equal(t, field, refused.Field)
		assert.Equal(t, x402.ReasonInvalidRequirements, refused.Reason)
		assert.NotEmpty(t, refused.Message())
	}
}

func TestAResourceKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	assert.NoError(t, x402.ResourceInfo{}.Validate(), "the URL may be filled in later")
	assert.NoError(t, x402.ResourceInfo{
		ServiceName: strings.Repeat("~", 32), Tags: []string{" ", "b", "c", "d", strings.Repeat("t", 32)}, IconURL: strings.Repeat("i", 2048),
	}.Validate())
	for field, r := range map[string]x402.ResourceInfo{
		"serviceName": {ServiceName: strings.Repeat("s", 33)},
		"tags":        {Tags: make([]string, 6)},
		"tags[1]":     {Tags: []string{"a", ""}},
		"tags[0]":     {Tags: []string{strings.Repeat("t", 33)}},
		"tags[2]":     {Tags: []string{"a", "b", "é"}},
		"iconUrl":     {IconURL: strings.Repeat("i", 2049)},
	} {
		refusedField(t, r.Validate(), field)
	}
	for _, name := range []string{"é", "a\n", "\x7f", "a\x00"} {
		refusedField(t, x402.ResourceInfo{ServiceName: name}.Validate(), "serviceName")
	}
}

func TestARequirementMustBeComplete(t *testing.T) {
	t.Parallel()
	good := read[x402.PaymentRequirements](t, requirementV2)
	assert.NoError(t, good.Validate())
	free := good
	free.Amount = x402.Amount{}
	assert.NoError(t, free.Validate())
	for _, test := range []struct {
		field  string
		change func(*x402.PaymentRequirements)
	}{
		{"scheme", func(r *x402.PaymentRequirements) { r.Scheme = "" }},
		{"network", func(r *x402.PaymentRequirements) { r.Network = "" }},
		{"network", func(r *x402.PaymentRequirements) { r.Network = "base" }},
		{"asset", func(r *x402.PaymentRequirements) { r.Asset = "" }},
		{"asset", func(r *x402.PaymentRequirements) { r.Asset = "USDC" }},
		{"asset", func(r *x402.PaymentRequirements) { r.Asset = "0x" + strings.Repeat("g", 40) }},
		{"payTo", func(r *x402.PaymentRequirements) { r.PayTo = "" }},
		{"payTo", func(r *x402.PaymentRequirements) { r.PayTo = r.PayTo[2:] }},
		{"payTo", func(r *x402.PaymentRequirements) { r.PayTo += "0" }},
		{"maxTimeoutSeconds", func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = 0 }},
		{"maxTimeoutSeconds", func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = -1 }},
		{"maxTimeoutSeconds", func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = x402.Seconds(math.NaN()) }},
		{"maxTimeoutSeconds", func(r *x402.PaymentRequirements) { r.MaxTimeoutSeconds = x402.Seconds(math.Inf(1)) }},
		{"extra", func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`[]`) }},
		{"extra", func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`{"a":}`) }},
		{"extra", func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`{} {}`) }},
	} {
		r := good
		test.change(&r)
		refusedField(t, r.Validate(), test.field)
	}
	solana := good
	solana.Network, solana.Asset, solana.PayTo = x402.Solana, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"
	assert.NoError(t, solana.Validate())
	for _, bad := range []string{"0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "short", strings.Repeat("1", 45), strings.Repeat("0", 40), strings.Repeat("l", 40)} {
		solana.PayTo = bad
		refusedField(t, solana.Validate(), "payTo")
	}
	elsewhere := good
	elsewhere.Network, elsewhere.Asset, elsewhere.PayTo = "cosmos:hub", "uusdc", "cosmos1xyz"
	assert.NoError(t, elsewhere.Validate(), "forms of other chains are not known")
}

func TestAChallengeOffersAtLeastOneWayToPay(t *testing.T) {
	t.Parallel()
	assert.NoError(t, read[x402.PaymentRequired](t, requiredV2).Validate())
	assert.NoError(t, read[x402.PaymentRequired](t, requiredV1).Validate())
	p := read[x402.PaymentRequired](t, requiredV2)
	p.Accepts = nil
	refusedField(t, p.Validate(), "accepts")
	p = read[x402.PaymentRequired](t, extended)
	p.Accepts[1].PayTo = ""
	refusedField(t, p.Validate(), "accepts[1].payTo")
	p = read[x402.PaymentRequired](t, requiredV2)
	p.Resource.URL = ""
	refusedField(t, p.Validate(), "resource.url")
	p = read[x402.PaymentRequired](t, requiredV2)
	p.Resource.Tags = []string{""}
	refusedField(t, p.Validate(), "resource.tags[0]")
	p = read[x402.PaymentRequired](t, requiredV2)
	p.Version = 3
	assert.Equal(t, x402.ReasonInvalidVersion, x402.ReasonOf(p.Validate(), ""))
}

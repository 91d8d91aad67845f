package x402_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

const (
	verified  = `{"isValid":true,"payer":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"}`
	invalid   = `{"isValid":false,"invalidReason":"insufficient_funds","invalidMessage":"m","payer":"0x1","extensions":{"e":{}},"extra":{"x":1}}`
	failed    = `{"success":false,"errorReason":"x","errorMessage":"m","transaction":"","network":"eip155:8453"}`
	metered   = `{"success":true,"transaction":"","network":"eip155:8453","amount":"0","extensions":{"e":1},"extra":{"x":1}}`
	supported = `{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"},{"x402Version":1,"scheme":"exact","network":"base-sepolia","extra":{"feePayer":"x"}}],` +
		`"extensions":["bazaar"],"signers":{"eip155:*":["0x1"],"solana:*":["s"]}}`
	extended = `{"x402Version":2,"resource":` + resourceV2 + `,"accepts":[` + requirementV2 + `,` + requirementV2 + `],"extensions":{"payment-identifier":{"info":{"required":true}}}}`
	full     = `{"url":"https://h/p","description":"d","mimeType":"m","serviceName":"s","tags":["a","b"],"iconUrl":"https://h/i"}`
)

// roundTrip reads a document as a T and writes it again.
func roundTrip[T any](t *testing.T, document string) string {
	t.Helper()
	j, err := json.Marshal(read[T](t, document))
	require.NoError(t, err)
	return string(j)
}

// documents are all wire documents with the function that reads and writes them.
var documents = map[string]func(*testing.T, string) string{
	requirementV2: roundTrip[x402.PaymentRequirements],
	full:          roundTrip[x402.ResourceInfo],
	requiredV1:    roundTrip[x402.PaymentRequired],
	requiredV2:    roundTrip[x402.PaymentRequired],
	extended:      roundTrip[x402.PaymentRequired],
	payloadV1:     roundTrip[x402.PaymentPayload],
	payloadV2:     roundTrip[x402.PaymentPayload],
	paymentV1:     roundTrip[x402.Payment],
	paymentV2:     roundTrip[x402.Payment],
	verified:      roundTrip[x402.VerifyResponse],
	invalid:       roundTrip[x402.VerifyResponse],
	settledV2:     roundTrip[x402.SettleResponse],
	failed:        roundTrip[x402.SettleResponse],
	metered:       roundTrip[x402.SettleResponse],
	supported:     roundTrip[x402.Supported],
	page:          roundTrip[x402.DiscoveryPage],
	search:        roundTrip[x402.SearchPage],
}

func TestTheDocumentsOfTheProtocolRoundTrip(t *testing.T) {
	t.Parallel()
	for document, f := range documents {
		assert.JSONEq(t, document, f(t, document))
	}
}

func TestUnknownFieldsSurviveAtEveryLevel(t *testing.T) {
	t.Parallel()
	for document, f := range documents {
		if strings.Contains(document, "paymentPayload") {
			continue // the body of a request to a facilitator is not passed on
		}
		// Once for each object of the model: what is inside schemes' own parts is raw.
		for _, start := range []string{`{"x402Version":`, `{"scheme":`, `{"url":`, `{"isValid":`, `{"success":`, `{"kinds":`, `{"resource":`, `{"limit":`} {
			if strings.Contains(document, start) && start != `{"limit":` {
				changed := strings.ReplaceAll(document, start, `{"later":{"a":[1.50,null,"é"],"b":"<>"},"zero":null,`+start[1:])
				assert.JSONEq(t, changed, f(t, changed))
			}
		}
	}
}

func TestANullIsAsGoodAsAbsent(t *testing.T) {
	t.Parallel()
	for document, test := range map[string]struct {
		nulls string
		f     func(*testing.T, string) string
	}{
		`{"url":"u"}`: {`"description":null,"mimeType":null,"serviceName":null,"tags":null,"iconUrl":null`, roundTrip[x402.ResourceInfo]},
		`{"scheme":"exact","network":"eip155:1","amount":"1","asset":"a","payTo":"p","maxTimeoutSeconds":1}`: {`"extra":null`, roundTrip[x402.PaymentRequirements]},
		`{"x402Version":2,"resource":{"url":"u"},"accepts":[]}`:                                              {`"error":null,"extensions":null`, roundTrip[x402.PaymentRequired]},
		`{"x402Version":1,"accepts":[]}`:                                                                     {`"error":null`, roundTrip[x402.PaymentRequired]},
		`{"x402Version":2,"accepted":` + requirementV2 + `,"payload":{}}`:                                    {`"resource":null,"extensions":null`, roundTrip[x402.PaymentPayload]},
		`{"isValid":true}`: {`"invalidReason":null,"invalidMessage":null,"payer":null,"extensions":null,"extra":null`, roundTrip[x402.VerifyResponse]},
		`{"success":true,"transaction":"t","network":"n"}`:        {`"errorReason":null,"errorMessage":null,"payer":null,"amount":null,"extensions":null,"extra":null`, roundTrip[x402.SettleResponse]},
		`{"x402Version":2,"scheme":"exact","network":"eip155:1"}`: {`"extra":null`, roundTrip[x402.Kind]},
		`{"kinds":[],"extensions":[],"signers":{}}`:               {``, roundTrip[x402.Supported]},
	} {
		assert.JSONEq(t, document, test.f(t, document))
		if test.nulls != "" {
			assert.JSONEq(t, document, test.f(t, "{"+test.nulls+","+document[1:]), document)
		}
	}
	assert.JSONEq(t, `{"kinds":[],"extensions":[],"signers":{}}`, roundTrip[x402.Supported](t, `{"kinds":null,"extensions":null,"signers":null}`))

	nulls := strings.Replace(requirementV1, `"outputSchema":{"type":"object"}`, `"outputSchema":null`, 1)
	nulls = strings.Replace(nulls, `"description":"d"`, `"description":null`, 1)
	r, info, err := x402.UnmarshalRequirementsV1([]byte(nulls))
	require.NoError(t, err)
	assert.Empty(t, r.Unknown)
	assert.Empty(t, info.Description)
}

func TestNoSecondSpellingOfAFieldIsBelieved(t *testing.T) {
	t.Parallel()
	for _, twice := range []string{`"amount":"1"`, `"am\u006funt":"1"`, `"payTo":"x"`, `"extra":null`, `"scheme":null`} {
		var r x402.PaymentRequirements
		err := json.Unmarshal([]byte(strings.Replace(requirementV2, `{"scheme"`, `{`+twice+`,"scheme"`, 1)), &r)
		assert.ErrorContains(t, err, "stands twice", twice)
		err = json.Unmarshal([]byte(strings.TrimSuffix(requirementV2, "}")+`,`+twice+`}`), &r)
		assert.ErrorContains(t, err, "stands twice", twice)
	}
	for _, other := range []string{`"Amount":"1"`, `"AMOUNT":"1"`, `"amount ":"1"`, `"PayTo":"x"`, `"\u0000amount":"1"`} {
		r := read[x402.PaymentRequirements](t, strings.TrimSuffix(requirementV2, "}")+`,`+other+`}`)
		assert.Equal(t, "10000", r.Amount.String(), other)
		assert.Equal(t, "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", r.PayTo, other)
		assert.Len(t, r.Unknown, 1, other)
	}
	for _, document := range []string{
		strings.Replace(payloadV2, `"x402Version":2`, `"x402Version":1,"x402Version":2`, 1),
		strings.Replace(payloadV2, `"x402Version":2`, `"x402Version":2,"x402Versio\u006e":1`, 1),
		strings.Replace(payloadV2, `"payload":`, `"payload":{},"payload":`, 1),
		strings.Replace(payloadV2, `"network":`, `"network":"eip155:1","network":`, 1),
		strings.Replace(payloadV2, `"payload":`, `"extensions":{"a":1,"a":2},"payload":`, 1),
	} {
		var p x402.PaymentPayload
		assert.ErrorContains(t, json.Unmarshal([]byte(document), &p), "stands twice")
	}
	for _, body := range []string{
		strings.Replace(paymentV2, `"paymentPayload":`, `"paymentPayload":`+payloadV2+`,"paymentPayload":`, 1),
		strings.Replace(paymentV2, `"paymentRequirements":`, `"paymentRequirements":`+requirementV2+`,"paymentRequirements":`, 1),
		strings.Replace(paymentV1, `"maxAmountRequired":`, `"maxAmountRequired":"1","maxAmountRequired":`, 1),
	} {
		var p x402.Payment
		assert.ErrorContains(t, json.Unmarshal([]byte(body), &p), "stands twice")
	}
}

func TestWhatCannotBeReadIsNamedByItsPath(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		reason x402.Reason
		field  string
	}{
		`{}`:                                   {x402.ReasonInvalidPayload, "paymentPayload"},
		`{"x402Version":3}`:                    {x402.ReasonInvalidVersion, "x402Version"},
		`{"x402Version":2,"paymentPayload":5}`: {x402.ReasonInvalidPayload, "paymentPayload"},
		`{"paymentPayload":{}}`:                {x402.ReasonInvalidVersion, "paymentPayload.x402Version"},
		`{"paymentPayload":{"x402Version":2}}`: {x402.ReasonInvalidPayload, "paymentPayload.payload"},
		`{"paymentPayload":` + payloadV2 + `}`: {x402.ReasonInvalidRequirements, "paymentRequirements"},
		strings.Replace(paymentV2, `"x402Version":2`, `"x402Version":1`, 1):                                                                                            {x402.ReasonInvalidVersion, "x402Version"},
		`{"paymentPayload":` + payloadV2 + `,"paymentRequirements":5}`:                                                                                                 {x402.ReasonInvalidRequirements, "paymentRequirements"},
		`{"paymentPayload":` + payloadV2 + `,"paymentRequirements":` + strings.Replace(requirementV2, `"10000"`, `"1e4"`, 1) + `}`:                                     {x402.ReasonInvalidRequirements, "paymentRequirements.amount"},
		`{"paymentPayload":` + payloadV1 + `,"paymentRequirements":` + strings.Replace(requirementV1, `"10000"`, `10000`, 1) + `}`:                                     {x402.ReasonInvalidRequirements, "paymentRequirements.maxAmountRequired"},
		`{"paymentRequirements":` + requirementV2 + `,"paymentPayload":` + strings.Replace(payloadV2, `"amount":"10000"`, `"amount":"-1"`, 1) + `}`:                    {x402.ReasonInvalidPayload, "paymentPayload.accepted.amount"},
		`{"paymentRequirements":` + requirementV2 + `,"paymentPayload":` + strings.Replace(payloadV2, `"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":"300"`, 1) + `}`: {x402.ReasonInvalidPayload, "paymentPayload.accepted.maxTimeoutSeconds"},
	} {
		var p x402.Payment
		err := json.Unmarshal([]byte(body), &p)
		var refused *x402.Error
		require.ErrorAs(t, err, &refused, body)
		assert.Equal(t, want.reason, refused.Reason, body)
		assert.Equal(t, want.field, refused.Field, body)
		assert.Zero(t, p)
	}
	for version, document := range map[string]string{"v1": requiredV1, "v2": requiredV2} {
		var p x402.PaymentRequired
		err := json.Unmarshal([]byte(strings.Replace(document, `"10000"`, `"x"`, 1)), &p)
		assert.ErrorContains(t, err, "accepts[0].", version)
	}
}

func TestAnAbsentAmountIsNotAPriceOfZero(t *testing.T) {
	t.Parallel()
	for _, amount := range []string{``, `"amount":null,`, `"Amount":"10000",`, `"maxAmountRequired":"10000",`} {
		var r x402.PaymentRequirements
		err := json.Unmarshal([]byte(strings.Replace(requirementV2, `"amount":"10000",`, amount, 1)), &r)
		assert.ErrorContains(t, err, "amount: missing", amount)
	}
	for _, amount := range []string{``, `"amount":"10000",`} {
		_, _, err := x402.UnmarshalRequirementsV1([]byte(strings.Replace(requirementV1, `"maxAmountRequired":"10000",`, amount, 1)))
		assert.ErrorContains(t, err, "maxAmountRequired: missing", amount)
	}
	free := read[x402.PaymentRequirements](t, strings.Replace(requirementV2, `"10000"`, `"0"`, 1))
	assert.True(t, free.Amount.IsZero())
}

func TestV1IsTheSameModel(t *testing.T) {
	t.Parallel()
	v1, v2 := read[x402.Payment](t, paymentV1), read[x402.Payment](t, paymentV2)
	assert.Equal(t, x402.V1, v1.Payload.Version)
	assert.Equal(t, v2.Payload.Accepted.Network, v1.Payload.Accepted.Network)
	assert.Equal(t, v2.Payload.Resource, v1.Payload.Resource)
	r := v1.Requirements
	assert.JSONEq(t, `{"type":"object"}`, string(r.Unknown["outputSchema"]))
	r.Unknown, r.MaxTimeoutSeconds = nil, 300
	assert.Equal(t, v2.Requirements, r)
}

func TestAChallengeIsConvertedBetweenVersions(t *testing.T) {
	t.Parallel()
	p := read[x402.PaymentRequired](t, requiredV1)
	assert.Equal(t, "https://h/p", p.Resource.URL)
	assert.Equal(t, "d", p.Resource.Description)
	p.Version = x402.V2
	j, err := json.Marshal(p)
	require.NoError(t, err)
	assert.JSONEq(t, `{"x402Version":2,"error":"X-PAYMENT header is required","resource":`+resourceV2+`,"accepts":[{"scheme":"exact","network":"eip155:84532","amount":"10000",
		"asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":60,
		"extra":{"name":"USDC","version":"2"},"outputSchema":{"type":"object"}}]}`, string(j))
	p = read[x402.PaymentRequired](t, string(j))
	p.Version = x402.V1
	j, err = json.Marshal(p)
	require.NoError(t, err)
	assert.JSONEq(t, requiredV1, string(j), "and back, outputSchema included")
}

func TestWhatV1CannotSayIsLeftOutOfItsChallenge(t *testing.T) {
	t.Parallel()
	p := read[x402.PaymentRequired](t, requiredV2)
	p.Version = x402.V1
	p.Accepts = append(p.Accepts, p.Accepts[0])
	p.Accepts[0].Network = x402.Arbitrum
	j, err := json.Marshal(p)
	require.NoError(t, err)
	again := read[x402.PaymentRequired](t, string(j))
	require.Len(t, again.Accepts, 1)
	assert.Equal(t, x402.BaseSepolia, again.Accepts[0].Network)

	p.Accepts = p.Accepts[:1]
	j, err = json.Marshal(p)
	require.NoError(t, err)
	assert.Contains(t, string(j), `"accepts":[]`, "never null")
}

func TestV1SaysNetworksByName(t *testing.T) {
	t.Parallel()
	s := read[x402.SettleResponse](t, `{"success":true,"transaction":"0x1","network":"base"}`)
	assert.Equal(t, x402.Base, s.Network)
	j, err := s.MarshalV1()
	require.NoError(t, err)
	assert.JSONEq(t, `{"success":true,"transaction":"0x1","network":"base"}`, string(j))
	s.Network = x402.Arbitrum
	j, err = s.MarshalV1()
	require.NoError(t, err)
	assert.JSONEq(t, `{"success":true,"transaction":"0x1","network":"eip155:42161"}`, string(j), "where there is no name")

	k := read[x402.Kind](t, `{"x402Version":1,"scheme":"exact","network":"base"}`)
	assert.Equal(t, x402.Base, k.Network)
}

func TestWithoutAVersionTheNewestIsWritten(t *testing.T) {
	t.Parallel()
	for _, v := range []any{x402.PaymentRequired{}, x402.PaymentPayload{Payload: json.RawMessage(`{}`)}, x402.Payment{}, x402.DiscoveryPage{}, x402.SearchPage{}} {
		j, err := json.Marshal(v)
		require.NoError(t, err)
		assert.Contains(t, string(j), `"x402Version":2`)
	}
}

func TestSecondsAreANumberThatMayHaveAFraction(t *testing.T) {
	t.Parallel()
	r := read[x402.PaymentRequirements](t, strings.Replace(requirementV2, `300`, `0.5`, 1))
	assert.Equal(t, 500*time.Millisecond, r.MaxTimeoutSeconds.Duration())
	j, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Contains(t, string(j), `"maxTimeoutSeconds":0.5`)
	assert.Equal(t, 5*time.Minute, x402.DefaultTimeout.Duration())
}

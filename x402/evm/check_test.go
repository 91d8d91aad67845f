package evm_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// pay signs r in a version of the protocol and returns it as a facilitator gets
// it.
func pay(t testing.TB, version int, r x402.PaymentRequirements) x402.Payment {
	t.Helper()
	payload, err := signer(t).Sign(t.Context(), version, r, now)
	require.NoError(t, err)
	accepted := r
	if version == x402.V1 {
		accepted = x402.PaymentRequirements{Scheme: r.Scheme, Network: r.Network}
	}
	return x402.Payment{Payload: x402.PaymentPayload{Version: version, Accepted: accepted, Payload: payload}, Requirements: r}
}

// amend changes one member of the authorization after it was signed.
func amend(t testing.TB, p x402.Payment, name, value string) x402.Payment {
	t.Helper()
	var payload map[string]any
	require.NoError(t, json.Unmarshal(p.Payload.Payload, &payload))
	payload["authorization"].(map[string]any)[name] = value
	return replace(t, p, payload)
}

func replace(t testing.TB, p x402.Payment, payload any) x402.Payment {
	t.Helper()
	var err error
	p.Payload.Payload, err = json.Marshal(payload)
	require.NoError(t, err)
	return p
}

func versions(t *testing.T, f func(t *testing.T, version int)) {
	for version := x402.V1; version <= x402.V2; version++ {
		t.Run(map[int]string{x402.V1: "v1", x402.V2: "v2"}[version], func(t *testing.T) {
			t.Parallel()
			f(t, version)
		})
	}
}

func TestAGoodPaymentIsReturnedDecoded(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, version int) {
		e, err := evm.Checker{}.Check(pay(t, version, offer(t)), now)
		require.NoError(t, err)
		assert.Equal(t, payer, e.Authorization.From.String())
		assert.Equal(t, payTo, e.Authorization.To.String())
		assert.Equal(t, "10000", e.Authorization.Value.String())
		assert.Equal(t, address(t, offer(t).Asset), e.Asset)
		assert.Equal(t, evm.Domain{Name: "USDC", Version: "2", ChainID: 84532, Contract: e.Asset}, e.Domain)
		from, err := evm.Recover(e.Authorization.Digest(e.Domain.Separator()), e.Signature)
		require.NoError(t, err)
		assert.Equal(t, e.Authorization.From, from)
	})
}

func TestAmountsOffByOneAreRefused(t *testing.T) {
	t.Parallel()
	reasons := map[int]x402.Reason{x402.V1: x402.ReasonEVMAmountV1, x402.V2: x402.ReasonEVMAmount}
	versions(t, func(t *testing.T, version int) {
		for _, amount := range []uint64{0, 1, 9999, 10001, 1 << 62} {
			wanted := offer(t)
			paid := wanted
			paid.Amount = x402.NewAmount(amount)
			p := pay(t, version, paid)
			p.Requirements = wanted
			p.Payload.Accepted.Amount = wanted.Amount // the lie that peers believe
			_, err := evm.Checker{}.Check(p, now)
			requireRefusal(t, err, reasons[version], "payload.authorization.value")
		}
	})
}

func TestWhatABuyerSaysItAcceptedMustBeWhatIsRequired(t *testing.T) {
	t.Parallel()
	const other = "0x00000000000000000000000000000000000000aa"
	for field, test := range map[string]struct {
		reason x402.Reason
		change func(*x402.PaymentRequirements)
	}{
		"accepted.scheme":  {x402.ReasonEVMScheme, func(r *x402.PaymentRequirements) { r.Scheme = x402.SchemeUpto }},
		"accepted.network": {x402.ReasonEVMNetwork, func(r *x402.PaymentRequirements) { r.Network = x402.Base }},
		"accepted.amount":  {x402.ReasonEVMAmount, func(r *x402.PaymentRequirements) { r.Amount = x402.NewAmount(9999) }},
		"accepted.asset":   {x402.ReasonNoMatchingOffer, func(r *x402.PaymentRequirements) { r.Asset = other }},
		"accepted.payTo":   {x402.ReasonEVMRecipient, func(r *x402.PaymentRequirements) { r.PayTo = other }},
	} {
		p := pay(t, x402.V2, offer(t))
		test.change(&p.Payload.Accepted)
		_, err := evm.Checker{}.Check(p, now)
		requireRefusal(t, err, test.reason, field)
	}
	for field, change := range map[string]func(*x402.PaymentRequirements){
		"accepted.scheme":  func(r *x402.PaymentRequirements) { r.Scheme = x402.SchemeUpto },
		"accepted.network": func(r *x402.PaymentRequirements) { r.Network = x402.Base },
	} {
		p := pay(t, x402.V1, offer(t))
		change(&p.Payload.Accepted)
		_, err := evm.Checker{}.Check(p, now)
		reason := map[bool]x402.Reason{true: x402.ReasonEVMScheme, false: x402.ReasonEVMNetwork}[field == "accepted.scheme"]
		requireRefusal(t, err, reason, field)
	}
}

func TestAPaymentForOtherRequirementsIsRefused(t *testing.T) {
	t.Parallel()
	const other = "0x00000000000000000000000000000000000000aa"
	versions(t, func(t *testing.T, version int) {
		for field, test := range map[string]struct {
			reason x402.Reason
			change func(*x402.PaymentRequirements)
		}{
			"payload.authorization.to": {x402.ReasonEVMRecipient, func(r *x402.PaymentRequirements) { r.PayTo = other }},
			"payload.signature":        {x402.ReasonEVMSignature, func(r *x402.PaymentRequirements) { r.Asset = other }},
			"extra.name":               {x402.ReasonEVMDomain, func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`{"version":"2"}`) }},
			"extra.version":            {x402.ReasonEVMDomain, func(r *x402.PaymentRequirements) { r.Extra = json.RawMessage(`{"name":"USDC"}`) }},
			"scheme":                   {x402.ReasonUnsupportedScheme, func(r *x402.PaymentRequirements) { r.Scheme = "batch-settlement" }},
			"network":                  {x402.ReasonInvalidNetwork, func(r *x402.PaymentRequirements) { r.Network = x402.Solana }},
		} {
			p := pay(t, version, offer(t))
			test.change(&p.Requirements)
			test.change(&p.Payload.Accepted)
			_, err := evm.Checker{}.Check(p, now)
			requireRefusal(t, err, test.reason, field)
		}
	})
}

func TestTheDomainIsThatOfTheSellersRequirement(t *testing.T) {
	t.Parallel()
	for _, extra := range []string{`{"name":"USD Coin","version":"2"}`, `{"name":"USDC","version":"1"}`} {
		p := pay(t, x402.V2, offer(t))
		p.Requirements.Extra = json.RawMessage(extra)
		_, err := evm.Checker{}.Check(p, now)
		requireRefusal(t, err, x402.ReasonEVMSignature, "payload.signature")
	}
	p := pay(t, x402.V2, offer(t))
	p.Payload.Accepted.Extra = json.RawMessage(`{"name":"Else","version":"9","more":1}`)
	_, err := evm.Checker{}.Check(p, now)
	assert.NoError(t, err, "what a buyer echoes as extra signs nothing")

	p = pay(t, x402.V2, offer(t))
	p.Requirements.Network, p.Payload.Accepted.Network = x402.Base, x402.Base
	_, err = evm.Checker{}.Check(p, now)
	requireRefusal(t, err, x402.ReasonEVMSignature, "payload.signature")
}

func TestThePaymentMustBeValidForSixSecondsMore(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, version int) {
		p := pay(t, version, offer(t)) // valid before now+300 s
		for at, good := range map[time.Duration]bool{0: true, 294 * time.Second: true, 295 * time.Second: false, 301 * time.Second: false, time.Hour: false} {
			_, err := evm.Checker{}.Check(p, now.Add(at))
			if good {
				require.NoError(t, err, at)
			} else {
				requireRefusal(t, err, x402.ReasonEVMExpired, "payload.authorization.validBefore")
			}
		}
		_, err := evm.Checker{MinValidity: time.Second}.Check(p, now.Add(299*time.Second))
		assert.NoError(t, err)
		_, err = evm.Checker{MinValidity: time.Minute}.Check(p, now.Add(241*time.Second))
		requireRefusal(t, err, x402.ReasonEVMExpired, "payload.authorization.validBefore")
	})
}

func TestAPaymentThatIsNotValidYetIsRefused(t *testing.T) {
	t.Parallel()
	p := pay(t, x402.V1, offer(t)) // valid after now-600 s
	_, err := evm.Checker{}.Check(p, now.Add(-600*time.Second))
	assert.NoError(t, err)
	_, err = evm.Checker{}.Check(p, now.Add(-601*time.Second))
	requireRefusal(t, err, x402.ReasonEVMNotYetValid, "payload.authorization.validAfter")
	_, err = evm.Checker{}.Check(pay(t, x402.V2, offer(t)), time.Time{})
	assert.NoError(t, err, "a clock before 1970 counts as 1970")
}

func TestTheCaseOfAddressesDoesNotMatter(t *testing.T) {
	t.Parallel()
	for _, spell := range []func(string) string{strings.ToLower, func(s string) string { return "0x" + strings.ToUpper(s[2:]) }} {
		p := pay(t, x402.V2, offer(t))
		p.Requirements.Asset, p.Requirements.PayTo = spell(p.Requirements.Asset), spell(p.Requirements.PayTo)
		for name, value := range map[string]string{"from": payer, "to": payTo} {
			p = amend(t, p, name, spell(value))
		}
		_, err := evm.Checker{}.Check(p, now)
		assert.NoError(t, err)
	}
}

func TestNothingSignedCanBeChanged(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"from": "0x00000000000000000000000000000000000000aa", "validAfter": "1", "validBefore": "1740672301",
		"nonce": "0x00000000000000000000000000000000000000000000000000000000000000aa",
	} {
		_, err := evm.Checker{}.Check(amend(t, pay(t, x402.V2, offer(t)), name, value), now)
		requireRefusal(t, err, x402.ReasonEVMSignature, "payload.signature")
	}
}

func TestMembersThatCannotBeReadAreNamed(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"from":        {"", "0x", "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266", payer + "0", "0x" + strings.Repeat("g", 40)},
		"to":          {"", payTo[:41], payTo + " "},
		"value":       {"", "-1", "+1", "1e4", "0x2710", "10000.0", "010000", " 10000", "1_0", strings.Repeat("9", 79), "115792089237316195423570985008687907853269984665640564039457584007913129639936"},
		"validAfter":  {"", "-1", "1.5", "18446744073709551616", "0x0"},
		"validBefore": {"", "never", "18446744073709551616", "1e10"},
		"nonce":       {"", "0x", "0x00", strings.Repeat("0", 64), "0x" + strings.Repeat("0", 66), "1"},
	} {
		for _, value := range values {
			_, err := evm.Checker{}.Check(amend(t, pay(t, x402.V2, offer(t)), name, value), now)
			requireRefusal(t, err, x402.ReasonEVMPayload, "payload.authorization."+name)
		}
	}
}

func TestPayloadsOfTheWrongShapeAreNamed(t *testing.T) {
	t.Parallel()
	good := pay(t, x402.V2, offer(t))
	raw := string(good.Payload.Payload)
	swap := func(old, with string) string {
		require.Contains(t, raw, old)
		return strings.Replace(raw, old, with, 1)
	}
	for payload, want := range map[string]struct {
		reason x402.Reason
		field  string
	}{
		``:                       {x402.ReasonEVMPayload, "payload"},
		`null`:                   {x402.ReasonEVMPayload, "payload"},
		`[]`:                     {x402.ReasonEVMPayload, "payload"},
		`"x"`:                    {x402.ReasonEVMPayload, "payload"},
		`{}`:                     {x402.ReasonEVMPayload, "payload.authorization"},
		`{"transaction":"AAAA"}`: {x402.ReasonEVMPayload, "payload.authorization"},
		`{"authorization":null,"signature":"0x"}`:    {x402.ReasonEVMPayload, "payload.authorization"},
		`{"authorization":{},"signature":"0x"}`:      {x402.ReasonEVMPayload, "payload.authorization.from"},
		`{"authorization":[],"signature":"0x"}`:      {x402.ReasonEVMPayload, "payload.authorization"},
		`{"permit2Authorization":{},"signature":""}`: {x402.ReasonUnsupportedPayload, "payload.permit2Authorization"},
		raw + "}":                {x402.ReasonEVMPayload, "payload"},
		swap(`"from"`, `"From"`): {x402.ReasonEVMPayload, "payload.authorization.from"},
		swap(`"from"`, `"to":"`+payTo+`","from"`):       {x402.ReasonEVMPayload, "payload.authorization.to"},
		swap(`"value":"10000"`, `"value":10000`):        {x402.ReasonEVMPayload, "payload.authorization.value"},
		swap(`"validAfter":"0"`, `"validAfter":0`):      {x402.ReasonEVMPayload, "payload.authorization.validAfter"},
		swap(`"signature":"`, `"signature":null,"s":"`): {x402.ReasonEVMSignatureFormat, "payload.signature"},
		swap(`"signature":"0x`, `"signature":"`):        {x402.ReasonEVMSignatureFormat, "payload.signature"},
		swap(`"signature":"0x`, `"signature":"0xzz`):    {x402.ReasonEVMSignatureFormat, "payload.signature"},
		swap(`"signature":"0x`, `"signature":"0x00`):    {x402.ReasonEVMSignatureFormat, "payload.signature"},
		swap(`"signature":`, `"signature":5,"s":`):      {x402.ReasonEVMPayload, "payload.signature"},
	} {
		p := good
		p.Payload.Payload = json.RawMessage(payload)
		_, err := evm.Checker{}.Check(p, now)
		requireRefusal(t, err, want.reason, want.field)
	}
	p := good
	p.Payload.Payload = json.RawMessage(swap(`{"authorization":{`, `{"more":[1],"authorization":{"extra":{},`))
	_, err := evm.Checker{}.Check(p, now)
	assert.NoError(t, err, "unknown members are let be")
}

func TestSignaturesThatATokenWouldRefuseAreRefused(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, version int) {
		p := pay(t, version, offer(t))
		var payload map[string]any
		require.NoError(t, json.Unmarshal(p.Payload.Payload, &payload))
		raw, err := hex.DecodeString(payload["signature"].(string)[2:])
		require.NoError(t, err)
		with := func(sig []byte) error {
			payload["signature"] = "0x" + hex.EncodeToString(sig)
			_, err := evm.Checker{}.Check(replace(t, p, payload), now)
			return err
		}
		normal := evm.Signature(raw)
		high := highS(normal)
		requireRefusal(t, with(high[:]), x402.ReasonEVMSignatureFormat, "payload.signature")
		assert.ErrorIs(t, with(high[:]), evm.ErrHighS)
		requireRefusal(t, with(raw[:64]), x402.ReasonEVMSignatureFormat, "payload.signature")
		requireRefusal(t, with(append(raw[:65:65], 0)), x402.ReasonEVMSignatureFormat, "payload.signature")
		requireRefusal(t, with(append(raw[:64:64], 29)), x402.ReasonEVMSignatureFormat, "payload.signature")
		requireRefusal(t, with(append(raw[:64:64], raw[64]^27^28)), x402.ReasonEVMSignature, "payload.signature")
		assert.NoError(t, with(append(raw[:64:64], raw[64]-27)), "v of 0 or 1 is normalised")
		assert.NoError(t, with(raw))
	})
}

func TestRecoveryCanBeReplaced(t *testing.T) {
	t.Parallel()
	p := pay(t, x402.V2, offer(t))
	calls := 0
	c := evm.Checker{Recover: func(d evm.Hash, s evm.Signature) (evm.Address, error) {
		calls++
		return evm.Recover(d, s)
	}}
	_, err := c.Check(p, now)
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
	_, err = c.Check(amend(t, p, "value", "9999"), now)
	require.Error(t, err)
	assert.Equal(t, 1, calls, "the costly check comes last")
	broken := errors.New("broken")
	e, err := evm.Checker{Recover: func(evm.Hash, evm.Signature) (evm.Address, error) { return evm.Address{}, broken }}.Check(p, now)
	assert.ErrorIs(t, err, broken)
	assert.Nil(t, e)
}

func TestWhateverIsSignedIsAccepted(t *testing.T) {
	t.Parallel()
	assets := x402.DefaultAssets()
	rapid.Check(t, func(rt *rapid.T) {
		network := rapid.SampledFrom([]x402.Network{x402.Ethereum, x402.Base, x402.BaseSepolia, x402.Polygon, x402.Avalanche, x402.Arbitrum}).Draw(rt, "network")
		asset, err := assets.Default(network)
		require.NoError(rt, err)
		r := asset.Requirements(x402.NewAmount(rapid.Uint64().Draw(rt, "amount")), "0x"+hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(rt, "payTo")))
		r.MaxTimeoutSeconds = x402.Seconds(rapid.IntRange(7, 1<<20).Draw(rt, "timeout"))
		version := rapid.IntRange(x402.V1, x402.V2).Draw(rt, "version")
		p := pay(t, version, r)
		body, err := json.Marshal(p)
		require.NoError(rt, err)
		var received x402.Payment
		require.NoError(rt, json.Unmarshal(body, &received))
		e, err := evm.Checker{}.Check(received, now)
		require.NoError(rt, err)
		assert.True(rt, e.Authorization.Value.Equal(r.Amount))
		assert.Len(rt, e.Calldata(), 4+9*32)

		j, err := json.Marshal(e.Authorization)
		require.NoError(rt, err)
		var again evm.Authorization
		require.NoError(rt, json.Unmarshal(j, &again))
		assert.Equal(rt, e.Authorization.Digest(evm.Hash{}), again.Digest(evm.Hash{}))
	})
}

func TestAWholePaymentOnTheWireIsChecked(t *testing.T) {
	t.Parallel()
	const requirement = `{"scheme":"exact","network":"eip155:84532","amount":"10000","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e",` +
		`"payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":300,"extra":{"name":"USDC","version":"2"}}`
	const payload = `{"authorization":{"from":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000",` +
		`"validAfter":"0","validBefore":"1740672154","nonce":"0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"},` +
		`"signature":"0x887688bfda2adc60488cb21d8355641dc7e6cae2acf979a4e510569110fbeb6912bfec8521359ee79ecbd2c6f8ba9ada97d499a910f5c0d4e274d0da99b8f3561c"}`
	const required = `{"scheme":"exact","network":"base-sepolia","maxAmountRequired":"10000","resource":"https://h/p","description":"","mimeType":"",` +
		`"payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":60,"asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","extra":{"name":"USDC","version":"2"}}`
	for _, body := range []string{
		`{"x402Version":2,"paymentPayload":{"x402Version":2,"accepted":` + requirement + `,"payload":` + payload + `},"paymentRequirements":` + requirement + `}`,
		`{"x402Version":1,"paymentPayload":{"x402Version":1,"scheme":"exact","network":"base-sepolia","payload":` + payload + `},"paymentRequirements":` + required + `}`,
	} {
		var p x402.Payment
		require.NoError(t, json.Unmarshal([]byte(body), &p))
		_, err := evm.Checker{}.Check(p, time.Unix(1740672148, 0))
		assert.NoError(t, err)
	}
}

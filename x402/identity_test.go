package x402_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402"
)

// identify returns the identity of a v2 payment with payload on a network.
func identify(t testing.TB, network x402.Network, payload string) (x402.Identity, error) {
	t.Helper()
	p := readPayment(t, paymentV2)
	p.Requirements.Network = network
	p.Payload.Payload = json.RawMessage(payload)
	return p.Identity()
}

func mustIdentify(t testing.TB, network x402.Network, payload string) string {
	t.Helper()
	id, err := identify(t, network, payload)
	require.NoError(t, err, payload)
	return id.String()
}

func TestAnEVMPaymentIsPayerAndNonceNotSignature(t *testing.T) {
	t.Parallel()
	id, err := readPayment(t, paymentV2).Identity()
	require.NoError(t, err)
	assert.Equal(t, x402.Identity{
		Network: x402.BaseSepolia, Asset: "0x036cbd53842c5426634e7929541ec2318f3dcf7e", Payer: "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
		Nonce: "f3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480",
	}, id)
	old, err := readPayment(t, paymentV1).Identity()
	require.NoError(t, err)
	assert.Equal(t, id, old, "in both versions")

	same := mustIdentify(t, x402.BaseSepolia, exactPayload)
	for old, with := range map[string]string{
		`"signature":"0x88`: `"signature":"0x99`,
		`"signature":`:      `"sig":`,
		`"value":"10000"`:   `"value":"20000"`,
		`0xf39F`:            `0xF39f`,
		`0xf3746613c2d`:     `0xF3746613C2D`,
		`{"authorization"`:  `{"more":1,"authorization"`,
	} {
		require.Contains(t, exactPayload, old)
		assert.Equal(t, same, mustIdentify(t, x402.BaseSepolia, strings.Replace(exactPayload, old, with, 1)), with)
	}
	for old, with := range map[string]string{`"from":"0xf3`: `"from":"0xf4`, `"nonce":"0xf3`: `"nonce":"0xf4`} {
		require.Contains(t, exactPayload, old)
		assert.NotEqual(t, same, mustIdentify(t, x402.BaseSepolia, strings.Replace(exactPayload, old, with, 1)), with)
	}
	assert.NotEqual(t, same, mustIdentify(t, x402.Base, exactPayload), "another network is another payment")
}

func TestAPermitIsPayerAndNonce(t *testing.T) {
	t.Parallel()
	const permit = `{"signature":"0x12","permit2Authorization":{"from":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","nonce":"1","deadline":"9"}}`
	same := mustIdentify(t, x402.Base, permit)
	assert.Equal(t, same, mustIdentify(t, x402.Base, strings.Replace(permit, "0x12", "0x34", 1)))
	assert.NotEqual(t, same, mustIdentify(t, x402.Base, strings.Replace(permit, `"nonce":"1"`, `"nonce":"2"`, 1)))
	for _, nonce := range []string{`"01"`, `"0x1"`, `" 1"`, `""`, `"1.0"`, `1`, `null`} {
		_, err := identify(t, x402.Base, strings.Replace(permit, `"nonce":"1"`, `"nonce":`+nonce, 1))
		assert.Equal(t, x402.ReasonInvalidPayload, x402.ReasonOf(err, ""), "another spelling of a nonce: %s", nonce)
	}
}

func TestWhatCouldBeReadInTwoWaysHasNoIdentity(t *testing.T) {
	t.Parallel()
	const nonce = `0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480`
	for _, payload := range []string{
		``, `null`, `[]`, `"x"`, `{`, exactPayload + `x`,
		strings.Replace(exactPayload, `{"authorization"`, `{"permit2Authorization":{"from":"x","nonce":"1"},"authorization"`, 1),
		strings.Replace(exactPayload, `{"authorization"`, `{"transaction":"AAAA","authorization"`, 1),
		strings.Replace(exactPayload, `{"authorization"`, `{"transaction":"","authorization"`, 1),
		strings.Replace(exactPayload, `"nonce"`, `"nonce":"`+nonce+`","nonce"`, 1),
		strings.Replace(exactPayload, `{"authorization"`, `{"authorization":null,"authorization"`, 1),
		strings.Replace(exactPayload, nonce, nonce[2:], 1),
		strings.Replace(exactPayload, nonce, "0X"+nonce[2:], 1),
		strings.Replace(exactPayload, nonce, nonce[:65], 1),
		strings.Replace(exactPayload, nonce, nonce+"00", 1),
		strings.Replace(exactPayload, `"nonce":"`+nonce+`"`, `"none":1`, 1),
		strings.Replace(exactPayload, `"from":"0x`, `"from":"`, 1),
		strings.Replace(exactPayload, `"from"`, `"From"`, 1),
		strings.Replace(exactPayload, `"from":`, `"from":5,"f":`, 1),
		strings.Replace(exactPayload, `"nonce"`, `"Nonce":"`+nonce+`","nonce"`, 1),
		strings.Replace(exactPayload, `{"authorization"`, `{"Authorization":{},"authorization"`, 1),
		`{"Transaction":"AAAA"}`, `{"tranſaction":"AAAA"}`,
		`{"transaction":""}`, `{"transaction":5}`, `{"transaction":"!"}`,
	} {
		id, err := identify(t, x402.BaseSepolia, payload)
		assert.Equal(t, x402.ReasonInvalidPayload, x402.ReasonOf(err, ""), payload)
		assert.Zero(t, id, payload)
	}
}

// solana is a wire transaction: a count, the signatures, the message.
func solana(signatures [][64]byte, message []byte) []byte {
	raw := []byte{byte(len(signatures))}
	for _, s := range signatures {
		raw = append(raw, s[:]...)
	}
	return append(raw, message...)
}

func transaction(raw []byte) string {
	return `{"transaction":"` + base64.StdEncoding.EncodeToString(raw) + `"}`
}

func TestASolanaPaymentIsItsMessageNotItsSignatures(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		message := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(rt, "message")
		count := rapid.IntRange(0, 5).Draw(rt, "signatures")
		signed, resigned := make([][64]byte, count), make([][64]byte, count)
		for i := range signed {
			copy(signed[i][:], rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(rt, "signature"))
		}
		id := mustIdentify(t, x402.Solana, transaction(solana(signed, message)))
		assert.Equal(rt, id, mustIdentify(t, x402.Solana, transaction(solana(resigned, message))))
		other := bytes.Clone(message)
		other[rapid.IntRange(0, len(other)-1).Draw(rt, "at")] ^= 1
		assert.NotEqual(rt, id, mustIdentify(t, x402.Solana, transaction(solana(signed, other))))
	})
	for name, text := range map[string]string{
		"unpadded":           `{"transaction":"` + strings.TrimRight(base64.StdEncoding.EncodeToString(solana(nil, []byte("m"))), "=") + `"}`,
		"URL-safe":           `{"transaction":"` + base64.URLEncoding.EncodeToString(solana(nil, []byte("\xfb\xff\xfe"))) + `"}`,
		"no message":         transaction(solana(make([][64]byte, 2), nil)),
		"missing signatures": transaction([]byte{3, 1, 2, 3}),
		"a huge count":       transaction([]byte{0xff, 0xff, 0x7f, 1}),
	} {
		_, err := identify(t, x402.Solana, text)
		assert.Equal(t, x402.ReasonInvalidPayload, x402.ReasonOf(err, ""), name)
	}
}

func TestAPayloadOfAnUnknownSchemeIsItsHash(t *testing.T) {
	t.Parallel()
	id := mustIdentify(t, "cosmos:hub", `{"a":1,"b":[1,2]}`)
	assert.Equal(t, id, mustIdentify(t, "cosmos:hub", ` { "b" : [1,2], "a" : 1 } `), "spaces and order do not matter")
	assert.NotEqual(t, id, mustIdentify(t, "cosmos:hub", `{"a":1,"b":[1,3]}`))

	borrowed, err := identify(t, "tron:728126428", `{"authorization":{"from":"TXYZ","nonce":"7"}}`)
	require.NoError(t, err)
	assert.Equal(t, "TXYZ", borrowed.Payer, "other chains have addresses of their own, in which case matters")
	assert.Equal(t, "7", borrowed.Nonce)
	_, err = identify(t, "tron:728126428", `{"authorization":{"from":"TXYZ"}}`)
	assert.Error(t, err)
}

func FuzzIdentity(f *testing.F) {
	f.Add([]byte(exactPayload), true)
	f.Add([]byte(transaction(solana(make([][64]byte, 1), []byte("message")))), false)
	f.Fuzz(func(t *testing.T, payload []byte, evm bool) {
		p := readPayment(t, paymentV2)
		p.Payload.Payload = payload
		if !evm {
			p.Requirements.Network = x402.Solana
		}
		id, err := p.Identity()
		if err != nil {
			if id != (x402.Identity{}) || x402.ReasonOf(err, "") == "" {
				t.Fatalf("%v, %v", id, err)
			}
			return
		}
		if id.Nonce == "" {
			t.Fatalf("%q has no nonce", payload)
		}
		if again, err := p.Identity(); err != nil || again != id {
			t.Fatalf("%v becomes %v, %v", id, again, err)
		}
	})
}

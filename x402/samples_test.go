package x402_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// The wire documents of the protocol, as official SDKs write them.
const (
	requirementV2 = `{"scheme":"exact","network":"eip155:84532","amount":"10000","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e",` +
		`"payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":300,"extra":{"name":"USDC","version":"2"}}`
	resourceV2 = `{"url":"https://h/p","description":"d","mimeType":"application/json"}`
	requiredV2 = `{"x402Version":2,"error":"Payment required","resource":` + resourceV2 + `,"accepts":[` + requirementV2 + `]}`

	exactPayload = `{"authorization":{"from":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C",` +
		`"value":"10000","validAfter":"0","validBefore":"1740672154","nonce":"0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"},` +
		`"signature":"0x887688bfda2adc60488cb21d8355641dc7e6cae2acf979a4e510569110fbeb6912bfec8521359ee79ecbd2c6f8ba9ada97d499a910f5c0d4e274d0da99b8f3561c"}`
	payloadV2 = `{"x402Version":2,"resource":` + resourceV2 + `,"accepted":` + requirementV2 + `,"payload":` + exactPayload + `}`
	paymentV2 = `{"x402Version":2,"paymentPayload":` + payloadV2 + `,"paymentRequirements":` + requirementV2 + `}`

	requirementV1 = `{"scheme":"exact","network":"base-sepolia","maxAmountRequired":"10000","resource":"https://h/p","description":"d",` +
		`"mimeType":"application/json","outputSchema":{"type":"object"},"payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":60,` +
		`"asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","extra":{"name":"USDC","version":"2"}}`
	requiredV1 = `{"x402Version":1,"error":"X-PAYMENT header is required","accepts":[` + requirementV1 + `]}`
	payloadV1  = `{"x402Version":1,"scheme":"exact","network":"base-sepolia","payload":` + exactPayload + `}`
	paymentV1  = `{"x402Version":1,"paymentPayload":` + payloadV1 + `,"paymentRequirements":` + requirementV1 + `}`

	settledV2 = `{"success":true,"transaction":"0xabc","network":"eip155:84532","payer":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"}`
)

// read decodes a sample.
func read[T any](t testing.TB, document string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(document), &v))
	return v
}

func readPayment(t testing.TB, document string) x402.Payment {
	t.Helper()
	return read[x402.Payment](t, document)
}

package till_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/till"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// authorization is the payload of a payment by a nonce; the signature is no part of
// its identity.
func authorization(nonce, signature string) json.RawMessage {
	return json.RawMessage(`{"signature":"0x` + signature + `","authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66",` +
		`"to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000","validAfter":"0","validBefore":"1740672154","nonce":"0x` + strings.Repeat(nonce, 64) + `"}}`)
}

// carrying is a request with a payment in one version of the protocol.
func carrying(t *testing.T, version int, payload json.RawMessage) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", "/", nil)
	p := x402.PaymentPayload{Version: version, Payload: payload}
	name, network := x402.HeaderPaymentSignature, "eip155:8453"
	if version == x402.V1 {
		name, network = x402.HeaderPaymentV1, "base"
	}
	p.Accepted.Scheme, p.Accepted.Network = "exact", x402.Network(network)
	value, err := x402.EncodeHeader(p)
	require.NoError(t, err)
	r.Header.Set(name, value)
	return r
}

func TestAPaymentIsKnownWhenItComesAgain(t *testing.T) {
	t.Parallel()
	payment := x402.Payment{Requirements: x402.PaymentRequirements{
		Scheme: "exact", Network: x402.Base, Asset: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", Amount: x402.NewAmount(10_000),
		PayTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", MaxTimeoutSeconds: 60,
	}}
	payment.Payload = x402.PaymentPayload{Version: x402.V2, Accepted: payment.Requirements, Payload: authorization("1", "ab")}
	reserved, err := json.Marshal(payment)
	require.NoError(t, err)
	id, err := payment.Identity()
	require.NoError(t, err)
	key := id.String()
	for _, version := range []int{x402.V1, x402.V2} {
		same := carrying(t, version, authorization("1", "cd"))
		require.True(t, till.Carries(same))
		require.True(t, till.Repeats(same, reserved, key))
		require.False(t, till.Repeats(carrying(t, version, authorization("2", "ab")), reserved, key))
		require.False(t, till.Repeats(same, nil, ""), "nothing is reserved")

		w := httptest.NewRecorder()
		till.Receipt(w.Header(), same, x402.SettleResponse{Success: true, Payer: id.Payer, Transaction: "0x1", Network: x402.Base})
		till.Receipt(w.Header(), same, x402.SettleResponse{Transaction: "0x2", Network: x402.Base})
		receipt, ok := payer.ReceiptFrom(w.Result())
		require.True(t, ok)
		require.True(t, receipt.Success)
		require.Equal(t, "0x1", receipt.Transaction, "the first receipt stands")

		w = httptest.NewRecorder()
		till.Unsettled(w, same, x402.SettleResponse{ErrorReason: x402.ReasonSettlementPending, Transaction: "0x3", Network: x402.Base})
		require.Equal(t, 402, w.Code)
		receipt, ok = payer.ReceiptFrom(w.Result())
		require.True(t, ok)
		require.Equal(t, x402.ReasonSettlementPending, receipt.ErrorReason)
		require.JSONEq(t, `{"error":"settlement_pending","message":"send the same payment again, never a new one"}`, w.Body.String())
	}
	none := httptest.NewRequest("POST", "/", nil)
	require.False(t, till.Carries(none))
	require.False(t, till.Repeats(none, reserved, key))
	none.Header.Set(x402.HeaderPaymentSignature, "nonsense")
	require.False(t, till.Repeats(none, reserved, key))
}

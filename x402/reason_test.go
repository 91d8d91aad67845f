package x402_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

func TestTheReasonsOfTheSpecificationAndOfTheSDKsMeanTheSame(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]x402.Reason{
		// specification v2, section 9
		"insufficient_funds": x402.ReasonEVMInsufficientFunds,
		"invalid_exact_evm_payload_authorization_valid_after":    x402.ReasonEVMNotYetValid,
		"invalid_exact_evm_payload_authorization_valid_before":   x402.ReasonEVMExpired,
		"invalid_exact_evm_payload_authorization_value_mismatch": x402.ReasonEVMAmount,
		"invalid_exact_evm_payload_signature":                    x402.ReasonEVMSignature,
		"invalid_exact_evm_payload_recipient_mismatch":           x402.ReasonEVMRecipient,
		"invalid_network":              x402.ReasonInvalidNetwork,
		"invalid_payload":              x402.ReasonInvalidPayload,
		"invalid_payment_requirements": x402.ReasonInvalidRequirements,
		"invalid_scheme":               x402.ReasonInvalidScheme,
		"unsupported_scheme":           x402.ReasonUnsupportedScheme,
		"invalid_x402_version":         x402.ReasonInvalidVersion,
		"invalid_transaction_state":    x402.ReasonInvalidTransaction,
		"unexpected_verify_error":      x402.ReasonUnexpectedVerify,
		"unexpected_settle_error":      x402.ReasonUnexpectedSettle,
		// official SDKs
		"invalid_exact_evm_insufficient_balance":       x402.ReasonEVMInsufficientFunds,
		"invalid_exact_evm_recipient_mismatch":         x402.ReasonEVMRecipient,
		"invalid_exact_evm_signature":                  x402.ReasonEVMSignature,
		"invalid_exact_evm_nonce_already_used":         x402.ReasonEVMNonceUsed,
		"invalid_exact_evm_authorization_value":        x402.ReasonEVMAmount,
		"invalid_exact_evm_failed_to_execute_transfer": x402.ReasonEVMTransactionFailed,
		"failed_to_execute_transfer":                   x402.ReasonEVMTransactionFailed,
		"invalid_exact_evm_missing_eip712_domain":      x402.ReasonEVMDomain,
		"permit2_allowance_required":                   x402.ReasonPermit2Allowance,
		"settlement_pending":                           x402.ReasonSettlementPending,
		// other facilitators
		"invalid_payment_expired": x402.ReasonEVMExpired,
		"recipient_mismatch":      x402.ReasonEVMRecipient,
		"asset_mismatch":          x402.ReasonNoMatchingOffer,
	} {
		assert.Equal(t, want, x402.ParseReason(s), s)
		assert.True(t, x402.Reason(s).Is(want), s)
		assert.True(t, want.Is(x402.Reason(s)), s)
	}
	assert.False(t, x402.ReasonEVMAmount.Is(x402.ReasonEVMSignature))
}

func TestAnUnknownReasonPassesAsItIs(t *testing.T) {
	t.Parallel()
	const odd = "invalid_exact_svm_payload_memo_count"
	assert.Equal(t, x402.Reason(odd), x402.ParseReason(odd))
	assert.Equal(t, odd, x402.Reason(odd).Description())
	v := read[x402.VerifyResponse](t, `{"isValid":false,"invalidReason":"insufficient_funds"}`)
	j, err := json.Marshal(v)
	require.NoError(t, err)
	assert.JSONEq(t, `{"isValid":false,"invalidReason":"insufficient_funds"}`, string(j), "a reason is echoed, not translated")
	assert.Error(t, json.Unmarshal([]byte(`{"isValid":false,"invalidReason":5}`), &v))
}

func TestADescriptionTellsMoreThanTheCode(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"insufficient_funds", "invalid_exact_evm_nonce_already_used", "settlement_pending", "invalid_exact_evm_payload_signature"} {
		assert.NotEqual(t, s, x402.Reason(s).Description())
		assert.NotEmpty(t, x402.Reason(s).Description())
	}
}

func TestARefusalTellsReasonFieldAndCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("it is 1")
	for want, err := range map[string]*x402.Error{
		"x402: invalid_payload":                  {Reason: x402.ReasonInvalidPayload},
		"x402: invalid_payload: amount":          {Reason: x402.ReasonInvalidPayload, Field: "amount"},
		"x402: invalid_payload: it is 1":         {Reason: x402.ReasonInvalidPayload, Err: cause},
		"x402: invalid_payload: amount: it is 1": {Reason: x402.ReasonInvalidPayload, Field: "amount", Err: cause},
	} {
		assert.EqualError(t, err, want)
		assert.NotEmpty(t, err.Message())
		assert.Equal(t, err.Err != nil, errors.Is(err, cause))
	}
	assert.Equal(t, "the payment could not be read", (&x402.Error{Reason: x402.ReasonInvalidPayload}).Message())
	assert.Equal(t, "amount: it is 1", x402.Refuse(x402.ReasonInvalidPayload, "amount", "it is 1").Message())
	wrapped := fmt.Errorf("verify: %w", x402.Refuse(x402.ReasonPolicy, "payTo", "not on the list"))
	assert.Equal(t, x402.ReasonPolicy, x402.ReasonOf(wrapped, "other"))
	assert.Equal(t, x402.Reason("other"), x402.ReasonOf(cause, "other"))
	assert.Empty(t, x402.ReasonOf(nil, "other"))
}

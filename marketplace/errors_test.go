package marketplace_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

func TestEveryRefusalHasItsStatus(t *testing.T) {
	t.Parallel()
	for status, codes := range map[int][]marketplace.Code{
		400: {"invalid_request", "workspace_required", "quote_mismatch", "chain_mismatch", "ownership_proof_required"},
		401: {"wallet_session_required", "unauthorized"},
		403: {
			"membership_required", "signature_not_verified", "ownership_proof_invalid", "boundary_mismatch", "availability_parked",
			"entitlement_required", "forbidden", "not_transferable",
		},
		404: {"offer_not_found", "quote_not_found", "entitlement_not_found", "issuer_not_found", "activation_not_found", "not_found"},
		405: {"method_not_allowed"},
		409: {
			"offer_exists", "offer_not_active", "offer_state", "quote_expired", "quote_consumed", "quote_void", "payment_under_way",
			"tx_already_used", "policy_mismatch", "max_per_wallet", "approval_required", "membership_active", "membership_state",
			"entitlement_state", "availability_state", "activation_limit", "x402_unavailable", "tx_not_found", "tx_pending", "idempotency_key_in_use",
		},
		413: {"request_too_large"},
		422: {"tx_failed", "tx_too_early", "amount_mismatch", "recipient_mismatch", "payer_mismatch", "idempotency_key_reused"},
		429: {"rate_limited"},
		500: {"internal_error"},
		503: {"chain_unavailable", "entitlement_contract_unconfigured", "licence_key_unconfigured"},
	} {
		for _, code := range codes {
			require.Equal(t, status, code.Status(), code)
			err := fmt.Errorf("wrapped: %w", marketplace.Refuse(code, "no"))
			require.Equal(t, status == 404, errors.Is(err, store.ErrNotFound), code)
			require.Equal(t, status == 409, errors.Is(err, store.ErrConflict), code)
			require.ErrorIs(t, err, &marketplace.Error{Code: code})
		}
	}
}

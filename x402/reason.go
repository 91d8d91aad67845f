package x402

import "encoding/json"

// Reason is the code with which a payment is refused ("invalidReason" and
// "errorReason"). The constants are the strings that the official SDKs send;
// [ParseReason] also understands those of the specification, section 9, and of
// other facilitators. A reason that is not listed passes through as it is.
type Reason string

// Reasons of any scheme.
const (
	ReasonInvalidPayload       Reason = "invalid_payload"
	ReasonInvalidRequirements  Reason = "invalid_payment_requirements"
	ReasonInvalidVersion       Reason = "invalid_x402_version"
	ReasonInvalidNetwork       Reason = "invalid_network"
	ReasonInvalidScheme        Reason = "invalid_scheme"
	ReasonUnsupportedScheme    Reason = "unsupported_scheme"
	ReasonUnsupportedPayload   Reason = "unsupported_payload_type"
	ReasonInvalidTransaction   Reason = "invalid_transaction_state"
	ReasonUnexpectedVerify     Reason = "unexpected_verify_error"
	ReasonUnexpectedSettle     Reason = "unexpected_settle_error"
	ReasonSettlementPending    Reason = "settlement_pending"
	ReasonDuplicateSettlement  Reason = "duplicate_settlement"
	ReasonPolicy               Reason = "refused_by_policy"
	ReasonRelayerUnavailable   Reason = "relayer_unavailable"
	ReasonPaymentAlreadyUsed   Reason = "payment_already_used"
	ReasonResourceMismatch     Reason = "resource_mismatch"
	ReasonExtensionEcho        Reason = "extension_echo_mismatch"
	ReasonPermit2Allowance     Reason = "permit2_allowance_required"
	ReasonNoMatchingOffer      Reason = "No matching payment requirements"
	ReasonPaymentRequired      Reason = "Payment required"
	ReasonFacilitatorUnreached Reason = "facilitator_unavailable"
)

// Reasons of scheme exact on EVM chains.
const (
	ReasonEVMScheme             Reason = "invalid_exact_evm_scheme"
	ReasonEVMNetwork            Reason = "invalid_exact_evm_network_mismatch"
	ReasonEVMDomain             Reason = "invalid_exact_evm_missing_eip712_domain"
	ReasonEVMPayload            Reason = "invalid_exact_evm_payload"
	ReasonEVMRecipient          Reason = "invalid_exact_evm_recipient_mismatch"
	ReasonEVMSignature          Reason = "invalid_exact_evm_signature"
	ReasonEVMSignatureFormat    Reason = "invalid_exact_evm_failed_to_parse_signature"
	ReasonEVMExpired            Reason = "invalid_exact_evm_payload_authorization_valid_before"
	ReasonEVMNotYetValid        Reason = "invalid_exact_evm_payload_authorization_valid_after"
	ReasonEVMAmount             Reason = "invalid_exact_evm_payload_authorization_value_mismatch"
	ReasonEVMAmountV1           Reason = "invalid_exact_evm_authorization_value"
	ReasonEVMUndeployedWallet   Reason = "invalid_exact_evm_payload_undeployed_smart_wallet"
	ReasonEVMTransactionFailed  Reason = "invalid_exact_evm_transaction_failed"
	ReasonEVMTransferEvent      Reason = "invalid_exact_evm_transfer_event_mismatch"
	ReasonEVMTokenName          Reason = "invalid_exact_evm_token_name_mismatch"
	ReasonEVMTokenVersion       Reason = "invalid_exact_evm_token_version_mismatch"
	ReasonEVMNoEIP3009          Reason = "invalid_exact_evm_eip3009_not_supported"
	ReasonEVMNonceUsed          Reason = "invalid_exact_evm_nonce_already_used"
	ReasonEVMInsufficientFunds  Reason = "invalid_exact_evm_insufficient_balance"
	ReasonEVMSimulation         Reason = "invalid_exact_evm_transaction_simulation_failed"
	ReasonEVMAssetNotContract   Reason = "asset_not_deployed_contract"
	ReasonEVMFactoryNotAllowed  Reason = "eip6492_factory_not_allowed"
	ReasonEVMWalletDeployFailed Reason = "smart_wallet_deployment_failed"
)

// aliases maps the strings of the specification (section 9), of protocol v1
// and of other facilitators to the constants above.
var aliases = map[string]Reason{
	"insufficient_funds":                             ReasonEVMInsufficientFunds,
	"invalid_exact_evm_payload_authorization_value":  ReasonEVMAmount,
	"invalid_exact_evm_authorization_value":          ReasonEVMAmount,
	"invalid_exact_evm_payload_signature":            ReasonEVMSignature,
	"invalid_exact_evm_payload_recipient_mismatch":   ReasonEVMRecipient,
	"invalid_exact_evm_signature_format":             ReasonEVMSignatureFormat,
	"invalid_exact_evm_failed_to_verify_signature":   ReasonEVMSignature,
	"invalid_exact_evm_failed_to_execute_transfer":   ReasonEVMTransactionFailed,
	"failed_to_execute_transfer":                     ReasonEVMTransactionFailed,
	"invalid_exact_evm_payload_missing_signature":    ReasonEVMSignatureFormat,
	"invalid_exact_evm_failed_to_get_network_config": ReasonInvalidNetwork,
	"invalid_format":                                 ReasonInvalidPayload,
	"invalid_payment_amount":                         ReasonEVMAmount,
	"invalid_payment_early":                          ReasonEVMNotYetValid,
	"invalid_payment_expired":                        ReasonEVMExpired,
	"chain_id_mismatch":                              ReasonEVMNetwork,
	"recipient_mismatch":                             ReasonEVMRecipient,
	"accepted_requirements_mismatch":                 ReasonNoMatchingOffer,
	"asset_mismatch":                                 ReasonNoMatchingOffer,
	"invalid_signature":                              ReasonEVMSignature,
	"transaction_simulation":                         ReasonEVMSimulation,
	"unsupported_chain":                              ReasonInvalidNetwork,
}

// ParseReason returns the constant for any of the strings that mean it.
func ParseReason(s string) Reason {
	if r, ok := aliases[s]; ok {
		return r
	}
	return Reason(s)
}

// Is says whether r and other mean the same, whichever family they come from.
func (r Reason) Is(other Reason) bool { return ParseReason(string(r)) == ParseReason(string(other)) }

// UnmarshalJSON reads a JSON string as it is: it is echoed, not translated.
func (r *Reason) UnmarshalJSON(data []byte) error {
	var s string
	err := json.Unmarshal(data, &s)
	*r = Reason(s)
	return err
}

var descriptions = map[Reason]string{
	ReasonInvalidPayload:        "the payment could not be read",
	ReasonInvalidRequirements:   "the payment requirements could not be read",
	ReasonInvalidVersion:        "the x402Version must be 1 or 2",
	ReasonInvalidNetwork:        "this network is not served here; GET /supported lists those that are",
	ReasonInvalidScheme:         "the payment's scheme differs from the required one",
	ReasonUnsupportedScheme:     "this scheme is not served on this network; GET /supported lists those that are",
	ReasonUnsupportedPayload:    "this kind of payload is not served",
	ReasonInvalidTransaction:    "the transaction was reverted",
	ReasonSettlementPending:     "the transaction was sent but is not confirmed yet; send the same payment again, never a new one",
	ReasonPolicy:                "the facilitator's policy refuses this payment",
	ReasonRelayerUnavailable:    "no relayer can send the transaction now; send the same payment again later",
	ReasonPaymentAlreadyUsed:    "this payment was already used for another request; sign a new one",
	ReasonResourceMismatch:      "this payment was made for another resource",
	ReasonNoMatchingOffer:       "the payment matches none of the offers of this resource",
	ReasonEVMNetwork:            "the payment is for another network",
	ReasonEVMDomain:             "extra.name and extra.version of the asset are missing",
	ReasonEVMRecipient:          "the authorization pays another recipient",
	ReasonEVMSignature:          "the signature is not the payer's",
	ReasonEVMSignatureFormat:    "the signature could not be read",
	ReasonEVMExpired:            "the authorization has expired or is about to; check the clock and sign a new one",
	ReasonEVMNotYetValid:        "the authorization is not valid yet; check the clock",
	ReasonEVMAmount:             "the authorized value is not the required amount",
	ReasonEVMUndeployedWallet:   "the payer's smart wallet is not deployed",
	ReasonEVMTransactionFailed:  "the transfer transaction failed",
	ReasonEVMTransferEvent:      "the transaction did not move the required amount",
	ReasonEVMTokenName:          "extra.name is not the token's EIP-712 name",
	ReasonEVMTokenVersion:       "extra.version is not the token's EIP-712 version",
	ReasonEVMNoEIP3009:          "the token has no transferWithAuthorization (EIP-3009)",
	ReasonEVMNonceUsed:          "the authorization was already used or cancelled",
	ReasonEVMInsufficientFunds:  "the payer's balance is less than the amount",
	ReasonEVMSimulation:         "the token refuses the transfer",
	ReasonEVMAssetNotContract:   "there is no contract at the asset's address",
	ReasonEVMFactoryNotAllowed:  "the wallet factory is not on the facilitator's list",
	ReasonFacilitatorUnreached:  "the facilitator could not be reached",
	ReasonPermit2Allowance:      "the payer must first approve Permit2 for the asset",
	ReasonUnexpectedVerify:      "the payment could not be verified now",
	ReasonUnexpectedSettle:      "the payment could not be settled now",
	ReasonEVMPayload:            "the scheme's payload could not be read",
	ReasonEVMScheme:             "the scheme is not exact",
	ReasonEVMWalletDeployFailed: "the payer's smart wallet could not be deployed",
	ReasonExtensionEcho:         "an extension was not returned as it was offered",
	ReasonDuplicateSettlement:   "this payment is being settled already",
	ReasonPaymentRequired:       "this resource must be paid for",
}

// Description says in plain English what r means and what to do; for an
// unknown reason it is the reason itself.
func (r Reason) Description() string {
	if d, ok := descriptions[ParseReason(string(r))]; ok {
		return d
	}
	return string(r)
}

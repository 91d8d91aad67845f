package catalog

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

// plainBody is a v1 challenge for what is paid by transaction, with directions.
type plainBody struct {
	Version      int               `json:"x402Version"`
	Accepts      []json.RawMessage `json:"accepts"`
	Error        string            `json:"error"`
	Message      string            `json:"message,omitempty"`
	Instructions plainInstructions `json:"payment_instructions"`
}

// plainInstructions say how to pay by transaction.
type plainInstructions struct {
	Method  string         `json:"method"`
	Create  string         `json:"create"`
	Confirm string         `json:"confirm"`
	Body    map[string]any `json:"body"` // of the request that creates the payment, but for payer_address
}

// requirement is an option as an entry of accepts: with the symbol of the coin
// in place of the token's address, and in v1 with the short name of the chain.
func (t *terms) requirement(o PaymentOption, timeout x402.Seconds) x402.PaymentRequirements {
	asset := o.Coin.Currency
	if !o.Coin.Native() {
		asset = o.Coin.Token.Address
	}
	return x402.PaymentRequirements{
		Scheme: x402.SchemeExact, Network: o.Coin.Network, Amount: o.Amount, Asset: asset, PayTo: o.PayTo, MaxTimeoutSeconds: timeout,
	}
}

// writePlain answers 402 for what is paid by transaction: native coin cannot go
// through the schemes of x402.
func (t *terms) writePlain(w http.ResponseWriter, reason x402.Reason, message string) error {
	challenge := x402.PaymentRequired{Version: x402.V2, Error: string(reason), Resource: t.resource}
	body := plainBody{Version: x402.V1, Accepts: []json.RawMessage{}, Error: message, Instructions: t.instructions()}
	if reason != x402.ReasonPaymentRequired {
		body.Error, body.Message = string(reason), message
	}
	for _, o := range t.plain {
		r := t.requirement(o, t.timeout)
		challenge.Accepts = append(challenge.Accepts, r)
		r.Network = x402.Network(ChainName(o.Coin.Network))
		j, err := r.MarshalV1(t.resource)
		if err != nil {
			return err
		}
		body.Accepts = append(body.Accepts, j)
	}
	header, err := x402.EncodeHeader(challenge)
	if err != nil {
		return err
	}
	w.Header().Set(x402.HeaderPaymentRequired, header)
	return v402api.JSON(w, http.StatusPaymentRequired, body)
}

func (t *terms) instructions() plainInstructions {
	o := t.plain[0]
	return plainInstructions{
		Method: string(MethodTransaction), Create: "POST /api/v1/clients/payments", Confirm: "POST /api/v1/clients/payments/{id}/confirm",
		Body: map[string]any{
			"product_id": t.product.ID, "chain": ChainName(o.Coin.Network), "currency": o.Coin.Currency, "amount": o.Amount.String(),
			"payee_address": o.PayTo, "payment_scheme": cmp.Or(string(t.product.Scheme), x402.SchemeExact),
		},
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// balanceOf asks the node at rpc for an account's balance of a token, in atomic
// units.
func balanceOf(ctx context.Context, rpc, token, account string) (x402.Amount, error) {
	holder, err := evm.ParseAddress(account)
	if err != nil {
		return x402.Amount{}, err
	}
	data := "0x" + hex.EncodeToString(evm.BalanceOfSelector[:]) + strings.Repeat("00", 12) + hex.EncodeToString(holder[:])
	question, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "eth_call",
		"params": []any{map[string]string{"to": token, "data": data}, "latest"},
	})
	if err != nil {
		return x402.Amount{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, rpc, bytes.NewReader(question))
	if err != nil {
		return x402.Amount{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return x402.Amount{}, fmt.Errorf("asking for a balance: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result string `json:"result"`
		Error  *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return x402.Amount{}, fmt.Errorf("asking for a balance: %s: %w", resp.Status, err)
	}
	if answer.Error != nil {
		return x402.Amount{}, fmt.Errorf("asking for a balance: %s", answer.Error.Message)
	}
	digits, ok := strings.CutPrefix(answer.Result, "0x")
	n, isNumber := new(big.Int).SetString(digits, 16)
	if !ok || !isNumber || len(digits) != 64 {
		return x402.Amount{}, fmt.Errorf("asking for a balance: %q is not one; is there a token at %s?", answer.Result, token)
	}
	return x402.AmountFromBig(n)
}

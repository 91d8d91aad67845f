package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

const (
	payerKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
	seller   = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
)

// sells is a shop that checks payments by all offline rules and believes them.
func sells(t *testing.T, price string) *httptest.Server {
	asset, err := x402.DefaultAssets().Default(x402.BaseSepolia)
	require.NoError(t, err)
	amount, err := asset.Price(price)
	require.NoError(t, err)
	offer := asset.Requirements(amount, seller)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		challenge := x402.PaymentRequired{Version: x402.V2, Error: "Payment required", Accepts: []x402.PaymentRequirements{offer}}
		if h := r.Header.Get(x402.HeaderPaymentSignature); h != "" {
			payment := x402.Payment{Requirements: offer}
			if err := x402.DecodeHeader(h, &payment.Payload); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_, err := evm.Checker{}.Check(payment, time.Now())
			if err == nil {
				receipt, err := x402.EncodeHeader(x402.SettleResponse{Success: true, Transaction: "0xabc", Network: offer.Network})
				if err != nil {
					panic(err)
				}
				w.Header().Set(x402.HeaderPaymentResponse, receipt)
				body, _ := io.ReadAll(r.Body)
				_, _ = io.WriteString(w, r.Method+" "+string(body)+": a quote")
				return
			}
			challenge.Error = string(x402.ReasonOf(err, x402.ReasonInvalidPayload))
		}
		h, err := x402.EncodeHeader(challenge)
		if err != nil {
			panic(err)
		}
		w.Header().Set(x402.HeaderPaymentRequired, h)
		w.WriteHeader(http.StatusPaymentRequired)
	}))
	t.Cleanup(server.Close)
	return server
}

// node answers eth_call with the balance of whoever is asked for.
func node(t *testing.T, balances map[string]string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&q))
		var call struct{ To, Data string }
		assert.NoError(t, json.Unmarshal(q.Params[0], &call))
		assert.Equal(t, "eth_call", q.Method)
		assert.Equal(t, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", call.To)
		assert.True(t, strings.HasPrefix(call.Data, "0x70a08231000000000000000000000000"))
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"`+balances[call.Data[len(call.Data)-40:]]+`"}`)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestTheClientPaysAndPrintsWhatItPaid(t *testing.T) {
	t.Parallel()
	chain := node(t, map[string]string{
		"f39fd6e51aad88f6f4ce6ab8827279cfffb92266": "0x" + strings.Repeat("0", 58) + "01e23a",
		"209693bc6afc0c5328ba36faf03c514ef312287c": "0x" + strings.Repeat("0", 60) + "2710",
	})
	var out, problems strings.Builder
	code := run(t.Context(), []string{"-key", payerKey, "-rpc", chain.URL, "-d", "subject", sells(t, "0.01").URL}, &out, &problems)
	require.Zero(t, code, problems.String())
	assert.Equal(t, `status:       200 OK
paid:         0.01 USDC on eip155:84532 to 0x209693Bc6afc0C5328bA36FaF03C514EF312287C
transaction:  0xabc
payer:        0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 has 0.12345 USDC
recipient:    0x209693Bc6afc0C5328bA36FaF03C514EF312287C has 0.01 USDC

POST subject: a quote
`, out.String())
}

func TestTheClientRefusesInWords(t *testing.T) {
	t.Parallel()
	shop, dear := sells(t, "0.01").URL, sells(t, "0.2").URL
	ledger := filepath.Join(t.TempDir(), "ledger")
	for want, args := range map[string][]string{
		"usage: client [flags] URL":                        {"-key", payerKey},
		"flag provided but not defined":                    {"-nonsense", shop},
		"no key":                                           {shop},
		"not a private key":                                {"-key", "0x12", shop},
		"exceeds the limit of 0.1 for one request":         {"-key", payerKey, dear},
		"-max: x402: not a decimal amount":                 {"-key", payerKey, "-max", "ten", shop},
		"-resume needs the -ledger":                        {"-key", payerKey, "-resume", "x", shop},
		"asking for a balance":                             {"-key", payerKey, "-rpc", shop, shop},
		"unsupported protocol scheme":                      {"-key", payerKey, "nothing"},
		"payer: opening ledger " + ledger + "/no such dir": {"-key", payerKey, "-ledger", ledger + "/no such dir", shop},
	} {
		var out, problems strings.Builder
		code := run(t.Context(), args, &out, &problems)
		assert.NotZero(t, code, want)
		assert.Contains(t, problems.String(), want)
		assert.NotContains(t, problems.String()+out.String(), payerKey)
	}
}

func TestTheClientsDailyLimitHoldsAcrossRuns(t *testing.T) {
	t.Parallel()
	shop, ledger := sells(t, "0.01").URL, filepath.Join(t.TempDir(), "ledger")
	args := []string{"-key", payerKey, "-max", "$0.01", "-ledger", ledger, shop}
	for range 10 {
		var problems strings.Builder
		require.Zero(t, run(t.Context(), args, io.Discard, &problems), problems.String())
	}
	var problems strings.Builder
	require.Equal(t, 1, run(t.Context(), args, io.Discard, &problems))
	assert.Contains(t, problems.String(), "over budget")
}

func TestAPaymentWhoseOutcomeIsUnknownIsRepeatedAndNotMadeAgain(t *testing.T) {
	t.Parallel()
	shop, ledger := sells(t, "0.01"), filepath.Join(t.TempDir(), "ledger")
	inner := shop.Config.Handler
	payments, down := map[string]bool{}, true
	shop.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Get(x402.HeaderPaymentSignature)
		if h != "" {
			payments[h] = true
		}
		if h != "" && down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		inner.ServeHTTP(w, r)
	})
	args := []string{"-key", payerKey, "-ledger", ledger, shop.URL}
	var problems strings.Builder
	require.Equal(t, 1, run(t.Context(), args, io.Discard, &problems))
	_, rest, ok := strings.Cut(problems.String(), "repeat it with -resume ")
	require.True(t, ok, problems.String())
	down = false
	var out strings.Builder
	require.Zero(t, run(t.Context(), append([]string{"-resume", strings.TrimSpace(rest)}, args...), &out, &problems), problems.String())
	assert.Contains(t, out.String(), "a quote")
	assert.Len(t, payments, 1)
}

func TestAnErrorAnswerIsAFailure(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	var out, problems strings.Builder
	require.Equal(t, 1, run(t.Context(), []string{"-key", payerKey, server.URL}, &out, &problems))
	assert.Contains(t, problems.String(), "404 Not Found")
	assert.Contains(t, out.String(), "paid:         nothing")
}

func TestAPaymentThatIsNotConfirmedIsNotCalledPaid(t *testing.T) {
	t.Parallel()
	shop := sells(t, "0.01")
	inner := shop.Config.Handler
	shop.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(x402.HeaderPaymentSignature) != "" {
			http.NotFound(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
	var out, problems strings.Builder
	require.Equal(t, 1, run(t.Context(), []string{"-key", payerKey, shop.URL}, &out, &problems))
	assert.Contains(t, out.String(), "perhaps paid: 0.01 USDC")
	assert.Contains(t, out.String(), "outcome:      unknown")
}

package x402_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/v402/v402/x402"
)

func Example() {
	// What a seller asks for: one cent, on Base, to its address.
	usdc, err := x402.DefaultAssets().Default(x402.Base)
	if err != nil {
		panic(err)
	}
	price, err := usdc.Price("$0.01")
	if err != nil {
		panic(err)
	}
	challenge := x402.PaymentRequired{
		Error:    "Payment required",
		Resource: x402.ResourceInfo{URL: "https://shop.example/report"},
		Accepts:  []x402.PaymentRequirements{usdc.Requirements(price, "0x209693Bc6afc0C5328bA36FaF03C514EF312287C")},
	}
	if err := challenge.Validate(); err != nil {
		panic(err)
	}
	header, err := x402.EncodeHeader(challenge)
	if err != nil {
		panic(err)
	}

	// What a buyer reads in the PAYMENT-REQUIRED header of the 402 answer.
	var asked x402.PaymentRequired
	if err := x402.DecodeHeader(header, &asked); err != nil {
		panic(err)
	}
	offer := asked.Accepts[0]
	fmt.Println(offer.Amount, "atomic units, which is", offer.Amount.Decimal(usdc.Decimals), usdc.Symbol, "on", offer.Network)

	// The same challenge for those who speak version 1, as the body of the answer.
	asked.Version = x402.V1
	body, err := json.MarshalIndent(asked, "", "  ")
	if err != nil {
		panic(err)
	}
	fmt.Println(string(body))

	// Output:
	// 10000 atomic units, which is 0.01 USDC on eip155:8453
	// {
	//   "x402Version": 1,
	//   "error": "Payment required",
	//   "accepts": [
	//     {
	//       "scheme": "exact",
	//       "network": "base",
	//       "maxAmountRequired": "10000",
	//       "resource": "https://shop.example/report",
	//       "description": "",
	//       "mimeType": "",
	//       "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
	//       "maxTimeoutSeconds": 300,
	//       "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
	//       "extra": {
	//         "name": "USD Coin",
	//         "version": "2"
	//       }
	//     }
	//   ]
	// }
}

func ExampleParseAmount() {
	for _, s := range []string{"0.01", "1.50", "0.0000001", "1e18", "-1"} {
		a, err := x402.ParseAmount(s, 6)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(a)
	}
	// Output:
	// 10000
	// 1500000
	// x402: more decimals than the asset has: "0.0000001" has 7 decimals, the asset has 6
	// x402: not a decimal amount: "1e18"
	// x402: not a decimal amount: "-1"
}

func ExampleParseNetwork() {
	for _, s := range []string{"base-sepolia", "eip155:84532", "Base"} {
		n, err := x402.ParseNetwork(s)
		fmt.Println(n, err)
	}
	// Output:
	// eip155:84532 <nil>
	// eip155:84532 <nil>
	//  x402: "Base" is neither a CAIP-2 network such as "eip155:84532" nor a v1 network name
}

func ExampleAssets_Add() {
	assets := x402.DefaultAssets()
	err := assets.Add(x402.Asset{
		Network: "eip155:31337", Address: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
		Symbol: "TST", Name: "Test Dollar", Version: "1", Decimals: 6,
	})
	if err != nil {
		panic(err)
	}
	a, err := assets.Default("eip155:31337")
	fmt.Println(a.Symbol, string(a.Requirements(x402.NewAmount(1), "0x209693Bc6afc0C5328bA36FaF03C514EF312287C").Extra), err)
	// Output:
	// TST {"name":"Test Dollar","version":"1"} <nil>
}

func ExampleReason_Is() {
	// The specification and the SDKs have different words for the same thing.
	fmt.Println(x402.Reason("insufficient_funds").Is(x402.ReasonEVMInsufficientFunds))
	fmt.Println(x402.Reason("insufficient_funds").Description())
	// Output:
	// true
	// the payer's balance is less than the amount
}

func ExampleClient() {
	facilitator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"isValid":false,"invalidReason":"insufficient_funds"}`)
	}))
	defer facilitator.Close()

	client, err := x402.NewClient(x402.ClientConfig{
		URL: facilitator.URL,
		Auth: func(ctx context.Context, op x402.Operation) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer token for " + string(op)}}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	var payment x402.Payment // as a buyer sent it, with what was required
	answer, err := client.Verify(context.Background(), payment)
	switch {
	case err != nil:
		fmt.Println("no answer:", err)
	case !answer.IsValid:
		fmt.Println("refused:", answer.InvalidReason.Description())
	}
	// Output:
	// refused: the payer's balance is less than the amount
}

func ExampleClient_Settle() {
	facilitator := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) // the connection breaks off
	}))
	defer facilitator.Close()
	client, err := x402.NewClient(x402.ClientConfig{URL: facilitator.URL})
	if err != nil {
		panic(err)
	}
	_, err = client.Settle(context.Background(), x402.Payment{})
	if errors.Is(err, x402.ErrUnknownOutcome) {
		fmt.Println("ask again with the same payment")
	}
	// Output:
	// ask again with the same payment
}

func ExamplePayment_Identity() {
	var payment x402.Payment
	if err := json.Unmarshal([]byte(paymentV2), &payment); err != nil {
		panic(err)
	}
	id, err := payment.Identity()
	fmt.Println(id.Payer, err)
	// Output:
	// 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266 <nil>
}

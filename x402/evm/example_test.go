package evm_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

func Example() {
	// The seller asks for one cent of the test dollar on Base Sepolia.
	usdc, err := x402.DefaultAssets().Default(x402.BaseSepolia)
	if err != nil {
		panic(err)
	}
	price, err := usdc.Price("$0.01")
	if err != nil {
		panic(err)
	}
	required := usdc.Requirements(price, "0x209693Bc6afc0C5328bA36FaF03C514EF312287C")

	// The buyer signs; nothing is sent to a chain.
	buyer, err := evm.ParseSigner("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		panic(err)
	}
	payload, err := buyer.Sign(context.Background(), x402.V2, required, time.Now())
	if err != nil {
		panic(err)
	}

	// Whoever receives the payment checks it, and knows who pays what.
	payment := x402.Payment{
		Payload:      x402.PaymentPayload{Version: x402.V2, Accepted: required, Payload: payload},
		Requirements: required,
	}
	checked, err := evm.Checker{}.Check(payment, time.Now())
	if err != nil {
		panic(err)
	}
	fmt.Println(checked.Authorization.From, "pays", checked.Authorization.Value.Decimal(usdc.Decimals), usdc.Symbol)

	// Output:
	// 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 pays 0.01 USDC
}

func ExampleChecker_Check() {
	usdc, _ := x402.DefaultAssets().Default(x402.Base)
	offered := usdc.Requirements(x402.NewAmount(10000), "0x209693Bc6afc0C5328bA36FaF03C514EF312287C")
	buyer, _ := evm.ParseSigner("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	payload, _ := buyer.Sign(context.Background(), x402.V2, offered, time.Now())

	dearer := offered
	dearer.Amount = x402.NewAmount(10001)
	_, err := evm.Checker{}.Check(x402.Payment{
		Payload:      x402.PaymentPayload{Version: x402.V2, Accepted: dearer, Payload: payload},
		Requirements: dearer,
	}, time.Now())
	var refused *x402.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason)
		fmt.Println(refused.Message())
	}
	// Output:
	// invalid_exact_evm_payload_authorization_value_mismatch
	// payload.authorization.value: it is 10000, required is exactly 10001
}

func ExampleDomain_Separator() {
	d := evm.Domain{Name: "USD Coin", Version: "2", ChainID: 8453}
	d.Contract, _ = evm.ParseAddress("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
	fmt.Println(d.Separator())
	// Output:
	// 0x02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f
}

func ExampleParseAddress() {
	a, err := evm.ParseAddress("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")
	fmt.Println(a, err)
	// Output:
	// 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913 <nil>
}

func ExampleParseSignature() {
	_, err := evm.ParseSignature(make([]byte, 64))
	fmt.Println(err)
	// Output:
	// evm: a signature has 65 bytes, this one has 64
}

// A message is signed as wallets sign it, and its signer recovered.
func ExampleRecoverMessage() {
	signer, err := evm.ParseSigner("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		panic(err)
	}
	sig := signer.SignMessage([]byte("hello world"))
	from, err := evm.RecoverMessage([]byte("hello world"), sig)
	fmt.Println(from, err)
	// Output: 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 <nil>
}

// Package evm is scheme exact on EVM chains without a chain: it signs, decodes
// and checks payments by EIP-3009 offline. Nothing in it opens a connection, and
// it needs no more than the curve secp256k1 and the hash Keccak-256.
//
// A payment by EIP-3009 is an [Authorization]: the payer allows a token to move
// an exact value to one recipient, once, within a time window. The payer signs
// its [Authorization.Digest] under the token's [Domain]; whoever submits it to
// the token pays the gas and can change nothing.
//
//	// The seller asks for one cent of the test dollar on Base Sepolia.
//	usdc, err := x402.DefaultAssets().Default(x402.BaseSepolia)
//	price, err := usdc.Price("$0.01")
//	required := usdc.Requirements(price, "0x209693Bc6afc0C5328bA36FaF03C514EF312287C")
//
//	// The buyer signs.
//	buyer, err := evm.ParseSigner(key)
//	payload, err := buyer.Sign(ctx, x402.V2, required, time.Now())
//
//	// Whoever receives the payment checks it, and knows who pays what.
//	checked, err := evm.Checker{}.Check(x402.Payment{
//		Payload:      x402.PaymentPayload{Version: x402.V2, Accepted: required, Payload: payload},
//		Requirements: required,
//	}, time.Now())
//	fmt.Println(checked.Authorization.From, "pays", checked.Authorization.Value)
//
// The package example is this program in full. A [Signer] fits the payer package
// as it is; [Exact.Calldata] is what a facilitator sends to the token.
package evm

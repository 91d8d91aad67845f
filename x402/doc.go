// Package x402 is the x402 payment protocol: what a seller asks for, what a buyer
// sends, and what a facilitator answers. It needs the standard library only.
//
// A seller answers an unpaid request with 402 and a [PaymentRequired], which
// lists the ways to pay. The buyer signs one of them and repeats the request with
// a [PaymentPayload]. The seller lets a [Facilitator] verify and settle the
// [Payment]: the payload together with the seller's own [PaymentRequirements].
//
//	// What a seller asks for: one cent, on Base, to its address.
//	usdc, err := x402.DefaultAssets().Default(x402.Base)
//	price, err := usdc.Price("$0.01")
//	challenge := x402.PaymentRequired{
//		Resource: x402.ResourceInfo{URL: "https://shop.example/report"},
//		Accepts:  []x402.PaymentRequirements{usdc.Requirements(price, payTo)},
//	}
//	header, err := x402.EncodeHeader(challenge)
//
//	// What a buyer reads in the PAYMENT-REQUIRED header of the 402 answer.
//	var asked x402.PaymentRequired
//	err = x402.DecodeHeader(header, &asked)
//	fmt.Println(asked.Accepts[0].Amount, "atomic units on", asked.Accepts[0].Network)
//
// The package example is this program in full.
//
// # Versions
//
// There is one model, that of protocol version 2. Documents of version 1 are
// converted as they are read and written: network names become CAIP-2
// identifiers, and the resource moves out of the requirements. The Version of a
// document says how it was read and how it is written.
//
// # Reading
//
// What strangers send is read strictly: names match to the letter, no name may
// stand twice, amounts are canonical decimal strings, headers are padded standard
// base64 of limited length. A null is as good as absent, and members that are not
// known survive in Unknown. What is refused is an *[Error] with a [Reason] and the
// path of the field at fault.
//
// # Money
//
// An [Amount] is a whole number of an asset's smallest unit, and no float ever
// touches it. [ParseAmount] refuses to round, to overflow and to guess.
//
// # Settling
//
// An error of Settle is not a failure of the payment: the money may have moved.
// See [Facilitator] and [ErrUnknownOutcome].
package x402

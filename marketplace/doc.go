// Package marketplace sells licences to wallets: issuers publish offers, a wallet
// asks for a quote and pays it on an EVM chain, and gets an entitlement that
// programs can check.
//
// A [Service] works on a [Store], without HTTP:
//
//	service, err := marketplace.New(marketplace.Config{
//		Store: memory.New(),
//		Chains: []marketplace.ChainConfig{{
//			Network: x402.Base, Chain: chain, Treasury: "0x1111111111111111111111111111111111111111",
//			Currencies: []marketplace.Currency{{Code: "USDC", Address: usdc, Decimals: 6}},
//		}},
//		BundleMembership: true,
//	})
//	...
//	quote, err := service.Quote(ctx, marketplace.QuoteRequest{Buyer: buyer})
//	// The buyer signs and sends quote.Transaction.
//	bought, err := service.Confirm(ctx, marketplace.ConfirmRequest{QuoteID: quote.ID, Buyer: buyer, TxHash: hash, ChainID: 8453})
//	fmt.Println(bought.Entitlement.ID, bought.Entitlement.State)
//
//	http.Handle("/reports/", service.Require("edut.governance.core")(reports))
//
// The package example is this program in full. [Service.Handler] serves the same
// as JSON over HTTP, at the paths of openapi.yaml. With a [Till] a quote is paid
// by x402, in one request and without gas.
//
// # What is true at any time
//
//   - A quote does not change: not its price, and not the policies that its hash
//     stands for (see [PolicyDocument]), whatever becomes of the offer.
//   - A transaction buys once: the money of one payer in it pays one quote, in all
//     processes on one store. Payments by x402, which may share a transaction, each
//     pay the quote that is reserved for them.
//   - What a payment buys is written whole or not at all: the consumed quote, the
//     used transaction, membership, entitlement, audit entry and events. The same
//     confirmation again gets the same answer.
//   - A refusal with RetryAfter, such as [CodeTxPending], [CodeTxNotFound] or
//     [CodeChainUnavailable], has used nothing up. Neither has any other.
//   - A wallet never buys or is given more of an offer than its policies allow,
//     however many quotes it pays at once: what is reserved for x402 counts as held.
//     Whoever manages an entitlement may extend one that has expired nevertheless.
//   - Entitlements of a wallet on a chain are numbered from 1, without a gap.
//
// A plain payment that comes too late, or that another one has made useless, is
// refused after it has moved: the treasury has it and must give it back. The
// treasury must be the marketplace's alone, since every transfer to it in time
// can pay a quote of whoever sent it. Which of them, the transaction says that a
// quote gives to sign: nobody can confirm it for another one, see
// [UnsignedTransaction]. A payment by x402 is checked before it moves; see
// [Service.ReserveQuote].
//
// # Depth
//
// A transaction must be ChainConfig.Confirmations deep. What is reorganised away
// before is not found; what is reorganised away later was final by this
// configuration: choose the depth by what an entitlement is worth.
//
// # Checking entitlements
//
// [Service.VerifyEntitlement] and [Service.Require] ask for an entitlement that is
// active, not expired and not parked; everything that is not known is a refusal.
// It is one indexed read, or none for what was read within Config.CacheAge. What
// this process changes is seen at once. What another one changes is seen after
// CacheAge at the latest: within 5 seconds, if nothing else is configured. It is
// seen earlier where [Service.Observe] hears of it from the outbox, whose events
// come to one of the processes on a store. That a wallet has nothing is never
// remembered, so that whoever buys is let in at once.
//
// Software that is not connected reads a licence file, [ReadLicence], which is
// signed with Config.LicenceKey and good for Config.LicenceTTL: a revocation
// reaches it when that is over.
//
// # Time
//
// Quotes and entitlements expire by themselves. [Service.Sweep] marks them and
// tells so, and forgets quotes that have bought nothing when they are older than
// Config.KeepQuotes; [Service.Run] does that every minute.
//
// # Errors
//
// An [Error] is a refusal with a stable [Code]; nothing was changed. Whatever else
// is returned is ours to mend.
package marketplace

// Package facilitator verifies and settles x402 payments for sellers: the
// party that asks the chain whether a payment is good, and that pays the gas to
// move the money.
//
// A [Service] is an x402.Facilitator over pluggable chains. Give it to a
// middleware.Guard in the same process, or serve it to others with
// [Service.Handler]:
//
//	journal, err := sqlite.Open(ctx, "v402.db")
//	...
//	chain, err := evm.New(evm.Config{
//		Network: x402.Base, URLs: []string{"https://mainnet.base.org"}, Keys: []string{key}, Journal: journal,
//	})
//	...
//	if err := chain.Check(ctx); err != nil { // is the configuration true?
//		return err
//	}
//	service, err := facilitator.New(facilitator.Config{
//		Chains: []facilitator.Chain{chain}, Journal: journal,
//		Policy: facilitator.Policy{PayTo: []string{"0x209693Bc6afc0C5328bA36FaF03C514EF312287C"}},
//	})
//	...
//	go service.Run(ctx)
//	return http.ListenAndServe("127.0.0.1:4020", service.Handler())
//
// examples/server is the whole program.
//
// # The life of a settlement
//
// The [Journal] remembers each payment under its identity: network, asset,
// payer and nonce. Every step is stored before the side effect that follows:
//
//	reserved → submitted → confirmed | failed
//	               ↓ ↑
//	             unknown   → confirmed | failed
//
// So a payment moves once however often it is asked for, by whomever, through
// any number of replicas on one journal; and whoever asks gets the same answer,
// also after a restart. A payment that the chain refuses leaves no trace, and
// may be tried again. What somebody else submitted counts as settled if it paid
// what was required. A settlement belongs to the process that leased it; when
// that dies, another takes over as the lease runs out.
//
// # Open relays
//
// Settling costs gas. Name the recipients that you serve in [Policy], or admit
// callers with [Config.Authorize]; without either, strangers settle at your
// expense.
package facilitator

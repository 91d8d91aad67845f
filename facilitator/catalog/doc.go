// Package catalog is the shop behind x402: providers publish products, clients
// find them, pay and read them, and providers learn who asked without paying.
//
// A [Service] works on a [Store], without HTTP:
//
//	shop, err := catalog.New(catalog.Config{Store: memory.New(), Facilitator: facilitator, ...})
//	...
//	p, err := shop.CreateProduct(ctx, provider, catalog.Draft{
//		Title: "Whales", ContentURL: "https://example.com/whales", Price: "1500000", Currency: "USDC",
//	})
//	_, err = shop.SetWallet(ctx, provider, x402.Base, "0x742d35Cc6634C0532925a3b844Bc454e4438f44e")
//	_, err = shop.Publish(ctx, provider, p.ID)
//	found, err := shop.Discover(ctx, catalog.Query{Text: "whales"}, store.PageNumber{})
//	access, err := shop.Access(ctx, catalog.AccessRequest{ProductID: p.ID, Payment: payment, ...})
//
// [Service.Handler] serves the same as JSON over HTTP, at the paths of
// openapi.yaml, to whom [Config.Authenticate] knows; an account.Service is one
// that knows users. [Service.Run] does the rest in the background: without it
// views, the access log and late payments wait.
//
// # Products
//
// A product is a draft until it is published; it can be taken off sale and put on
// again, archived, and deleted. An admin flags it, which hides it, or rejects it
// until it is approved. What may be bought is decided in one place:
// [Product.OnSale]. What was bought stays open until the grant ends, whatever
// becomes of the product.
//
// A price is a whole number of the smallest unit of a currency, up to 2^256-1, and
// never a float. It is paid on each network where the provider has a wallet and the
// currency is known ([Service.Options]); where the token has other decimals there,
// the amount is converted exactly, or the network is left out. Tokens are paid
// through x402, native coins by a transaction that is proven on the chain.
//
// # Discovery
//
// Products are found by their words ([Words]): every word of a query must occur,
// and the last one may be the beginning of a word. A title counts more than tags,
// those more than a category, and that more than a description. SQLite and
// PostgreSQL keep a full-text index of what is on sale, written in the transaction
// that changes a product; the words are made here, so that all stores find the
// same. What is taken off sale, flagged, deleted, or of a provider who is
// suspended ([Service.Observe]) is gone from discovery with that change.
//
// Views are counted in memory and stored every Config.ViewsEvery: a process that
// is killed loses those of one interval. Reviews are written by buyers, one for
// each product, and a rating is kept as sum and count.
//
// # Access
//
// [Service.Access] opens a product by a payment, by a grant that the caller has, or
// by the access token of an earlier access. A payment buys one grant, once. While
// one request has it settled, on whatever replica, others with the same payment
// wait and are told the same; and who sends it again within minutes, because the
// answer was lost, gets the same access. Later it opens nothing by itself, since
// what was settled can be read from the chain: the access token does, the user's
// credentials, or a signature of the payer. [Service.Guard] protects a handler of
// the provider's in this process; elsewhere package content verifies signed URLs
// and tokens. Payments by transaction are created, and confirmed against the chain;
// see [Service.CreatePayment] and [Service.ConfirmPayment].
//
// # Demand
//
// Each attempt to reach a product is kept in the access log, which never makes a
// request wait and takes bounded memory: of a flood a sample is kept and the rest
// is counted; see [LogConfig]. From it come [Service.UnpaidDemand],
// [Service.TopProducts] and [Service.Recommend].
//
// # Events and errors
//
// Every change leaves an event in the outbox of the store, saved with it, whose
// data has the owner_id of the provider who may be told. An [Error] is a refusal,
// with all that is wrong with an input in its Faults. Whatever else is returned is
// ours to mend.
package catalog

// Package report tells providers what their products brought: views, visitors,
// purchases and revenue, by hour, day, week or month. It reads what package
// catalog keeps and changes nothing.
//
//	reports, err := report.New(report.Config{Store: db, Authenticate: accounts.Authenticate, Coins: shop.Coins()})
//	...
//	board, err := reports.Dashboard(ctx, providerID, 30)
//
// What is counted:
//
//   - A view is one look at a product's page. Views are kept by the hour, for
//     [ViewsKept]; ranges of time are therefore widened to whole hours.
//   - A visitor is an address that tried to reach a product, as the access log
//     has it: exactly, while nothing was left out of the log, for as long as its
//     entries are kept. If the log keeps truncated addresses, a visitor is such a
//     network.
//   - A purchase is a payment that was confirmed, at the time when it was, and is
//     confirmed still. Revenue is what it brought before fees, without what was
//     refunded. Sums are exact, made by the database, and apart for each currency.
//
// [Service.Handler] serves the reports over HTTP, as openapi.yaml says.
package report

// Package memory keeps settlements, claims, spendings and events in memory, for
// tests and for programs that may forget.
//
// A [Store] is a facilitator.Journal, a middleware.Claims, a payer.Ledger and a
// store.Outbox at once. It keeps the promises of those interfaces within one
// process, and forgets everything with it: a facilitator that is restarted on
// it cannot tell which payments it had sent. Use store/sqlite to survive a
// restart and store/postgres for several replicas.
//
// Finished settlements and the ledger are kept as long as the process lives,
// and so are events until they are acknowledged with AckEvents; claims are
// dropped as they expire.
package memory

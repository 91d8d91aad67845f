// Package postgres keeps settlements, claims, spendings and events in
// PostgreSQL: for any number of replicas that share the work.
//
// A [Store] is a facilitator.Journal, a middleware.Claims, a payer.Ledger and a
// store.Outbox at once, so it can be handed to every part:
//
//	db, err := postgres.Open(ctx, "postgres://v402:secret@localhost:5432/v402")
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//
// Every lease, nonce, claim and limit holds across all processes on one
// database. Replicas may start at once: one of them upgrades the schema while
// the others wait. A transaction that the database gives up for another's sake
// is run again. The default isolation, READ COMMITTED, is enough, and
// synchronous_commit must stay on: what a method has reported must be on the
// disk.
//
// The schema is upgraded under a session-level advisory lock, so a connection
// pooler in between must not share sessions between transactions while a
// program starts.
package postgres

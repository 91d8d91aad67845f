// Package sqlite keeps settlements, claims, spendings and events in one SQLite
// file: for a program on one machine that must survive a restart.
//
// A [Store] is a facilitator.Journal, a middleware.Claims, a payer.Ledger and a
// store.Outbox at once, so it can be handed to every part:
//
//	db, err := sqlite.Open(ctx, "v402.db")
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//
// What a method has reported is on the disk: every commit waits for it, and
// changes that are made at once share a commit. Several processes on one machine
// may use one file, not over a network file system. For several machines there
// is store/postgres.
//
// A change that has begun is finished even if its context ends, and one whose
// context ends while it waits for its turn is not begun.
//
// The driver is modernc.org/sqlite, which needs no C compiler.
package sqlite

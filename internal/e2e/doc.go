// Package e2e shows whole flows on the development chain: facilitators that
// are killed at random moments, chains that drop, delay, refuse and lie, and
// one payment through guard, payer, facilitator and chain.
//
// Whatever goes wrong on the way, a flow ends by the same audit: each payment
// moved its money once or failed with a reason, journal and chain agree,
// nothing is left hanging, and every client was told the truth.
//
//	go test ./internal/e2e               # each test takes a minute at most
//	V402_SOAK=10 go test ./internal/e2e  # ten times the payments and the kills
//	V402_SEED=42 go test ./internal/e2e  # the random choices of an earlier run
//
// The tests on PostgreSQL need what internal/pgtest needs.
package e2e

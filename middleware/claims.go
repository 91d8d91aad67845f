package middleware

import (
	"context"
	"net/http"
	"time"
)

// Claim ties a payment to the one request that it buys.
type Claim struct {
	Key         string    // identity of the payment: network, asset, payer, nonce
	Fingerprint string    // hash of the request: method, host, path and query, body, some headers, offer
	Owner       string    // who serves the request; unique to one attempt
	LeasedUntil time.Time // when the owner is taken for dead
	Expires     time.Time // when the claim may be forgotten: the payment is no longer valid on its chain
}

// Outcome is what a claimed payment bought: the answer that was sent, to be
// sent again to whoever repeats the request with the same payment.
type Outcome struct {
	Status int         // HTTP status
	Header http.Header // with the settlement headers
	Body   []byte
	Lost   bool // the answer was streamed or too large to keep: it cannot be sent again
}

// Claimed is the answer to a claim.
type Claimed struct {
	Won         bool     // the caller owns the claim and must Fulfil, Release or give it back
	Retaken     bool     // won from an owner whose lease ran out: the payment may be settled already
	Attempts    int      // how often the claim was won, this time included; 1 when it was free
	Fingerprint string   // of the request that the payment is tied to
	Settlement  []byte   // what Settled recorded; nil while the payment is not known to have moved
	Outcome     *Outcome // set when that request was answered
}

// Claims is the replay protection of the guard. One payment buys one response:
// of all callers with one Key, in all processes on one store, exactly one wins.
// The default is in memory; the stores in store/sqlite and store/postgres serve
// several replicas. An error of any method means that the owner must not go on:
// the guard then serves nothing.
type Claims interface {
	// Claim takes c.Key if it is free, forgotten (Expires has passed), or held
	// without an outcome under the same fingerprint by an owner whose lease ran
	// out (LeasedUntil is not after now). Retaking keeps Settlement, counts
	// Attempts up and takes over the owner and times of c. In all other cases
	// nothing changes and Claimed describes what is there.
	Claim(ctx context.Context, c Claim, now time.Time) (Claimed, error)
	// Renew sets the lease of a claim that owner holds. An until that has passed
	// gives the claim back: it stays tied to its request, which may be repeated.
	Renew(ctx context.Context, key, owner string, until time.Time) error
	// Settled records that the payment of a claim that owner holds has moved,
	// so that it is never settled twice; settlement is opaque to the store.
	Settled(ctx context.Context, key, owner string, settlement []byte) error
	// Fulfil stores the outcome of a claim that owner holds.
	Fulfil(ctx context.Context, key, owner string, o Outcome) error
	// Release frees a claim that owner holds: nothing was charged, so the
	// payment may be used again.
	Release(ctx context.Context, key, owner string) error
}

package marketplace

import (
	"context"
	"time"
)

// WalletIntent is the offer to prove that one owns a wallet: what is to be
// signed. It can be used once.
type WalletIntent struct {
	ID        string // "wi_" and a ULID
	Wallet    string // lower case
	ChainID   uint64
	Nonce     string // 0x and 64 hexadecimal digits
	Origin    string // where the wallet was asked, such as "https://shop.example"; may be empty
	IssuedAt  time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero while it is unused
}

// WalletSession is what a verified wallet gets: a right to act for it until it
// expires. The token itself is not stored.
type WalletSession struct {
	TokenHash string // SHA-256 in hex
	Wallet    string // lower case
	ChainID   uint64 // where the wallet was verified
	IntentID  string // that it began with
	IssuedAt  time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero while it is not; may lie ahead, for the old token of a refreshed session
}

// Valid says whether the session gives rights at a time.
func (s WalletSession) Valid(at time.Time) bool {
	return at.Before(s.ExpiresAt) && (s.RevokedAt.IsZero() || at.Before(s.RevokedAt))
}

// KeptAnswer is the answer to a request with an Idempotency-Key, or the claim of
// whoever is about to make it: then Status is 0.
type KeptAnswer struct {
	ID          string // who asked for what, and the key, hashed
	Fingerprint string // of the body
	Owner       string // who makes the answer; unique to one attempt
	LeasedUntil time.Time
	ExpiresAt   time.Time // when it may be forgotten
	Status      int       // of HTTP
	Body        []byte
}

// WalletStore keeps intents and sessions of wallets, and answers to requests
// with an Idempotency-Key. Everything holds across processes that share it.
// What has expired may be deleted by any method that adds something.
type WalletStore interface {
	AddWalletIntent(ctx context.Context, i WalletIntent) error
	// WalletIntent returns one, or store.ErrNotFound.
	WalletIntent(ctx context.Context, id string) (WalletIntent, error)

	// AddWalletSession stores a session and marks its intent as used, at
	// IssuedAt. An intent that is unknown is store.ErrNotFound; one that was used
	// is store.ErrConflict.
	AddWalletSession(ctx context.Context, s WalletSession) error
	// WalletSession returns one by the hash of its token, or store.ErrNotFound.
	WalletSession(ctx context.Context, tokenHash string) (WalletSession, error)
	// ReplaceWalletSession stores next, and lets the one with the hash end at a
	// time. It is store.ErrConflict if that one has an end already, and
	// store.ErrNotFound if there is none.
	ReplaceWalletSession(ctx context.Context, tokenHash string, end time.Time, next WalletSession) error
	// RevokeWalletSession lets one end at a time, or earlier if it has to anyway.
	// One that is unknown is store.ErrNotFound.
	RevokeWalletSession(ctx context.Context, tokenHash string, end time.Time) error

	// ClaimAnswer takes a.ID if it is free, has expired, or is held without an
	// answer under the same fingerprint by an owner whose lease ran out. In all
	// other cases won is false, nothing changes, and held is what is there.
	ClaimAnswer(ctx context.Context, a KeptAnswer, now time.Time) (held KeptAnswer, won bool, err error)
	// KeepAnswer stores the answer of a claim that owner holds, or returns
	// store.ErrConflict.
	KeepAnswer(ctx context.Context, id, owner string, status int, body []byte) error
	// ReleaseAnswer frees a claim that owner holds, or does nothing.
	ReleaseAnswer(ctx context.Context, id, owner string) error
}

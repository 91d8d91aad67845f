package account

import (
	"context"
	"time"

	"github.com/v402/v402/store"
)

// Store is the memory of a [Service]. One method is one atomic operation: its
// trail is saved with the change or not at all. Callbacks run inside of it and
// may run again: they must only compute. What looks for one thing returns
// store.ErrNotFound, wrapped. All hold across processes that share the store.
type Store interface {
	UserStore
	KeyStore
	NonceStore
	AuditStore
}

// UserStore keeps users.
type UserStore interface {
	// AddUser stores a user and, if key is not nil, their first API key. It returns
	// [ErrPublicKeyTaken] if another has the public key.
	AddUser(ctx context.Context, u User, key *APIKey, trail Trail) error

	// UpdateUser lets change alter one user, and their API keys. An error of change
	// is returned as it is and undoes everything. ID, CreatedAt and LastSeenAt stay.
	// It returns [ErrPublicKeyTaken] if another has the public key.
	UpdateUser(ctx context.Context, id string, change func(*User) (UserChange, error)) (User, error)

	User(ctx context.Context, id string) (User, error)
	// UserByPublicKey returns the user of a wallet: one indexed read.
	UserByPublicKey(ctx context.Context, publicKey string) (User, error)
	// UsersByID returns those that there are, in any order.
	UsersByID(ctx context.Context, ids []string) ([]User, error)
	// Users lists users, the newest first.
	Users(ctx context.Context, f Filter, page store.PageNumber) (store.List[User], error)
}

// KeyStore keeps API keys. What it calls live is not revoked.
type KeyStore interface {
	// UserByAPIKey returns the live key with this hash and its user: one statement
	// of indexed reads.
	UserByAPIKey(ctx context.Context, hash string) (User, APIKey, error)
	// TouchUser says that a user was seen, with a key unless keyID is empty.
	TouchUser(ctx context.Context, userID, keyID string, at time.Time) error

	// AddAPIKey stores a key, unless its user has most live ones: [ErrTooManyKeys].
	AddAPIKey(ctx context.Context, k APIKey, most int, trail Trail) error
	// RotateAPIKey revokes the live key of a user with this ID and stores another
	// in its place, with the name it had.
	RotateAPIKey(ctx context.Context, userID, id string, by APIKey, trail Trail) (APIKey, error)
	// RevokeAPIKey revokes a live key of a user.
	RevokeAPIKey(ctx context.Context, userID, id string, at time.Time, trail Trail) (APIKey, error)
	// APIKeys lists the live keys of a user, the oldest first.
	APIKeys(ctx context.Context, userID string) ([]APIKey, error)
}

// NonceStore remembers which signatures were used.
type NonceStore interface {
	// UseNonce remembers the nonce of a wallet until a time. It returns
	// store.ErrConflict, wrapped, if it is remembered already. Nonces whose time
	// has come at now may be forgotten.
	UseNonce(ctx context.Context, wallet, nonce string, now, until time.Time) error
}

// AuditStore keeps the audit log.
type AuditStore interface {
	// AuditLog lists entries, the newest first.
	AuditLog(ctx context.Context, f AuditFilter, page store.PageNumber) (store.List[AuditEntry], error)
}

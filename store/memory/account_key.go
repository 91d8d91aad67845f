package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

func (d *accountData) addKey(k account.APIKey) {
	k.CreatedAt, k.LastUsedAt, k.RevokedAt = stored(k.CreatedAt), stored(k.LastUsedAt), stored(k.RevokedAt)
	d.keys[k.ID] = &k
	d.byHash[k.Hash] = &k
}

func (d *accountData) revoke(k *account.APIKey, at time.Time) {
	k.RevokedAt = stored(at)
	delete(d.byHash, k.Hash)
}

// live lists the live keys of a user, the oldest first.
func (d *accountData) live(userID string) []*account.APIKey {
	keys := slices.DeleteFunc(slices.Collect(maps.Values(d.byHash)), func(k *account.APIKey) bool { return k.UserID != userID })
	slices.SortFunc(keys, func(a, b *account.APIKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return keys
}

// UserByAPIKey implements [account.KeyStore].
func (s *Store) UserByAPIKey(ctx context.Context, hash string) (account.User, account.APIKey, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return account.User{}, account.APIKey{}, err
	}
	defer leave()
	k := s.accounts.byHash[hash]
	if k == nil {
		return account.User{}, account.APIKey{}, missing("user with the key", "given")
	}
	return *s.accounts.users[k.UserID], *k, nil
}

// TouchUser implements [account.KeyStore].
func (s *Store) TouchUser(ctx context.Context, userID, keyID string, at time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	at = stored(at)
	if u := s.accounts.users[userID]; u != nil && u.LastSeenAt.Before(at) {
		u.LastSeenAt = at
	}
	if k := s.accounts.keys[keyID]; k != nil && k.LastUsedAt.Before(at) {
		k.LastUsedAt = at
	}
	return nil
}

// AddAPIKey implements [account.KeyStore].
func (s *Store) AddAPIKey(ctx context.Context, k account.APIKey, most int, trail account.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case s.accounts.users[k.UserID] == nil:
		return missing("user", k.UserID)
	case len(s.accounts.live(k.UserID)) >= most:
		return fmt.Errorf("memory: add an API key: %w", account.ErrTooManyKeys)
	}
	s.accounts.addKey(k)
	s.recordTrail(trail)
	return nil
}

// liveKey is the live key of a user with this ID.
func (d *accountData) liveKey(userID, id string) (*account.APIKey, error) {
	k := d.keys[id]
	if k == nil || k.UserID != userID || !k.RevokedAt.IsZero() {
		return nil, missing("API key", id)
	}
	return k, nil
}

// RotateAPIKey implements [account.KeyStore].
func (s *Store) RotateAPIKey(ctx context.Context, userID, id string, by account.APIKey, trail account.Trail) (account.APIKey, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return account.APIKey{}, err
	}
	defer leave()
	old, err := s.accounts.liveKey(userID, id)
	if err != nil {
		return account.APIKey{}, err
	}
	s.accounts.revoke(old, by.CreatedAt)
	by.UserID, by.Name = old.UserID, old.Name
	s.accounts.addKey(by)
	s.recordTrail(trail)
	return *s.accounts.keys[by.ID], nil
}

// RevokeAPIKey implements [account.KeyStore].
func (s *Store) RevokeAPIKey(ctx context.Context, userID, id string, at time.Time, trail account.Trail) (account.APIKey, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return account.APIKey{}, err
	}
	defer leave()
	k, err := s.accounts.liveKey(userID, id)
	if err != nil {
		return account.APIKey{}, err
	}
	s.accounts.revoke(k, at)
	s.recordTrail(trail)
	return *k, nil
}

// APIKeys implements [account.KeyStore].
func (s *Store) APIKeys(ctx context.Context, userID string) ([]account.APIKey, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var keys []account.APIKey
	for _, k := range s.accounts.live(userID) {
		keys = append(keys, *k)
	}
	return keys, nil
}

// UseNonce implements [account.NonceStore].
func (s *Store) UseNonce(ctx context.Context, wallet, nonce string, now, until time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d := &s.accounts
	if len(d.nonces) >= d.sweepAt {
		maps.DeleteFunc(d.nonces, func(_ walletNonce, until time.Time) bool { return !until.After(now) })
		d.sweepAt = max(leastSweep, 2*len(d.nonces))
	}
	key := walletNonce{wallet, nonce}
	if _, used := d.nonces[key]; used {
		return fmt.Errorf("memory: use a nonce of %s: %w", wallet, store.ErrConflict)
	}
	d.nonces[key] = until
	return nil
}

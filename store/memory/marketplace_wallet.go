package memory

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

var _ marketplace.WalletStore = (*Store)(nil)

// walletData is what [marketplace.WalletStore] keeps.
type walletData struct {
	intents  map[string]marketplace.WalletIntent  // by ID
	sessions map[string]marketplace.WalletSession // by hash of the token
	answers  map[string]marketplace.KeptAnswer    // by ID
}

func (d *walletData) init() {
	d.intents, d.sessions, d.answers = map[string]marketplace.WalletIntent{}, map[string]marketplace.WalletSession{}, map[string]marketplace.KeptAnswer{}
}

// forgetExpired looks at some entries and deletes those that have expired:
// maps are walked in a random order, so that all get their turn.
func forgetExpired[T any](entries map[string]T, expires func(T) time.Time, now time.Time) {
	const looks = 8
	n := 0
	for id, e := range entries {
		if n++; n > looks {
			return
		}
		if !expires(e).After(now) {
			delete(entries, id)
		}
	}
}

// AddWalletIntent implements [marketplace.WalletStore].
func (s *Store) AddWalletIntent(ctx context.Context, i marketplace.WalletIntent) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	forgetExpired(s.wallet.intents, func(i marketplace.WalletIntent) time.Time { return i.ExpiresAt }, i.IssuedAt)
	i.IssuedAt, i.ExpiresAt, i.UsedAt = stored(i.IssuedAt), stored(i.ExpiresAt), stored(i.UsedAt)
	s.wallet.intents[i.ID] = i
	return nil
}

// WalletIntent implements [marketplace.WalletStore].
func (s *Store) WalletIntent(ctx context.Context, id string) (marketplace.WalletIntent, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.WalletIntent{}, err
	}
	defer leave()
	i, ok := s.wallet.intents[id]
	if !ok {
		return i, missing("wallet intent", id)
	}
	return i, nil
}

// AddWalletSession implements [marketplace.WalletStore].
func (s *Store) AddWalletSession(ctx context.Context, session marketplace.WalletSession) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	i, ok := s.wallet.intents[session.IntentID]
	switch {
	case !ok:
		return missing("wallet intent", session.IntentID)
	case !i.UsedAt.IsZero():
		return fmt.Errorf("memory: wallet intent %s was used: %w", i.ID, store.ErrConflict)
	}
	i.UsedAt = stored(session.IssuedAt)
	s.wallet.intents[i.ID] = i
	s.putWalletSession(session)
	return nil
}

func (s *Store) putWalletSession(session marketplace.WalletSession) {
	forgetExpired(s.wallet.sessions, func(w marketplace.WalletSession) time.Time { return w.ExpiresAt }, session.IssuedAt)
	session.IssuedAt, session.ExpiresAt, session.RevokedAt = stored(session.IssuedAt), stored(session.ExpiresAt), stored(session.RevokedAt)
	s.wallet.sessions[session.TokenHash] = session
}

// WalletSession implements [marketplace.WalletStore].
func (s *Store) WalletSession(ctx context.Context, tokenHash string) (marketplace.WalletSession, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.WalletSession{}, err
	}
	defer leave()
	session, ok := s.wallet.sessions[tokenHash]
	if !ok {
		return session, fmt.Errorf("memory: a wallet session: %w", store.ErrNotFound)
	}
	return session, nil
}

// ReplaceWalletSession implements [marketplace.WalletStore].
func (s *Store) ReplaceWalletSession(ctx context.Context, tokenHash string, end time.Time, next marketplace.WalletSession) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	old, ok := s.wallet.sessions[tokenHash]
	switch {
	case !ok:
		return fmt.Errorf("memory: replace a wallet session: %w", store.ErrNotFound)
	case !old.RevokedAt.IsZero():
		return fmt.Errorf("memory: a wallet session that ends is not replaced: %w", store.ErrConflict)
	}
	old.RevokedAt = stored(end)
	s.wallet.sessions[tokenHash] = old
	s.putWalletSession(next)
	return nil
}

// RevokeWalletSession implements [marketplace.WalletStore].
func (s *Store) RevokeWalletSession(ctx context.Context, tokenHash string, end time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	session, ok := s.wallet.sessions[tokenHash]
	if !ok {
		return fmt.Errorf("memory: revoke a wallet session: %w", store.ErrNotFound)
	}
	if session.RevokedAt.IsZero() || session.RevokedAt.After(end) {
		session.RevokedAt = stored(end)
		s.wallet.sessions[tokenHash] = session
	}
	return nil
}

// ClaimAnswer implements [marketplace.WalletStore].
func (s *Store) ClaimAnswer(ctx context.Context, a marketplace.KeptAnswer, now time.Time) (held marketplace.KeptAnswer, won bool, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return marketplace.KeptAnswer{}, false, err
	}
	defer leave()
	now = stored(now)
	forgetExpired(s.wallet.answers, func(a marketplace.KeptAnswer) time.Time { return a.ExpiresAt }, now)
	old, taken := s.wallet.answers[a.ID]
	lost := old.Status == 0 && old.Fingerprint == a.Fingerprint && !old.LeasedUntil.After(now)
	if taken && old.ExpiresAt.After(now) && !lost {
		old.Body = bytes.Clone(old.Body)
		return old, false, nil
	}
	a.Status, a.Body, a.LeasedUntil, a.ExpiresAt = 0, nil, stored(a.LeasedUntil), stored(a.ExpiresAt)
	s.wallet.answers[a.ID] = a
	return a, true, nil
}

// KeepAnswer implements [marketplace.WalletStore].
func (s *Store) KeepAnswer(ctx context.Context, id, owner string, status int, body []byte) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	a, ok := s.wallet.answers[id]
	if !ok || a.Owner != owner || a.Status != 0 {
		return fmt.Errorf("memory: keep an answer that another makes: %w", store.ErrConflict)
	}
	a.Status, a.Body = status, bytes.Clone(body)
	s.wallet.answers[id] = a
	return nil
}

// ReleaseAnswer implements [marketplace.WalletStore].
func (s *Store) ReleaseAnswer(ctx context.Context, id, owner string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if a, ok := s.wallet.answers[id]; ok && a.Owner == owner && a.Status == 0 {
		delete(s.wallet.answers, id)
	}
	return nil
}

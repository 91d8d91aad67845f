package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

const apiKeyColumns = "id, user_id, name, prefix, hash, created_at, last_used_at, revoked_at"

func insertKey(ctx context.Context, tx querier, k account.APIKey) error {
	return insert(ctx, tx, "v402_api_keys", apiKeyColumns, [][]any{{
		k.ID, k.UserID, k.Name, k.Prefix, k.Hash, micros(k.CreatedAt), optional(k.LastUsedAt), optional(k.RevokedAt),
	}})
}

// apiKeyFields are where a row of apiKeyColumns is scanned to; see userFields.
func apiKeyFields(k *account.APIKey) (fields []any, done func()) {
	var createdAt, lastUsedAt, revokedAt int64
	fields = []any{&k.ID, &k.UserID, &k.Name, &k.Prefix, &k.Hash, &createdAt, &lastUsedAt, &revokedAt}
	return fields, func() {
		k.CreatedAt, k.LastUsedAt, k.RevokedAt = moment(createdAt), optionalMoment(lastUsedAt), optionalMoment(revokedAt)
	}
}

func scanAPIKey(rows *sql.Rows) (k account.APIKey, err error) {
	fields, done := apiKeyFields(&k)
	err = rows.Scan(fields...)
	done()
	return k, err
}

// keyOwner is what authentication reads.
type keyOwner struct {
	user account.User
	key  account.APIKey
}

func scanKeyOwner(rows *sql.Rows) (o keyOwner, err error) {
	user, userDone := userFields(&o.user)
	key, keyDone := apiKeyFields(&o.key)
	err = rows.Scan(append(user, key...)...)
	userDone()
	keyDone()
	return o, err
}

const keyOwnerQuery = `SELECT u.id, u.role, u.status, u.status_reason, u.username, u.email, u.name, u.website, u.verified, u.public_key, '',
	u.created_at, u.updated_at, u.last_seen_at, u.keys_reset_by, k.id, k.user_id, k.name, k.prefix, k.hash, k.created_at, k.last_used_at, k.revoked_at
	FROM v402_api_keys k JOIN v402_users u ON u.id = k.user_id WHERE k.hash = $1 AND k.revoked_at = 0`

// UserByAPIKey implements [account.KeyStore].
func (s *DB) UserByAPIKey(ctx context.Context, hash string) (account.User, account.APIKey, error) {
	o, err := one(ctx, s.read, scanKeyOwner, keyOwnerQuery, hash)
	if err != nil {
		return account.User{}, account.APIKey{}, s.errorf("user with the key given: %w", found(err))
	}
	return o.user, o.key, nil
}

// TouchUser implements [account.KeyStore].
func (s *DB) TouchUser(ctx context.Context, userID, keyID string, at time.Time) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, "UPDATE v402_users SET last_seen_at = $1 WHERE id = $2 AND last_seen_at < $1", micros(at), userID)
		if err != nil || keyID == "" {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE v402_api_keys SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1", micros(at), keyID)
		return err
	})
	if err != nil {
		return s.errorf("touch user %s: %w", userID, err)
	}
	return nil
}

// lockUser holds the row of a user, where rows are locked: whoever changes keys
// has it first.
func (s *DB) lockUser(ctx context.Context, tx querier, id string) error {
	_, err := one(ctx, tx, column[string], "SELECT id FROM v402_users WHERE id = $1"+s.lock, id)
	return found(err)
}

// AddAPIKey implements [account.KeyStore].
func (s *DB) AddAPIKey(ctx context.Context, k account.APIKey, most int, trail account.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockUser(ctx, tx, k.UserID); err != nil {
			return err
		}
		live, err := one(ctx, tx, column[int], "SELECT COUNT(*) FROM v402_api_keys WHERE user_id = $1 AND revoked_at = 0", k.UserID)
		if err != nil {
			return err
		}
		if live >= most {
			return account.ErrTooManyKeys
		}
		if err := insertKey(ctx, tx, k); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("add an API key: %w", err)
	}
	return nil
}

// RotateAPIKey implements [account.KeyStore].
func (s *DB) RotateAPIKey(ctx context.Context, userID, id string, by account.APIKey, trail account.Trail) (account.APIKey, error) {
	var added account.APIKey
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		old, err := s.revoke(ctx, tx, userID, id, by.CreatedAt)
		if err != nil {
			return err
		}
		added = by
		added.UserID, added.Name = old.UserID, old.Name
		if err := insertKey(ctx, tx, added); err != nil {
			return err
		}
		if added, err = one(ctx, tx, scanAPIKey, "SELECT "+apiKeyColumns+" FROM v402_api_keys WHERE id = $1", by.ID); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return account.APIKey{}, s.errorf("rotate API key %s: %w", id, err)
	}
	return added, nil
}

// RevokeAPIKey implements [account.KeyStore].
func (s *DB) RevokeAPIKey(ctx context.Context, userID, id string, at time.Time, trail account.Trail) (account.APIKey, error) {
	var revoked account.APIKey
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if revoked, err = s.revoke(ctx, tx, userID, id, at); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return account.APIKey{}, s.errorf("revoke API key %s: %w", id, err)
	}
	return revoked, nil
}

// revoke ends a live key; of two at once one finds it.
func (s *DB) revoke(ctx context.Context, tx querier, userID, id string, at time.Time) (account.APIKey, error) {
	if err := s.lockUser(ctx, tx, userID); err != nil {
		return account.APIKey{}, err
	}
	k, err := one(ctx, tx, scanAPIKey, "UPDATE v402_api_keys SET revoked_at = $1 WHERE id = $2 AND user_id = $3 AND revoked_at = 0 RETURNING "+apiKeyColumns,
		micros(at), id, userID)
	return k, found(err)
}

// changeKeys does with the keys of a user what c says. Whoever changes keys waits
// for the user, whose row is held.
func changeKeys(ctx context.Context, tx querier, userID string, c account.UserChange) error {
	if !c.KeysEndAt.IsZero() {
		_, err := tx.ExecContext(ctx, "UPDATE v402_api_keys SET revoked_at = $1 WHERE user_id = $2 AND revoked_at = 0", micros(c.KeysEndAt), userID)
		if err != nil {
			return err
		}
	}
	if c.NewKey == nil {
		return nil
	}
	return insertKey(ctx, tx, *c.NewKey)
}

// APIKeys implements [account.KeyStore].
func (s *DB) APIKeys(ctx context.Context, userID string) ([]account.APIKey, error) {
	keys, err := all(ctx, s.read, scanAPIKey, "SELECT "+apiKeyColumns+" FROM v402_api_keys WHERE user_id = $1 AND revoked_at = 0 ORDER BY created_at, id", userID)
	if err != nil {
		return nil, s.errorf("API keys of user %s: %w", userID, err)
	}
	return keys, nil
}

// UseNonce implements [account.NonceStore].
func (s *DB) UseNonce(ctx context.Context, wallet, nonce string, now, until time.Time) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		const forget = `DELETE FROM v402_nonces WHERE (wallet, nonce) IN (
			SELECT wallet, nonce FROM v402_nonces WHERE expires_at <= $1 ORDER BY expires_at LIMIT 8`
		if _, err := tx.ExecContext(ctx, forget+s.skipLocked+")", micros(now)); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, "INSERT INTO v402_nonces (wallet, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			wallet, nonce, micros(until))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, store.ErrConflict)
		}
		return nil
	})
	if err != nil {
		return s.errorf("use a nonce of %s: %w", wallet, err)
	}
	return nil
}

package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

var _ marketplace.WalletStore = (*DB)(nil)

// expiredMost is how many expired rows an addition deletes at most: more than
// came in meanwhile.
const expiredMost = 8

// deleteExpired deletes some rows of a table that have expired.
func (s *DB) deleteExpired(ctx context.Context, tx querier, table, id string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `WITH useless AS MATERIALIZED (
			SELECT `+id+` FROM `+table+` WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`+s.skipLocked+`)
		DELETE FROM `+table+` WHERE `+id+` IN (SELECT `+id+` FROM useless)`, micros(now), expiredMost)
	return err
}

// AddWalletIntent implements [marketplace.WalletStore].
func (s *DB) AddWalletIntent(ctx context.Context, i marketplace.WalletIntent) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.deleteExpired(ctx, tx, "v402_wallet_intents", "id", i.IssuedAt); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO v402_wallet_intents (id, wallet, chain_id, nonce, origin, issued_at, expires_at, used_at)
			VALUES `+list(1, 8), i.ID, i.Wallet, int64(i.ChainID), i.Nonce, i.Origin, micros(i.IssuedAt), micros(i.ExpiresAt), optional(i.UsedAt))
		return err
	})
	if err != nil {
		return s.errorf("add wallet intent %s: %w", i.ID, err)
	}
	return nil
}

// WalletIntent implements [marketplace.WalletStore].
func (s *DB) WalletIntent(ctx context.Context, id string) (marketplace.WalletIntent, error) {
	i, err := one(ctx, s.read, scanWalletIntent, `SELECT id, wallet, chain_id, nonce, origin, issued_at, expires_at, used_at
		FROM v402_wallet_intents WHERE id = $1`, id)
	if err != nil {
		return i, s.errorf("wallet intent %s: %w", id, found(err))
	}
	return i, nil
}

func scanWalletIntent(rows *sql.Rows) (i marketplace.WalletIntent, err error) {
	var chainID, issuedAt, expiresAt, usedAt int64
	err = rows.Scan(&i.ID, &i.Wallet, &chainID, &i.Nonce, &i.Origin, &issuedAt, &expiresAt, &usedAt)
	i.ChainID, i.IssuedAt, i.ExpiresAt, i.UsedAt = uint64(chainID), moment(issuedAt), moment(expiresAt), optionalMoment(usedAt)
	return i, err
}

// AddWalletSession implements [marketplace.WalletStore].
func (s *DB) AddWalletSession(ctx context.Context, session marketplace.WalletSession) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := one(ctx, tx, column[string], "UPDATE v402_wallet_intents SET used_at = $1 WHERE id = $2 AND used_at = 0 RETURNING id",
			micros(session.IssuedAt), session.IntentID)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = one(ctx, tx, column[string], "SELECT id FROM v402_wallet_intents WHERE id = $1", session.IntentID)
			if err == nil {
				err = store.ErrConflict
			}
			return found(err)
		}
		if err != nil {
			return err
		}
		return s.insertWalletSession(ctx, tx, session)
	})
	if err != nil {
		return s.errorf("add the session of wallet intent %s: %w", session.IntentID, err)
	}
	return nil
}

func (s *DB) insertWalletSession(ctx context.Context, tx querier, session marketplace.WalletSession) error {
	if err := s.deleteExpired(ctx, tx, "v402_wallet_sessions", "token_hash", session.IssuedAt); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO v402_wallet_sessions (token_hash, wallet, chain_id, intent_id, issued_at, expires_at, revoked_at)
		VALUES `+list(1, 7), session.TokenHash, session.Wallet, int64(session.ChainID), session.IntentID, micros(session.IssuedAt),
		micros(session.ExpiresAt), optional(session.RevokedAt))
	return err
}

// WalletSession implements [marketplace.WalletStore].
func (s *DB) WalletSession(ctx context.Context, tokenHash string) (marketplace.WalletSession, error) {
	session, err := one(ctx, s.read, scanWalletSession, `SELECT token_hash, wallet, chain_id, intent_id, issued_at, expires_at, revoked_at
		FROM v402_wallet_sessions WHERE token_hash = $1`, tokenHash)
	if err != nil {
		return session, s.errorf("a wallet session: %w", found(err))
	}
	return session, nil
}

func scanWalletSession(rows *sql.Rows) (s marketplace.WalletSession, err error) {
	var chainID, issuedAt, expiresAt, revokedAt int64
	err = rows.Scan(&s.TokenHash, &s.Wallet, &chainID, &s.IntentID, &issuedAt, &expiresAt, &revokedAt)
	s.ChainID, s.IssuedAt, s.ExpiresAt, s.RevokedAt = uint64(chainID), moment(issuedAt), moment(expiresAt), optionalMoment(revokedAt)
	return s, err
}

// ReplaceWalletSession implements [marketplace.WalletStore].
func (s *DB) ReplaceWalletSession(ctx context.Context, tokenHash string, end time.Time, next marketplace.WalletSession) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := one(ctx, tx, column[string], `UPDATE v402_wallet_sessions SET revoked_at = $1
			WHERE token_hash = $2 AND revoked_at = 0 RETURNING token_hash`, micros(end), tokenHash)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = one(ctx, tx, column[string], "SELECT token_hash FROM v402_wallet_sessions WHERE token_hash = $1", tokenHash)
			if err == nil {
				err = store.ErrConflict
			}
			return found(err)
		}
		if err != nil {
			return err
		}
		return s.insertWalletSession(ctx, tx, next)
	})
	if err != nil {
		return s.errorf("replace a wallet session: %w", err)
	}
	return nil
}

// RevokeWalletSession implements [marketplace.WalletStore].
func (s *DB) RevokeWalletSession(ctx context.Context, tokenHash string, end time.Time) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := one(ctx, tx, column[string], `UPDATE v402_wallet_sessions
			SET revoked_at = CASE WHEN revoked_at > 0 AND revoked_at < $1 THEN revoked_at ELSE CAST($1 AS BIGINT) END
			WHERE token_hash = $2 RETURNING token_hash`, micros(end), tokenHash)
		return found(err)
	})
	if err != nil {
		return s.errorf("revoke a wallet session: %w", err)
	}
	return nil
}

const answerColumns = "id, fingerprint, owner, leased_until, expires_at, status, body"

// ClaimAnswer implements [marketplace.WalletStore].
func (s *DB) ClaimAnswer(ctx context.Context, a marketplace.KeptAnswer, now time.Time) (held marketplace.KeptAnswer, won bool, err error) {
	err = s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if err := s.deleteExpired(ctx, tx, "v402_kept_answers", "id", now); err != nil {
			return err
		}
		held, err = one(ctx, tx, scanAnswer, `INSERT INTO v402_kept_answers (`+answerColumns+`) VALUES ($1, $2, $3, $4, $5, 0, '')
			ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, owner = excluded.owner,
				leased_until = excluded.leased_until, expires_at = excluded.expires_at, status = 0, body = ''
			WHERE v402_kept_answers.expires_at <= $6 OR (v402_kept_answers.status = 0
				AND v402_kept_answers.fingerprint = excluded.fingerprint AND v402_kept_answers.leased_until <= $6)
			RETURNING `+answerColumns, a.ID, a.Fingerprint, a.Owner, micros(a.LeasedUntil), micros(a.ExpiresAt), micros(now))
		if won = err == nil; won || !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		held, err = one(ctx, tx, scanAnswer, "SELECT "+answerColumns+" FROM v402_kept_answers WHERE id = $1", a.ID)
		if errors.Is(err, sql.ErrNoRows) { // released in between
			err = errAgain
		}
		return err
	})
	if err != nil {
		return marketplace.KeptAnswer{}, false, s.errorf("claim an answer: %w", err)
	}
	return held, won, nil
}

func scanAnswer(rows *sql.Rows) (a marketplace.KeptAnswer, err error) {
	var leasedUntil, expiresAt int64
	var body string
	err = rows.Scan(&a.ID, &a.Fingerprint, &a.Owner, &leasedUntil, &expiresAt, &a.Status, &body)
	a.LeasedUntil, a.ExpiresAt = moment(leasedUntil), moment(expiresAt)
	if body != "" {
		a.Body = []byte(body)
	}
	return a, err
}

// KeepAnswer implements [marketplace.WalletStore].
func (s *DB) KeepAnswer(ctx context.Context, id, owner string, status int, body []byte) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, "UPDATE v402_kept_answers SET status = $1, body = $2 WHERE id = $3 AND owner = $4 AND status = 0",
			int64(status), string(body), id, owner)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, store.ErrConflict)
		}
		return nil
	})
	if err != nil {
		return s.errorf("keep an answer: %w", err)
	}
	return nil
}

// ReleaseAnswer implements [marketplace.WalletStore].
func (s *DB) ReleaseAnswer(ctx context.Context, id, owner string) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM v402_kept_answers WHERE id = $1 AND owner = $2 AND status = 0", id, owner)
		return err
	})
	if err != nil {
		return s.errorf("release an answer: %w", err)
	}
	return nil
}

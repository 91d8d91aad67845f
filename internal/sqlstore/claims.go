package sqlstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
)

// Every so many claims, expired ones are deleted: more than came in meanwhile.
const (
	forgetEvery = 32
	forgetMost  = 64
)

// Claim implements [middleware.Claims].
func (s *DB) Claim(ctx context.Context, c middleware.Claim, now time.Time) (middleware.Claimed, error) {
	if c.Key == "" || c.Owner == "" {
		return middleware.Claimed{}, s.errorf("claim a payment: it needs a key and an owner")
	}
	var claimed middleware.Claimed
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		claimed, err = claim(ctx, tx, c, now)
		return err
	})
	if err != nil {
		return middleware.Claimed{}, s.errorf("claim payment %s: %w", c.Key, err)
	}
	if s.claims.Add(1)%forgetEvery == 0 {
		// What fails here is tried again with a later claim.
		_ = s.change(ctx, func(ctx context.Context, tx querier) error { return s.forgetClaims(ctx, tx, now) })
	}
	return claimed, nil
}

// claim takes a claim, and looks who has it if it cannot be taken.
func claim(ctx context.Context, tx querier, c middleware.Claim, now time.Time) (middleware.Claimed, error) {
	const columns = "attempts, fingerprint, settlement, outcome"
	won, err := one(ctx, tx, scanClaimed, `INSERT INTO v402_claims (payment_key, fingerprint, owner, leased_until, expires, attempts)
		VALUES ($1, $2, $3, $4, $5, 1)
		ON CONFLICT (payment_key) DO UPDATE SET fingerprint = excluded.fingerprint, owner = excluded.owner,
			leased_until = excluded.leased_until, expires = excluded.expires, outcome = NULL,
			attempts = CASE WHEN v402_claims.expires <= $6 THEN 1 ELSE v402_claims.attempts + 1 END,
			settlement = CASE WHEN v402_claims.expires <= $6 THEN NULL ELSE v402_claims.settlement END
		WHERE v402_claims.expires <= $6 OR (v402_claims.outcome IS NULL
			AND v402_claims.fingerprint = excluded.fingerprint AND v402_claims.leased_until <= $6)
		RETURNING `+columns,
		c.Key, c.Fingerprint, c.Owner, micros(c.LeasedUntil), micros(c.Expires), micros(now))
	if err == nil {
		won.Won, won.Retaken = true, won.Attempts > 1
		return won, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return middleware.Claimed{}, err
	}
	held, err := one(ctx, tx, scanClaimed, "SELECT "+columns+" FROM v402_claims WHERE payment_key = $1", c.Key)
	if errors.Is(err, sql.ErrNoRows) { // released in between
		err = errAgain
	}
	return held, err
}

func scanClaimed(rows *sql.Rows) (middleware.Claimed, error) {
	var c middleware.Claimed
	var settlement, outcome sql.NullString
	if err := rows.Scan(&c.Attempts, &c.Fingerprint, &settlement, &outcome); err != nil {
		return c, err
	}
	if settlement.Valid {
		b, err := base64.StdEncoding.DecodeString(settlement.String)
		if err != nil {
			return c, err
		}
		c.Settlement = b
	}
	if outcome.Valid {
		o, err := decodeOutcome(outcome.String)
		if err != nil {
			return c, err
		}
		c.Outcome = &o
	}
	return c, nil
}

// forgetClaims deletes some claims that have expired and that nobody holds.
func (s *DB) forgetClaims(ctx context.Context, tx querier, now time.Time) error {
	_, err := tx.ExecContext(ctx, `WITH useless AS MATERIALIZED (
			SELECT payment_key FROM v402_claims WHERE expires <= $1 AND leased_until <= $1
			ORDER BY expires LIMIT $2`+s.skipLocked+`)
		DELETE FROM v402_claims WHERE payment_key IN (SELECT payment_key FROM useless)`, micros(now), forgetMost)
	return err
}

// Renew implements [middleware.Claims].
func (s *DB) Renew(ctx context.Context, key, owner string, until time.Time) error {
	return s.holding(ctx, "renew", "UPDATE v402_claims SET leased_until = $3", key, owner, micros(until))
}

// Settled implements [middleware.Claims].
func (s *DB) Settled(ctx context.Context, key, owner string, settlement []byte) error {
	return s.holding(ctx, "record the settlement of", "UPDATE v402_claims SET settlement = $3",
		key, owner, base64.StdEncoding.EncodeToString(settlement))
}

// Fulfil implements [middleware.Claims].
func (s *DB) Fulfil(ctx context.Context, key, owner string, o middleware.Outcome) error {
	outcome, err := encodeOutcome(o)
	if err != nil {
		return s.errorf("fulfil claim %s: %w", key, err)
	}
	return s.holding(ctx, "fulfil", "UPDATE v402_claims SET outcome = $3", key, owner, outcome)
}

// Release implements [middleware.Claims].
func (s *DB) Release(ctx context.Context, key, owner string) error {
	return s.holding(ctx, "release", "DELETE FROM v402_claims", key, owner)
}

// holding runs a statement on a claim that owner holds.
func (s *DB) holding(ctx context.Context, what, statement, key, owner string, args ...any) error {
	query := statement + " WHERE payment_key = $1 AND owner = $2 AND outcome IS NULL"
	var n int64
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, query, append([]any{key, owner}, args...)...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	if err == nil && n == 0 {
		err = store.ErrConflict
	}
	if err != nil {
		return s.errorf("%s claim %s as %s: %w", what, key, owner, err)
	}
	return nil
}

// outcome is a middleware.Outcome as it is stored. Header values are bytes,
// which need not be UTF-8.
type outcome struct {
	Status int                 `json:"status"`
	Header map[string][][]byte `json:"header"`
	Body   []byte              `json:"body"`
	Lost   bool                `json:"lost,omitempty"`
}

func encodeOutcome(o middleware.Outcome) (string, error) {
	stored := outcome{Status: o.Status, Body: o.Body, Lost: o.Lost}
	if o.Header != nil {
		stored.Header = make(map[string][][]byte, len(o.Header))
	}
	for name, values := range o.Header {
		for _, v := range values {
			stored.Header[name] = append(stored.Header[name], []byte(v))
		}
	}
	j, err := json.Marshal(stored)
	return string(j), err
}

func decodeOutcome(s string) (middleware.Outcome, error) {
	var stored outcome
	if err := json.Unmarshal([]byte(s), &stored); err != nil {
		return middleware.Outcome{}, err
	}
	o := middleware.Outcome{Status: stored.Status, Body: stored.Body, Lost: stored.Lost}
	if stored.Header != nil {
		o.Header = make(http.Header, len(stored.Header))
	}
	for name, values := range stored.Header {
		for _, v := range values {
			o.Header[name] = append(o.Header[name], string(v))
		}
	}
	return o, nil
}

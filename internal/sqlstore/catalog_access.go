package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

const grantColumns = "id, product_id, payment_id, user_id, payer, paid_amount, paid_network, paid_tx, confirmations, " +
	"created_at, expires_at, max_accesses, accesses, last_access_at, revoked_at, revoked_reason"

func scanGrant(rows *sql.Rows) (g catalog.Grant, err error) {
	var amount string
	var confirmations, created, expires, last, revoked int64
	err = rows.Scan(&g.ID, &g.ProductID, &g.PaymentID, &g.UserID, &g.Payer, &amount, &g.Paid.Network, &g.Paid.Transaction, &confirmations,
		&created, &expires, &g.MaxAccesses, &g.Accesses, &last, &revoked, &g.RevokedReason)
	if err != nil {
		return g, err
	}
	g.Paid.Confirmations = uint64(confirmations)
	g.CreatedAt, g.ExpiresAt, g.LastAccessAt, g.RevokedAt = moment(created), optionalMoment(expires), optionalMoment(last), optionalMoment(revoked)
	if g.Paid.Amount, err = x402.ParseAtomic(amount); err != nil {
		err = fmt.Errorf("grant %s: %w", g.ID, err)
	}
	return g, err
}

// keptGrant is g with its times as they are stored.
func keptGrant(g catalog.Grant) catalog.Grant {
	g.CreatedAt, g.ExpiresAt = moment(micros(g.CreatedAt)), optionalMoment(optional(g.ExpiresAt))
	g.LastAccessAt, g.RevokedAt = optionalMoment(optional(g.LastAccessAt)), optionalMoment(optional(g.RevokedAt))
	return g
}

// addGrant stores a grant, or ends the revocation of the one that its payment has.
func addGrant(ctx context.Context, tx querier, g catalog.Grant) (stored catalog.Grant, added bool, err error) {
	old, err := all(ctx, tx, scanGrant, "UPDATE v402_catalog_grants SET revoked_at = 0, revoked_reason = '' WHERE payment_id = $1 RETURNING "+grantColumns, g.PaymentID)
	if err != nil || len(old) > 0 {
		return append(old, g)[0], false, err
	}
	return g, true, insert(ctx, tx, "v402_catalog_grants", grantColumns, [][]any{{
		g.ID, g.ProductID, g.PaymentID, g.UserID, g.Payer, g.Paid.Amount.String(), string(g.Paid.Network), g.Paid.Transaction, int64(g.Paid.Confirmations),
		micros(g.CreatedAt), optional(g.ExpiresAt), g.MaxAccesses, g.Accesses, optional(g.LastAccessAt), optional(g.RevokedAt), g.RevokedReason,
	}})
}

// AccessGrant implements [catalog.PaymentStore].
func (s *DB) AccessGrant(ctx context.Context, id string) (catalog.Grant, error) {
	return s.grant(ctx, "id = $1", id)
}

// AccessGrantOfPayment implements [catalog.PaymentStore].
func (s *DB) AccessGrantOfPayment(ctx context.Context, paymentID string) (catalog.Grant, error) {
	return s.grant(ctx, "payment_id = $1", paymentID)
}

func (s *DB) grant(ctx context.Context, condition, value string) (catalog.Grant, error) {
	g, err := one(ctx, s.read, scanGrant, "SELECT "+grantColumns+" FROM v402_catalog_grants WHERE "+condition, value)
	if err != nil {
		return catalog.Grant{}, s.errorf("grant %s: %w", value, found(err))
	}
	return g, nil
}

// live is true at the time $1.
const liveGrant = "revoked_at = 0 AND (expires_at = 0 OR expires_at > $1) AND (max_accesses = 0 OR accesses < max_accesses)"

// heldGrant is true for the product $2 and the user $3 or payer $4. Each way has
// an index, which is used if all that it needs stands beside it.
const heldGrant = "(product_id = $2 AND user_id = $3 AND user_id <> '' OR product_id = $2 AND payer = $4 AND payer <> '')"

// AccessGrantOf implements [catalog.PaymentStore].
func (s *DB) AccessGrantOf(ctx context.Context, productID, userID, payer string, now time.Time) (catalog.Grant, error) {
	g, err := one(ctx, s.read, scanGrant, "SELECT "+grantColumns+" FROM v402_catalog_grants WHERE "+liveGrant+" AND "+heldGrant+
		" ORDER BY CASE WHEN expires_at = 0 THEN 0 ELSE 1 END, expires_at DESC, id DESC LIMIT 1", micros(now), productID, userID, payer)
	if err != nil {
		return catalog.Grant{}, s.errorf("grant of product %s: %w", productID, found(err))
	}
	return g, nil
}

// AccessGrants implements [catalog.PaymentStore].
func (s *DB) AccessGrants(ctx context.Context, productID, userID, payer string, now time.Time) ([]catalog.Grant, error) {
	list, err := all(ctx, s.read, scanGrant, "SELECT "+grantColumns+" FROM v402_catalog_grants WHERE "+liveGrant+" AND "+heldGrant+
		" ORDER BY created_at DESC, id DESC LIMIT $5", micros(now), productID, userID, payer, catalog.MaxGrants)
	if err != nil {
		return nil, s.errorf("grants of product %s: %w", productID, err)
	}
	return list, nil
}

// UseAccessGrant implements [catalog.PaymentStore].
func (s *DB) UseAccessGrant(ctx context.Context, id string, now time.Time) (catalog.Grant, bool, error) {
	var g catalog.Grant
	ok := false
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		used, err := all(ctx, tx, scanGrant, "UPDATE v402_catalog_grants SET accesses = accesses + 1, last_access_at = $1, repeats = 0 WHERE id = $2 AND "+liveGrant+
			" RETURNING "+grantColumns, micros(now), id)
		if err != nil {
			return err
		}
		if ok = len(used) > 0; ok {
			g = used[0]
			return nil
		}
		g, err = one(ctx, tx, scanGrant, "SELECT "+grantColumns+" FROM v402_catalog_grants WHERE id = $1", id)
		return found(err)
	})
	if err != nil {
		return catalog.Grant{}, false, s.errorf("use grant %s: %w", id, err)
	}
	return g, ok, nil
}

// StartAccessGrant implements [catalog.PaymentStore].
func (s *DB) StartAccessGrant(ctx context.Context, id string, now time.Time) (catalog.Grant, error) {
	var g catalog.Grant
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, "UPDATE v402_catalog_grants SET accesses = 1, last_access_at = $1 WHERE id = $2 AND accesses = 0 AND "+liveGrant, micros(now), id)
		if err != nil {
			return err
		}
		g, err = one(ctx, tx, scanGrant, "SELECT "+grantColumns+" FROM v402_catalog_grants WHERE id = $1", id)
		return found(err)
	})
	if err != nil {
		return catalog.Grant{}, s.errorf("start grant %s: %w", id, err)
	}
	return g, nil
}

// RepeatAccessGrant implements [catalog.PaymentStore].
func (s *DB) RepeatAccessGrant(ctx context.Context, id string, since time.Time, most int64) (bool, error) {
	var repeated int64
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, "UPDATE v402_catalog_grants SET repeats = repeats + 1 WHERE id = $1 AND last_access_at > $2 AND repeats < $3",
			id, micros(since), most)
		if err == nil {
			repeated, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return false, s.errorf("repeat an access by grant %s: %w", id, err)
	}
	return repeated > 0, nil
}

// HasBought implements [catalog.AccessStore].
func (s *DB) HasBought(ctx context.Context, productID string, buyers []string) (bool, error) {
	for run := range pieces(buyers, s.names) {
		args := append([]any{productID}, anys(run)...)
		in := list(2, len(run))
		rows, err := all(ctx, s.read, column[string], "SELECT id FROM v402_catalog_grants WHERE product_id = $1 AND (user_id <> '' AND user_id IN "+in+
			" OR payer IN "+in+") LIMIT 1", args...)
		if err != nil {
			return false, s.errorf("buyers of product %s: %w", productID, err)
		}
		if len(rows) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// AddAccessQuote implements [catalog.PaymentStore].
func (s *DB) AddAccessQuote(ctx context.Context, q catalog.Quote) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		return insert(ctx, tx, "v402_catalog_quotes", "id, product_id, requester, resource, amount, created_at, expires_at", [][]any{{
			q.ID, q.ProductID, q.Requester, q.Resource, q.Amount.String(), micros(q.CreatedAt), micros(q.ExpiresAt),
		}})
	})
	if err != nil {
		return s.errorf("add a quote: %w", err)
	}
	return nil
}

// AccessQuotes implements [catalog.PaymentStore].
func (s *DB) AccessQuotes(ctx context.Context, productID, requester, resource string, now time.Time) ([]catalog.Quote, error) {
	scan := func(rows *sql.Rows) (q catalog.Quote, err error) {
		var amount string
		var created, expires int64
		if err = rows.Scan(&q.ID, &q.ProductID, &q.Requester, &q.Resource, &amount, &created, &expires); err != nil {
			return q, err
		}
		q.CreatedAt, q.ExpiresAt = moment(created), moment(expires)
		q.Amount, err = x402.ParseAtomic(amount)
		return q, err
	}
	list, err := all(ctx, s.read, scan, `SELECT id, product_id, requester, resource, amount, created_at, expires_at FROM v402_catalog_quotes
		WHERE product_id = $1 AND requester = $2 AND resource = $3 AND expires_at > $4 ORDER BY created_at DESC, id DESC LIMIT $5`,
		productID, requester, resource, micros(now), catalog.MaxQuotes)
	if err != nil {
		return nil, s.errorf("quotes of product %s: %w", productID, err)
	}
	return list, nil
}

// PurgeAccessQuotes implements [catalog.PaymentStore].
func (s *DB) PurgeAccessQuotes(ctx context.Context, now time.Time, limit int) (int, error) {
	var ids []string
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		ids, err = all(ctx, tx, column[string], `DELETE FROM v402_catalog_quotes WHERE id IN
			(SELECT id FROM v402_catalog_quotes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) RETURNING id`, micros(now), limit)
		return err
	})
	if err != nil {
		return 0, s.errorf("purge quotes: %w", err)
	}
	return len(ids), nil
}

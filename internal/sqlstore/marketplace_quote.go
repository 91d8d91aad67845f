package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

// AddChallenge implements [marketplace.CheckoutStore].
func (s *DB) AddChallenge(ctx context.Context, c marketplace.Challenge) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM v402_marketplace_challenges WHERE expires_at <= $1", micros(c.CreatedAt)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO v402_marketplace_challenges (id, wallet, expires_at) VALUES ($1, $2, $3)", c.ID, c.Wallet, micros(c.ExpiresAt))
		return err
	})
	if err != nil {
		return s.errorf("add a nonce: %w", err)
	}
	return nil
}

var quotes = selection[marketplace.CheckoutQuote]{
	columns: "data, state, payment_key, payment, payment_until, tx_hash, entitlement_id, created_at, expires_at, consumed_at",
	counted: "v402_marketplace_quotes", id: "id",
	scan: func(rows *sql.Rows) (q marketplace.CheckoutQuote, err error) {
		var data string
		var state marketplace.QuoteState
		var payment sql.NullString
		var key, hash, entitlement string
		var until, created, expires, consumed int64
		if err = rows.Scan(&data, &state, &key, &payment, &until, &hash, &entitlement, &created, &expires, &consumed); err != nil {
			return q, err
		}
		err = json.Unmarshal([]byte(data), &q)
		q.State, q.PaymentKey, q.Payment, q.TxHash, q.EntitlementID = state, key, rawJSON(payment), hash, entitlement
		q.PaymentUntil, q.CreatedAt, q.ExpiresAt, q.ConsumedAt = optionalMoment(until), moment(created), moment(expires), optionalMoment(consumed)
		return q, err
	},
}

const quoteColumns = "wallet, payer_wallet, offer_id, issuer_id, renews, created_at, expires_at, data, " + quoteChanges + ", id"

// quoteChanges are the columns that change.
const quoteChanges = "state, payment_key, payment, payment_until, tx_hash, entitlement_id, consumed_at"

// changesOf are the values of quoteChanges, and the ID.
func changesOf(q *marketplace.CheckoutQuote) []any {
	return []any{string(q.State), q.PaymentKey, nullable(q.Payment), optional(q.PaymentUntil), q.TxHash, q.EntitlementID, optional(q.ConsumedAt), q.ID}
}

// AddCheckoutQuote implements [marketplace.CheckoutStore].
func (s *DB) AddCheckoutQuote(ctx context.Context, q marketplace.CheckoutQuote, nonce string, trail marketplace.Trail) error {
	kept := q
	kept.PaymentKey, kept.Payment, kept.PaymentUntil, kept.ConsumedAt = "", nil, time.Time{}, time.Time{}
	data, err := json.Marshal(kept)
	if err != nil {
		return s.errorf("quote %s: %w", q.ID, err)
	}
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		if nonce != "" {
			if err := deleteOne(ctx, tx, "DELETE FROM v402_marketplace_challenges WHERE id = $1 AND wallet = $2 AND expires_at > $3",
				nonce, q.Wallet, micros(q.CreatedAt)); err != nil {
				return err
			}
		}
		row := append([]any{q.Wallet, q.PayerWallet, q.OfferID, q.IssuerID, q.Renews, micros(q.CreatedAt), micros(q.ExpiresAt), string(data)}, changesOf(&q)...)
		if err := insertNew(ctx, tx, "v402_marketplace_quotes", quoteColumns, row); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("add quote %s: %w", q.ID, err)
	}
	return nil
}

// CheckoutQuote implements [marketplace.CheckoutStore].
func (s *DB) CheckoutQuote(ctx context.Context, id string) (marketplace.CheckoutQuote, error) {
	q, err := single(ctx, s.read, quotes, "id = $1", id)
	if err != nil {
		return q, s.errorf("quote %s: %w", id, err)
	}
	return q, nil
}

// CheckoutQuotes implements [marketplace.CheckoutStore].
func (s *DB) CheckoutQuotes(ctx context.Context, of marketplace.QuoteFilter, p store.Page) (marketplace.List[marketplace.CheckoutQuote], error) {
	var f filter
	f.text("wallet = ?", of.Wallet)
	f.text("payer_wallet = ?", of.PayerWallet)
	f.text("offer_id = ?", of.OfferID)
	f.text("issuer_id = ?", of.IssuerID)
	f.text("state = ?", string(of.State))
	if of.Reserved {
		f.conditions = append(f.conditions, "state = 'open'", "payment_key <> ''")
	}
	list, err := listed(ctx, s.read, quotes, f, p, func(q *marketplace.CheckoutQuote) string { return q.ID })
	if err != nil {
		return list, s.errorf("list quotes: %w", err)
	}
	return list, nil
}

// UpdateCheckoutQuote implements [marketplace.CheckoutStore].
func (s *DB) UpdateCheckoutQuote(ctx context.Context, id string, change func(*marketplace.CheckoutQuote) (marketplace.Trail, error)) (marketplace.CheckoutQuote, error) {
	var q marketplace.CheckoutQuote
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if q, err = locked(ctx, s, tx, quotes, id); err != nil {
			return err
		}
		before := q.PaymentKey
		trail, err := change(&q)
		if err != nil {
			return err
		}
		if q, err = putQuote(ctx, tx, &q, before); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.CheckoutQuote{}, s.errorf("update quote %s: %w", id, err)
	}
	return q, nil
}

// putQuote stores what has changed of a quote, which had a payment key before.
func putQuote(ctx context.Context, tx querier, q *marketplace.CheckoutQuote, before string) (marketplace.CheckoutQuote, error) {
	if q.PaymentKey != before {
		if err := payWith(ctx, tx, q, before); err != nil {
			return *q, err
		}
	}
	if err := update(ctx, tx, "v402_marketplace_quotes", quoteChanges, changesOf(q)...); err != nil {
		return *q, err
	}
	return single(ctx, tx, quotes, "id = $1", q.ID)
}

// payWith reserves a payment for a quote, and gives back the one before.
func payWith(ctx context.Context, tx querier, q *marketplace.CheckoutQuote, before string) error {
	if before != "" {
		if _, err := tx.ExecContext(ctx, "DELETE FROM v402_marketplace_payments WHERE payment_key = $1 AND quote_id = $2", before, q.ID); err != nil {
			return err
		}
	}
	if q.PaymentKey == "" {
		return nil
	}
	err := insertNew(ctx, tx, "v402_marketplace_payments", "payment_key, quote_id", []any{q.PaymentKey, q.ID})
	if errors.Is(err, store.ErrConflict) {
		return marketplace.ErrPaymentUsed
	}
	return err
}

// ExpireCheckoutQuotes implements [marketplace.CheckoutStore].
func (s *DB) ExpireCheckoutQuotes(ctx context.Context, now time.Time, limit int, trail func(marketplace.CheckoutQuote) marketplace.Trail) ([]marketplace.CheckoutQuote, error) {
	var expired []marketplace.CheckoutQuote
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		expired, err = all(ctx, tx, quotes.scan, "SELECT "+quotes.columns+` FROM v402_marketplace_quotes
			WHERE state = 'open' AND expires_at <= $1 AND payment_key = '' ORDER BY expires_at LIMIT $2`+s.skipLocked, micros(now), limit)
		if err != nil {
			return err
		}
		var whole marketplace.Trail
		for i := range expired {
			q := &expired[i]
			q.State = marketplace.QuoteExpired
			if err := update(ctx, tx, "v402_marketplace_quotes", quoteChanges, changesOf(q)...); err != nil {
				return err
			}
			t := trail(*q)
			whole.Audit, whole.Events = append(whole.Audit, t.Audit...), append(whole.Events, t.Events...)
		}
		return s.recordMarket(ctx, tx, whole)
	})
	if err != nil {
		return nil, s.errorf("expire quotes: %w", err)
	}
	return expired, nil
}

// DropCheckoutQuotes implements [marketplace.CheckoutStore].
func (s *DB) DropCheckoutQuotes(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM v402_marketplace_quotes WHERE id IN (SELECT id FROM v402_marketplace_quotes
			WHERE state IN ('expired', 'void') AND payment_key = '' AND expires_at < $1 ORDER BY expires_at LIMIT $2`+s.skipLocked+")", micros(before), limit)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return 0, s.errorf("drop quotes: %w", err)
	}
	return int(n), nil
}

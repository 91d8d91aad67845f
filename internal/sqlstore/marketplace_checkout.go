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

// CheckOut implements [marketplace.CheckoutStore]. It holds the rows of the quote,
// then of the wallet, then of the entitlement that is renewed.
func (s *DB) CheckOut(ctx context.Context, id string, now time.Time, decide func(*marketplace.Checkout) (marketplace.Trail, error)) (marketplace.Checkout, error) {
	var c marketplace.Checkout
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		var err error
		if c, err = s.checkout(ctx, tx, id, now); err != nil {
			return err
		}
		before := c.Quote.PaymentKey
		trail, err := decide(&c)
		if err != nil {
			return err
		}
		if c.Use != nil {
			if err := useTransaction(ctx, tx, *c.Use, id); err != nil {
				return err
			}
		}
		if c.Quote, err = putQuote(ctx, tx, &c.Quote, before); err != nil {
			return err
		}
		if err := s.putBought(ctx, tx, &c); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Checkout{}, s.errorf("check out quote %s: %w", id, err)
	}
	return c, nil
}

// checkout reads what a payment for a quote may read and alter.
func (s *DB) checkout(ctx context.Context, tx querier, id string, now time.Time) (c marketplace.Checkout, err error) {
	if c.Quote, err = locked(ctx, s, tx, quotes, id); err != nil {
		return c, err
	}
	q := &c.Quote
	if c.Membership, err = holdWallet(ctx, tx, q.Wallet); err != nil {
		return c, err
	}
	newest, err := all(ctx, tx, column[int64], "SELECT newest FROM v402_marketplace_numbers WHERE chain_id = $1 AND wallet = $2", int64(q.ChainID), q.Wallet)
	if err != nil {
		return c, err
	}
	c.Number = 1
	if len(newest) > 0 {
		c.Number += newest[0]
	}
	if err := await(ctx, tx, &c, q.Wallet, now); err != nil || q.OfferID == "" {
		return c, err
	}
	if c.Held, err = countHeld(ctx, tx, q.Wallet, q.OfferID, now); err != nil || q.Renews == "" {
		return c, err
	}
	e, err := locked(ctx, s, tx, entitlements, q.Renews)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c, nil
	case err == nil:
		c.Renewed = &e
	}
	return c, err
}

// await counts what other quotes of a wallet are reserved for.
func await(ctx context.Context, tx querier, c *marketplace.Checkout, wallet string, now time.Time) error {
	others, err := all(ctx, tx, quotes.scan, "SELECT "+quotes.columns+` FROM v402_marketplace_quotes
		WHERE wallet = $1 AND state = 'open' AND payment_key <> '' AND id <> $2`, wallet, c.Quote.ID)
	if err != nil {
		return err
	}
	for i := range others {
		renewed, err := all(ctx, tx, entitlements.scan, "SELECT "+entitlementColumns+" FROM v402_marketplace_entitlements WHERE id = $1", others[i].Renews)
		if err != nil {
			return err
		}
		var of *marketplace.Entitlement
		if len(renewed) > 0 {
			of = &renewed[0]
		}
		c.Await(&others[i], of, now)
	}
	return nil
}

// countHeld counts the entitlements of an offer that a wallet has, active or
// suspended.
func countHeld(ctx context.Context, tx querier, wallet, offerID string, now time.Time) (int, error) {
	n, err := one(ctx, tx, column[int64], `SELECT COUNT(*) FROM v402_marketplace_entitlements WHERE wallet = $1 AND offer_id = $2
		AND (state = 'suspended' OR state = 'active' AND (expires_at = 0 OR expires_at > $3))`, wallet, offerID, micros(now))
	return int(n), err
}

// putBought stores what a checkout has altered beside its quote.
func (s *DB) putBought(ctx context.Context, tx querier, c *marketplace.Checkout) (err error) {
	if c.Membership.Status != marketplace.MembershipNone {
		if c.Membership, err = putMembership(ctx, tx, &c.Membership); err != nil {
			return err
		}
	}
	if c.Issue != nil {
		if _, err := tx.ExecContext(ctx, `INSERT INTO v402_marketplace_numbers (chain_id, wallet, newest) VALUES ($1, $2, $3)
			ON CONFLICT (chain_id, wallet) DO UPDATE SET newest = excluded.newest`, int64(c.Issue.ChainID), c.Issue.Wallet, c.Number); err != nil {
			return err
		}
		e, err := addEntitlement(ctx, tx, c.Issue)
		if err != nil {
			return err
		}
		c.Issue = &e
	}
	if c.Renewed != nil {
		e, err := putEntitlement(ctx, tx, c.Renewed)
		if err != nil {
			return err
		}
		c.Renewed = &e
	}
	return nil
}

// TransactionUsed implements [marketplace.CheckoutStore].
func (s *DB) TransactionUsed(ctx context.Context, c marketplace.TransactionClaim, quoteID string) (bool, error) {
	used, err := transactionUsed(ctx, s.read, c, quoteID)
	if err != nil {
		return false, s.errorf("transaction %s: %w", c.Hash, err)
	}
	return used, nil
}

func transactionUsed(ctx context.Context, q querier, c marketplace.TransactionClaim, quoteID string) (bool, error) {
	by, err := all(ctx, q, column[string], "SELECT quote_id FROM v402_marketplace_transactions WHERE network = $1 AND hash = $2 AND payer = $3",
		string(c.Network), c.Hash, c.Payer)
	return len(by) > 0 && by[0] != quoteID && !(by[0] == "" && c.Shared), err
}

// useTransaction uses a transaction up for a quote, unless another one has.
func useTransaction(ctx context.Context, tx querier, c marketplace.TransactionClaim, quoteID string) error {
	by := quoteID
	if c.Shared {
		by = ""
	}
	err := insertNew(ctx, tx, "v402_marketplace_transactions", "network, hash, payer, quote_id", []any{string(c.Network), c.Hash, c.Payer, by})
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	used, err := transactionUsed(ctx, tx, c, quoteID)
	if err == nil && used {
		err = marketplace.ErrTransactionUsed
	}
	return err
}

var memberships = selection[marketplace.Membership]{
	columns: "wallet, status, quote_id, tx_hash, chain_id, reason, activated_at, updated_at", counted: "v402_marketplace_memberships", id: "wallet",
	scan: func(rows *sql.Rows) (m marketplace.Membership, err error) {
		var chain, activated, updated int64
		err = rows.Scan(&m.Wallet, &m.Status, &m.QuoteID, &m.TxHash, &chain, &m.Reason, &activated, &updated)
		m.ChainID, m.ActivatedAt, m.UpdatedAt = uint64(chain), optionalMoment(activated), optionalMoment(updated)
		return m, err
	},
}

// holdWallet makes all others who check out for a wallet wait.
func holdWallet(ctx context.Context, tx querier, wallet string) (marketplace.Membership, error) {
	return one(ctx, tx, memberships.scan, "INSERT INTO v402_marketplace_memberships ("+memberships.columns+`)
		VALUES ($1, 'none', '', '', 0, '', 0, 0) ON CONFLICT (wallet) DO UPDATE SET wallet = excluded.wallet RETURNING `+memberships.columns, wallet)
}

func putMembership(ctx context.Context, tx querier, m *marketplace.Membership) (marketplace.Membership, error) {
	return one(ctx, tx, memberships.scan, `UPDATE v402_marketplace_memberships
		SET status = $1, quote_id = $2, tx_hash = $3, chain_id = $4, reason = $5, activated_at = $6, updated_at = $7 WHERE wallet = $8 RETURNING `+memberships.columns,
		string(m.Status), m.QuoteID, m.TxHash, int64(m.ChainID), m.Reason, optional(m.ActivatedAt), optional(m.UpdatedAt), m.Wallet)
}

// Membership implements [marketplace.CheckoutStore].
func (s *DB) Membership(ctx context.Context, wallet string) (marketplace.Membership, error) {
	m, err := single(ctx, s.read, memberships, "wallet = $1", wallet)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return marketplace.Membership{Wallet: wallet, Status: marketplace.MembershipNone}, nil
	case err != nil:
		return m, s.errorf("membership of %s: %w", wallet, err)
	}
	return m, nil
}

// Memberships implements [marketplace.CheckoutStore].
func (s *DB) Memberships(ctx context.Context, of marketplace.MembershipFilter, p store.Page) (marketplace.List[marketplace.Membership], error) {
	var f filter
	f.conditions = []string{"status <> 'none'"}
	f.text("status = ?", string(of.Status))
	list, err := listed(ctx, s.read, memberships, f, p, func(m *marketplace.Membership) string { return m.Wallet })
	if err != nil {
		return list, s.errorf("list memberships: %w", err)
	}
	return list, nil
}

// UpdateMembership implements [marketplace.CheckoutStore].
func (s *DB) UpdateMembership(ctx context.Context, wallet string, change func(*marketplace.Membership) (marketplace.Trail, error)) (marketplace.Membership, error) {
	var m marketplace.Membership
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if m, err = holdWallet(ctx, tx, wallet); err != nil {
			return err
		}
		trail, err := change(&m)
		if err != nil {
			return err
		}
		m.Wallet = wallet
		if m, err = putMembership(ctx, tx, &m); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Membership{}, s.errorf("update the membership of %s: %w", wallet, err)
	}
	return m, nil
}

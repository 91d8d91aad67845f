package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

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

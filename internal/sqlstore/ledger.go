package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// Reserve implements [payer.Ledger].
func (s *DB) Reserve(ctx context.Context, spending payer.Spending, limits []payer.Limit) error {
	if spending.ID == "" {
		return s.errorf("reserve a spending: it needs an ID")
	}
	if !spending.Value.Big().IsInt64() {
		return s.errorf("reserve spending %s: a value of %s is out of range", spending.ID, spending.Value)
	}
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		// Whoever checks limits of one currency waits here for the others.
		if _, err := tx.ExecContext(ctx, `INSERT INTO v402_budgets (currency) VALUES ($1)
			ON CONFLICT (currency) DO UPDATE SET currency = excluded.currency`, spending.Currency); err != nil {
			return err
		}
		_, err := one(ctx, tx, column[int64], "SELECT 1 FROM v402_spendings WHERE id = $1 AND state <> 'released'", spending.ID)
		switch {
		case err == nil:
			return payer.ErrDuplicateSpending
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		for _, limit := range limits {
			if err := within(ctx, tx, limit, spending); err != nil {
				return err
			}
		}
		return insertSpending(ctx, tx, spending)
	})
	if err != nil {
		return s.errorf("reserve spending %s: %w", spending.ID, err)
	}
	return nil
}

// within returns an [payer.OverBudgetError] if spending would exceed limit.
// Whole units and millionths are summed apart, so that no sum overflows.
func within(ctx context.Context, tx querier, limit payer.Limit, spending payer.Spending) error {
	query := `SELECT CAST(COALESCE(SUM(value / 1000000), 0) AS TEXT), CAST(COALESCE(SUM(value % 1000000), 0) AS TEXT)
		FROM v402_spendings WHERE currency = $1 AND created_at >= $2 AND state <> 'released'`
	args := []any{spending.Currency, micros(limit.Since)}
	if limit.Host != "" {
		query, args = query+" AND host = $3", append(args, limit.Host)
	}
	sum, err := one(ctx, tx, scanSum, query, args...)
	if err != nil {
		return err
	}
	if new(big.Int).Add(sum, spending.Value.Big()).Cmp(limit.Amount.Big()) <= 0 {
		return nil
	}
	spent, err := x402.AmountFromBig(sum)
	if err != nil {
		return err
	}
	return &payer.OverBudgetError{Limit: limit, Spent: spent, Value: spending.Value, Currency: spending.Currency}
}

func scanSum(rows *sql.Rows) (*big.Int, error) {
	var units, millionths string
	if err := rows.Scan(&units, &millionths); err != nil {
		return nil, err
	}
	u, ok1 := new(big.Int).SetString(units, 10)
	m, ok2 := new(big.Int).SetString(millionths, 10)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the sums %q and %q are no numbers", units, millionths)
	}
	return u.Add(u.Mul(u, big.NewInt(1_000_000)), m), nil
}

const spendingColumns = "id, fingerprint, host, network, asset, amount, currency, value, pay_to, resource, " +
	"state, payload, tx_hash, created_at, expires_at"

// insertSpending stores a reserved spending, in place of one that was released.
func insertSpending(ctx context.Context, tx querier, p payer.Spending) error {
	result, err := tx.ExecContext(ctx, `INSERT INTO v402_spendings (`+spendingColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'reserved', NULL, '', $11, $12)
		ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, host = excluded.host, network = excluded.network,
			asset = excluded.asset, amount = excluded.amount, currency = excluded.currency, value = excluded.value,
			pay_to = excluded.pay_to, resource = excluded.resource, state = excluded.state, payload = NULL, tx_hash = '',
			created_at = excluded.created_at, expires_at = excluded.expires_at
		WHERE v402_spendings.state = 'released'`,
		p.ID, p.Fingerprint, p.Host, string(p.Network), p.Asset, p.Amount.String(), p.Currency, p.Value.Big().Int64(),
		p.PayTo, p.Resource, micros(p.CreatedAt), micros(p.ExpiresAt))
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(payer.ErrDuplicateSpending, err) // reserved meanwhile in another currency
	}
	return nil
}

// Sign implements [payer.Ledger].
func (s *DB) Sign(ctx context.Context, id string, payload json.RawMessage) error {
	return s.spend(ctx, "sign", id, `UPDATE v402_spendings SET payload = $2
		WHERE id = $1 AND state = 'reserved' AND payload IS NULL`, string(payload))
}

// Finish implements [payer.Ledger].
func (s *DB) Finish(ctx context.Context, id string, state payer.State, transaction string) error {
	from, ok := map[payer.State]string{
		payer.Paid:     "('reserved', 'unknown', 'released', 'paid')",
		payer.Released: "('reserved', 'unknown', 'released')",
		payer.Unknown:  "('reserved', 'unknown')",
	}[state]
	if !ok {
		from = "('')" // no state
	}
	return s.spend(ctx, "finish", id, `UPDATE v402_spendings SET state = $2,
		tx_hash = CASE WHEN CAST($3 AS TEXT) = '' THEN tx_hash ELSE $3 END
		WHERE id = $1 AND state IN `+from, string(state), transaction)
}

// spend runs an update that changes the row only if its state allows it.
func (s *DB) spend(ctx context.Context, what, id, query string, args ...any) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, query, append([]any{id}, args...)...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		state, err := one(ctx, tx, column[string], "SELECT state FROM v402_spendings WHERE id = $1", id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return payer.ErrUnknownSpending
		case err != nil:
			return err
		default:
			return fmt.Errorf("%w: %s", payer.ErrSpendingState, state)
		}
	})
	if err != nil {
		return s.errorf("%s spending %s: %w", what, id, err)
	}
	return nil
}

// Spending implements [payer.Ledger].
func (s *DB) Spending(ctx context.Context, id string) (payer.Spending, error) {
	spending, err := one(ctx, s.read, scanSpending, "SELECT "+spendingColumns+" FROM v402_spendings WHERE id = $1", id)
	if errors.Is(err, sql.ErrNoRows) {
		err = payer.ErrUnknownSpending
	}
	if err != nil {
		return payer.Spending{}, s.errorf("spending %s: %w", id, err)
	}
	return spending, nil
}

// Spendings implements [payer.Ledger].
func (s *DB) Spendings(ctx context.Context, since time.Time) ([]payer.Spending, error) {
	list, err := all(ctx, s.read, scanSpending, "SELECT "+spendingColumns+` FROM v402_spendings
		WHERE created_at >= $1 ORDER BY created_at, id`, micros(since))
	if err != nil {
		return nil, s.errorf("spendings: %w", err)
	}
	return list, nil
}

func scanSpending(rows *sql.Rows) (payer.Spending, error) {
	var p payer.Spending
	var amount string
	var value, createdAt, expiresAt int64
	var payload sql.NullString
	err := rows.Scan(&p.ID, &p.Fingerprint, &p.Host, &p.Network, &p.Asset, &amount, &p.Currency, &value, &p.PayTo, &p.Resource,
		&p.State, &payload, &p.Transaction, &createdAt, &expiresAt)
	if err != nil {
		return p, err
	}
	if p.Amount, err = x402.ParseAtomic(amount); err != nil {
		return p, fmt.Errorf("spending %s: %w", p.ID, err)
	}
	p.Value = x402.NewAmount(uint64(value)) // never stored negative
	if payload.Valid {
		p.Payload = json.RawMessage(payload.String)
	}
	p.CreatedAt, p.ExpiresAt = moment(createdAt), moment(expiresAt)
	return p, nil
}

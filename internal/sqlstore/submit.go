package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
)

// signFunc makes the transaction of a settlement.
type signFunc = func(s *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error)

// SubmitSettlements implements [facilitator.Journal].
func (s *DB) SubmitSettlements(ctx context.Context, account facilitator.Account, owner string, floor uint64, ids []string, sign signFunc) ([]facilitator.Settlement, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var submitted []facilitator.Settlement
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		nonce, err := s.firstNonce(ctx, tx, account, floor)
		if err != nil {
			return err
		}
		rows, err := s.submittable(ctx, tx, account, owner, ids)
		if err != nil {
			return err
		}
		submitted = nil
		for i := range rows {
			r := &rows[i].Settlement
			if err := signOne(r, account, nonce, sign); err != nil {
				return fmt.Errorf("settlement %s: sign: %w", r.ID, err)
			}
			submitted = append(submitted, *r)
			nonce++
		}
		return s.storeSubmitted(ctx, tx, account, owner, submitted, nonce)
	})
	if err != nil {
		return nil, s.errorf("submit settlements: %w", err)
	}
	return submitted, nil
}

// firstNonce locks account until the end of the transaction, and finds the
// first nonce to give.
func (s *DB) firstNonce(ctx context.Context, tx querier, account facilitator.Account, floor uint64) (uint64, error) {
	next, err := one(ctx, tx, column[int64], `INSERT INTO v402_accounts (network, address, next_nonce) VALUES ($1, $2, 0)
		ON CONFLICT (network, address) DO UPDATE SET next_nonce = v402_accounts.next_nonce RETURNING next_nonce`,
		string(account.Network), account.Address)
	if err != nil {
		return 0, err
	}
	_, err = one(ctx, tx, column[int64], `SELECT 1 FROM v402_settlements
		WHERE network = $1 AND relayer = $2 AND `+sent+` LIMIT 1`, string(account.Network), account.Address)
	if errors.Is(err, sql.ErrNoRows) {
		return floor, nil
	}
	return max(floor, uint64(next)), err
}

// submittable locks and returns what may be submitted, in the order of ids.
func (s *DB) submittable(ctx context.Context, tx querier, account facilitator.Account, owner string, ids []string) ([]settlementRow, error) {
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	found := make(map[string]settlementRow, len(ids))
	for run := range pieces(sorted, s.names) {
		query := "SELECT " + settlementColumns + ` FROM v402_settlements
			WHERE state = 'reserved' AND network = $1 AND lease_owner = $2 AND id IN ` + list(3, len(run)) + " ORDER BY id" + s.lock
		rows, err := all(ctx, tx, scanSettlement, query, append([]any{string(account.Network), owner}, anys(run)...)...)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			found[row.ID] = row
		}
	}
	ordered := make([]settlementRow, 0, len(found))
	for _, id := range ids {
		if row, ok := found[id]; ok {
			ordered = append(ordered, row)
			delete(found, id)
		}
	}
	return ordered, nil
}

// signOne makes s submitted, with one more transaction.
func signOne(s *facilitator.Settlement, account facilitator.Account, nonce uint64, sign signFunc) error {
	if _, err := number("nonce", nonce); err != nil {
		return err
	}
	s.Relayer = account.Address
	draft := *s
	t, err := sign(&draft, nonce)
	if err != nil {
		return err
	}
	if t.Nonce != nonce || t.Hash == "" {
		return fmt.Errorf("nonce %d was to be signed, not %d, and the hash is %q", nonce, t.Nonce, t.Hash)
	}
	s.State, s.UpdatedAt = facilitator.Submitted, now()
	s.Transactions, s.Transaction = append(s.Transactions, t), t.Hash
	return nil
}

// storeSubmitted saves what signOne changed, and the next nonce of account.
func (s *DB) storeSubmitted(ctx context.Context, tx querier, account facilitator.Account, owner string, submitted []facilitator.Settlement, next uint64) error {
	if len(submitted) == 0 {
		return nil
	}
	for run := range pieces(submitted, s.rows) {
		args := []any{string(facilitator.Submitted), account.Address, owner}
		for i := range run {
			transactions, err := json.Marshal(run[i].Transactions)
			if err != nil {
				return err
			}
			newest := run[i].Transactions[len(run[i].Transactions)-1]
			args = append(args, run[i].ID, int64(newest.Nonce), string(transactions), newest.Hash, micros(run[i].UpdatedAt))
		}
		if err := affects(ctx, tx, int64(len(run)), submitQuery(len(run)), args...); err != nil {
			return err
		}
	}
	return affects(ctx, tx, 1, "UPDATE v402_accounts SET next_nonce = $1 WHERE network = $2 AND address = $3",
		int64(next), string(account.Network), account.Address)
}

// submitQuery takes state, relayer and owner, then the values of rows settlements.
func submitQuery(rows int) string {
	return fromValues(4, rows, value{"v_id", "TEXT"}, value{"v_nonce", "BIGINT"}, value{"v_transactions", "TEXT"},
		value{"v_hash", "TEXT"}, value{"v_at", "BIGINT"}) +
		`UPDATE v402_settlements SET state = $1, relayer = $2, nonce = v_nonce,
			transactions = v_transactions, tx_hash = v_hash, updated_at = v_at
		FROM v WHERE id = v_id AND state = 'reserved' AND lease_owner = $3`
}

// affects runs a statement that must change n rows, since they are locked.
func affects(ctx context.Context, tx querier, n int64, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if got, err := result.RowsAffected(); err != nil || got != n {
		return errors.Join(fmt.Errorf("%d rows changed where %d were to: %w", got, n, errAgain), err)
	}
	return nil
}

// AddTransaction implements [facilitator.Journal].
func (s *DB) AddTransaction(ctx context.Context, id string, t facilitator.Transaction) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		row, err := one(ctx, tx, scanSettlement, "SELECT "+settlementColumns+" FROM v402_settlements WHERE id = $1"+s.lock, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case row.State.Final() || row.Relayer == "":
			return fmt.Errorf("%w: it is %s", store.ErrConflict, row.State)
		case row.nonce != t.Nonce:
			return fmt.Errorf("%w: its nonce is %d, not %d", store.ErrConflict, row.nonce, t.Nonce)
		case slices.ContainsFunc(row.Transactions, func(old facilitator.Transaction) bool { return old.Hash == t.Hash }):
			return nil
		}
		transactions, err := json.Marshal(append(row.Transactions, t))
		if err != nil {
			return err
		}
		return affects(ctx, tx, 1, `UPDATE v402_settlements SET transactions = $1, tx_hash = $2, updated_at = $3
			WHERE id = $4 AND state = $5`, string(transactions), t.Hash, micros(now()), id, string(row.State))
	})
	if err != nil {
		return s.errorf("add a transaction to settlement %s: %w", id, err)
	}
	return nil
}

package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// ReserveSettlements implements [facilitator.Journal].
func (s *DB) ReserveSettlements(ctx context.Context, settlements []facilitator.Settlement, lease facilitator.Lease) ([]facilitator.Settlement, []bool, error) {
	stored := make([]facilitator.Settlement, len(settlements))
	for i := range settlements {
		stored[i] = reserved(&settlements[i])
	}
	first, err := firstOfKeys(stored)
	if err != nil {
		return nil, nil, s.errorf("reserve settlements: %w", err)
	}
	created, known, err := s.reserve(ctx, stored, first, lease)
	if err != nil {
		return nil, nil, s.errorf("reserve settlements: %w", err)
	}
	for i := range stored {
		key := stored[i].Key
		if old, ok := known[key]; ok {
			stored[i] = old
		} else if i != first[key] {
			stored[i] = stored[first[key]]
		}
	}
	return stored, created, nil
}

// firstOfKeys finds the first settlement of each key.
func firstOfKeys(settlements []facilitator.Settlement) (map[string]int, error) {
	first := make(map[string]int, len(settlements))
	ids := make(map[string]bool, len(settlements))
	for i := range settlements {
		id, key := settlements[i].ID, settlements[i].Key
		if id == "" || key == "" {
			return nil, fmt.Errorf("settlement %d of %d needs an ID and a key", i+1, len(settlements))
		}
		if _, again := first[key]; again {
			continue
		}
		if ids[id] {
			return nil, fmt.Errorf("%w: two payments have the ID %s", store.ErrConflict, id)
		}
		first[key], ids[id] = i, true
	}
	return first, nil
}

// reserve inserts the first settlement of each key. It reports which it
// inserted, and returns those that other calls had stored, by key.
func (s *DB) reserve(ctx context.Context, settlements []facilitator.Settlement, first map[string]int, lease facilitator.Lease) ([]bool, map[string]facilitator.Settlement, error) {
	rows, err := insertable(settlements, first, lease)
	if err != nil {
		return nil, nil, err
	}
	var inserted map[string]bool
	var known map[string]facilitator.Settlement
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		if inserted, err = s.insertSettlements(ctx, tx, rows); err != nil {
			return err
		}
		known = make(map[string]facilitator.Settlement)
		var missing []string
		for key, i := range first {
			if !inserted[settlements[i].ID] {
				missing = append(missing, key)
			}
		}
		return s.settlementsByKey(ctx, tx, missing, known)
	})
	if err != nil {
		return nil, nil, err
	}
	created := make([]bool, len(settlements))
	for _, i := range first {
		created[i] = inserted[settlements[i].ID]
	}
	return created, known, nil
}

// insertSettlements stores rows whose keys are new and returns their IDs.
func (s *DB) insertSettlements(ctx context.Context, tx querier, rows [][]any) (map[string]bool, error) {
	inserted := make(map[string]bool, len(rows))
	for run := range pieces(rows, s.rows) {
		ids, err := all(ctx, tx, column[string], insertSettlements(len(run)), slices.Concat(run...)...)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			inserted[id] = true
		}
	}
	return inserted, nil
}

// settlementsByKey adds the settlements of keys, all of which must be there, to
// found. One that is not has an ID that another payment has.
func (s *DB) settlementsByKey(ctx context.Context, tx querier, keys []string, found map[string]facilitator.Settlement) error {
	for run := range pieces(keys, s.names) {
		query := "SELECT " + settlementColumns + " FROM v402_settlements WHERE payment_key IN " + list(1, len(run))
		rows, err := all(ctx, tx, scanSettlement, query, anys(run)...)
		if err != nil {
			return err
		}
		for _, row := range rows {
			found[row.Key] = row.Settlement
		}
	}
	for _, key := range keys {
		if _, ok := found[key]; !ok {
			return fmt.Errorf("%w: another payment has the ID that is given to payment %s", store.ErrConflict, key)
		}
	}
	return nil
}

// LeaseSettlements implements [facilitator.Journal].
func (s *DB) LeaseSettlements(ctx context.Context, network x402.Network, lease facilitator.Lease, now time.Time, limit int) ([]facilitator.Settlement, error) {
	if limit <= 0 {
		return nil, nil
	}
	query := `WITH free AS MATERIALIZED (
			SELECT id FROM v402_settlements
			WHERE network = $1 AND ` + unfinished + ` AND leased_until <= $2
			ORDER BY created_at, id LIMIT $3` + s.skipLocked + `)
		UPDATE v402_settlements SET lease_owner = $4, leased_until = $5
		WHERE id IN (SELECT id FROM free) AND ` + unfinished + ` AND leased_until <= $2
		RETURNING ` + settlementColumns
	var rows []settlementRow
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		rows, err = all(ctx, tx, scanSettlement, query,
			string(network), micros(now), limit, lease.Owner, micros(lease.Until))
		return err
	})
	if err != nil {
		return nil, s.errorf("lease settlements: %w", err)
	}
	slices.SortFunc(rows, func(a, b settlementRow) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	leased := make([]facilitator.Settlement, len(rows))
	for i := range rows {
		leased[i] = rows[i].Settlement
	}
	return leased, nil
}

// RenewLeases implements [facilitator.Journal].
func (s *DB) RenewLeases(ctx context.Context, network x402.Network, lease facilitator.Lease) (int, error) {
	query := `WITH held AS MATERIALIZED (
			SELECT id FROM v402_settlements
			WHERE network = $1 AND ` + unfinished + ` AND lease_owner = $2
			ORDER BY id` + s.lock + `)
		UPDATE v402_settlements SET leased_until = $3
		WHERE id IN (SELECT id FROM held) AND ` + unfinished + ` AND lease_owner = $2`
	var n int64
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, query, string(network), lease.Owner, micros(lease.Until))
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return 0, s.errorf("renew leases: %w", err)
	}
	return int(n), nil
}

// Settlement implements [facilitator.Journal].
func (s *DB) Settlement(ctx context.Context, id string) (facilitator.Settlement, error) {
	return s.settlementWhere(ctx, "id = $1", id)
}

// SettlementByKey implements [facilitator.Journal].
func (s *DB) SettlementByKey(ctx context.Context, key string) (facilitator.Settlement, error) {
	return s.settlementWhere(ctx, "payment_key = $1", key)
}

func (s *DB) settlementWhere(ctx context.Context, where, name string) (facilitator.Settlement, error) {
	row, err := one(ctx, s.read, scanSettlement, "SELECT "+settlementColumns+" FROM v402_settlements WHERE "+where, name)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return facilitator.Settlement{}, s.errorf("settlement %s: %w", name, err)
	}
	return row.Settlement, nil
}

// UnfinishedNonces implements [facilitator.Journal].
func (s *DB) UnfinishedNonces(ctx context.Context, account facilitator.Account, floor uint64) (map[uint64]facilitator.Settlement, error) {
	from, err := number("nonce", floor)
	if err != nil {
		return nil, s.errorf("unfinished nonces: %w", err)
	}
	rows, err := all(ctx, s.read, scanSettlement, "SELECT "+settlementColumns+` FROM v402_settlements
		WHERE network = $1 AND relayer = $2 AND nonce >= $3 AND `+sent, string(account.Network), account.Address, from)
	if err != nil {
		return nil, s.errorf("unfinished nonces: %w", err)
	}
	nonces := make(map[uint64]facilitator.Settlement, len(rows))
	for _, row := range rows {
		nonces[row.nonce] = row.Settlement
	}
	return nonces, nil
}

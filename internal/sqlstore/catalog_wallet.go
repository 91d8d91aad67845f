package sqlstore

import (
	"context"
	"database/sql"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// PutWallet implements [catalog.WalletStore].
func (s *DB) PutWallet(ctx context.Context, w catalog.Wallet, events ...store.Event) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO v402_catalog_wallets (owner_id, network, address, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (owner_id, network) DO UPDATE SET address = EXCLUDED.address, updated_at = EXCLUDED.updated_at
			WHERE v402_catalog_wallets.updated_at <= EXCLUDED.updated_at`, w.OwnerID, string(w.Network), w.Address, micros(w.UpdatedAt))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, store.ErrConflict)
		}
		return s.saveEvents(ctx, tx, events)
	})
	if err != nil {
		return s.errorf("store a wallet of owner %s: %w", w.OwnerID, err)
	}
	return nil
}

// DeleteWallet implements [catalog.WalletStore].
func (s *DB) DeleteWallet(ctx context.Context, ownerID string, n x402.Network, events ...store.Event) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM v402_catalog_wallets WHERE owner_id = $1 AND network = $2", ownerID, string(n))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, store.ErrNotFound)
		}
		return s.saveEvents(ctx, tx, events)
	})
	if err != nil {
		return s.errorf("delete the wallet of owner %s on %s: %w", ownerID, n, err)
	}
	return nil
}

// Wallets implements [catalog.WalletStore].
func (s *DB) Wallets(ctx context.Context, ownerID string) ([]catalog.Wallet, error) {
	list, err := all(ctx, s.read, scanWallet, "SELECT owner_id, network, address, updated_at FROM v402_catalog_wallets WHERE owner_id = $1 ORDER BY network", ownerID)
	if err != nil {
		return nil, s.errorf("list wallets of owner %s: %w", ownerID, err)
	}
	return list, nil
}

func scanWallet(rows *sql.Rows) (w catalog.Wallet, err error) {
	var updated int64
	err = rows.Scan(&w.OwnerID, &w.Network, &w.Address, &updated)
	w.UpdatedAt = moment(updated)
	return w, err
}

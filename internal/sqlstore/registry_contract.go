package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"unicode/utf8"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

const contractColumns = "id, hash, hash_key, ipfs_hash, metadata_cid, platform_id, status, terms, registered_at, revoked_at, revoke_reason"

var contracts = selection[registry.Contract]{
	columns: "c.id, c.hash, c.hash_key, c.ipfs_hash, c.metadata_cid, c.platform_id, c.status, c.terms, c.registered_at, " +
		"c.revoked_at, c.revoke_reason, p.platform_name, p.status",
	counted: "v402_registry_contracts c", joined: " JOIN v402_registry_platforms p ON p.id = c.platform_id", id: "c.id",
	scan: scanContract,
}

func scanContract(rows *sql.Rows) (c registry.Contract, err error) {
	var terms sql.NullString
	var registeredAt, revokedAt int64
	var platformStatus registry.PlatformStatus
	err = rows.Scan(&c.ID, &c.Hash, &c.Key, &c.IPFSHash, &c.MetadataCID, &c.PlatformID, &c.Status, &terms, &registeredAt,
		&revokedAt, &c.RevokeReason, &c.PlatformName, &platformStatus)
	if err != nil {
		return c, err
	}
	c.RegisteredAt, c.RevokedAt = moment(registeredAt), optionalMoment(revokedAt)
	c.Suspended = platformStatus != registry.PlatformActive
	if terms.Valid {
		err = json.Unmarshal([]byte(terms.String), &c.Terms)
	}
	return c, err
}

func encodeTerms(t *registry.Terms) (any, error) {
	if t == nil {
		return nil, nil
	}
	j, err := json.Marshal(t)
	return string(j), err
}

// RegisterContracts implements [registry.ContractStore].
func (s *DB) RegisterContracts(ctx context.Context, list []registry.Contract, trail registry.Trail) error {
	if len(list) == 0 {
		return nil
	}
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		first, err := newIDs(ctx, tx, "contract", len(list))
		if err != nil {
			return err
		}
		inserted, err := insertContracts(ctx, tx, list, first)
		if err != nil {
			return err
		}
		if inserted < len(list) {
			return s.hashesTaken(ctx, tx, list, first)
		}
		return s.record(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("register contracts: %w", err)
	}
	return nil
}

// insertContracts inserts what is new and counts it.
func insertContracts(ctx context.Context, tx querier, list []registry.Contract, first int64) (inserted int, err error) {
	const width = 11
	rows := make([][]any, len(list))
	for i, c := range list {
		terms, err := encodeTerms(c.Terms)
		if err != nil {
			return 0, err
		}
		rows[i] = []any{first + int64(i), c.Hash, c.Key, c.IPFSHash, c.MetadataCID, c.PlatformID, string(c.Status), terms,
			micros(c.RegisteredAt), optional(c.RevokedAt), c.RevokeReason}
	}
	for run := range pieces(rows, bulk) {
		var args []any
		for _, row := range run {
			args = append(args, row...)
		}
		result, err := tx.ExecContext(ctx, "INSERT INTO v402_registry_contracts ("+contractColumns+") VALUES "+
			tuples(1, len(run), make([]string, width)...)+" ON CONFLICT (hash_key) DO NOTHING", args...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		inserted += int(n)
	}
	return inserted, nil
}

// hashesTaken says which hashes others had registered before.
func (s *DB) hashesTaken(ctx context.Context, tx querier, of []registry.Contract, first int64) error {
	taken := map[string]bool{}
	for run := range pieces(of, bulk) {
		args := []any{first}
		for _, c := range run {
			args = append(args, c.Key)
		}
		query := "SELECT hash_key FROM v402_registry_contracts WHERE id < $1 AND hash_key IN " + list(2, len(run))
		keys, err := all(ctx, tx, column[string], query, args...)
		if err != nil {
			return err
		}
		for _, key := range keys {
			taken[key] = true
		}
	}
	e := &registry.HashesTakenError{}
	for _, c := range of {
		if taken[cleanText(c.Key)] {
			e.Hashes = append(e.Hashes, c.Hash)
		}
	}
	if len(e.Hashes) == 0 {
		return store.ErrConflict // two of one key in the call
	}
	return e
}

// Contract implements [registry.ContractStore].
func (s *DB) Contract(ctx context.Context, key string) (registry.Contract, error) {
	c, err := single(ctx, s.read, contracts, "c.hash_key = $1", key)
	if err != nil {
		return c, s.errorf("contract %s: %w", key, err)
	}
	return c, nil
}

// UpdateContract implements [registry.ContractStore].
func (s *DB) UpdateContract(ctx context.Context, key string, change func(*registry.Contract) (registry.Trail, error)) (registry.Contract, error) {
	var c registry.Contract
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockRow(ctx, tx, "v402_registry_contracts", "hash_key", key); err != nil {
			return err
		}
		var err error
		if c, err = single(ctx, tx, contracts, "c.hash_key = $1", key); err != nil {
			return err
		}
		id := c.ID
		trail, err := change(&c)
		if err != nil {
			return err
		}
		terms, err := encodeTerms(c.Terms)
		if err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_registry_contracts", "status, terms, revoked_at, revoke_reason",
			string(c.Status), terms, optional(c.RevokedAt), c.RevokeReason, id); err != nil {
			return err
		}
		if c, err = single(ctx, tx, contracts, "c.id = $1", id); err != nil {
			return err
		}
		return s.record(ctx, tx, trail)
	})
	if err != nil {
		return registry.Contract{}, s.errorf("update contract %s: %w", key, err)
	}
	return c, nil
}

// holdActive returns the IDs of the active contracts that have one of the values in
// a column, and keeps them from being revoked until the end of the transaction.
func (s *DB) holdActive(ctx context.Context, tx querier, by string, values ...any) ([]int64, error) {
	query := "SELECT id FROM v402_registry_contracts WHERE status = 'active' AND " + by + " IN " + list(1, len(values)) + " ORDER BY id"
	if s.lock != "" {
		query += " FOR SHARE"
	}
	return all(ctx, tx, column[int64], query, values...)
}

// ContractUsers implements [registry.ContractStore].
func (s *DB) ContractUsers(ctx context.Context, key string) ([]int64, error) {
	users, err := all(ctx, s.read, column[int64], `SELECT t.seller_id AS platform FROM v402_registry_contracts c
		JOIN v402_registry_sales t ON t.contract_id = c.id WHERE c.hash_key = $1
		UNION SELECT m.platform_id FROM v402_registry_contracts c
		JOIN v402_registry_mirrors m ON m.ipfs_hash = c.ipfs_hash WHERE c.hash_key = $1 ORDER BY platform`, key)
	if err != nil {
		return nil, s.errorf("users of contract %s: %w", key, err)
	}
	return users, nil
}

// Contracts implements [registry.ContractStore].
func (s *DB) Contracts(ctx context.Context, of registry.ContractFilter, o registry.PageOptions) (registry.List[registry.Contract], error) {
	var f filter
	f.id("c.platform_id = ?", of.PlatformID)
	f.text("c.status = ?", string(of.Status))
	f.text("c.ipfs_hash = ?", of.IPFSHash)
	if of.Query != "" {
		f.add("substr(c.hash, 1, ?)", utf8.RuneCountInString(cleanText(of.Query)))
		last := len(f.conditions) - 1
		prefix := f.conditions[last]
		f.conditions = f.conditions[:last]
		f.add(prefix+" = ?", of.Query)
	}
	list, err := page(ctx, s.read, contracts, f, o, false)
	if err != nil {
		return list, s.errorf("list contracts: %w", err)
	}
	return list, nil
}

// Publication implements [registry.ContractStore].
func (s *DB) Publication(ctx context.Context, ipfsHash string) (registry.Publication, error) {
	p, err := one(ctx, s.read, scanPublication, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN status = 'active' THEN 1 ELSE 0 END), 0),
		COUNT(DISTINCT platform_id), COALESCE(MIN(registered_at), 0), COALESCE(MAX(registered_at), 0)
		FROM v402_registry_contracts WHERE ipfs_hash = $1`, ipfsHash)
	if err == nil && p.TotalContracts == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return registry.Publication{}, s.errorf("publication %s: %w", ipfsHash, err)
	}
	p.IPFSHash = ipfsHash
	return p, nil
}

func scanPublication(rows *sql.Rows) (p registry.Publication, err error) {
	var first, last int64
	err = rows.Scan(&p.TotalContracts, &p.ActiveContracts, &p.Platforms, &first, &last)
	p.RevokedContracts = p.TotalContracts - p.ActiveContracts
	p.FirstRegistered, p.LastRegistered = moment(first), moment(last)
	return p, err
}

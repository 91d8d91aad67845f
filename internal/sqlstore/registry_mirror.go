package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/v402/v402/registry"
)

const mirrorColumns = "id, platform_id, mirror_key, contract_hash, ipfs_hash, mirrored_ipfs_hash, location, access_count, " +
	"last_accessed_at, mirrored_at, updated_at"

var mirrorRows = selection[registry.Mirror]{
	columns: "m.id, m.platform_id, m.mirror_key, m.contract_hash, m.ipfs_hash, m.mirrored_ipfs_hash, m.location, m.access_count, " +
		"m.last_accessed_at, m.mirrored_at, m.updated_at, p.platform_name",
	counted: "v402_registry_mirrors m", joined: " JOIN v402_registry_platforms p ON p.id = m.platform_id", id: "m.id",
	scan: func(rows *sql.Rows) (m registry.Mirror, err error) {
		var lastAccessedAt, mirroredAt, updatedAt int64
		err = rows.Scan(&m.ID, &m.PlatformID, &m.Key, &m.ContractHash, &m.IPFSHash, &m.MirroredIPFSHash, &m.Location, &m.AccessCount,
			&lastAccessedAt, &mirroredAt, &updatedAt, &m.PlatformName)
		m.LastAccessedAt, m.MirroredAt, m.UpdatedAt = optionalMoment(lastAccessedAt), moment(mirroredAt), moment(updatedAt)
		return m, err
	},
}

// PutMirror implements [registry.MirrorStore].
func (s *DB) PutMirror(ctx context.Context, m registry.Mirror, contractKey string, at time.Time, trail func(registry.Mirror, bool) registry.Trail) (registry.Mirror, bool, error) {
	var stored registry.Mirror
	var created bool
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		active, err := s.holdActive(ctx, tx, "hash_key", contractKey)
		if err != nil {
			return err
		}
		if len(active) == 0 {
			return &registry.ContractInactiveError{}
		}
		id, err := updateMirror(ctx, tx, m, at)
		if created = errors.Is(err, sql.ErrNoRows); created {
			id, err = insertMirror(ctx, tx, m, at)
		}
		if err != nil {
			return err
		}
		if stored, err = single(ctx, tx, mirrorRows, "m.id = $1", id); err != nil {
			return err
		}
		return s.record(ctx, tx, trail(stored, created))
	})
	if err != nil {
		return registry.Mirror{}, false, s.errorf("store a mirror: %w", err)
	}
	return stored, created, nil
}

// insertMirror stores a mirror that there was not a moment ago.
func insertMirror(ctx context.Context, tx querier, m registry.Mirror, at time.Time) (int64, error) {
	id, err := newIDs(ctx, tx, "mirror", 1)
	if err != nil {
		return 0, err
	}
	mirroredAt := m.MirroredAt
	if mirroredAt.IsZero() {
		mirroredAt = at
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO v402_registry_mirrors ("+mirrorColumns+") VALUES "+list(1, 11)+
		" ON CONFLICT (platform_id, mirror_key) DO NOTHING", id, m.PlatformID, m.Key, m.ContractHash, m.IPFSHash, m.MirroredIPFSHash,
		m.Location, m.AccessCount, int64(0), micros(mirroredAt), micros(m.UpdatedAt))
	if err != nil {
		return 0, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return 0, firstError(err, errAgain) // somebody else did meanwhile
	}
	return id, nil
}

// updateMirror replaces what a platform reported before, and returns its ID. It returns
// sql.ErrNoRows if there is nothing.
func updateMirror(ctx context.Context, tx querier, m registry.Mirror, at time.Time) (int64, error) {
	return one(ctx, tx, column[int64], `UPDATE v402_registry_mirrors SET contract_hash = $1, ipfs_hash = $2, mirrored_ipfs_hash = $3,
		location = $4, last_accessed_at = CASE WHEN access_count < $5 THEN CAST($6 AS BIGINT) ELSE last_accessed_at END, access_count = $5,
		mirrored_at = CASE WHEN CAST($7 AS BIGINT) = 0 THEN mirrored_at ELSE CAST($7 AS BIGINT) END, updated_at = $8
		WHERE platform_id = $9 AND mirror_key = $10 RETURNING id`,
		m.ContractHash, m.IPFSHash, m.MirroredIPFSHash, m.Location, m.AccessCount, micros(at), optional(m.MirroredAt), micros(m.UpdatedAt),
		m.PlatformID, m.Key)
}

// CountAccess implements [registry.MirrorStore].
func (s *DB) CountAccess(ctx context.Context, id int64, at time.Time) (registry.Mirror, error) {
	var m registry.Mirror
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if _, err = tx.ExecContext(ctx, `UPDATE v402_registry_mirrors SET access_count = access_count + 1, last_accessed_at = $1
			WHERE id = $2`, micros(at), id); err != nil {
			return err
		}
		m, err = single(ctx, tx, mirrorRows, "m.id = $1", id)
		return err
	})
	if err != nil {
		return registry.Mirror{}, s.errorf("count an access to mirror %d: %w", id, err)
	}
	return m, nil
}

// DeleteMirror implements [registry.MirrorStore].
func (s *DB) DeleteMirror(ctx context.Context, id int64, check func(registry.Mirror) error, trail registry.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockRow(ctx, tx, "v402_registry_mirrors", "id", id); err != nil {
			return err
		}
		m, err := single(ctx, tx, mirrorRows, "m.id = $1", id)
		if err != nil {
			return err
		}
		if err := check(m); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM v402_registry_mirrors WHERE id = $1", id); err != nil {
			return err
		}
		return s.record(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("delete mirror %d: %w", id, err)
	}
	return nil
}

// Mirrors implements [registry.MirrorStore].
func (s *DB) Mirrors(ctx context.Context, of registry.MirrorFilter, o registry.PageOptions) (registry.List[registry.Mirror], error) {
	var f filter
	f.id("m.platform_id = ?", of.PlatformID)
	f.text("m.ipfs_hash = ?", of.IPFSHash)
	list, err := page(ctx, s.read, mirrorRows, f, o, of.OldestFirst)
	if err != nil {
		return list, s.errorf("list mirrors: %w", err)
	}
	return list, nil
}

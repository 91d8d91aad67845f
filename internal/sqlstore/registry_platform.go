package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/v402/v402/registry"
)

const platformColumns = "id, status, name, email, email_key, platform_name, name_key, platform_address, platform_phone, " +
	"platform_email, api_endpoint, payout_address, password_hash, sealed, callback_secrets, admin_notes, key_hash, key_prefix, key_created_at, " +
	"created_at, approved_at, rejected_at, updated_at"

func platformRow(p *registry.Platform) []any {
	return []any{
		p.ID, string(p.Status), p.Name, p.Email, registry.EmailKey(p.Email), p.PlatformName, strings.ToLower(p.PlatformName),
		p.PlatformAddress, p.PlatformPhone, p.PlatformEmail, p.APIEndpoint, p.PayoutAddress, p.PasswordHash, p.Sealed, p.CallbackSecrets,
		p.AdminNotes, p.KeyHash, p.KeyPrefix, optional(p.KeyCreatedAt), micros(p.CreatedAt), optional(p.ApprovedAt), optional(p.RejectedAt), micros(p.UpdatedAt),
	}
}

var platforms = selection[registry.Platform]{
	columns: platformColumns, counted: "v402_registry_platforms", id: "id",
	scan: func(rows *sql.Rows) (p registry.Platform, err error) {
		var emailKey, nameKey string
		var keyCreatedAt, createdAt, approvedAt, rejectedAt, updatedAt int64
		err = rows.Scan(&p.ID, &p.Status, &p.Name, &p.Email, &emailKey, &p.PlatformName, &nameKey, &p.PlatformAddress,
			&p.PlatformPhone, &p.PlatformEmail, &p.APIEndpoint, &p.PayoutAddress, &p.PasswordHash, &p.Sealed, &p.CallbackSecrets,
			&p.AdminNotes, &p.KeyHash, &p.KeyPrefix, &keyCreatedAt, &createdAt, &approvedAt, &rejectedAt, &updatedAt)
		p.KeyCreatedAt, p.CreatedAt, p.ApprovedAt = optionalMoment(keyCreatedAt), moment(createdAt), optionalMoment(approvedAt)
		p.RejectedAt, p.UpdatedAt = optionalMoment(rejectedAt), moment(updatedAt)
		return p, err
	},
}

// AddPlatform implements [registry.PlatformStore].
func (s *DB) AddPlatform(ctx context.Context, p registry.Platform, trail func(registry.Platform) registry.Trail) (registry.Platform, error) {
	var added registry.Platform
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		id, err := newIDs(ctx, tx, "platform", 1)
		if err != nil {
			return err
		}
		row := p
		row.ID = id
		args := platformRow(&row)
		result, err := tx.ExecContext(ctx, "INSERT INTO v402_registry_platforms ("+platformColumns+") VALUES "+list(1, len(args))+
			" ON CONFLICT DO NOTHING", args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, registry.ErrEmailTaken)
		}
		if added, err = single(ctx, tx, platforms, "id = $1", id); err != nil {
			return err
		}
		return s.record(ctx, tx, trail(added))
	})
	if err != nil {
		return registry.Platform{}, s.errorf("add a platform: %w", err)
	}
	return added, nil
}

// firstError is err, or else other.
func firstError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// UpdatePlatform implements [registry.PlatformStore].
func (s *DB) UpdatePlatform(ctx context.Context, id int64, change func(*registry.Platform) (registry.Trail, error)) (registry.Platform, error) {
	var p registry.Platform
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockRow(ctx, tx, "v402_registry_platforms", "id", id); err != nil {
			return err
		}
		old, err := single(ctx, tx, platforms, "id = $1", id)
		if err != nil {
			return err
		}
		p = old
		trail, err := change(&p)
		if err != nil {
			return err
		}
		p.ID, p.Email, p.CreatedAt = old.ID, old.Email, old.CreatedAt
		columns, row := strings.TrimPrefix(platformColumns, "id, "), platformRow(&p)
		if err := update(ctx, tx, "v402_registry_platforms", columns, append(row[1:], id)...); err != nil {
			return err
		}
		if p, err = single(ctx, tx, platforms, "id = $1", id); err != nil {
			return err
		}
		return s.record(ctx, tx, trail)
	})
	if err != nil {
		return registry.Platform{}, s.errorf("update platform %d: %w", id, err)
	}
	return p, nil
}

// Platform implements [registry.PlatformStore].
func (s *DB) Platform(ctx context.Context, id int64) (registry.Platform, error) {
	p, err := single(ctx, s.read, platforms, "id = $1", id)
	if err != nil {
		return p, s.errorf("platform %d: %w", id, err)
	}
	return p, nil
}

// PlatformByEmail implements [registry.PlatformStore].
func (s *DB) PlatformByEmail(ctx context.Context, email string) (registry.Platform, error) {
	p, err := single(ctx, s.read, platforms, "email_key = $1 ORDER BY id DESC LIMIT 1", registry.EmailKey(email))
	if err != nil {
		return p, s.errorf("platform with the e-mail given: %w", err)
	}
	return p, nil
}

// PlatformByKey implements [registry.PlatformStore].
func (s *DB) PlatformByKey(ctx context.Context, keyHash string) (registry.Platform, error) {
	p, err := single(ctx, s.read, platforms, "key_hash = $1 AND key_hash <> ''", keyHash)
	if err != nil {
		return p, s.errorf("platform with the key given: %w", err)
	}
	return p, nil
}

// Platforms implements [registry.PlatformStore].
func (s *DB) Platforms(ctx context.Context, of registry.PlatformFilter, o registry.PageOptions) (registry.List[registry.Platform], error) {
	var f filter
	f.text("status = ?", string(of.Status))
	if of.Approved {
		f.add("approved_at <> ?", int64(0))
	}
	if of.Query != "" {
		f.add(`name_key LIKE ? ESCAPE '\'`, "%"+likeText(strings.ToLower(of.Query))+"%")
	}
	list, err := page(ctx, s.read, platforms, f, o, of.OldestFirst)
	if err != nil {
		return list, s.errorf("list platforms: %w", err)
	}
	return list, nil
}

// likeText is s for a LIKE, where it means itself.
func likeText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

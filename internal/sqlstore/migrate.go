package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const versionTable = "v402_goose"

// migratePostgres upgrades the schema; processes that start at once on one
// schema take turns.
func migratePostgres(ctx context.Context, db *sql.DB) error {
	schema, err := one(ctx, db, column[sql.NullString], "SELECT current_schema()")
	if err != nil {
		return err
	}
	const period, tries = 1, 300 // seconds
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID(schema.String)), lock.WithLockTimeout(period, tries))
	if err != nil {
		return err
	}
	return migrate(ctx, goose.DialectPostgres, db, goose.WithSessionLocker(locker))
}

// lockID is the number of the advisory lock for a schema.
func lockID(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("v402/" + schema))
	return int64(h.Sum64())
}

// migrateSQLite upgrades the schema. Of processes that start at once one wins
// each step; the others fail there, since no step can be repeated, and look
// again.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	start := time.Now()
	for n := 1; ; n++ {
		err := migrate(ctx, goose.DialectSQLite3, db)
		if err == nil || errors.Is(err, ErrNewer) || n >= attempts && !busy(err) || time.Since(start) > patience {
			return err
		}
		if !pause(ctx, n+3) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	options = append(options, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	have, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if have > known {
		return fmt.Errorf("the schema is of version %d and this program knows up to %d: %w", have, known, ErrNewer)
	}
	return nil
}

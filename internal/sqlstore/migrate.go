package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql migrations/*/*.sql
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
	return migrate(ctx, goose.DialectPostgres, "postgres", db, goose.WithSessionLocker(locker))
}

// lockID is the number of the advisory lock for a schema.
func lockID(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("v402/" + schema))
	return int64(h.Sum64())
}

// migrateSQLite upgrades the schema. Of processes that start at once one wins
// each step; the others fail there, since no step can be repeated, and look
// again. Who fails for long at the same step fails for another reason.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	start, at := time.Now(), int64(0)
	for n := 1; ; n++ {
		err := migrate(ctx, goose.DialectSQLite3, "sqlite", db)
		if err == nil || errors.Is(err, ErrNewer) {
			return err
		}
		if step := failedStep(err); step != at {
			start, at, n = time.Now(), step, 1
		}
		if n >= attempts && !busy(err) || time.Since(start) > queue {
			return err
		}
		if !pause(ctx, n+3) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// failedStep is the version of the migration that err is of, or 0.
func failedStep(err error) int64 {
	var partial *goose.PartialError
	if errors.As(err, &partial) && partial.Failed != nil && partial.Failed.Source != nil {
		return partial.Failed.Source.Version
	}
	return 0
}

// migrate runs the files of migrations and those that are of one database only,
// in its folder.
func migrate(ctx context.Context, dialect goose.Dialect, folder string, db *sql.DB, options ...goose.ProviderOption) error {
	files, err := migrationsOf(folder)
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

// layered is the files of two folders.
type layered struct{ first, second fs.FS }

func migrationsOf(folder string) (layered, error) {
	first, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return layered{}, err
	}
	second, err := fs.Sub(first, folder)
	return layered{first, second}, err
}

// Open implements [fs.FS].
func (l layered) Open(name string) (fs.File, error) {
	f, err := l.second.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.first.Open(name)
	}
	return f, err
}

// Glob implements [fs.GlobFS]; the names are sorted.
func (l layered) Glob(pattern string) ([]string, error) {
	first, err := fs.Glob(l.first, pattern)
	if err != nil {
		return nil, err
	}
	second, err := fs.Glob(l.second, pattern)
	names := append(first, second...)
	slices.Sort(names)
	return names, err
}

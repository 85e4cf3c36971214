package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/incipit-dev/incipit/internal/registry"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrate brings the database to the newest schema that we know, once however
// many start at the same time, and returns the one it has.
func (s *Store) migrate(ctx context.Context) (int64, error) {
	files := s.cfg.migrations
	if files == nil {
		sub, err := fs.Sub(embedded, "migrations")
		if err != nil {
			return 0, err
		}
		files = sub
	}
	use, exclude, err := migrationNames(files, s.d.suffix())
	if err != nil {
		return 0, err
	}
	known := int64(0)
	for _, name := range use {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		known = max(known, n)
	}
	s.known = known
	at, err := s.version(ctx)
	if err != nil {
		return 0, err
	}
	if at < known {
		err := s.d.exclusively(ctx, s.w, func() error {
			if at, err = s.version(ctx); err != nil || at >= known {
				return err // another one was faster
			}
			if at > 0 {
				if err := s.d.beforeMigration(ctx, s.w, at); err != nil {
					return fmt.Errorf("backup before the migration: %w", err)
				}
			}
			p, err := goose.NewProvider(s.d.goose(), s.w, files,
				goose.WithExcludeNames(exclude), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
			if err != nil {
				return err
			}
			if _, err = p.Up(ctx); err != nil {
				return fmt.Errorf("migrating from schema %d to %d: %w", at, known, err)
			}
			at, err = s.version(ctx)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	if at > known {
		return at, s.compatible(ctx, at, known)
	}
	return at, nil
}

// version is the number of the last migration that was applied, 0 for an empty
// database.
func (s *Store) version(ctx context.Context) (int64, error) {
	var n int
	if err := s.w.QueryRowContext(ctx, s.d.tableExists(), "goose_db_version").Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	var at int64
	err := s.w.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&at)
	return at, err
}

// compatible reports, with ErrUnavailable, that a database was migrated to a
// schema that a program of our age cannot work with.
func (s *Store) compatible(ctx context.Context, at, known int64) error {
	var from int64
	if err := s.w.QueryRowContext(ctx, `SELECT number FROM meta WHERE name = 'compatible_from'`).Scan(&from); err != nil {
		return err
	}
	if from <= known {
		return nil
	}
	return registry.WithFix(registry.Errorf(registry.ErrUnavailable,
		"the database %s has schema %d, and this program knows those up to %d", s.d.name(), at, known),
		"start the newer incipit that was used before, or restore the backup that was made before its migration: %s", s.d.restoreCommand())
}

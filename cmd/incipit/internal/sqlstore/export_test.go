package sqlstore

import (
	"context"
	"database/sql"
	"io/fs"
)

// Exec runs a statement as an intruder would: past all rules.
func (s *Store) Exec(ctx context.Context, statement string, args ...any) error {
	_, err := s.w.ExecContext(ctx, statement, args...)
	return err
}

// WithMigrations makes the program one that knows other migrations.
func (c Config) WithMigrations(files fs.FS) Config {
	c.migrations = files
	return c
}

// Migrations are the embedded ones.
func Migrations() (fs.FS, error) { return fs.Sub(embedded, "migrations") }

// Tables are those that are copied.
func Tables() []string { return tables() }

// TableNames are those that the database has.
func (s *Store) TableNames(ctx context.Context, postgres bool) ([]string, error) {
	query := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if postgres {
		query = `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public'`
	}
	var out []string
	err := rows(ctx, s.r, func(rs *sql.Rows) error {
		var n string
		err := rs.Scan(&n)
		out = append(out, n)
		return err
	}, query)
	return out, err
}

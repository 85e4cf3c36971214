package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// tables are all that hold data, each after those it refers to.
func tables() []string {
	return []string{
		"meta", "environment", "prompt", "release", "release_problem", "deployment", "once", "approval", "evidence", "statement",
		"api_key", "person", "audit", "audit_head", "mirror", "probe", "rollout", "steady", "decision", "lease", "webhook", "delivery", "draft",
	}
}

// Copy brings everything from one database into another one, which must be
// fresh, as it was at one moment, and returns the number of rows by table.
func Copy(ctx context.Context, from, to *Store) (map[string]int64, error) {
	var counts map[string]int64
	err := to.once(ctx, func(tx *tx) (err error) {
		counts, err = from.copyInto(ctx, to, tx)
		return err
	})
	return counts, err
}

// once runs fn in one transaction and does not try again.
func (s *Store) once(ctx context.Context, fn func(*tx) error) error {
	_, err := s.attempt(ctx, fn)
	return s.d.explain(err)
}

// copyInto replaces all rows that tx sees with those of from.
func (s *Store) copyInto(ctx context.Context, to *Store, tx *tx) (map[string]int64, error) {
	if s.schema != to.schema {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "one database has schema %d and the other one %d", s.schema, to.schema),
			"use the newest incipit that either was opened with")
	}
	return getAll(ctx, s, func(q querier) (map[string]int64, error) {
		if err := to.d.clear(ctx, tx); err != nil {
			return nil, err
		}
		counts := make(map[string]int64)
		for _, t := range tables() {
			n, err := copyTable(ctx, q, tx, t)
			if err != nil {
				return nil, fmt.Errorf("table %s: %w", t, err)
			}
			counts[t] = n
		}
		return counts, nil
	})
}

// deleteAll empties the tables, those that refer to others first.
func deleteAll(ctx context.Context, tx *tx) error {
	all := tables()
	for i := range all {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+all[len(all)-1-i]); err != nil {
			return err
		}
	}
	return nil
}

// batch is how many rows an INSERT has: SQLite allows 32,766 values, and no
// table has more than 20 columns.
const batch = 200

func copyTable(ctx context.Context, q querier, tx *tx, table string) (int64, error) {
	var n int64
	var columns []string
	var booleans []bool // which they are: SQLite has numbers in their place
	var values []any
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := tx.ExecContext(ctx, insertRows(table, columns, len(values)/len(columns)), values...)
		values = values[:0]
		return err
	}
	err := rows(ctx, q, func(rs *sql.Rows) (err error) {
		if columns == nil {
			if columns, booleans, err = columnsOf(rs); err != nil {
				return err
			}
		}
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rs.Scan(into...); err != nil {
			return err
		}
		for i, v := range row {
			if n, ok := v.(int64); ok && booleans[i] {
				row[i] = n != 0
			}
		}
		values = append(values, row...)
		if n++; n%batch == 0 {
			return flush()
		}
		return nil
	}, `SELECT * FROM `+table)
	if err != nil {
		return n, err
	}
	return n, flush()
}

func columnsOf(rs *sql.Rows) (names []string, booleans []bool, err error) {
	types, err := rs.ColumnTypes()
	for _, t := range types {
		names = append(names, t.Name())
		booleans = append(booleans, strings.HasPrefix(t.DatabaseTypeName(), "BOOL"))
	}
	return names, booleans, err
}

// insertRows is an INSERT of n rows.
func insertRows(table string, columns []string, n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
	for i := range n * len(columns) {
		switch {
		case i%len(columns) != 0:
			b.WriteString(", ")
		case i > 0:
			b.WriteString("), (")
		default:
			b.WriteString("(")
		}
		b.WriteString("$" + itoa(int64(i+1)))
	}
	return b.String() + ")"
}

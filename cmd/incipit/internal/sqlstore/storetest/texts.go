package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"testing"
)

// TextsOf reads a file of SQLite that no server has open: the values of every
// column of text, by table and column. Its tables' names are those of the
// schema, also of schemas that are not the store's.
func TextsOf(tb testing.TB, file string) map[string][]string {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(file)+"?mode=ro")
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	out := make(map[string][]string)
	for _, c := range rowsOf(tb, db, `SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND c.type = 'TEXT'`, 2) {
		name := c[0] + "." + c[1]
		out[name] = nil
		for _, v := range rowsOf(tb, db, fmt.Sprintf(`SELECT DISTINCT %q FROM %q WHERE %[1]q IS NOT NULL`, c[1], c[0]), 1) {
			out[name] = append(out[name], v[0])
		}
	}
	return out
}

// rowsOf is what a query answers, each row as so many texts.
func rowsOf(tb testing.TB, db *sql.DB, query string, columns int) (out [][]string) {
	tb.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(tb.Context()), query)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row, into := make([]string, columns), make([]any, columns)
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			tb.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

package calllog

import (
	"context"
	"database/sql"
)

// A tx is a transaction that writes.
type tx struct {
	*sql.Tx
	conn *sql.Conn
	last int64 // the last number that was given out
	more func(ctx context.Context, n int) (last int64, err error)
	// on shows the tables of a day as they are: in SQLite of another one too.
	on func(ctx context.Context, d day, fn func(querier) error) error
	// floor is where the days begin that are not retired, if this changes it.
	floor day
	// settle ends the transaction: Commit and what belongs to it.
	settle func() error
	// prepared is a statement for a text, nil if there is none: then it is run
	// as spelled says.
	prepared func(text string) *sql.Stmt
	spelled  func(text string) string
	texts    map[textKey]string // of the dialect, for whoever has the turn
}

// numbers gives out n numbers and returns the first of them.
func (t *tx) numbers(ctx context.Context, n int) (first int64, err error) {
	t.last, err = t.more(ctx, n)
	return t.last - int64(n) + 1, err
}

// exec runs a statement that is run often: SQLite prepares it once.
func (t *tx) exec(ctx context.Context, text string, args ...any) error {
	if s := t.prepared(text); s != nil {
		_, err := t.StmtContext(ctx, s).ExecContext(ctx, args...)
		return err
	}
	_, err := t.ExecContext(ctx, t.spelled(text), args...)
	return err
}

// text is the text of a statement on the tables of a day, for n things. It is
// built once.
func (t *tx) text(d day, what string, n int, build func() string) string {
	k := textKey{d, what, n}
	s, built := t.texts[k]
	if !built {
		if len(t.texts) > 1000 {
			clear(t.texts)
		}
		s = d.sql(build())
		t.texts[k] = s
	}
	return s
}

type textKey struct {
	day  day
	what string
	n    int
}

// rows calls scan for each row of a query that is run often.
func (t *tx) rows(ctx context.Context, scan func(*sql.Rows) error, text string, args ...any) error {
	if s := t.prepared(text); s != nil {
		rs, err := t.StmtContext(ctx, s).QueryContext(ctx, args...)
		return scanned(rs, err, scan)
	}
	return rows(ctx, t, scan, t.spelled(text), args...)
}

// retire takes a day out of those that are live: its rollups were moved. The
// transaction is one on the common tables. Once it is committed, nobody writes
// to that day any more, and dropDay may follow.
func (t *tx) retire(ctx context.Context, d day) error {
	t.floor = d + 1
	if _, err := t.ExecContext(ctx, `UPDATE call_day SET retired = TRUE WHERE day = $1`, d.number()); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `UPDATE call_head SET floor = CASE WHEN floor > $1 THEN floor ELSE $1 END WHERE id = 1`, (d + 1).number())
	return err
}

// end gives up what was not committed.
func (t *tx) end() {
	_ = t.Rollback()   // does nothing after a commit
	_ = t.conn.Close() // it goes back to the pool
}

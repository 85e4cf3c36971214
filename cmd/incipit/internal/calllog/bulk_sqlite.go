package calllog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/incipit-dev/incipit/internal/registry"
)

func (s *sqliteDir) encode(r *row) {
	r.columns = r.args(make([]any, 0, inCallColumns))
}

func (s *sqliteDir) known(ctx context.Context, t *tx, d day, all []*row) error {
	return pieces(len(all), func(from, to int) error {
		args := make([]any, 0, to-from)
		for _, r := range all[from:to] {
			args = append(args, r.call.ID[:])
		}
		return t.rows(ctx, func(rs *sql.Rows) error { return there(rs, all[from:to]) }, t.text(d, "known", to-from, func() string {
			return `SELECT id, seq FROM call_{day} WHERE id IN ` + values(1, to-from)
		}), args...)
	}, 64, 16, 4, 1)
}

func (s *sqliteDir) insert(ctx context.Context, t *tx, d day, all []*row) error {
	args := make([]any, 0, 128*inCallColumns)
	return pieces(len(all), func(from, to int) error {
		args = args[:0]
		for _, r := range all[from:to] {
			r.columns[0] = r.seq
			args = append(args, r.columns...)
		}
		// OR FAIL: the transaction ends anyhow if there is an error, so SQLite need
		// not remember what to take back of this statement.
		err := t.exec(ctx, t.text(d, "insert", to-from, func() string {
			return `INSERT OR FAIL INTO call_{day} (` + callColumns + `) VALUES ` + values(to-from, inCallColumns)
		}), args...)
		if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE {
			return errTaken
		}
		return err
	}, 128, 32, 8, 1)
}

// args appends the values of callColumns.
func (r *row) args(args []any) []any {
	c := r.call
	integer := func(n int64) any { return n }
	var subject any
	if r.subject != (SubjectHash{}) {
		subject = r.subject[:]
	}
	return append(args,
		r.seq, c.ID[:], r.origin.id, c.StartedAt.UnixMicro(), c.Latency.Microseconds(),
		orNull(c.FirstToken, func(d time.Duration) any { return d.Microseconds() }),
		orNull(c.InputTokens, integer), orNull(c.OutputTokens, integer), orNull(c.CachedTokens, integer),
		orNull(c.Cost, func(n registry.NanoUSD) any { return int64(n) }),
		outcomeOf(c), orNull(r.response, integer), textOrNull(c.ResponseID),
		orNull(r.satisfaction, func(f float64) any { return f }), subject, textOrNull(c.Subject),
		textOrNull(r.tags), textOrNull(c.Input), textOrNull(c.Output))
}

package calllog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Filter chooses calls. An empty field chooses all.
type Filter struct {
	Prompt      prompt.ID
	Environment string
	Version     string
	From, To    time.Time // of the start, half open
	After       int64     // a number: calls with a larger one
	UpTo        int64     // calls with this number or a smaller one; 0 is no limit
}

// chunk is how many calls of a day are read at a time, so that days whose
// numbers mix are read side by side.
const chunk = 500

// List lists calls by number, at most limit of them. Fewer mean that there are
// no more now; whoever goes on after the last number misses none.
func (l *Log) List(ctx context.Context, f Filter, limit int) ([]Record, error) {
	var out []Record
	err := l.read(ctx, func(v *view) error {
		out = nil
		last := v.last // a later number could be seen before an earlier one
		if f.UpTo > 0 {
			last = min(last, f.UpTo)
		}
		var days []*walk
		for _, d := range v.live {
			w, err := begin(ctx, v, d, f, last)
			if err != nil {
				return err
			}
			if w != nil {
				days = append(days, w)
			}
		}
		for len(out) < limit {
			w := first(days)
			if w == nil {
				return nil
			}
			if len(w.read) == 0 {
				if err := w.fill(ctx, v, min(chunk, limit-len(out))); err != nil {
					return err
				}
				continue
			}
			out = append(out, w.read[0])
			w.read = w.read[1:]
		}
		return nil
	})
	return out, err
}

// Latest is the number of the last call or feedback, 0 if there is none.
func (l *Log) Latest(ctx context.Context) (int64, error) {
	var last int64
	err := l.read(ctx, func(v *view) error {
		last = v.last
		return nil
	})
	return last, err
}

// A walk goes through the calls of a day by number.
type walk struct {
	day   day
	where string // of call_{day}: what the filter asks for besides numbers
	args  []any  // of it
	next  int64  // no number that was not read is smaller; 0 at the end
	last  int64
	read  []Record
}

// begin is the walk through a day from f.After on, nil if no call of it is
// asked for.
func begin(ctx context.Context, v *view, d day, f Filter, last int64) (*walk, error) {
	w := &walk{day: d, last: last}
	err := v.day(ctx, d, func(q querier) error {
		var next sql.Null[int64]
		if err := q.QueryRowContext(ctx, d.sql(`SELECT MIN(seq) FROM call_{day} WHERE seq > $1 AND seq <= $2`), f.After, last).Scan(&next); err != nil {
			return err
		}
		if w.next = next.V; w.next == 0 {
			return nil
		}
		return w.narrow(ctx, q, f)
	})
	if w.next == 0 {
		return nil, err
	}
	return w, err
}

// fewOrigins bounds how many origins stand in a statement.
const fewOrigins = 1000

// narrow makes the filter's condition. Origins are looked up before: a join
// would let the database sort all calls of the day to find the first.
func (w *walk) narrow(ctx context.Context, q querier, f Filter) error {
	arg := func(v any) string {
		w.args = append(w.args, v)
		return fmt.Sprintf("$%d", len(w.args))
	}
	if !f.From.IsZero() {
		w.where += ` AND started_us >= ` + arg(f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		w.where += ` AND started_us < ` + arg(f.To.UnixMicro())
	}
	var of []string
	var args []any
	for _, p := range []struct{ column, is string }{{"prompt", string(f.Prompt)}, {"environment", f.Environment}, {"version", f.Version}} {
		if p.is != "" {
			args = append(args, p.is)
			of = append(of, fmt.Sprintf("%s = $%d", p.column, len(args)))
		}
	}
	if len(of) == 0 {
		return nil
	}
	var ids []string
	if err := rows(ctx, q, func(rs *sql.Rows) error {
		var id int64
		err := rs.Scan(&id)
		ids = append(ids, fmt.Sprint(id))
		return err
	}, w.day.sql(`SELECT id FROM origin_{day} WHERE `+strings.Join(of, " AND ")+fmt.Sprintf(` ORDER BY id LIMIT %d`, fewOrigins+1)), args...); err != nil {
		return err
	}
	switch {
	case len(ids) == 0:
		w.next = 0
	case len(ids) <= fewOrigins:
		w.where += ` AND origin IN (` + strings.Join(ids, ",") + `)`
	default:
		var wanted []string
		for i, a := range args {
			wanted = append(wanted, strings.Replace(of[i], fmt.Sprintf("$%d", i+1), arg(a), 1))
		}
		w.where += ` AND origin IN (SELECT id FROM origin_{day} WHERE ` + strings.Join(wanted, " AND ") + `)`
	}
	return nil
}

// first is the walk whose next call has the smallest number, nil if all are at
// their end.
func first(days []*walk) *walk {
	var least *walk
	for _, w := range days {
		if (w.next != 0 || len(w.read) > 0) && (least == nil || w.front() < least.front()) {
			least = w
		}
	}
	return least
}

func (w *walk) front() int64 {
	if len(w.read) > 0 {
		return w.read[0].Seq
	}
	return w.next
}

// fill reads the next n calls.
func (w *walk) fill(ctx context.Context, v *view, n int) error {
	args := slices.Concat(w.args, []any{w.next, w.last, n})
	k := len(w.args)
	query := fmt.Sprintf(`
		SELECT `+recordColumns+`
		FROM (SELECT * FROM call_{day} WHERE seq >= $%d AND seq <= $%d AND outcome <> 9`+w.where+` ORDER BY seq LIMIT $%d) c
		JOIN origin_{day} o ON o.id = c.origin
		ORDER BY c.seq`, k+1, k+2, k+3)
	w.read = make([]Record, 0, n)
	err := v.day(ctx, w.day, func(q querier) error {
		return rows(ctx, q, func(rs *sql.Rows) error {
			r, err := scanRecord(rs.Scan)
			w.read = append(w.read, r)
			return err
		}, w.day.sql(query), args...)
	})
	if len(w.read) < n {
		w.next = 0
	} else {
		w.next = w.read[n-1].Seq + 1
	}
	return err
}

package calllog

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// chunk is how many calls of a day are read at a time, so that days whose
// numbers mix are read side by side.
const chunk = 500

// The work of one page is bounded, however few calls its filter chooses: a
// statement looks at stretchOf numbers at most, and a page has pageWork of those
// that find less than they might.
const (
	stretchOf = 20_000
	pageWork  = 10
)

// List lists calls by number, at most limit of them, and the number to go on
// after, 0 if there are no more now. Where few calls meet the filter a page may
// be short, or empty, and the list still go on: no page looks at more than 200,000
// numbers. Whoever goes on misses none.
func (l *Log) List(ctx context.Context, f Filter, limit int) (out []Record, next int64, err error) {
	err = l.read(ctx, func(v *view) error {
		var days walks
		out, next = nil, 0
		for _, d := range v.live {
			w, err := begin(ctx, v, d, f)
			if err != nil {
				return err
			}
			if w != nil {
				days = append(days, w)
			}
		}
		work := 0
		for len(out) < limit && work < pageWork {
			w := days.first()
			if w == nil {
				return nil
			}
			if len(w.read) == 0 {
				n := min(chunk, limit-len(out))
				if err := w.fill(ctx, v, n); err != nil {
					return err
				}
				if len(w.read) < n {
					work++
				}
				continue
			}
			out = append(out, w.read[0])
			w.read = w.read[1:]
		}
		next = days.after()
		return nil
	})
	return out, next, err
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

// A walk goes through the calls of a day by number, up or down.
type walk struct {
	condition
	down     bool
	stretch  int64 // numbers that a statement looks at
	low, top int64 // the numbers that were not read are within; low > top at the end
	read     []Record
}

// begin is the walk through a day behind f.After, nil if no call of it is asked
// for.
func begin(ctx context.Context, v *view, d day, f Filter) (*walk, error) {
	w := &walk{condition: condition{day: d}, down: f.Newest, stretch: cmp.Or(f.stretch, stretchOf), low: 1, top: v.last} // a later number could be seen before an earlier one
	if f.UpTo > 0 {
		w.top = min(w.top, f.UpTo)
	}
	switch {
	case f.After > 0 && w.down:
		w.top = min(w.top, f.After-1)
	case !w.down:
		w.low = f.After + 1
	}
	there := false
	err := v.day(ctx, d, func(q querier) error {
		var low, top sql.Null[int64]
		if err := q.QueryRowContext(ctx, d.sql(`
			SELECT (SELECT MIN(seq) FROM call_{day} WHERE seq >= $1 AND seq <= $2), (SELECT MAX(seq) FROM call_{day} WHERE seq >= $1 AND seq <= $2)`), w.low, w.top).Scan(&low, &top); err != nil {
			return err
		}
		if w.low, w.top = low.V, top.V; !low.Valid {
			return nil
		}
		var err error
		there, err = w.narrow(ctx, q, f)
		return err
	})
	if !there {
		return nil, err
	}
	return w, err
}

type walks []*walk

// first is the walk whose next call comes first, nil if all are at their end.
func (ws walks) first() *walk {
	var first *walk
	for _, w := range ws {
		if !w.ended() && (first == nil || first.down == (w.front() > first.front())) {
			first = w
		}
	}
	return first
}

// after is the number behind which all is that was not handed out yet, 0 if that
// is nothing.
func (ws walks) after() int64 {
	switch w := ws.first(); {
	case w == nil:
		return 0
	case w.down:
		return w.front() + 1
	default:
		return w.front() - 1
	}
}

func (w *walk) ended() bool { return w.low > w.top && len(w.read) == 0 }

// front is a number before which, in the order of the walk, there is nothing.
func (w *walk) front() int64 {
	switch {
	case len(w.read) > 0:
		return w.read[0].Seq
	case w.down:
		return w.top
	}
	return w.low
}

// fill reads the next n calls of the next stretch.
func (w *walk) fill(ctx context.Context, v *view, n int) error {
	low, top, order := w.low, min(w.top, w.low+w.stretch-1), ``
	if w.down {
		low, top, order = max(w.low, w.top-w.stretch+1), w.top, ` DESC`
	}
	k := len(w.args)
	query := fmt.Sprintf(`
		SELECT `+recordColumns+`
		FROM (SELECT * FROM call_{day} WHERE seq >= $%d AND seq <= $%d AND outcome <> 9`+w.where+` ORDER BY seq`+order+` LIMIT $%d) c
		JOIN origin_{day} o ON o.id = c.origin
		ORDER BY c.seq`+order, k+1, k+2, k+3)
	w.read = make([]Record, 0, n)
	return v.day(ctx, w.day, func(q querier) error {
		w.read = w.read[:0]
		if err := rows(ctx, q, func(rs *sql.Rows) error {
			r, err := scanRecord(rs.Scan)
			w.read = append(w.read, r)
			return err
		}, w.day.sql(query), slices.Concat(w.args, []any{low, top, n})...); err != nil {
			return err
		}
		switch {
		case len(w.read) == n && w.down:
			w.top = w.read[n-1].Seq - 1
		case len(w.read) == n:
			w.low = w.read[n-1].Seq + 1
		case w.down:
			w.top = low - 1
		default:
			w.low = top + 1
		}
		return w.hop(ctx, q)
	})
}

// hop goes to the next number that there is: those of a day have gaps, and where
// others wrote, long ones.
func (w *walk) hop(ctx context.Context, q querier) error {
	end, to := "MIN", &w.low
	if w.down {
		end, to = "MAX", &w.top
	}
	var at sql.Null[int64]
	if err := q.QueryRowContext(ctx, w.day.sql(`SELECT `+end+`(seq) FROM call_{day} WHERE seq >= $1 AND seq <= $2`), w.low, w.top).Scan(&at); err != nil {
		return err
	}
	if *to = at.V; !at.Valid {
		w.low, w.top = 1, 0
	}
	return nil
}

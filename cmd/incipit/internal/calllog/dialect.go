package calllog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
)

// A dialect is what differs between the two databases. Its methods return
// errors as the database made them; read and write of Log explain them.
type dialect interface {
	open(ctx context.Context) error
	close() error
	// makeDay makes the tables of a day if they are not there. It reports
	// errRetired for a day whose tables are gone or go. Whoever calls it has
	// the turn.
	makeDay(ctx context.Context, d day) error
	// dropDay removes the tables of a retired day. It may be called again. No
	// writer waits for it. It reports errInUse if somebody reads them still.
	dropDay(ctx context.Context, d day) error
	// view shows fn what there is. What fn reads is closed when it returns.
	view(ctx context.Context, fn func(*view) error) error
	// latest is view.last, without a view.
	latest(ctx context.Context) (int64, error)
	// stirred are the live days that may have calls or feedback behind a number.
	stirred(ctx context.Context, v *view, after int64) ([]day, error)
	// begin begins to write to a day, or to the common tables if d is common,
	// and gives out n numbers, the last of which is tx.last. Whoever calls it
	// has the turn.
	begin(ctx context.Context, d day, n int) (*tx, error)
	// together reports whether one transaction can write to all days.
	together() bool

	// encode makes of a row what insert needs. It is called anew if the row
	// changes, but for its number.
	encode(r *row)
	// known looks rows of one day up by their ids, and sets row.there.
	known(ctx context.Context, tx *tx, d day, rows []*row) error
	// insert adds calls to one day. Their numbers are set. It reports errTaken
	// if one of them is there.
	insert(ctx context.Context, tx *tx, d day, rows []*row) error

	verdict(err error) sqlstore.Verdict
	// gone reports an error of a reader whose day was dropped meanwhile.
	gone(err error) bool
}

// common stands for the common tables where a day is asked for.
const common day = -1 << 31

// errInUse is of a day whose tables are to go, but are being read.
var errInUse = errors.New("the day is still being read")

// errRetired is of a day that is not written to any more.
var errRetired = errors.New("the day is over: its calls are deleted")

// A querier reads.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A view is what a reader sees. In PostgreSQL it is one state of all tables; in
// SQLite one of the common tables, and of each day one that is not older.
type view struct {
	common querier
	live   []day // those that are not retired, the oldest first
	// last is a number: calls and feedback up to it can all be seen. Of later
	// ones some may be seen, on one day and not yet on another.
	last int64
	on   func(ctx context.Context, d day, fn func(querier) error) error
}

// day shows fn the tables of a live day, in one state.
func (v *view) day(ctx context.Context, d day, fn func(querier) error) error { return v.on(ctx, d, fn) }

// read calls fn with a view, again if a day was dropped or a connection was
// lost meanwhile: so fn begins anew each time it is called. It explains errors
// of the database.
func (l *Log) read(ctx context.Context, fn func(*view) error) error {
	for n := 1; ; n++ {
		err := l.d.view(ctx, fn)
		if err == nil {
			return nil
		}
		v := l.d.verdict(err)
		most := 3
		if l.d.gone(err) { // several days may go, one after the other
			most = attempts
		}
		if n >= most || !v.Passing && !l.d.gone(err) || pause(ctx, n) != nil {
			return v.Err
		}
	}
}

// write runs fn in a transaction on the tables of a day, or on the common ones
// for common; in PostgreSQL both are within reach. It waits for its turn and
// keeps all other writers waiting, so fn does a bounded piece of work. It may
// be called again if others were in the way. It explains errors of the
// database, and reports errRetired for a day that is not live.
func (l *Log) write(ctx context.Context, d day, fn func(ctx context.Context, tx *tx) error) error {
	done, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	return l.transact(ctx, d, fn)
}

// transact is write for whoever has the turn.
func (l *Log) transact(ctx context.Context, d day, fn func(context.Context, *tx) error) error {
	l.seen.unsure()
	return l.again(ctx, func() error { return l.once(ctx, d, 0, fn) })
}

// once is one attempt of write. Whoever calls it has the turn.
func (l *Log) once(ctx context.Context, d day, numbers int, fn func(ctx context.Context, tx *tx) error) error {
	// Until the commit begins, the end of ctx ends all of it; from then on it
	// does not, since nobody would know how the commit ended.
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	detach := context.AfterFunc(ctx, cancel)
	defer detach()
	t, err := l.d.begin(whole, d, numbers)
	if err != nil {
		return orDone(ctx, err)
	}
	defer t.end()
	if err := fn(whole, t); err != nil {
		return orDone(ctx, err)
	}
	if !detach() {
		return ctx.Err()
	}
	if err := t.settle(); err != nil {
		return unanswered{err}
	}
	return nil
}

// unanswered is an error of a commit: perhaps there was one.
type unanswered struct{ error }

func (u unanswered) Unwrap() error { return u.error }

// again calls fn until it succeeds, a few times if others are in the way.
func (l *Log) again(ctx context.Context, fn func() error) error {
	for n := 1; ; n++ {
		err := fn()
		if err == nil {
			return nil
		}
		if v := l.d.verdict(err); n == attempts || !v.Passing || pause(ctx, n) != nil {
			return v.Err
		}
	}
}

// take waits for the turn to write, and returns the function that gives it back.
func (l *Log) take(ctx context.Context) (done func(), err error) {
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attempts bounds how often a transaction is tried: 6 seconds if the database
// is away, which is longer than a restart of PostgreSQL takes.
const attempts = 12

// pause is how long to wait before attempt n, from 1.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(min(5*time.Millisecond<<min(n, 8), time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// orDone is why ctx ended, if it did: what a database says of that is noise.
func orDone(ctx context.Context, err error) error {
	if done := ctx.Err(); done != nil {
		return done
	}
	return err
}

// rows calls scan for each row of a query.
func rows(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) error {
	rs, err := q.QueryContext(ctx, query, args...)
	return scanned(rs, err, scan)
}

func scanned(rs *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		if err := scan(rs); err != nil {
			return err
		}
	}
	return rs.Err()
}

// there notes the number of a call that is in the log already. rows are sorted
// by id.
func there(rs *sql.Rows, all []*row) error {
	var (
		id  []byte
		seq int64
	)
	if err := rs.Scan(&id, &seq); err != nil {
		return err
	}
	i, found := slices.BinarySearchFunc(all, id, func(r *row, id []byte) int { return slices.Compare(r.call.ID[:], id) })
	if found {
		all[i].there = seq
	}
	return nil
}

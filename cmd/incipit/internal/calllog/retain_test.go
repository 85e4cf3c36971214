package calllog

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// aMonth is a period that has all days of a test, whole.
func aMonth(db storetest.Database, id prompt.ID) RollupQuery {
	now := db.Clock.Now().Truncate(24 * time.Hour)
	return RollupQuery{Prompt: id, From: now.Add(-40 * 24 * time.Hour), To: now.Add(24 * time.Hour)}
}

// days counts the days of which tables are there.
func days(tb testing.TB, db storetest.Database, l *Log) int {
	tb.Helper()
	if db.Postgres {
		return numberOf(tb, l, `SELECT COUNT(*) FROM pg_catalog.pg_class WHERE relkind = 'r' AND relname ~ '^(call|origin|rollup|feedback)_[0-9]{8}$'`) / 4
	}
	names, err := filepath.Glob(filepath.Join(db.Config.Dir, "calls", "2*.db*"))
	if err != nil {
		tb.Fatal(err)
	}
	files := 0
	for _, n := range names {
		if filepath.Ext(n) == ".db" {
			files++
		}
	}
	return files
}

func TestADayThatIsOverIsDeletedAndItsRollupsStay(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		b := &ledger{Log: open()}
		s := newSource(60)
		old := s.calls(50, db.Clock.Now(), time.Hour)
		b.append(t, old)
		db.Clock.Advance(29 * 24 * time.Hour)
		b.append(t, s.calls(50, db.Clock.Now(), time.Hour))
		b.retain(t)
		if n := days(t, db, b.Log); n != 2 {
			t.Errorf("%d days are there", n)
		}
		db.Clock.Advance(2 * 24 * time.Hour)
		b.retain(t)
		if n := days(t, db, b.Log); n != 1 {
			t.Errorf("%d days are there after 31", n)
		}
		for _, id := range []prompt.ID{"support", "billing", "search"} {
			q := aMonth(db, id)
			sameSums(t, string(id), b.got(t, q), b.want(q))
		}
		if _, _, err := b.Find(t.Context(), old[0].ID.String(), anyone); !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
		if _, err := b.Append(t.Context(), entriesOf(old)); !errors.Is(err, prompt.ErrInvalid) {
			t.Error(err)
		}
		if got := pages(t, b.Log, Filter{}, 100); len(got) != 50 {
			t.Errorf("%d calls are listed", len(got))
		}
	})
}

func TestRetainGoesOnWhereItWasKilled(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		b := &ledger{Log: open()}
		b.append(t, newSource(61).calls(80, db.Clock.Now(), time.Hour))
		d := dayOf(b.calls[0].ID.At())
		db.Clock.Advance(32 * 24 * time.Hour)
		check := func(when string) {
			t.Helper()
			q := aMonth(db, "support")
			sameSums(t, when, b.got(t, q), b.want(q))
		}
		check("before")
		var sum draft
		if err := b.read(t.Context(), func(v *view) error {
			return v.day(t.Context(), d, func(q querier) (err error) {
				sum, err = draftOf(t.Context(), q, d)
				return err
			})
		}); err != nil {
			t.Fatal(err)
		}
		if moved, err := b.move(t.Context(), d, sum); err != nil || !moved {
			t.Fatal(moved, err)
		}
		if err := b.Close(); err != nil { // here it was killed
			t.Fatal(err)
		}
		b.Log = open()
		for _, c := range b.calls {
			c.retired = true
		}
		check("with its tables")
		if n := days(t, db, b.Log); n != 1 {
			t.Errorf("%d days are there", n)
		}
		b.retain(t)
		check("without")
		if n := days(t, db, b.Log); n != 0 {
			t.Errorf("%d days are there", n)
		}
		b.retain(t)
		check("again")
	})
}

func TestWhatComesWhileADayIsAddedUpIsNotLost(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		b := &ledger{Log: open()}
		s := newSource(62)
		b.append(t, s.calls(30, db.Clock.Now(), time.Hour))
		d := dayOf(b.calls[0].ID.At())
		var sum draft
		if err := b.read(t.Context(), func(v *view) error {
			return v.day(t.Context(), d, func(q querier) (err error) {
				sum, err = draftOf(t.Context(), q, d)
				return err
			})
		}); err != nil {
			t.Fatal(err)
		}
		b.rate(t, s, 1)
		if done, err := b.move(t.Context(), d, sum); err != nil || done {
			t.Errorf("it was retired as it was: %t, %v", done, err)
		}
		db.Clock.Advance(32 * 24 * time.Hour)
		b.retain(t)
		q := aMonth(db, b.calls[0].Prompt)
		sameSums(t, "after", b.got(t, q), b.want(q))
	})
}

func TestWhoeverReadsADayWhileItIsDeletedGetsAnAnswer(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(63).calls(500, db.Clock.Now(), time.Hour)
		add(t, l, calls)
		d := dayOf(calls[0].ID.At())
		db.Clock.Advance(32 * 24 * time.Hour)
		n := 0
		if err := l.read(t.Context(), func(v *view) error {
			n = 0
			return v.day(t.Context(), d, func(q querier) error {
				return rows(t.Context(), q, func(rs *sql.Rows) error {
					if n++; n == 1 { // in PostgreSQL the tables stay until nobody reads them
						if err := l.Retain(t.Context()); err != nil {
							return err
						}
					}
					_, err := scanRecord(rs.Scan)
					return err
				}, d.sql(`SELECT `+recordColumns+` FROM call_{day} c JOIN origin_{day} o ON o.id = c.origin`))
			})
		}); err != nil || n != len(calls) {
			t.Errorf("%d of %d calls: %v", n, len(calls), err)
		}
		if err := l.Retain(t.Context()); err != nil {
			t.Error(err)
		}
		if n := days(t, db, l); n != 0 {
			t.Errorf("%d days are there", n)
		}
	})
}

func TestNothingIsCountedTwiceWhileDaysAreDeleted(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(64).calls(400, db.Clock.Now(), 8*24*time.Hour)
		for _, c := range calls {
			c.Prompt = "support"
		}
		add(t, l, calls)
		db.Clock.Advance(33 * 24 * time.Hour)
		retainers := []*Log{l, l}
		if db.Postgres {
			retainers = append(retainers, open())
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var readers, deleters sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				for ctx.Err() == nil {
					n := int64(0)
					err := l.Rollups(t.Context(), RollupQuery{Prompt: "support", From: time.Unix(0, 0), To: db.Clock.Now()}, func(r Row) error {
						n += r.Calls
						return nil
					})
					if err != nil || n != int64(len(calls)) {
						t.Errorf("%d of %d calls are counted: %v", n, len(calls), err)
						return
					}
				}
			})
		}
		for _, r := range retainers {
			deleters.Go(func() {
				if err := r.Retain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		deleters.Wait()
		cancel()
		readers.Wait()
		for range 2 { // what somebody read when it was to be deleted
			if err := l.Retain(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := days(t, db, l); n > 3 {
			t.Errorf("%d days are there", n)
		}
	})
}

func TestOldMinutesGoAndHoursStay(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		b := &ledger{Log: open()}
		s := newSource(65)
		at := db.Clock.Now().Truncate(24 * time.Hour)
		var calls []*registry.Call
		for i := range retainChunk + 500 {
			c := s.call(at.Add(time.Duration(i%500) * time.Minute))
			c.ID = s.id(at)
			calls = append(calls, c)
		}
		for some := range slices.Chunk(calls, 250) {
			b.append(t, some)
		}
		spans := func(span time.Duration) (n int) {
			for k := range rolled(t, b.Log) {
				if k.span == int64(span/time.Second) {
					n++
				}
			}
			return n
		}
		minutes, hours := spans(time.Minute), spans(time.Hour)
		if minutes <= retainChunk {
			t.Fatalf("%d minutes are too few", minutes)
		}
		db.Clock.Advance(2 * 24 * time.Hour)
		b.retain(t)
		if n := spans(time.Minute); n != minutes {
			t.Errorf("%d of %d minutes are there before their time", n, minutes)
		}
		db.Clock.Advance(24 * time.Hour)
		b.retain(t)
		if m, h := spans(time.Minute), spans(time.Hour); m != 0 || h != hours {
			t.Errorf("%d minutes and %d of %d hours are there", m, h, hours)
		}
		b.check(t, s, 10)
	})
}

func TestRollupsAndWaitingFeedbackGoInTheirTime(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		add(t, l, newSource(66).calls(50, db.Clock.Now(), time.Hour))
		r := Rating{Ref: "resp_never", Feedback: registry.Feedback{Value: 1, At: db.Clock.Now()}, Grants: everywhere()}
		if _, err := l.Rate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			days          int
			kept, waiting bool
		}{{29, false, true}, {4, true, false}, {366, true, false}, {3, false, false}} {
			db.Clock.Advance(time.Duration(c.days) * 24 * time.Hour)
			if err := l.Retain(t.Context()); err != nil {
				t.Fatal(err)
			}
			kept, waiting := numberOf(t, l, `SELECT COUNT(*) FROM rollup_kept`), numberOf(t, l, `SELECT COUNT(*) FROM feedback_waiting`)
			if kept > 0 != c.kept || waiting > 0 != c.waiting {
				t.Errorf("after %d days more, %d rollups are kept and %d wait", c.days, kept, waiting)
			}
		}
	})
}

func TestAFileThatIsDeletedLeavesNothing(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	add(t, l, newSource(67).calls(50, db.Clock.Now(), time.Hour))
	db.Clock.Advance(32 * 24 * time.Hour)
	if err := l.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadDir(filepath.Join(db.Config.Dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if name := e.Name(); name[0] == '2' {
			t.Errorf("%s is there", name)
		}
	}
}

func TestADayThatCannotBeDeletedKeepsNoOther(t *testing.T) {
	db := storetest.SQLite(t)
	b := &ledger{Log: openLog(t, configOf(db))}
	b.append(t, newSource(68).calls(60, db.Clock.Now(), 3*24*time.Hour))
	all := days(t, db, b.Log)
	db.Clock.Advance(36 * 24 * time.Hour)
	first := filepath.Join(db.Config.Dir, "calls", dayOf(db.Clock.Now().Add(-38*24*time.Hour)).String()+".db")
	if err := os.Rename(first, first+".away"); err != nil {
		t.Fatal(err)
	}
	if err := b.Retain(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Error(err)
	}
	if n := days(t, db, b.Log); all < 3 || n != 0 {
		t.Errorf("of %d days, %d are there besides", all, n)
	}
	if err := os.Rename(first+".away", first); err != nil {
		t.Fatal(err)
	}
	b.retain(t)
	if n := days(t, db, b.Log); n != 0 {
		t.Errorf("%d days are there", n)
	}
	q := aMonth(db, "support")
	sameSums(t, "after", b.got(t, q), b.want(q))
}

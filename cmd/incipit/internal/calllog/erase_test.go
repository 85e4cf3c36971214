package calllog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// entriesFor are calls of one subject, which say so in everything that is a
// text.
func entriesFor(calls []*registry.Call, s SubjectHash, who string) []Entry {
	out := entriesOf(calls)
	for i, c := range calls {
		out[i].Subject = s
		c.Subject, c.Input, c.Output, c.Tags = who, who, who, map[string]string{"who": who}
		c.ResponseID = fmt.Sprintf("%s %d", who, i)
	}
	return out
}

func TestEraseForgetsASubject(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(50)
		theirs := entriesFor(s.calls(2*eraseChunk+30, db.Clock.Now(), 4*24*time.Hour), SubjectHash{1}, "subject-one-7f3a")
		others := s.calls(100, db.Clock.Now(), 4*24*time.Hour)
		for _, entries := range [][]Entry{theirs, entriesOf(others)} {
			if _, err := l.Append(t.Context(), entries); err != nil {
				t.Fatal(err)
			}
		}
		rate := func(ref string) (registry.FeedbackReceipt, error) {
			f := registry.Feedback{Value: 2, Comment: "subject-one-7f3a was angry", At: db.Clock.Now()}
			return l.Rate(t.Context(), Rating{Ref: ref, Feedback: f, Grants: everywhere()})
		}
		one := theirs[3].Call
		if _, err := rate(one.ID.String()); err != nil {
			t.Fatal(err)
		}
		before := rolled(t, l)

		if n, err := l.Erase(t.Context(), SubjectHash{1}); err != nil || n != int64(len(theirs)) {
			t.Errorf("%d calls were erased, not %d: %v", n, len(theirs), err)
		}
		if n, err := l.Erase(t.Context(), SubjectHash{1}); err != nil || n != 0 {
			t.Errorf("again: %d, %v", n, err)
		}
		if got := pages(t, l, Filter{}, 100); len(got) != len(others) {
			t.Errorf("%d calls are listed, not %d", len(got), len(others))
		}
		for _, ref := range []string{one.ID.String(), one.ResponseID} {
			if _, _, err := l.Find(t.Context(), ref, anyone); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s: %v", ref, err)
			}
		}
		if _, err := rate(one.ID.String()); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("rated later: %v", err)
		}
		sameRollups(t, rolled(t, l), before)
		if fresh, err := l.Append(t.Context(), theirs); err != nil || count(fresh) != 0 {
			t.Errorf("sent again, %d are new: %v", count(fresh), err)
		}
		if n := trails(t, l); n != 0 {
			t.Errorf("%d texts of them are left", n)
		}
		if !db.Postgres {
			nowhere(t, filepath.Join(db.Config.Dir, "calls"), "subject-one-7f3a")
		}
	})
}

// trails counts what is left of erased calls besides their ids.
func trails(tb testing.TB, l *Log) (n int) {
	tb.Helper()
	if err := l.read(tb.Context(), func(v *view) error {
		for _, d := range v.live {
			if err := v.day(tb.Context(), d, func(q querier) error {
				var calls, feedback int
				err := q.QueryRowContext(tb.Context(), d.sql(`
					SELECT (SELECT COUNT(*) FROM call_{day} WHERE outcome = 9 AND
							COALESCE(response_id, subject, tags, input, output) IS NOT NULL OR outcome = 9 AND (subject_hash IS NOT NULL OR response_hash IS NOT NULL)),
						(SELECT COUNT(*) FROM feedback_{day})`)).Scan(&calls, &feedback)
				n += calls + feedback
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return n
}

// nowhere looks for a text in the bytes of all files.
func nowhere(tb testing.TB, dir, text string) {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) < 5 {
		tb.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		if n := bytes.Count(b, []byte(text)); n > 0 {
			tb.Errorf("%s has it %d times", filepath.Base(name), n)
		}
	}
}

func TestTheZeroSubjectIsNobody(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		entries := entriesOf(newSource(51).calls(3, db.Clock.Now(), time.Hour))
		for i := range entries {
			entries[i].Subject = SubjectHash{}
		}
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		if n, err := l.Erase(t.Context(), SubjectHash{}); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestFeedbackThatWaitsIsErasedWithTheCall(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(52).calls(1, db.Clock.Now(), time.Minute)
		entries := entriesFor(calls, SubjectHash{2}, "subject-two")
		// It waits for ever: whoever sent it may not record that call.
		r := Rating{Ref: calls[0].ResponseID, Feedback: registry.Feedback{Value: 1, Comment: "a secret", At: db.Clock.Now()}}
		if receipt, err := l.Rate(t.Context(), r); err != nil || !receipt.Waiting {
			t.Fatalf("%+v, %v", receipt, err)
		}
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		if n, err := l.Erase(t.Context(), SubjectHash{2}); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if n := numberOf(t, l, `SELECT COUNT(*) FROM feedback_waiting`); n != 0 {
			t.Errorf("%d wait still", n)
		}
	})
}

// numberOf is the answer to a question to the common tables.
func numberOf(tb testing.TB, l *Log, query string) (n int) {
	tb.Helper()
	if err := l.read(tb.Context(), func(v *view) error { return v.common.QueryRowContext(tb.Context(), query).Scan(&n) }); err != nil {
		tb.Fatal(err)
	}
	return n
}

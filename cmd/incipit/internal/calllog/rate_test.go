package calllog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// anyCall lets all calls be recorded.
func anyCall() []registry.Grant {
	return []registry.Grant{{Permissions: []registry.Permission{registry.MayRecord}, Environments: []string{"*"}, Prompts: []string{"*"}}}
}

// rate sends feedback and returns what became of it.
func rate(tb testing.TB, l *Log, ref string, f registry.Feedback) registry.FeedbackReceipt {
	tb.Helper()
	f.At = l.cfg.Now()
	r, err := l.Rate(tb.Context(), Rating{Ref: ref, Feedback: f, Grants: anyCall()})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func score(v float64) registry.Feedback { return registry.Feedback{Value: v, By: "app"} }

// rated are copies of calls with other satisfactions.
func rated(calls []*registry.Call, by map[int]float64) []*registry.Call {
	out := slices.Clone(calls)
	for i, v := range by {
		c := *calls[i]
		c.Satisfaction = registry.Some(v)
		out[i] = &c
	}
	return out
}

// feedbackFor is what was said of a call.
func feedbackFor(tb testing.TB, l *Log, id registry.CallID) []registry.Feedback {
	tb.Helper()
	_, f, err := l.Find(tb.Context(), id.String(), anyone)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// waitingIn is how much feedback waits.
func waitingIn(tb testing.TB, l *Log) (n int) {
	tb.Helper()
	if err := l.read(tb.Context(), func(v *view) error {
		return v.common.QueryRowContext(tb.Context(), `SELECT COUNT(*) FROM feedback_waiting`).Scan(&n)
	}); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestFeedbackReplacesAndNeverAdds(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(20).calls(60, db.Clock.Now(), 30*time.Hour)
		add(t, l, calls)
		want := make(map[int]float64)
		for i, c := range calls[:20] {
			ref := c.ID.String()
			switch {
			case i%3 == 1:
				ref = strings.ToUpper(ref)
			case i%3 == 2 && c.ResponseID != "":
				ref = c.ResponseID
			}
			r := rate(t, l, ref, score(2))
			if r.Call != c.ID.String() || r.Waiting || r.Replaced {
				t.Errorf("first: %+v", r)
			}
			if r = rate(t, l, ref, score(4.5)); !r.Replaced || r.Waiting || r.Feedback.Value != 4.5 {
				t.Errorf("changed: %+v", r)
			}
			rate(t, l, ref, score(4.5))
			rate(t, l, ref, registry.Feedback{Name: "relevance", Value: 0.25, Comment: "not quite"})
			want[i] = 4.5
			f := feedbackFor(t, l, c.ID)
			if len(f) != 2 || f[0].Value != 4.5 || f[0].By != "app" || f[1].Name != "relevance" || f[1].Value != 0.25 || f[1].Comment != "not quite" {
				t.Errorf("%+v", f)
			}
		}
		whole(t, l, rated(calls, want))
		if n := waitingIn(t, l); n != 0 {
			t.Errorf("%d wait", n)
		}
		if n := add(t, l, calls); n != 0 { // with their own satisfaction, as at first
			t.Errorf("%d new", n)
		}
		whole(t, l, rated(calls, want))
	})
}

func TestFeedbackMayComeBeforeItsCall(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(21).calls(40, db.Clock.Now(), 30*time.Hour)
		want := make(map[int]float64)
		for i, c := range calls[:12] {
			ref := strings.ToUpper(c.ID.String())
			if i%2 == 1 && c.ResponseID != "" {
				ref = c.ResponseID
			}
			if r := rate(t, l, ref, score(1)); !r.Waiting || r.Replaced || r.Call != "" {
				t.Errorf("first: %+v", r)
			}
			if r := rate(t, l, ref, score(3)); !r.Waiting || !r.Replaced {
				t.Errorf("changed: %+v", r)
			}
			rate(t, l, ref, registry.Feedback{Name: "tone", Value: -1})
			want[i] = 3
		}
		if err := l.Close(); err != nil { // it waits on disk
			t.Fatal(err)
		}
		l = open()
		rate(t, l, calls[0].ID.String(), score(5))
		want[0] = 5
		add(t, l, calls)
		whole(t, l, rated(calls, want))
		if n := waitingIn(t, l); n != 0 {
			t.Errorf("%d wait still", n)
		}
		for i := range want {
			if f := feedbackFor(t, l, calls[i].ID); len(f) != 2 || f[0].Value != want[i] || f[1].Value != -1 {
				t.Errorf("%d: %+v", i, f)
			}
		}
		add(t, l, calls)
		if r := rate(t, l, calls[3].ID.String(), score(1.5)); !r.Replaced || r.Waiting {
			t.Errorf("after: %+v", r)
		}
		want[3] = 1.5
		whole(t, l, rated(calls, want))
	})
}

func TestFeedbackCountsOnlyForCallsThatItsSenderMayRecord(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(22).calls(2, db.Clock.Now(), time.Minute)
		calls[0].Prompt, calls[1].Prompt = "support", "billing"
		calls[0].ResponseID, calls[1].ResponseID = "resp_same", "resp_same"
		add(t, l, calls[:1])
		grants := []registry.Grant{{Permissions: []registry.Permission{registry.MayRecord}, Environments: []string{"*"}, Prompts: []string{"billing"}}}
		for _, ref := range []string{calls[0].ID.String(), "resp_same"} {
			r, err := l.Rate(t.Context(), Rating{Ref: ref, Feedback: registry.Feedback{Value: 1, At: db.Clock.Now()}, Grants: grants})
			if err != nil || !r.Waiting || r.Call != "" {
				t.Errorf("%+v, %v", r, err)
			}
		}
		add(t, l, calls[1:])
		whole(t, l, rated(calls, map[int]float64{1: 1}))
		if n := waitingIn(t, l); n != 1 { // for the call's id, and never found
			t.Errorf("%d wait", n)
		}
		r, err := l.Rate(t.Context(), Rating{Ref: "resp_same", Feedback: registry.Feedback{Value: 2, At: db.Clock.Now()}, Grants: grants})
		if err != nil || r.Call != calls[1].ID.String() {
			t.Errorf("%+v, %v", r, err)
		}
		more := newSource(23).calls(1, db.Clock.Now(), time.Minute)[0]
		more.Prompt, more.ResponseID = "support", "resp_same"
		add(t, l, []*registry.Call{more})
		if r, err = l.Rate(t.Context(), Rating{Ref: "resp_same", Feedback: registry.Feedback{Value: 3, At: db.Clock.Now()}, Grants: grants}); err != nil || r.Call != calls[1].ID.String() {
			t.Errorf("the newest is not theirs: %+v, %v", r, err)
		}
		if r := rate(t, l, "resp_same", score(4)); r.Call != more.ID.String() {
			t.Errorf("of all, the newest: %+v", r)
		}
	})
}

func TestFeedbackThatWaitedIsTakenOnceThoughWeWereKilled(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	s := newSource(24)
	calls := s.calls(2, db.Clock.Now(), time.Minute)
	calls[0].ResponseID, calls[1].ResponseID = "resp_twice", "resp_twice"
	calls[0].Satisfaction, calls[1].Satisfaction = registry.Opt[float64]{}, registry.Opt[float64]{}
	rate(t, l, "resp_twice", score(5))
	var kept []any
	if err := l.write(t.Context(), common, func(ctx context.Context, tx *tx) error {
		kept = make([]any, 8)
		p := make([]any, 8)
		for i := range p {
			p[i] = &kept[i]
		}
		return tx.QueryRowContext(ctx, `SELECT ref, name, by_name, seq, value, comment, grants, at_us FROM feedback_waiting`).Scan(p...)
	}); err != nil {
		t.Fatal(err)
	}
	add(t, l, calls[:1])
	if n := waitingIn(t, l); n != 0 {
		t.Fatalf("%d wait", n)
	}
	if err := l.write(t.Context(), common, func(ctx context.Context, tx *tx) error { // as if it was never removed
		_, err := tx.ExecContext(ctx, `INSERT INTO feedback_waiting (ref, name, by_name, seq, value, comment, grants, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, kept...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, configOf(db))
	add(t, l, calls[1:])
	whole(t, l, rated(calls, map[int]float64{0: 5}))
	if n := waitingIn(t, l); n != 0 {
		t.Errorf("%d wait still", n)
	}
}

func TestFeedbackAndCallsAtOnce(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		logs := []*Log{open()}
		if db.Postgres {
			logs = append(logs, open())
		}
		l := logs[0]
		calls := newSource(25).calls(64, db.Clock.Now(), 30*time.Hour)
		want := make(map[int]float64)
		for i := range calls {
			want[i] = float64(1 + i%5)
		}
		var wg sync.WaitGroup
		for i, c := range calls {
			wg.Go(func() {
				if _, err := logs[i%len(logs)].Append(t.Context(), entriesOf(calls[i:i+1])); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				ref := c.ID.String()
				if i%2 == 0 && c.ResponseID != "" {
					ref = c.ResponseID
				}
				_, err := logs[(i+i/2)%len(logs)].Rate(t.Context(), Rating{Ref: ref, Feedback: registry.Feedback{Value: want[i], At: db.Clock.Now()}, Grants: anyCall()})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		whole(t, l, rated(calls, want))
		if n := waitingIn(t, l); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestFeedbackForAnErasedCallIsRefused(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(26).calls(1, db.Clock.Now(), time.Minute)
		entries := entriesOf(calls)
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		if n, err := l.Erase(t.Context(), entries[0].Subject); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		_, err := l.Rate(t.Context(), Rating{Ref: calls[0].ID.String(), Feedback: score(2), Grants: anyCall()})
		if !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestOneBadRatingHurtsNobodyElse(t *testing.T) {
	db := storetest.Postgres(t) // SQLite takes any text
	l := openLog(t, configOf(db))
	calls := newSource(27).calls(2, db.Clock.Now(), time.Minute)
	bad := newSource(28).calls(1, db.Clock.Now(), time.Minute)
	bad[0].ResponseID = "resp\x00"
	jobs := make([]*job, 0, 4)
	for _, c := range [][]*registry.Call{calls, bad} {
		j := &job{done: make(chan struct{})}
		for _, e := range entriesOf(c) {
			r, err := prepare(e, dayOf(e.Call.ID.At()), make(map[originFields]*origin))
			if err != nil {
				t.Fatal(err)
			}
			l.d.encode(&r)
			j.rows = append(j.rows, r)
		}
		jobs = append(jobs, j)
	}
	for _, comment := range []string{"fine", "not\x00fine"} {
		jobs = append(jobs, &job{done: make(chan struct{}), rating: &rating{Rating: Rating{
			Ref: calls[0].ID.String(), Feedback: registry.Feedback{Name: comment[:3], Value: 1, Comment: comment, At: db.Clock.Now()}, Grants: anyCall(),
		}}})
	}
	l.writeGroup(t.Context(), jobs)
	for i, want := range []bool{false, true, false, true} {
		if (jobs[i].err != nil) != want {
			t.Errorf("job %d: %v", i, jobs[i].err)
		}
	}
	whole(t, l, calls)
	if f := feedbackFor(t, l, calls[0].ID); len(f) != 1 || f[0].Comment != "fine" {
		t.Errorf("%s", cmp.Diff(nil, f))
	}
}

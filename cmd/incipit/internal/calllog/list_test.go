package calllog

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// pages lists calls page by page.
func pages(tb testing.TB, l *Log, f Filter, limit int) []Record {
	tb.Helper()
	var out []Record
	for {
		page, next, err := l.List(tb.Context(), f, limit)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page) > limit {
			tb.Fatalf("a page of %d has %d", limit, len(page))
		}
		out = append(out, page...)
		if next == 0 {
			return out
		}
		f.After = next
	}
}

func TestPagesHaveEachCallThatTheFilterChooses(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(30)
		now := db.Clock.Now()
		for range 6 { // numbers of the days mix
			add(t, l, s.calls(150, now, 6*24*time.Hour))
		}
		relevance := make(map[registry.CallID]float64)
		for i, r := range stored(t, l) {
			if i%9 == 0 {
				relevance[r.Call.ID] = float64(i%4) / 4
				if _, err := l.Rate(t.Context(), Rating{Ref: r.Call.ID.String(), Feedback: registry.Feedback{Name: "relevance", Value: relevance[r.Call.ID], At: now}, Grants: anyCall()}); err != nil {
					t.Fatal(err)
				}
			}
		}
		all := stored(t, l)
		last, err := l.Latest(t.Context())
		if err != nil || last < all[len(all)-1].Seq {
			t.Errorf("the last number is %d, not %d: %v", last, all[len(all)-1].Seq, err)
		}
		for _, f := range []Filter{
			{},
			{Prompt: "support"},
			{Environment: "staging", Version: "1.1.0"},
			{Prompt: "none"},
			{From: now.Add(-40 * time.Hour), To: now.Add(-30 * time.Hour)},
			{Prompt: "billing", From: now.Add(-4 * 24 * time.Hour)},
			{After: all[100].Seq, UpTo: all[500].Seq},
			{After: last},
			{UpTo: 1},
			{Newest: true},
			{Newest: true, Prompt: "support", UpTo: all[500].Seq},
			{Newest: true, After: all[300].Seq, Outcome: registry.Failed},
			{Newest: true, From: now.Add(-40 * time.Hour), Arm: registry.CandidateArm},
			{Outcome: registry.OK, Arm: registry.StableArm},
			{Outcome: registry.Cancelled},
			{ErrorClass: registry.UnknownError},
			{Outcome: registry.Failed, ErrorClass: string(registry.TimeoutError), Environment: "staging"},
			{Score: &registry.ScoreBounds{}},
			{Score: &registry.ScoreBounds{Min: new(2.0), Max: new(4.0)}, Newest: true},
			{Score: &registry.ScoreBounds{Name: "relevance"}},
			{Score: &registry.ScoreBounds{Name: "relevance", Min: new(0.5)}, Prompt: "billing"},
			{Score: &registry.ScoreBounds{Name: "relevance", Max: new(0.25)}, Newest: true},
		} {
			var want []int64
			for _, r := range all {
				c := r.Call
				if (f.Prompt == "" || c.Prompt == f.Prompt) && (f.Environment == "" || c.Environment == f.Environment) && (f.Version == "" || c.Version == f.Version) &&
					!c.StartedAt.Before(f.From) && (f.To.IsZero() || c.StartedAt.Before(f.To)) &&
					(f.After == 0 || f.Newest == (r.Seq < f.After) && r.Seq != f.After) && (f.UpTo == 0 || r.Seq <= f.UpTo) && chosen(f, r, relevance) {
					want = append(want, r.Seq)
				}
			}
			if f.Newest {
				slices.Reverse(want)
			}
			if f.Score != nil && len(want) == 0 {
				t.Errorf("%+v chooses nothing", f)
			}
			for _, limit := range []int{61, 10_000} {
				f.stretch = map[int]int64{61: 90}[limit] // short ones, and the usual
				var got []int64
				for _, r := range pages(t, l, f, limit) {
					got = append(got, r.Seq)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%+v by %d: %d calls, not %d", f, limit, len(got), len(want))
				}
			}
		}
	})
}

// chosen reports whether a filter's outcome, arm and score choose a call.
func chosen(f Filter, r Record, relevance map[registry.CallID]float64) bool {
	c := r.Call
	if f.Arm != "" && c.Arm != f.Arm || f.Outcome != "" && c.Outcome != f.Outcome {
		return false
	}
	if f.ErrorClass != "" && (c.Outcome != registry.Failed || f.ErrorClass != cmp.Or(string(c.ErrorClass), registry.UnknownError)) {
		return false
	}
	if f.Score == nil {
		return true
	}
	v, ok := c.Satisfaction.Value, c.Satisfaction.Known
	if f.Score.Name != "" {
		v, ok = relevance[c.ID]
	}
	return ok && (f.Score.Min == nil || v >= *f.Score.Min) && (f.Score.Max == nil || v <= *f.Score.Max)
}

// A page of a filter that nothing meets ends, and the list goes on behind it.
func TestAPageLooksAtSoMuchAndNoMore(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(33).calls(400, db.Clock.Now(), 12*time.Hour)
		for _, c := range calls {
			c.Outcome, c.ErrorClass = registry.OK, ""
		}
		calls[0].Outcome = registry.Cancelled
		add(t, l, calls)
		for _, newest := range []bool{false, true} {
			f := Filter{Outcome: registry.Cancelled, Newest: newest, stretch: 10}
			found, n := 0, 0
			for ; n < 100; n++ {
				page, next, err := l.List(t.Context(), f, 50)
				if err != nil {
					t.Fatal(err)
				}
				found += len(page)
				if f.After = next; next == 0 {
					break
				}
			}
			if found != 1 || n < 400/10/pageWork-1 || n > 20 {
				t.Errorf("newest %v: %d calls in %d pages", newest, found, n+1)
			}
		}
	})
}

func TestMoreOriginsThanStandInAStatement(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(31).calls(fewOrigins+200, db.Clock.Now(), time.Second)
		for i, c := range calls {
			c.Prompt, c.Environment, c.Model = "support", "production", string(rune('a'+i%26))+c.ID.String()
		}
		calls[5].Prompt = "billing"
		add(t, l, calls)
		if got := pages(t, l, Filter{Prompt: "support", Environment: "production", From: db.Clock.Now().Add(-time.Hour)}, 400); len(got) != len(calls)-1 {
			t.Errorf("%d calls, not %d", len(got), len(calls)-1)
		}
	})
}

func TestWhoeverReadsOnMissesNothingWhileWritersGoOn(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		writers := []*Log{open()}
		if db.Postgres { // another replica
			writers = append(writers, open())
		}
		now := db.Clock.Now()
		var wg sync.WaitGroup
		done := make(chan struct{})
		for i, l := range writers {
			for j := range 2 {
				wg.Go(func() {
					s := newSource(uint64(40 + 2*i + j))
					for range 10 {
						add(t, l, s.calls(20, now, 4*24*time.Hour))
					}
				})
			}
		}
		go func() { wg.Wait(); close(done) }()
		var got []int64
		after := int64(0)
		for ended := false; ; {
			select {
			case <-done:
				ended = true
			default:
			}
			page, next, err := writers[0].List(t.Context(), Filter{After: after}, 30)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				if r.Seq <= after {
					t.Fatalf("%d comes after %d", r.Seq, after)
				}
				after = r.Seq
				got = append(got, r.Seq)
			}
			if ended && next == 0 {
				break
			}
			after = max(after, next)
		}
		var want []int64
		for _, r := range stored(t, writers[0]) {
			want = append(want, r.Seq)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d calls were listed, not %d", len(got), len(want))
		}
	})
}

func TestAnEmptyLogHasNothing(t *testing.T) {
	eachLog(t, func(t *testing.T, _ storetest.Database, open func() *Log) {
		l := open()
		got, _, err := l.List(t.Context(), Filter{Prompt: "support", Environment: "production", Version: "1.0.0", From: time.Unix(0, 0), To: time.Unix(1<<33, 0), UpTo: 5}, 10)
		if err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
		if n, err := l.Latest(t.Context()); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := l.Erase(t.Context(), SubjectHash{1}); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		if err := l.Retain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

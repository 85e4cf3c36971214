package calllog

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
)

// pages lists calls page by page.
func pages(tb testing.TB, l *Log, f Filter, limit int) []Record {
	tb.Helper()
	var out []Record
	for {
		page, err := l.List(tb.Context(), f, limit)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page) > limit {
			tb.Fatalf("a page of %d has %d", limit, len(page))
		}
		out = append(out, page...)
		if len(page) < limit {
			return out
		}
		f.After = page[len(page)-1].Seq
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
		all := stored(t, l)
		last, err := l.Latest(t.Context())
		if err != nil || last != all[len(all)-1].Seq {
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
		} {
			var want []int64
			for _, r := range all {
				c := r.Call
				if (f.Prompt == "" || c.Prompt == f.Prompt) && (f.Environment == "" || c.Environment == f.Environment) && (f.Version == "" || c.Version == f.Version) &&
					!c.StartedAt.Before(f.From) && (f.To.IsZero() || c.StartedAt.Before(f.To)) && r.Seq > f.After && (f.UpTo == 0 || r.Seq <= f.UpTo) {
					want = append(want, r.Seq)
				}
			}
			for _, limit := range []int{7, 100, 10_000} {
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
			page, err := writers[0].List(t.Context(), Filter{After: after}, 30)
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
			if ended && len(page) < 30 {
				break
			}
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
		got, err := l.List(t.Context(), Filter{Prompt: "support", Environment: "production", Version: "1.0.0", From: time.Unix(0, 0), To: time.Unix(1<<33, 0), UpTo: 5}, 10)
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

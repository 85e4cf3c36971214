package calllog

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// followed is all that there is behind a number, read page by page.
func followed(tb testing.TB, after int64, limit int, ask func(after int64, limit int) ([]Seen, int64, error)) []Seen {
	tb.Helper()
	var out []Seen
	for {
		page, last, err := ask(after, limit)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page) > limit || last < after || len(page) > 0 && (page[0].Seq <= after || page[len(page)-1].Seq > last) {
			tb.Fatalf("after %d: %d of %d, and the last number is %d", after, len(page), limit, last)
		}
		out, after = append(out, page...), last
		if len(page) < limit {
			return out
		}
	}
}

// everySeen is what Follow must tell, read in the simplest way.
func everySeen(tb testing.TB, l *Log) []Seen {
	tb.Helper()
	of := make(map[registry.CallID]Seen)
	var out []Seen
	for _, r := range stored(tb, l) {
		c := r.Call
		s := Seen{
			Seq: r.Seq, Call: c.ID, Prompt: c.Prompt, Environment: c.Environment, Version: c.Version, Arm: c.Arm, Rollout: c.Rollout, Share: c.Share,
			Subject: r.Subject, StartedAt: c.StartedAt, Latency: c.Latency, FirstToken: c.FirstToken,
			InputTokens: c.InputTokens, OutputTokens: c.OutputTokens, Cost: c.Cost, Outcome: c.Outcome, Satisfaction: c.Satisfaction,
		}
		of[c.ID] = s
	}
	if err := l.read(tb.Context(), func(v *view) error {
		for _, d := range v.live {
			if err := v.day(tb.Context(), d, func(q querier) error {
				rs, err := q.QueryContext(tb.Context(), d.sql(`SELECT call_id, seq, value FROM feedback_{day} WHERE name = ''`)) //nolint:rowserrcheck // it is
				if err != nil {
					return err
				}
				defer rs.Close()
				for rs.Next() {
					var (
						id    []byte
						seq   int64
						value float64
					)
					if err := rs.Scan(&id, &seq, &value); err != nil {
						return err
					}
					s := of[registry.CallID(id)]
					call := s
					call.Satisfaction = registry.Opt[float64]{}
					of[s.Call] = call
					s.Seq, s.Rating, s.Satisfaction = seq, true, registry.Some(value)
					out = append(out, s)
				}
				return rs.Err()
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	for _, s := range of {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Seen) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// story records and rates calls of several days, in any order.
func story(tb testing.TB, db storetest.Database, l *Log, seed uint64) {
	tb.Helper()
	s := newSource(seed)
	now := db.Clock.Now()
	var all []*registry.Call
	for range 8 {
		late := s.calls(40, now, 4*24*time.Hour)
		for _, c := range late[:10] { // rated before it comes
			ref := c.ID.String()
			if s.IntN(2) == 0 && c.ResponseID != "" {
				ref = c.ResponseID
			}
			rate(tb, l, ref, score(float64(1+s.IntN(5))))
		}
		add(tb, l, late)
		all = append(all, late...)
		for range 15 {
			rate(tb, l, all[s.IntN(len(all))].ID.String(), score(float64(1+s.IntN(5))))
			rate(tb, l, all[s.IntN(len(all))].ID.String(), registry.Feedback{Name: "tone", Value: 1})
		}
	}
}

func TestFollowTellsEachCallAndRatingOnce(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		story(t, db, l, 60)
		want := everySeen(t, l)
		calls, ratings := 0, 0
		for _, s := range want {
			if s.Rating {
				ratings++
			} else {
				calls++
			}
		}
		if calls != 320 || ratings < 100 {
			t.Fatalf("%d calls and %d ratings", calls, ratings)
		}
		ask := func(after int64, limit int) ([]Seen, int64, error) { return l.Follow(t.Context(), after, limit) }
		for _, limit := range []int{1, 7, 100, 10_000} {
			if d := gocmp.Diff(want, followed(t, 0, limit, ask)); d != "" {
				t.Fatalf("by %d:\n%.2000s", limit, d)
			}
		}
		for i, s := range want { // from every number on, and from those in the gaps
			for _, after := range []int64{s.Seq, s.Seq - 1} {
				rest := want[i+1:]
				if after < s.Seq {
					rest = want[i:]
				}
				got, last, err := l.Follow(t.Context(), after, 50)
				if err != nil || len(got) != min(50, len(rest)) || len(got) > 0 && got[0].Seq != rest[0].Seq || len(got) == 50 && last != rest[49].Seq {
					t.Fatalf("after %d: %d, up to %d, %v", after, len(got), last, err)
				}
			}
		}
		newest, err := l.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range []int64{newest, want[len(want)-1].Seq} {
			if got, last, err := l.Follow(t.Context(), after, 50); err != nil || len(got) != 0 || last != newest {
				t.Errorf("after the last: %d, up to %d, %v", len(got), last, err)
			}
		}
		if _, last, err := l.Follow(t.Context(), newest+1000, 50); err != nil || last != newest {
			t.Errorf("a number of another log is not noticed: %d, %v", last, err)
		}
	})
}

func TestFollowOfOnePrompt(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		story(t, db, l, 61)
		all := everySeen(t, l)
		upTo, after := all[len(all)*3/4].Seq, all[len(all)/8].Seq
		var want []Seen
		for _, s := range all {
			if s.Prompt == "billing" && s.Environment == "production" && s.Seq > after && s.Seq <= upTo {
				want = append(want, s)
			}
		}
		for _, limit := range []int{3, 1000} {
			got := followed(t, after, limit, func(after int64, limit int) ([]Seen, int64, error) {
				return l.FollowOf(t.Context(), "billing", "production", after, upTo, limit)
			})
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("by %d:\n%.2000s", limit, d)
			}
		}
		if got, last, err := l.FollowOf(t.Context(), "none", "production", 0, upTo, 10); err != nil || len(got) != 0 || last != upTo {
			t.Errorf("%d, up to %d, %v", len(got), last, err)
		}
	})
}

func TestFollowPassesOverWhatWasErased(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(62).calls(30, db.Clock.Now(), 3*24*time.Hour)
		entries := entriesOf(calls)
		for i := range entries {
			entries[i].Subject = SubjectHash{byte(1 + i%2)}
		}
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		for _, c := range calls {
			rate(t, l, c.ID.String(), score(2))
		}
		if _, err := l.Erase(t.Context(), SubjectHash{1}); err != nil {
			t.Fatal(err)
		}
		got := followed(t, 0, 4, func(after int64, limit int) ([]Seen, int64, error) { return l.Follow(t.Context(), after, limit) })
		if len(got) != 30 {
			t.Errorf("%d were seen", len(got))
		}
		for _, s := range got {
			if s.Subject != (SubjectHash{2}) || s.Satisfaction.Known != s.Rating {
				t.Errorf("%+v", s)
			}
		}
	})
}

// A number that was told as the last is never given to something else, though
// the process ends and nothing in the log has that number.
func TestNumbersAreNotGivenOutAgain(t *testing.T) {
	db := storetest.SQLite(t)
	s := newSource(63)
	last := int64(0)
	for i := range 6 {
		l := openLog(t, configOf(db))
		if i%3 != 2 {
			if n := add(t, l, s.calls(3, db.Clock.Now(), time.Hour)); n != 3 {
				t.Fatal(n)
			}
			seen, end, err := l.Follow(t.Context(), last, 10)
			if err != nil || len(seen) != 3 {
				t.Errorf("start %d: after %d, %d of 3 new calls were seen: %v", i, last, len(seen), err)
			}
			last = end
		}
		for range 5 { // takes numbers, and leaves none
			if err := l.write(t.Context(), common, func(context.Context, *tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		_, end, err := l.Follow(t.Context(), last, 10)
		if err != nil || end < last {
			t.Errorf("start %d: %d comes after %d, %v", i, end, last, err)
		}
		last = end
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever follows while others write, rate and rate anew sees each call once,
// and the rating that counts of each.
func TestFollowMissesNothingWhileWritersGoOn(t *testing.T) {
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
					s := newSource(uint64(70 + 2*i + j))
					for range 8 {
						calls := s.calls(20, now, 4*24*time.Hour)
						rate(t, l, calls[0].ID.String(), score(1))
						add(t, l, calls)
						for range 5 {
							rate(t, l, calls[s.IntN(20)].ID.String(), score(float64(1+s.IntN(5))))
						}
					}
				})
			}
		}
		go func() { wg.Wait(); close(done) }()
		var got []Seen
		after := int64(0)
		for ended := false; ; {
			select {
			case <-done:
				ended = true
			default:
			}
			page, last, err := writers[0].Follow(t.Context(), after, 30)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page {
				if s.Seq <= after || s.Seq > last {
					t.Fatalf("%d is between %d and %d", s.Seq, after, last)
				}
			}
			got, after = append(got, page...), last
			if ended && len(page) < 30 {
				break
			}
		}
		counts, seen := make(map[registry.CallID]int), make(map[registry.CallID]Seen)
		for _, s := range got {
			if !s.Rating {
				counts[s.Call]++
			} else if counts[s.Call] == 0 {
				t.Errorf("a rating of %s came before it", s.Call)
			}
			if s.Rating || !seen[s.Call].Satisfaction.Known {
				seen[s.Call] = s
			}
		}
		all := stored(t, writers[0])
		for _, r := range all {
			if counts[r.Call.ID] != 1 || seen[r.Call.ID].Satisfaction != r.Call.Satisfaction {
				t.Errorf("%s was seen %d times, and rated %v, not %v", r.Call.ID, counts[r.Call.ID], seen[r.Call.ID].Satisfaction, r.Call.Satisfaction)
			}
		}
		if len(counts) != len(all) {
			t.Errorf("%d calls were seen, not %d", len(counts), len(all))
		}
	})
}

func TestBeforeIsTheLastCallsOfARelease(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		story(t, db, l, 64)
		all := stored(t, l)
		now := db.Clock.Now()
		r := rand.New(rand.NewPCG(64, 1))
		for range 40 {
			from, upTo, most := now.Add(-time.Duration(r.IntN(96))*time.Hour), all[r.IntN(len(all))].Seq, 1+r.IntN(60)
			id, env, version := prompt.ID("support"), []string{"production", ""}[r.IntN(2)], []string{"1.0.0", "1.1.0"}[r.IntN(2)]
			var want []int64
			for _, c := range all {
				if c.Call.Prompt == id && (env == "" || c.Call.Environment == env) && c.Call.Version == version && c.Seq <= upTo && !c.Call.StartedAt.Before(from) {
					want = append(want, c.Seq)
				}
			}
			want = want[max(0, len(want)-most):]
			found, err := l.Before(t.Context(), id, env, version, from, upTo, most)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, s := range found {
				got = append(got, s.Seq)
				i, _ := slices.BinarySearchFunc(all, s.Seq, func(r Record, n int64) int { return cmp.Compare(r.Seq, n) })
				if all[i].Call.Satisfaction != s.Satisfaction || s.Rating {
					t.Errorf("%+v", s)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d since %s up to %d: %v, not %v", most, from, upTo, got, want)
			}
		}
	})
}

func TestHoursOfTheDay(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		now := db.Clock.Now()
		calls := newSource(65).calls(800, now, 5*24*time.Hour)
		add(t, l, calls)
		from, to := now.Add(-3*24*time.Hour-25*time.Minute), now.Add(-5*time.Hour-10*time.Minute)
		first, last := from.Truncate(time.Hour), to.Truncate(time.Hour)
		if first.Before(from) {
			first = first.Add(time.Hour)
		}
		for _, version := range []string{"", "1.1.0"} {
			var want [24]HourCount
			for _, c := range calls {
				if c.Prompt != "search" || c.Environment != "staging" || !strings.HasPrefix(c.Version, version) || c.Outcome == registry.Cancelled ||
					c.StartedAt.Before(first) || !c.StartedAt.Before(last) {
					continue
				}
				h := &want[c.StartedAt.Hour()]
				h.Calls++
				if c.Outcome == registry.Failed {
					h.Errors++
				}
			}
			got, err := l.ByHourOfDay(t.Context(), "search", "staging", version, from, to)
			if err != nil || got != want {
				t.Errorf("%q: %v, not %v: %v", version, got, want, err)
			}
		}
	})
}

package calllog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// BenchmarkRead asks a log with many calls of the last 24 hours, and a few of
// each of the 28 days before: for statistics, and for one call.
//
//	go test -run '^$' -bench BenchmarkRead -timeout 1h
//	INCIPIT_BENCH_CALLS=10000000 go test -run '^$' -bench BenchmarkRead -timeout 3h
func BenchmarkRead(b *testing.B) {
	sizes := []int{100_000, 1_000_000}
	if text := os.Getenv("INCIPIT_BENCH_CALLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		sizes[1] = n
	}
	for _, db := range []struct {
		name  string
		fresh func(testing.TB) storetest.Database
	}{{"sqlite", storetest.SQLite}, {"postgres", storetest.Postgres}} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", db.name, n), func(b *testing.B) {
				d := db.fresh(b)
				d.Clock.Advance(17*time.Minute + 30*time.Second) // so a day ago is within an hour
				benchmarkRead(b, openLog(b, configOf(d)), n)
			})
		}
	}
}

func benchmarkRead(b *testing.B, l *Log, n int) {
	b.Helper()
	begun := time.Now()
	now := l.cfg.Now()
	f := &filler{Log: l, source: newSource(uint64(n)), sums: make(map[day]map[rollupKey]*telemetry.Rollup)}
	for d := 29; d > 1; d-- {
		f.fill(b, now.Add(-time.Duration(d)*24*time.Hour), 24*time.Hour, 300)
	}
	sample := f.fill(b, now.Add(-24*time.Hour), 24*time.Hour, n)
	f.finish(b)
	b.Logf("filled in %v", time.Since(begun).Round(100*time.Millisecond))

	since := func(d time.Duration) RollupQuery {
		return RollupQuery{Prompt: "support", From: now.Add(-d), To: now}
	}
	for _, c := range []struct {
		name string
		q    RollupQuery
	}{{"stats-24h", since(24 * time.Hour)}, {"stats-1h", since(time.Hour)}, {"stats-30d", since(30 * 24 * time.Hour)}} {
		b.Run(c.name, func(b *testing.B) {
			var got registry.Figures
			timed(b, func(int) {
				var sum telemetry.Rollup
				if err := l.Rollups(b.Context(), c.q, func(r Row) error {
					sum.Merge(&r.Rollup)
					return nil
				}); err != nil {
					b.Fatal(err)
				}
				got = sum.Figures()
			})
			if got.TotalCalls == 0 || got.P99LatencyMS == nil {
				b.Errorf("%+v", got)
			}
		})
	}
	find := func(name string, ref func(*registry.Call) string, there bool) {
		b.Run(name, func(b *testing.B) {
			timed(b, func(i int) {
				c := sample[i*7919%len(sample)]
				r, _, err := l.Find(b.Context(), ref(c), anyone)
				if there && (err != nil || r.Call.ID != c.ID) || !there && !errors.Is(err, registry.ErrNotFound) {
					b.Fatal(ref(c), err)
				}
			})
		})
	}
	find("find-id", func(c *registry.Call) string { return c.ID.String() }, true)
	find("find-response", func(c *registry.Call) string { return c.ResponseID }, true)
	find("find-none", func(c *registry.Call) string { return c.ResponseID + "x" }, false)
	b.Run("list-1000", func(b *testing.B) {
		timed(b, func(int) {
			if page, _, err := l.List(b.Context(), Filter{Prompt: "support", Environment: "production"}, 1000); err != nil || len(page) != 1000 {
				b.Fatal(len(page), err)
			}
		})
	})
	// One call of 670 is an error of 1.1.0 in production, one of 3,300 such a one
	// of support; of the last there is none, so the page ends where its work does.
	for _, c := range []struct {
		name string
		f    Filter
	}{
		{"newest-100", Filter{Newest: true}},
		{"newest-errors-100", Filter{Newest: true, Version: "1.1.0", Environment: "production", Outcome: registry.Failed}},
		{"newest-rare-100", Filter{Newest: true, Prompt: "support", Version: "1.1.0", Environment: "production", Outcome: registry.Failed}},
		{"newest-none-100", Filter{Newest: true, Version: "1.1.0", Outcome: registry.Cancelled}},
		{"newest-unrated-100", Filter{Newest: true, Score: &registry.ScoreBounds{Name: "relevance", Min: new(0.5)}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			found := 0
			timed(b, func(int) {
				page, _, err := l.List(b.Context(), c.f, 100)
				if err != nil {
					b.Fatal(err)
				}
				found = len(page)
			})
			b.ReportMetric(float64(found), "calls")
		})
	}
}

// timed reports how long what is done took, most of the times and at worst.
func timed(b *testing.B, do func(i int)) {
	b.Helper()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		at := time.Now()
		do(i)
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
}

// A filler fills a log as Append would, but for what only an open end asks for:
// it knows that each call is new, writes large groups, and adds rollups up
// before it writes them.
type filler struct {
	*Log
	*source
	sums map[day]map[rollupKey]*telemetry.Rollup
}

const (
	fillGroup  = 20_000
	fillSample = 2000
)

// fill adds n calls that were started one after the other, and returns some.
func (f *filler) fill(b *testing.B, from time.Time, over time.Duration, n int) []*registry.Call {
	b.Helper()
	var sample []*registry.Call
	var group []*row
	origins := make(map[originFields]*origin)
	for i := range n {
		at := from.Add(time.Duration(float64(over) * float64(i) / float64(n)))
		c := f.call(at)
		r, err := prepare(Entry{Call: c, Subject: SubjectHash{byte(i), byte(i >> 8), byte(i >> 16), 1}}, dayOf(at), origins)
		if err != nil {
			b.Fatal(err)
		}
		if len(group) == fillGroup || len(group) > 0 && group[0].day != r.day {
			f.write(b, group)
			group = group[:0]
		}
		f.d.encode(&r)
		group = append(group, &r)
		f.count(&r)
		if i%max(1, n/fillSample) == 0 {
			sample = append(sample, c)
		}
	}
	f.write(b, group)
	return sample
}

// call is one of 5 prompts, 2 versions and 2 arms in 2 environments.
func (f *filler) call(at time.Time) *registry.Call {
	c := &registry.Call{
		ID:     f.id(at),
		Prompt: []prompt.ID{"support", "billing", "search", "summary", "triage"}[f.IntN(5)], Version: "1.0.0",
		Environment: []string{"production", "production", "production", "staging"}[f.IntN(4)], Arm: registry.StableArm, Rollout: "salt-1",
		StartedAt: at.UTC().Truncate(time.Microsecond), Latency: time.Duration(800_000*math.Exp(f.NormFloat64()*0.6)) * time.Microsecond,
		InputTokens: registry.Some(int64(f.IntN(3000))), OutputTokens: registry.Some(int64(f.IntN(900))), Cost: registry.Some(registry.NanoUSD(f.IntN(5_000_000))),
		Outcome: registry.OK, FinishReason: "stop", Model: "model-a",
		ResponseID: "resp_" + strconv.FormatUint(f.Uint64(), 36) + strconv.FormatUint(f.Uint64(), 36),
	}
	c.FirstToken = registry.Some(c.Latency / 3)
	if f.IntN(10) == 0 {
		c.Version, c.Arm, c.Share = "1.1.0", registry.CandidateArm, registry.Some(registry.Share(10_000))
	}
	if f.IntN(50) == 0 {
		c.Outcome, c.ErrorClass = registry.Failed, registry.ProviderError
	}
	return c
}

func (f *filler) count(r *row) {
	sums := f.sums[r.day]
	if sums == nil {
		sums = make(map[rollupKey]*telemetry.Rollup)
		f.sums[r.day] = sums
	}
	for _, span := range []int64{minute, hour} {
		k := rollupKey{telemetry.SeriesOf(r.call), span, startOf(r.call.StartedAt, span)}
		if sums[k] == nil {
			sums[k] = new(telemetry.Rollup)
		}
		sums[k].Add(r.call)
	}
}

func (f *filler) write(b *testing.B, group []*row) {
	b.Helper()
	sortRows(group)
	d := group[0].day
	err := f.inTurn(b, func() error {
		if err := f.d.makeDay(b.Context(), d); err != nil {
			return err
		}
		return f.once(b.Context(), d, len(group), func(ctx context.Context, tx *tx) error {
			for i, r := range group {
				r.seq = tx.last - int64(len(group)-1-i)
			}
			if err := f.d.insert(ctx, tx, d, group); err != nil {
				return err
			}
			return f.writeOrigins(ctx, tx, d, group)
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	f.seen.keep(group)
}

// finish writes the rollups.
func (f *filler) finish(b *testing.B) {
	b.Helper()
	for d, sums := range f.sums {
		if err := f.inTurn(b, func() error {
			return f.once(b.Context(), d, 0, func(ctx context.Context, tx *tx) error {
				return addRollups(ctx, tx, rollupPlace{day: d}, sums)
			})
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func (f *filler) inTurn(b *testing.B, do func() error) error {
	b.Helper()
	done, err := f.take(b.Context())
	if err != nil {
		return err
	}
	defer done()
	return do()
}

// BenchmarkFollow reads a log from its beginning, beside List, and asks it when
// there is nothing new. Its calls are of 24 hours, with a few of each of the 28
// days before.
//
//	go test -run '^$' -bench BenchmarkFollow -timeout 1h
func BenchmarkFollow(b *testing.B) {
	const page = 4000
	for _, db := range []struct {
		name  string
		fresh func(testing.TB) storetest.Database
	}{{"sqlite", storetest.SQLite}, {"postgres", storetest.Postgres}} {
		b.Run(db.name, func(b *testing.B) {
			d := db.fresh(b)
			l := openLog(b, configOf(d))
			now := l.cfg.Now()
			f := &filler{Log: l, source: newSource(1), sums: make(map[day]map[rollupKey]*telemetry.Rollup)}
			for d := 29; d > 1; d-- {
				f.fill(b, now.Add(-time.Duration(d)*24*time.Hour), 24*time.Hour, 300)
			}
			const calls = 400_000
			f.fill(b, now.Add(-24*time.Hour), 24*time.Hour, calls)
			newest, err := l.Latest(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			whole := func(name string, next func(after int64) (n int, last int64, err error)) {
				b.Run(name, func(b *testing.B) {
					n := 0
					for b.Loop() {
						for after := newest - calls; after < newest; {
							k, last, err := next(after)
							if err != nil || last <= after {
								b.Fatal(last, err)
							}
							n, after = n+k, last
						}
					}
					b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
				})
			}
			whole("follow", func(after int64) (int, int64, error) {
				seen, last, err := l.Follow(b.Context(), after, page)
				return len(seen), last, err
			})
			whole("follow-of", func(after int64) (int, int64, error) {
				seen, last, err := l.FollowOf(b.Context(), "support", "production", after, newest, page)
				return len(seen), last, err
			})
			whole("list", func(after int64) (int, int64, error) {
				list, _, err := l.List(b.Context(), Filter{After: after}, page)
				if len(list) == 0 {
					return 0, newest, err
				}
				return len(list), list[len(list)-1].Seq, err
			})
			b.Run("one-new", func(b *testing.B) {
				timed(b, func(int) {
					if seen, _, err := l.Follow(b.Context(), newest-1, page); err != nil || len(seen) != 1 {
						b.Fatal(len(seen), err)
					}
				})
			})
			b.Run("nothing-new", func(b *testing.B) {
				timed(b, func(int) {
					if seen, last, err := l.Follow(b.Context(), newest, page); err != nil || len(seen) != 0 || last != newest {
						b.Fatal(len(seen), last, err)
					}
				})
			})
			b.Run("before-20000", func(b *testing.B) {
				timed(b, func(int) {
					if seen, err := l.Before(b.Context(), "support", "production", "1.0.0", now.Add(-7*24*time.Hour), 0, 20_000); err != nil || len(seen) != 20_000 {
						b.Fatal(len(seen), err)
					}
				})
			})
		})
	}
}

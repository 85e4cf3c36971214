package calllog

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// eachLog runs f for each kind of database. open opens the test's own log; in
// PostgreSQL it may be called again, for another replica.
func eachLog(t *testing.T, f func(t *testing.T, db storetest.Database, open func() *Log)) {
	t.Helper()
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		f(t, db, func() *Log { t.Helper(); return openLog(t, configOf(db)) })
	})
}

func configOf(db storetest.Database) Config {
	return Config{Dir: db.Config.Dir, URL: db.Config.URL, Now: db.Clock.Now, Random: storetest.Random("calls"), Log: slog.New(slog.DiscardHandler)}
}

// openLog opens a log and closes it when the test ends.
func openLog(tb testing.TB, c Config) *Log {
	tb.Helper()
	l, err := Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// A source makes calls, alike each time for a seed.
type source struct{ *rand.Rand }

func newSource(seed uint64) *source { return &source{rand.New(rand.NewPCG(seed, 1))} }

// call makes a call that was started at a time, with some of everything.
func (s *source) call(at time.Time) *registry.Call {
	at = at.UTC().Truncate(time.Microsecond)
	c := &registry.Call{
		ID:          s.id(at),
		Prompt:      prompt.ID([]string{"support", "billing", "search"}[s.IntN(3)]),
		Version:     []string{"1.0.0", "1.1.0"}[s.IntN(2)],
		Environment: []string{"production", "staging"}[s.IntN(2)],
		Arm:         []string{registry.StableArm, registry.CandidateArm}[s.IntN(2)],
		Rollout:     "salt-1",
		Share:       registry.Some(registry.Share(s.IntN(3) * 10_000)),
		StartedAt:   at,
		Latency:     time.Duration(200+s.ExpFloat64()*800) * time.Millisecond,
		Outcome:     registry.OK,
		Model:       "model-a",
		ResponseID:  fmt.Sprintf("resp_%016x%016x", s.Uint64(), s.Uint64()),
		Tags:        map[string]string{"tenant": "acme"},
	}
	c.FinishReason = "stop"
	c.FirstToken = registry.Some(c.Latency / 4)
	c.InputTokens, c.OutputTokens = registry.Some(int64(s.IntN(2000))), registry.Some(int64(s.IntN(800)))
	c.Cost = registry.Some(registry.NanoUSD(s.IntN(3_000_000)))
	switch s.IntN(12) {
	case 0:
		c.Outcome, c.ErrorClass, c.FinishReason = registry.Failed, registry.ErrorClasses()[s.IntN(3)], ""
	case 1:
		c.Outcome, c.ResponseID, c.FirstToken = registry.Failed, "", registry.Opt[time.Duration]{}
	case 2:
		c.Outcome, c.Tags, c.Cost = registry.Cancelled, nil, registry.Opt[registry.NanoUSD]{}
	case 3:
		c.Satisfaction = registry.Some(float64(1 + s.IntN(5)))
	case 4:
		c.CachedTokens, c.Input, c.Output = registry.Some(int64(0)), "a question", "an\nanswer"
	}
	return c
}

func (s *source) id(at time.Time) registry.CallID {
	var random [10]byte
	for i := range random {
		random[i] = byte(s.Uint32())
	}
	return registry.MakeCallID(at, random)
}

// calls makes n calls that were started within a time before at.
func (s *source) calls(n int, at time.Time, within time.Duration) []*registry.Call {
	out := make([]*registry.Call, n)
	for i := range out {
		out[i] = s.call(at.Add(-time.Duration(s.Int64N(int64(within)))))
	}
	return out
}

func entriesOf(calls []*registry.Call) []Entry {
	out := make([]Entry, len(calls))
	for i, c := range calls {
		out[i] = Entry{Call: c}
		copy(out[i].Subject[:], c.ID[:2])
	}
	return out
}

// add appends calls and returns how many were new.
func add(tb testing.TB, l *Log, calls []*registry.Call) int {
	tb.Helper()
	fresh, err := l.Append(tb.Context(), entriesOf(calls))
	if err != nil {
		tb.Fatal(err)
	}
	return count(fresh)
}

func count(fresh []bool) (n int) {
	for _, f := range fresh {
		if f {
			n++
		}
	}
	return n
}

// stored are all rows of calls, in the order of their numbers.
func stored(tb testing.TB, l *Log) []Record {
	tb.Helper()
	var out []Record
	if err := l.read(tb.Context(), func(v *view) error {
		out = nil
		for _, d := range v.live {
			if err := v.day(tb.Context(), d, func(q querier) error {
				rs, err := q.QueryContext(tb.Context(), d.sql(`SELECT `+recordColumns+` FROM call_{day} c JOIN origin_{day} o ON o.id = c.origin`)) //nolint:rowserrcheck // it is
				if err != nil {
					return err
				}
				defer rs.Close()
				for rs.Next() {
					r, err := scanRecord(rs.Scan)
					if err != nil {
						return err
					}
					out = append(out, r)
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
	slices.SortFunc(out, func(a, b Record) int { return int(a.Seq - b.Seq) })
	return out
}

// rolled are the rollups of all live days, added up by key.
func rolled(tb testing.TB, l *Log) map[rollupKey]telemetry.Rollup {
	tb.Helper()
	var out map[rollupKey]telemetry.Rollup
	if err := l.read(tb.Context(), func(v *view) error {
		out = make(map[rollupKey]telemetry.Rollup)
		for _, d := range v.live {
			if err := v.day(tb.Context(), d, func(q querier) error {
				return everyRollup(tb.Context(), q, d, func(r Row) {
					s := out[r.key()]
					s.Merge(&r.Rollup)
					out[r.key()] = s
				})
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

func everyRollup(ctx context.Context, q querier, d day, each func(Row)) error {
	rs, err := q.QueryContext(ctx, d.sql(`SELECT `+rollupColumns+` FROM rollup_{day}`))
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		r, err := scanRollup(rs)
		if err != nil {
			return err
		}
		each(r)
	}
	return rs.Err()
}

// expected are the rollups of calls, computed directly.
func expected(calls []*registry.Call, minutesFrom time.Time) map[rollupKey]telemetry.Rollup {
	out := make(map[rollupKey]telemetry.Rollup)
	for _, c := range calls {
		for _, span := range []int64{minute, hour} {
			k := rollupKey{telemetry.SeriesOf(c), span, startOf(c.StartedAt, span)}
			if span == minute && k.start < minutesFrom.UnixMicro() {
				continue
			}
			s := out[k]
			s.Add(c)
			out[k] = s
		}
	}
	return out
}

// sameRollups compares rollups, sketches by what they say.
func sameRollups(tb testing.TB, got, want map[rollupKey]telemetry.Rollup) {
	tb.Helper()
	sketches := cmp.Transformer("sketch", func(s telemetry.Sketch) string { return fmt.Sprintf("%d %x", s.Count(), s.Append(nil)) })
	if d := cmp.Diff(want, got, sketches, cmpopts.EquateApprox(1e-9, 1e-9), cmp.AllowUnexported(rollupKey{})); d != "" {
		tb.Errorf("rollups differ:\n%.3000s", d)
	}
}

// whole holds a log to its law: it has each call once, as it was sent, with
// numbers of its own, and its rollups are those of the calls.
func whole(tb testing.TB, l *Log, calls []*registry.Call) {
	tb.Helper()
	want := make(map[registry.CallID]*registry.Call)
	var each []*registry.Call
	for _, c := range calls {
		if want[c.ID] == nil {
			want[c.ID] = c
			each = append(each, c)
		}
	}
	got := stored(tb, l)
	if len(got) != len(want) {
		tb.Errorf("%d calls are stored, not %d", len(got), len(want))
	}
	before := int64(0)
	for _, r := range got {
		if r.Seq <= before {
			tb.Errorf("number %d comes after %d", r.Seq, before)
		}
		before = r.Seq
		if d := cmp.Diff(*want[r.Call.ID], r.Call, cmpopts.EquateEmpty()); d != "" {
			tb.Fatalf("a call is not what was sent:\n%s", d)
		}
	}
	sameRollups(tb, rolled(tb, l), expected(each, l.cfg.Now().Add(-l.cfg.KeepMinutes)))
}

// anyone may see every call.
func anyone(string, prompt.ID) bool { return true }

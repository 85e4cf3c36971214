package calllog

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A ledger knows of each call what of its rollups is there: what a Log must
// answer is computed from the calls themselves.
type ledger struct {
	*Log
	calls []*entry
}

type entry struct {
	*registry.Call
	minute  bool // the rollup of its minute counts it
	retired bool // its day is
}

func (b *ledger) append(tb testing.TB, calls []*registry.Call) {
	tb.Helper()
	oldest := b.cfg.Now().Add(-b.cfg.KeepMinutes).UnixMicro()
	if n := add(tb, b.Log, calls); n != len(calls) {
		tb.Fatalf("%d of %d are new", n, len(calls))
	}
	for _, c := range calls {
		b.calls = append(b.calls, &entry{Call: c, minute: startOf(c.StartedAt, minute) >= oldest})
	}
}

func (b *ledger) retain(tb testing.TB) {
	tb.Helper()
	now := b.cfg.Now()
	if err := b.Retain(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	for _, c := range b.calls {
		age := now.Sub(dayOf(c.ID.At()).end())
		c.minute = c.minute && age < b.cfg.KeepMinutes
		c.retired = c.retired || age >= b.cfg.KeepCalls
	}
}

// rate rates some calls that are still there.
func (b *ledger) rate(tb testing.TB, s *source, n int) {
	tb.Helper()
	for range n {
		c := b.calls[s.IntN(len(b.calls))]
		if c.retired {
			continue
		}
		value := float64(1 + s.IntN(5))
		receipt, err := b.Rate(tb.Context(), Rating{Ref: c.ID.String(), Feedback: registry.Feedback{Value: value, At: b.cfg.Now()}, Grants: everywhere()})
		if err != nil || receipt.Waiting {
			tb.Fatalf("%+v, %v", receipt, err)
		}
		c.Satisfaction = registry.Some(value)
	}
}

func everywhere() []registry.Grant {
	return []registry.Grant{{Permissions: []registry.Permission{registry.MayRecord}, Environments: []string{"*"}, Prompts: []string{"*"}}}
}

// want is what Rollups must count.
func (b *ledger) want(q RollupQuery) map[telemetry.Series]telemetry.Rollup {
	type hourOf struct {
		day day
		telemetry.Series
		start int64
	}
	of := func(c *entry) hourOf {
		return hourOf{dayOf(c.ID.At()), telemetry.SeriesOf(c.Call), startOf(c.StartedAt, hour)}
	}
	partly := make(map[hourOf]bool) // some minutes of it are not there
	for _, c := range b.calls {
		if !c.minute {
			partly[of(c)] = true
		}
	}
	from, to := q.From.Truncate(time.Minute), q.To.Add(time.Minute-1).Truncate(time.Minute)
	out := make(map[telemetry.Series]telemetry.Rollup)
	for _, c := range b.calls {
		s := telemetry.SeriesOf(c.Call)
		if s.Prompt != q.Prompt || q.Environment != "" && s.Environment != q.Environment || q.Version != "" && s.Version != q.Version || q.Arm != "" && s.Arm != q.Arm {
			continue
		}
		span := time.Minute
		if c.retired {
			span = 24 * time.Hour
		} else if partly[of(c)] {
			span = time.Hour
		}
		if start := c.StartedAt.Truncate(span); from.Before(to) && start.Before(to) && start.Add(span).After(from) {
			r := out[s]
			r.Add(c.Call)
			out[s] = r
		}
	}
	return out
}

func (b *ledger) got(tb testing.TB, q RollupQuery) map[telemetry.Series]telemetry.Rollup {
	tb.Helper()
	out := make(map[telemetry.Series]telemetry.Rollup)
	if err := b.Rollups(tb.Context(), q, func(r Row) error {
		if r.Start != r.Start.Truncate(r.Span) {
			return fmt.Errorf("a rollup of %v starts at %v", r.Span, r.Start)
		}
		s := out[r.Series]
		s.Merge(&r.Rollup)
		out[r.Series] = s
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

// check compares what is read with what the calls say, for some periods.
func (b *ledger) check(tb testing.TB, s *source, n int) {
	tb.Helper()
	now := b.cfg.Now()
	pick := func(all ...string) string { return all[s.IntN(len(all))] }
	for range n {
		at := now.Add(-time.Duration(s.Int64N(int64(20 * 24 * time.Hour))))
		q := RollupQuery{
			Prompt: prompt.ID(pick("support", "billing", "search", "unknown")), Environment: pick("", "production"),
			Version: pick("", "", "1.1.0"), Arm: pick("", "", registry.StableArm),
			From: at, To: at.Add(time.Duration(s.Int64N(int64([]time.Duration{10 * time.Minute, 3 * time.Hour, 30 * time.Hour, 9 * 24 * time.Hour}[s.IntN(4)])))),
		}
		switch s.IntN(3) {
		case 0:
			q.From, q.To = q.From.Truncate(time.Hour), q.To.Truncate(time.Hour)
		case 1:
			q.To = now
		}
		sameSums(tb, fmt.Sprintf("%+v", q), b.got(tb, q), b.want(q))
	}
}

func sameSums(tb testing.TB, what string, got, want map[telemetry.Series]telemetry.Rollup) {
	tb.Helper()
	keyed := func(in map[telemetry.Series]telemetry.Rollup) map[rollupKey]telemetry.Rollup {
		out := make(map[rollupKey]telemetry.Rollup)
		for s, r := range in {
			out[rollupKey{Series: s}] = r
		}
		return out
	}
	sameRollups(tb, keyed(got), keyed(want))
	if tb.Failed() {
		tb.Fatal(what)
	}
}

func TestRollupsAreThoseOfTheCallsAtEveryAge(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
				s := newSource(seed)
				c := configOf(db)
				c.KeepCalls = leastKeepCalls
				b := &ledger{Log: openLog(t, c)}
				for range 3 {
					now := db.Clock.Now()
					calls := append(s.calls(100, now, 7*24*time.Hour), s.calls(100, now, 3*24*time.Hour)...)
					for _, c := range calls[:50] { // late ones: the id is of another day than the start
						c.ID = s.id(now.Add(-time.Duration(s.Int64N(int64(7 * 24 * time.Hour)))))
					}
					b.append(t, calls)
					b.rate(t, s, 20)
					b.check(t, s, 20)
					b.retain(t)
					b.rate(t, s, 10)
					b.check(t, s, 20)
					db.Clock.Advance(time.Duration(s.Int64N(int64(5 * 24 * time.Hour))))
					b.check(t, s, 10)
				}
			})
		})
	}
}

func TestAPeriodIsWidenedToWholeMinutes(t *testing.T) {
	at := time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		from, to time.Duration
		minutes  int64
	}{
		{"whole minutes stay", 0, 2 * time.Minute, 2},
		{"a moment is its minute", 0, time.Microsecond, 1},
		{"nothing is nothing", 0, 0, 0},
		{"the other way round is nothing", time.Hour, 0, -60},
		{"both ends are widened", 59 * time.Second, 61 * time.Second, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := periodOf(at.Add(c.from), at.Add(c.to))
			if n := (p.to - p.from) / (minute * 1e6); n != c.minutes {
				t.Errorf("%d minutes", n)
			}
		})
	}
}

func TestRollupsNeedAPrompt(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		none := func(Row) error { return errors.New("there is a row") }
		if err := open().Rollups(t.Context(), RollupQuery{From: db.Clock.Now(), To: db.Clock.Now()}, none); !errors.Is(err, prompt.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestAnErrorOfTheReaderEndsTheRollups(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(9).calls(20, db.Clock.Now(), time.Hour)
		add(t, l, calls)
		stop, n := errors.New("enough"), 0
		q := RollupQuery{Prompt: calls[0].Prompt, From: db.Clock.Now().Add(-2 * time.Hour), To: db.Clock.Now()}
		if err := l.Rollups(t.Context(), q, func(Row) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("%v after %d rows", err, n)
		}
	})
}

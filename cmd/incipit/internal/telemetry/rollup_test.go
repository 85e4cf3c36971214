package telemetry

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/registry"
)

// calls draws calls as Check lets them through. Ratings are eighths, so that
// sums of them are exact.
func calls() *rapid.Generator[[]registry.Call] {
	tokens := optional(rapid.Int64Range(0, 1e9))
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) registry.Call {
		c := registry.Call{
			Latency:      microseconds().Draw(t, "latency"),
			FirstToken:   optional(microseconds()).Draw(t, "first token"),
			InputTokens:  tokens.Draw(t, "input"),
			OutputTokens: tokens.Draw(t, "output"),
			CachedTokens: tokens.Draw(t, "cached"),
			Cost:         optional(rapid.Map(rapid.Int64Range(0, 1e15), func(n int64) registry.NanoUSD { return registry.NanoUSD(n) })).Draw(t, "cost"),
			Outcome:      rapid.SampledFrom([]registry.Outcome{registry.OK, registry.Failed, registry.Cancelled}).Draw(t, "outcome"),
			Satisfaction: optional(rapid.Map(rapid.IntRange(8, 40), func(n int) float64 { return float64(n) / 8 })).Draw(t, "satisfaction"),
		}
		if c.Outcome == registry.Failed {
			c.ErrorClass = rapid.SampledFrom(append(registry.ErrorClasses(), "")).Draw(t, "class")
		}
		return c
	}), 0, 20)
}

func microseconds() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(0, 86_400_000_000), func(us int64) time.Duration { return time.Duration(us) * time.Microsecond })
}

func optional[T any](g *rapid.Generator[T]) *rapid.Generator[registry.Opt[T]] {
	return rapid.Custom(func(t *rapid.T) registry.Opt[T] {
		if rapid.Bool().Draw(t, "known") {
			return registry.Some(g.Draw(t, "value"))
		}
		return registry.Opt[T]{}
	})
}

func rollupOf(calls []registry.Call) *Rollup {
	var r Rollup
	for i := range calls {
		r.Add(&calls[i])
	}
	return &r
}

func sum(parts ...*Rollup) *Rollup {
	var r Rollup
	for _, p := range parts {
		r.Merge(p)
	}
	return &r
}

func difference(a, b *Rollup) string {
	return cmp.Diff(a, b, cmp.Comparer(func(a, b Sketch) bool { return bytes.Equal(a.Append(nil), b.Append(nil)) }))
}

func sameRollup(t *rapid.T, what string, a, b *Rollup) {
	t.Helper()
	if d := difference(a, b); d != "" {
		t.Fatalf("%s:\n%s", what, d)
	}
}

func TestMergesOfRollupsDoNotDependOnTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y, z := calls().Draw(t, "x"), calls().Draw(t, "y"), calls().Draw(t, "z")
		a, b, c := rollupOf(x), rollupOf(y), rollupOf(z)
		sameRollup(t, "a+b is b+a", sum(a, b), sum(b, a))
		sameRollup(t, "(a+b)+c is a+(b+c)", sum(sum(a, b), c), sum(a, sum(b, c)))
		sameRollup(t, "a+b+c is the rollup of all", sum(a, b, c), rollupOf(slices.Concat(x, y, z)))
		sameRollup(t, "b stays as it was", b, rollupOf(y))
	})
}

func TestARatingReplacesTheOneBefore(t *testing.T) {
	rating := optional(rapid.Map(rapid.IntRange(8, 40), func(n int) float64 { return float64(n) / 8 }))
	rapid.Check(t, func(t *rapid.T) {
		in := calls().Filter(func(c []registry.Call) bool { return len(c) > 0 }).Draw(t, "calls")
		i := rapid.IntRange(0, len(in)-1).Draw(t, "which")
		later := slices.Clone(in)
		later[i].Satisfaction = rating.Draw(t, "rating")

		r := rollupOf(in)
		r.Rate(in[i].Satisfaction, later[i].Satisfaction)
		sameRollup(t, "rated", r, rollupOf(later))

		var change Rollup
		change.Rate(in[i].Satisfaction, later[i].Satisfaction)
		sameRollup(t, "the change merged", sum(rollupOf(in), &change), rollupOf(later))
		sameRollup(t, "the change first", sum(&change, rollupOf(in)), rollupOf(later))
	})
}

func TestFiguresAreThoseOfTheCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := calls().Draw(t, "calls")
		f := rollupOf(in).Figures()
		n, latency, failed, rated := 0, 0.0, 0, []float64{}
		tokens, told := int64(0), false
		for i := range in {
			c := &in[i]
			n++
			latency += float64(c.Latency.Microseconds()) / 1000
			if c.Outcome == registry.Failed {
				failed++
			}
			for _, o := range []registry.Opt[int64]{c.InputTokens, c.OutputTokens} {
				tokens += o.Value
				told = told || o.Known
			}
			if c.Satisfaction.Known {
				rated = append(rated, c.Satisfaction.Value)
			}
		}
		near(t, "error_rate", f.ErrorRate, n > 0, float64(failed)/float64(n))
		near(t, "avg_latency_ms", f.AvgLatencyMS, n > 0, latency/float64(n))
		mean, sd := spread(rated)
		near(t, "avg_satisfaction", f.AvgSatisfaction, len(rated) > 0, mean)
		near(t, "satisfaction_sd", f.SatisfactionSD, len(rated) > 1, sd)
		if f.TotalCalls != int64(n) || f.Errors != int64(failed) || (f.TotalTokens != nil) != told || told && *f.TotalTokens != tokens {
			t.Fatalf("%+v", f)
		}
		classes := int64(0)
		for _, n := range f.ErrorsByClass {
			classes += n
		}
		if classes != f.Errors {
			t.Fatalf("the classes %v are not the %d errors", f.ErrorsByClass, f.Errors)
		}
	})
}

// spread is the mean and the standard deviation of a sample, in two passes.
func spread(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sd / float64(len(v)-1))
}

func near(t *rapid.T, name string, got *float64, known bool, want float64) {
	t.Helper()
	if (got != nil) != known {
		t.Fatalf("%s is known: %v, but should be: %v", name, got != nil, known)
	}
	if known && math.Abs(*got-want) > 1e-6*max(1, math.Abs(want)) {
		t.Fatalf("%s is %g, not %g", name, *got, want)
	}
}

func TestFiguresOfNothingAreNull(t *testing.T) {
	want := registry.Figures{ErrorsByClass: map[string]int64{"provider": 0, "prompt": 0, "timeout": 0, "unknown": 0}}
	if d := cmp.Diff(want, new(Rollup{}).Figures()); d != "" {
		t.Error(d)
	}
}

func TestFiguresOfOneCall(t *testing.T) {
	c := registry.Call{
		Latency: 1500 * time.Millisecond, FirstToken: registry.Some(250 * time.Millisecond),
		InputTokens: registry.Some(int64(100)), CachedTokens: registry.Some(int64(60)),
		Cost: registry.Some(registry.NanoUSD(2_500_000)), Outcome: registry.Failed, Satisfaction: registry.Some(2.0),
	}
	got := rollupOf([]registry.Call{c}).Figures()
	want := registry.Figures{
		TotalCalls: 1, Errors: 1, ErrorRate: new(1.0),
		ErrorsByClass: map[string]int64{"provider": 0, "prompt": 0, "timeout": 0, "unknown": 1},
		AvgLatencyMS:  new(1500.0), P50LatencyMS: new(1500.0), P95LatencyMS: new(1500.0), P99LatencyMS: new(1500.0),
		P50FirstTokenMS: new(250.0), P95FirstTokenMS: new(250.0),
		TotalTokens: new(int64(100)), InputTokens: new(int64(100)), CachedTokens: new(int64(60)), // output: not told
		CostUSD: new(0.0025), AvgCostUSD: new(0.0025), CostPer1KTokens: new(0.025),
		Ratings: 1, AvgSatisfaction: new(2.0), // one rating has no spread
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= limit*math.Abs(b) })); d != "" {
		t.Error(d)
	}
}

func BenchmarkRollup(b *testing.B) {
	latencies := logNormal(1, 1<<12)
	in := make([]registry.Call, len(latencies))
	for i, ms := range latencies {
		in[i] = registry.Call{
			Latency: time.Duration(ms * float64(time.Millisecond)), FirstToken: registry.Some(time.Duration(ms * float64(time.Microsecond) * 200)),
			InputTokens: registry.Some(int64(900)), OutputTokens: registry.Some(int64(120)), Cost: registry.Some(registry.NanoUSD(1_500_000)),
			Outcome: registry.OK,
		}
	}
	b.Run("add", func(b *testing.B) {
		var r Rollup
		i := 0
		for b.Loop() {
			r.Add(&in[i&(1<<12-1)])
			i++
		}
	})
	b.Run("a batch of 500 into an empty one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r Rollup
			for i := range in[:500] {
				r.Add(&in[i])
			}
		}
	})
	b.Run("merge", func(b *testing.B) {
		r, o := rollupOf(in), rollupOf(in[:500])
		for b.Loop() {
			r.Merge(o)
		}
	})
	b.Run("figures", func(b *testing.B) {
		r := rollupOf(in)
		for b.Loop() {
			r.Figures()
		}
	})
}

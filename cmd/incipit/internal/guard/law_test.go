package guard

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A healthy candidate is taken back in no more rollouts than alpha says, however
// often one looks. Alpha is large here, so that few rollouts tell.
func TestFalseRollbacksAreAsRareAsAlphaSays(t *testing.T) {
	const alpha, rollouts = .2, 200
	late, sticky, half, polar := healthy(.2), healthy(.2), healthy(.2), healthy(.2)
	late.late = [2]float64{50, 300}
	sticky.users, sticky.ramp, sticky.daily = 40, true, .7
	half.rated, half.from = [2]float64{.4, .2}, 0
	polar.rated, polar.marks[1] = [2]float64{.4, .4}, polarized
	blind := healthy(.2)
	blind.blind, blind.ramp = true, true
	twice := healthy(.2)
	twice.twice, twice.rated = true, [2]float64{.4, .4}
	attempts := healthy(.2)
	attempts.retry = .8 // under no subject
	for name, s := range map[string]stream{"attempts as calls": attempts, "by call": healthy(.2), "each rating twice": twice, "late ratings": late, "sticky, ramp": sticky, "fewer ratings": half, "polarized": polar, "no shares": blind} {
		wrong := 0
		for seed := range uint64(rollouts) {
			if roll(Policy{Alpha: alpha, Metrics: allFour}, s, seed, 300, 1200, false).kind == Regressed {
				wrong++
			}
		}
		if limit := rollouts*alpha + 3*math.Sqrt(rollouts*alpha*(1-alpha)); float64(wrong) > limit {
			t.Errorf("%s: %d of %d rollouts, at most %.0f may be", name, wrong, rollouts, limit)
		}
	}
}

// Whatever was seen before: the worse a call of the candidate, the more the bets
// against it win, and the worse one of the stable release, the less.
func TestWorseIsNeverBetter(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for seed := range uint64(20) {
		s := healthy([]float64{.05, .3}[seed%2])
		d := grownUp(t, Policy{Metrics: allFour}, s, seed)
		state := d.State()
		with := func(candidate bool, change func(*Observation)) *Detector {
			o := Observation{Candidate: candidate, Share: s.split}
			change(&o)
			return after(t, state, o)
		}
		for _, candidate := range []bool{true, false} {
			less := func(m Metric, good, bad *Detector) {
				x, y := good.capital[m], bad.capital[m]
				if !candidate {
					x, y = y, x
				}
				if x > y*(1+slack) {
					t.Errorf("%s, candidate %v: %v and %v", m, candidate, x, y)
				}
			}
			less(Errors, with(candidate, func(o *Observation) { o.Error = registry.Some(false) }), with(candidate, func(o *Observation) { o.Error = registry.Some(true) }))
			for range 20 {
				fast := math.Exp(6 + 2*r.NormFloat64())
				slow := fast * (1 + r.ExpFloat64())
				less(Latency, with(candidate, func(o *Observation) { o.LatencyMS = registry.Some(fast) }), with(candidate, func(o *Observation) { o.LatencyMS = registry.Some(slow) }))
				less(Tokens, with(candidate, func(o *Observation) { o.Tokens = registry.Some(fast) }), with(candidate, func(o *Observation) { o.Tokens = registry.Some(slow) }))
				mark := 2 + 3*r.Float64()
				less(Satisfaction, with(candidate, func(o *Observation) { o.Satisfaction = registry.Some(mark) }), with(candidate, func(o *Observation) { o.Satisfaction = registry.Some(mark - r.Float64()) }))
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	run := func(p Policy, s stream, n int) (v Verdict) {
		d, err := New(p)
		must(err)
		r := rand.New(rand.NewPCG(1, 1))
		s.history(r, 2000, func(o Observation) { must(d.History(o)) })
		s.run(r, n, func(o Observation) bool {
			v, err = d.Observe(o)
			must(err)
			return v.Kind != Regressed
		})
		return v
	}
	slow, lost, none := healthy(.2), healthy(.2), healthy(0)
	slow.medium[1] = 1600
	for _, c := range []struct {
		name string
		s    stream
		n    int
		want Verdict
	}{
		{"the candidate has no calls", none, 5000, Verdict{Kind: Unmeasured}},
		{"nothing is known yet", healthy(.2), 100, Verdict{Kind: Insufficient}},
		{"the guilty metric is named", slow, 5000, Verdict{Kind: Regressed, Guilty: Of(Latency)}},
		{"all is well", healthy(.5), 40_000, Verdict{Kind: Healthy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v := run(Policy{Metrics: allFour}, c.s, c.n); v != c.want {
				t.Errorf("%v, want %v", v, c.want)
			}
		})
	}
	t.Run("a third of the candidate's calls is lost", func(t *testing.T) {
		d, err := New(Policy{})
		must(err)
		r := rand.New(rand.NewPCG(1, 1))
		lost.run(r, 8000, func(o Observation) bool {
			if !o.Candidate || r.IntN(3) > 0 {
				_, err := d.Observe(o)
				must(err)
			}
			return true
		})
		if d.Verdict().Kind != Untrusted {
			t.Error(d.Verdict())
		}
	})
}

// A report says what the verdict rests on.
func TestReport(t *testing.T) {
	s := healthy(.2)
	s.errors[1] = .3
	d, err := New(Policy{Metrics: allFour})
	must(err)
	r := rand.New(rand.NewPCG(1, 1))
	s.history(r, 2000, func(o Observation) { must(d.History(o)) })
	s.run(r, 5000, func(o Observation) bool {
		v, err := d.Observe(o)
		must(err)
		return v.Kind != Regressed
	})
	got := d.Report()
	if got.Verdict != "regressed" || len(got.Metrics) != 4 || got.PValue > .0101 || !got.Metrics[0].Guilty || got.Metrics[1].Guilty {
		t.Errorf("%+v", got)
	}
	if i := got.Metrics[0].Difference; i == nil || i.Low > .28 || i.High < .28 || i.Estimate < .05 {
		t.Errorf("the difference of the error rates is %+v", i)
	}
}

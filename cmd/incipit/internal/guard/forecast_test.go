package guard

import (
	"math"
	"math/rand/v2"
	"testing"
)

// typical is the traffic of plain streams.
var typical = Traffic{CallsPerHour: 2000, ErrorRate: .01, P50MS: 800, P95MS: 800 * 2.683, RatedShare: .1, RatingMean: 4.6, RatingSD: .762}

// What is forecast is what simulated rollouts do, by and large.
func TestForecastIsWhatHappens(t *testing.T) {
	const rollouts = 60
	for _, share := range []float64{.1, .5} {
		for _, set := range []Set{Of(Errors), Of(Latency), Of(Satisfaction)} {
			p := Policy{Metrics: set}
			step := Forecast(p, typical, []float64{share})[0]
			s := plain("", share, .01)
			mean := 0.0
			for seed := range uint64(rollouts) {
				mean += float64(roll(p, s, seed, 5000, 40_000, true).safeCalls) / rollouts
			}
			if x := mean / step.CandidateCalls; x < .6 || x > 1.5 {
				t.Errorf("%s at %v: safe after %.0f calls of the candidate, forecast %.0f", set, share, mean, step.CandidateCalls)
			}
			if want := step.Hours * typical.CallsPerHour * share; math.Abs(step.CandidateCalls-want) > 1e-6*want {
				t.Errorf("%v calls in %v hours", step.CandidateCalls, step.Hours)
			}
			worse := s
			switch set {
			case Of(Errors):
				worse.errors[1] += step.SmallestErrorIncrease
			case Of(Latency):
				worse.medium[1] *= step.SmallestLatencyFactor
			default:
				continue
			}
			found, n := 0, int(step.Hours*typical.CallsPerHour)
			for seed := range uint64(rollouts) {
				if roll(p, worse, seed, 5000, n, false).kind == Regressed {
					found++
				}
			}
			if found < rollouts*3/4 {
				t.Errorf("%s at %v: the smallest regression was found in %d of %d", set, share, found, rollouts)
			}
		}
	}
}

func TestForecastAddsUp(t *testing.T) {
	steps := []float64{.05, .25, .5, .95}
	list := Forecast(Policy{Metrics: allFour}, typical, steps)
	if len(list) != len(steps) || !(list[0].Hours > 0) || list[1].Hours > 1e-6 || list[3].Hours > 1e-6 {
		t.Fatalf("what is shown stays shown: %+v", list)
	}
	blocked := Forecast(Policy{Metrics: allFour}, typical, []float64{0, .05, 1, .5})
	if !math.IsInf(blocked[0].Hours, 1) || math.Abs(blocked[1].Hours-list[0].Hours) > 1e-6 || !math.IsInf(blocked[0].SmallestErrorIncrease, 1) {
		t.Errorf("nothing is known at a share of 0: %+v", blocked)
	}
	for i := 1; i < len(blocked); i++ {
		a, b := blocked[i-1], blocked[i]
		if b.SmallestErrorIncrease > a.SmallestErrorIncrease || b.SmallestLatencyFactor > a.SmallestLatencyFactor || b.SmallestRatingDrop > a.SmallestRatingDrop {
			t.Errorf("evidence is lost from %+v to %+v", a, b)
		}
	}
	unrated := typical
	unrated.RatedShare = 0
	if s := Forecast(Policy{Metrics: allFour}, unrated, steps)[0]; !math.IsInf(s.Hours, 1) || !math.IsInf(s.SmallestRatingDrop, 1) || math.IsInf(s.SmallestErrorIncrease, 1) {
		t.Errorf("without ratings: %+v", s)
	}
	if Forecast(Policy{Alpha: 2}, typical, steps) != nil {
		t.Error("there is a forecast for an invalid policy")
	}
}

// More errors, more spread, less traffic and stricter policies take longer.
func TestForecastIsMonotone(t *testing.T) {
	first := func(p Policy, t Traffic) Step { return Forecast(p, t, []float64{.1})[0] }
	base := first(Policy{Metrics: allFour}, typical)
	for _, c := range []struct {
		name   string
		policy Policy
		change func(*Traffic)
	}{
		{"more errors", Policy{}, func(t *Traffic) { t.ErrorRate = .05 }},
		{"less traffic", Policy{}, func(t *Traffic) { t.CallsPerHour = 100 }},
		{"fewer ratings", Policy{}, func(t *Traffic) { t.RatedShare = .01 }},
		{"surer of safe", Policy{AlphaSafe: .001}, func(*Traffic) {}},
	} {
		p, traffic := c.policy, typical
		p.Metrics = allFour
		c.change(&traffic)
		if s := first(p, traffic); !(s.Hours > base.Hours) {
			t.Errorf("%s: %v hours, else %v", c.name, s.Hours, base.Hours)
		}
	}
}

func TestNeeded(t *testing.T) {
	at := func(s stream, n int) (Report, float64, bool) {
		d, err := New(Policy{Metrics: Of(Errors)})
		must(err)
		r := rand.New(rand.NewPCG(2, 1))
		s.history(r, 5000, func(o Observation) { must(d.History(o)) })
		s.run(r, n, func(o Observation) bool {
			_, err := d.Observe(o)
			must(err)
			return true
		})
		report := d.Report()
		calls, ok := Needed(report)
		return report, calls, ok
	}
	if _, calls, ok := at(plain("", .1, .01), 300); !ok || calls < 400 || calls > 3000 {
		t.Errorf("a good candidate needs %v, %v", calls, ok)
	}
	worse := plain("", .1, .01)
	worse.errors[1] = .05
	report, calls, ok := at(worse, 600)
	if !ok || calls < float64(report.Calls.Candidate) || calls > 1000 {
		t.Errorf("a bad candidate needs %v, %v; it has %v", calls, ok, report.Calls)
	}
	if r, calls, ok := at(plain("", .1, .01), 40_000); ok {
		t.Errorf("%s needs %v", r.Verdict, calls)
	}
	if _, calls, ok := at(plain("", 0, .01), 300); ok {
		t.Errorf("without a share it needs %v", calls)
	}
}

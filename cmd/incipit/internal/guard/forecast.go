package guard

import "math"

// Traffic is what a prompt's calls are like by now. Where a field is 0 there are
// no such values, and a metric that needs them is never shown to be safe.
type Traffic struct {
	CallsPerHour float64 // of both arms
	ErrorRate    float64 // 0 to 1
	P50MS, P95MS float64
	RatedShare   float64 // part of the calls that are rated
	RatingMean   float64 // 1 to 5
	RatingSD     float64 // standard deviation
}

// A Step is what to expect of a step of a rollout. Evidence adds up over steps,
// and what was shown to be safe stays shown: later steps wait for what is left.
type Step struct {
	Share float64
	// Hours until the candidate is expected to be shown safe, if it is no
	// worse; +Inf if it never is at this share, 0 if it is by now.
	Hours float64
	// CandidateCalls are those of this step, +Inf as Hours.
	CandidateCalls float64
	// The smallest regressions that are found, with a probability of 90 %, by
	// the end of this step; of a step that does not end, by the end of a day.
	// +Inf if none is.
	SmallestErrorIncrease float64 // in parts of all calls: 0.01 is one point
	SmallestLatencyFactor float64 // of all latencies: 1.2 is 20 % slower
	SmallestRatingDrop    float64 // points
}

// What is not known in advance (which metric, by how much) costs these times as
// many calls as somebody would need who knew: on average, and in nine of ten.
const (
	planMean = 1.2
	plan90   = 2.3
	endless  = 24.0 // hours taken for a step that does not end
)

// Forecast says what to expect of the steps of a rollout, each the candidate's
// share from 0 to 1, under a policy. Tokens and cost are taken to be as fast as
// the rest; first token to be as spread as latency. It is nil if the policy is
// invalid.
func Forecast(p Policy, t Traffic, steps []float64) []Step {
	p, err := p.complete()
	if err != nil {
		return nil
	}
	var (
		list  []Step
		shown [metrics]float64 // growth of the logarithm of the safe capital
		calls []float64        // of each step
		goal  = planMean * math.Log(1/p.AlphaSafe)
	)
	for _, share := range steps {
		s := Step{Share: share}
		for _, m := range p.Metrics.List() {
			left := goal - shown[m]
			if m == Tokens || m == Cost || left <= 1e-9 {
				continue
			}
			perHour := t.CallsPerHour * p.safeGrowth(m, t.trait(m), share)
			s.Hours = max(s.Hours, left/max(perHour, 0)) // by 0: never
		}
		lasts := s.Hours
		if s.CandidateCalls = s.Hours * t.CallsPerHour * share; math.IsInf(s.Hours, 1) {
			s.CandidateCalls, lasts = s.Hours, endless
		}
		calls = append(calls, t.CallsPerHour*lasts)
		for m := range shown {
			shown[m] += t.CallsPerHour * lasts * p.safeGrowth(Metric(m), t.trait(Metric(m)), share)
		}
		smallest := func(m Metric, none, most float64) float64 { return p.smallest(m, t.trait(m), steps, calls, none, most) }
		s.SmallestErrorIncrease = smallest(Errors, 0, 1-t.ErrorRate)
		s.SmallestLatencyFactor = smallest(Latency, 1, 1000)
		s.SmallestRatingDrop = smallest(Satisfaction, 0, max(t.RatingMean-lowest, 0))
		list = append(list, s)
	}
	return list
}

// smallest is the least that a candidate can be worse by, from none to most, to
// be found with so many calls at these shares; +Inf if most is not enough.
func (p *Policy) smallest(m Metric, t trait, shares, calls []float64, none, most float64) float64 {
	w := p.weights()[m]
	if w == 0 {
		return math.Inf(1)
	}
	need := plan90 * math.Log(1/(p.Alpha*w))
	found := func(x float64) bool {
		sum := 0.0
		for i, n := range calls {
			sum += n * p.worseGrowth(m, t, x, shares[i])
		}
		return sum >= need
	}
	if !found(most) {
		return math.Inf(1)
	}
	for range 50 {
		if x := (none + most) / 2; found(x) {
			most = x
		} else {
			none = x
		}
	}
	return most
}

// trait is what traffic says of a metric.
func (t *Traffic) trait(m Metric) trait {
	switch m {
	case Errors:
		return trait{mean: t.ErrorRate, known: 1}
	case Satisfaction:
		return trait{t.RatingMean, t.RatingSD, t.RatedShare}
	case Latency, FirstToken:
		if t.P50MS > 0 && t.P95MS > t.P50MS {
			sigma := math.Log(t.P95MS/t.P50MS) / z95
			return trait{1, math.Sqrt(math.Expm1(sigma * sigma)), 1 - t.ErrorRate}
		}
	}
	return trait{}
}

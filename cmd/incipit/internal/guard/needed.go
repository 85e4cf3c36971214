package guard

import "math"

// Needed is about how many calls of the candidate a verdict takes at the share
// of the last call, with those that there were: held, 61 of about 140. It is not
// ok where that cannot be told, or there is a verdict.
//
// A metric that looks worse than its margin is taken to be, and is waited for
// to be proved so. Else every metric is taken to be as good as the stable's.
func Needed(r Report) (calls float64, ok bool) {
	if r.Verdict != Insufficient.String() && r.Verdict != Unmeasured.String() || r.Policy.Rule != Evidence {
		return 0, false
	}
	all := float64(r.Calls.Stable + r.Calls.Candidate)
	var safe, worse float64
	for _, one := range r.Metrics {
		m := one.metric()
		if one.Values.Stable < 2 {
			return 0, false
		}
		t := trait{one.Mean.Stable, one.Deviation, float64(one.Values.Stable+one.Values.Candidate) / max(all, 1)}
		if x, bad := one.looksWorse(m, r.Policy.Safe.of(m)); bad {
			n := planMean * math.Log(one.Goal/max(one.Capital, 1e-300)) / max(r.Policy.worseGrowth(m, t, x, r.Share), 0)
			if worse == 0 || n < worse {
				worse = n
			}
		}
		if !one.Safe {
			safe = max(safe, planMean*math.Log(one.SafeGoal/max(one.SafeCapital, 1e-300))/max(r.Policy.safeGrowth(m, t, r.Share), 0))
		}
	}
	if worse > 0 {
		safe = worse
	}
	if safe = float64(r.Calls.Candidate) + safe*r.Share; math.IsInf(safe, 0) || math.IsNaN(safe) {
		return 0, false
	}
	return math.Ceil(safe), true
}

// looksWorse reports whether a candidate is beyond its margin, by what was seen
// of it, and how much worse it is, in the measure of worseGrowth.
func (r *MetricReport) looksWorse(m Metric, margin float64) (x float64, bad bool) {
	const few = 5 // values that say nothing yet
	if r.Values.Stable < few || r.Values.Candidate < few {
		return 0, false
	}
	switch m {
	case Errors:
		x = r.Mean.Candidate - r.Mean.Stable
	case Satisfaction:
		x = r.Mean.Stable - r.Mean.Candidate
	default:
		x = r.Mean.Candidate / max(r.Mean.Stable, 1e-12)
		return x, x > 1+margin
	}
	return x, x > margin
}

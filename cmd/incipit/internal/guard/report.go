package guard

import "math"

// A Report is a verdict with all that it rests on, to be kept and shown.
type Report struct {
	Policy   Policy         `json:"policy"`
	Verdict  string         `json:"verdict"`
	Observed uint64         `json:"observed"` // calls and late ratings
	Calls    Arms           `json:"calls"`
	Share    float64        `json:"share"`   // the candidate's, of the last call; 0 if it is not known
	PValue   float64        `json:"p_value"` // that the candidate is no worse, at the worst moment so far
	Ratio    float64        `json:"ratio"`   // capital against the shares; from 1,000 on the data are not trusted
	Runs     float64        `json:"runs"`    // capital against calls that are each assigned anew; likewise, and the metrics' capital is divided by it
	Subjects bool           `json:"subjects"`
	Metrics  []MetricReport `json:"metrics"`
}

// Arms is a count by arm.
type Arms struct {
	Stable    uint64 `json:"stable"`
	Candidate uint64 `json:"candidate"`
}

// Means are by arm.
type Means struct {
	Stable    float64 `json:"stable"`
	Candidate float64 `json:"candidate"`
}

// A MetricReport is what is known of one metric.
type MetricReport struct {
	Metric string `json:"metric"`
	Values Arms   `json:"values"`
	// Mean, and the stable's standard Deviation, are those of the rollout's
	// values on which there were bets; 0 while there are none.
	Mean      Means   `json:"mean"`
	Deviation float64 `json:"deviation"`
	// Capital is what the bets against the candidate made of Start. A candidate
	// is taken back when the capital of metrics that are known at the same time
	// adds up to Goal.
	Start   float64 `json:"start"`
	Capital float64 `json:"capital"`
	Goal    float64 `json:"goal"`
	// SafeCapital is what 1 became in bets that the candidate is within the
	// margin. It was shown to be when that reached SafeGoal.
	SafeCapital float64 `json:"safe_capital"`
	SafeGoal    float64 `json:"safe_goal"`
	Safe        bool    `json:"safe"`
	Guilty      bool    `json:"guilty"`
	// Difference is candidate minus stable, of the means, with an interval at
	// level 1-alpha; nil while there is too little. It decides nothing.
	Difference *Interval `json:"difference"`
}

// Report is the verdict with its inputs.
func (d *Detector) Report() Report {
	r := Report{
		Policy: d.policy, Verdict: d.verdict.Kind.String(), Observed: d.seen,
		Calls: Arms{d.calls[0], d.calls[1]}, Share: d.share, PValue: 1, Ratio: d.ratio.wealth, Runs: d.runs.wealth, Subjects: d.sticky,
	}
	if d.peak > 1 {
		r.PValue = 1 / d.peak
	}
	for _, m := range d.policy.Metrics.List() {
		one := MetricReport{
			Metric: m.String(), Values: Arms{d.values[m][0], d.values[m][1]},
			Start: d.weights[m], Capital: d.capital[m], Goal: 1 / d.policy.Alpha,
			SafeCapital: d.safeWealth(m), SafeGoal: 1 / d.policy.AlphaSafe,
			Safe: d.safe.Has(m), Guilty: d.verdict.Guilty.Has(m),
			Mean: Means{d.spans[m].arms[0].mean(), d.spans[m].arms[1].mean()},
		}
		if stable := &d.spans[m].arms[0]; stable.n > 0 {
			one.Deviation = math.Sqrt(stable.variance())
		}
		if i, ok := d.spans[m].interval(d.policy.Alpha); ok {
			i = i.within(m.widest())
			one.Difference = &i
		}
		r.Metrics = append(r.Metrics, one)
	}
	return r
}

// metric is the one that the report is about.
func (r *MetricReport) metric() Metric {
	for _, m := range Metrics() {
		if m.String() == r.Metric {
			return m
		}
	}
	return metrics
}

package compare

import (
	"cmp"
	"math"
	"slices"
)

// Compare says whether the candidate is worse than the base. It depends on its
// arguments alone; the order of the pairs shows in nothing but the order of
// Worse.
func Compare(pairs []Pair, r Rules) Result {
	r = r.withDefaults()
	both := slices.DeleteFunc(slices.Clone(pairs), func(p Pair) bool { return len(p.Base) == 0 || len(p.Candidate) == 0 })
	res := Result{Cases: len(both), Unpaired: len(pairs) - len(both)}
	for _, p := range both {
		res.Repeats = max(res.Repeats, len(p.Base), len(p.Candidate))
		if before, after := passes(p.Base), passes(p.Candidate); before && !after {
			res.Worse = append(res.Worse, p.Case)
		}
	}
	res.Clusters = len(byCluster(measureOf("pass").rows(both), func(row) float64 { return 0 }))
	for _, name := range r.Gate {
		res.Metrics = append(res.Metrics, r.measured(name, both, true))
	}
	for _, name := range r.warned(both) {
		if m := r.measured(name, both, false); m.Cases > 0 {
			res.Metrics = append(res.Metrics, m)
		}
	}
	holm(res.Metrics[:len(r.Gate)])
	for i := range res.Metrics {
		r.decide(&res.Metrics[i])
	}
	res.Verdict, res.Needed = overall(res.Metrics[:len(r.Gate)])
	return res
}

func (r Rules) withDefaults() Rules {
	if !(r.Alpha > 0 && r.Alpha < .5) {
		r.Alpha = .05
	}
	r.Margin = cmp.Or(r.Margin, .10)
	r.MinCases = cmp.Or(r.MinCases, 20)
	if len(r.Gate) == 0 {
		r.Gate = []string{"pass"}
	}
	r.Gate = unique(r.Gate)
	return r
}

func (r Rules) margin(name string) float64 {
	if m, ok := r.Margins[name]; ok {
		return m
	}
	return r.Margin
}

// warned are the metrics that are told beside the gated ones.
func (r Rules) warned(pairs []Pair) []string {
	names := slices.Clone(r.Warn)
	if len(names) == 0 {
		names = append([]string{"pass", "latency", "tokens", "cost"}, named(pairs)...)
	}
	return slices.DeleteFunc(unique(names), func(n string) bool { return slices.Contains(r.Gate, n) })
}

// named are the names of all scores, sorted.
func named(pairs []Pair) []string {
	seen := make(map[string]bool)
	var names []string
	for _, p := range pairs {
		for _, side := range [][]Sample{p.Base, p.Candidate} {
			for _, s := range side {
				for name := range s.Metrics {
					if !seen[name] {
						seen[name] = true
						names = append(names, name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// passes reports whether more than half of the answers passed.
func passes(side []Sample) bool {
	n := 0
	for _, s := range side {
		if s.Passed {
			n++
		}
	}
	return 2*n > len(side)
}

// measured fills in all of a metric but what Holm and the verdict need.
func (r Rules) measured(name string, pairs []Pair, gated bool) Metric {
	m := measureOf(name)
	rows := m.rows(pairs)
	out := Metric{
		Name: name, Gated: gated, Cases: len(rows), Level: 1 - 2*r.Alpha, Margin: r.margin(name),
		Low: -1, High: 1, P: 1, Adjusted: 1,
	}
	if len(rows) == 0 {
		return out
	}
	out.Base = meanOf(rows, func(x row) float64 { return x.base })
	out.Candidate = meanOf(rows, func(x row) float64 { return x.candidate })
	if m.relative {
		r.relative(&out, rows)
	} else {
		r.absolute(&out, rows)
	}
	if name == "pass" {
		out.Better, out.Worse = crossings(pairs)
	}
	out.Adjusted = out.P
	return out
}

func crossings(pairs []Pair) (better, worse int) {
	for _, p := range pairs {
		switch before, after := passes(p.Base), passes(p.Candidate); {
		case before && !after:
			worse++
		case after && !before:
			better++
		}
	}
	return better, worse
}

// meanOf sums in order of size: the order of the cases must not show.
func meanOf(rows []row, value func(row) float64) float64 {
	list := make([]float64, len(rows))
	for i, r := range rows {
		list[i] = value(r)
	}
	slices.Sort(list)
	return mean(list)
}

// absolute compares shares and scores, of which more is better.
func (r Rules) absolute(m *Metric, rows []row) {
	s := spreadOf(rows)
	m.Diff = s.mean()
	m.Low, m.High = s.bounds(r.Alpha)
	sums := byCluster(rows, func(x row) float64 { return x.all })
	p, ok := flipTail(sums)
	if !ok {
		total := 0.0
		for _, v := range sums {
			total += v
		}
		d := total / float64(len(rows))
		residuals := byCluster(rows, func(x row) float64 { return x.all - d })
		p = studentTail(-d/math.Sqrt(robust(residuals, len(rows))), float64(len(sums)-1))
	}
	m.P = p
	if m.Low <= -m.Margin {
		m.Needed = s.needed(r.Alpha, m.Margin, r.MinCases)
	} else if m.Cases < r.MinCases {
		m.Needed = r.MinCases
	}
}

func spreadOf(rows []row) spread {
	s := spread{cases: float64(len(rows))}
	s.loss = s.cases * meanOf(rows, func(x row) float64 { return max(x.base-x.candidate, 0) })
	s.gain = s.cases * meanOf(rows, func(x row) float64 { return max(x.candidate-x.base, 0) })
	d := s.mean()
	residuals := byCluster(rows, func(x row) float64 { return x.candidate - x.base - d })
	s.clusters = float64(len(residuals))
	s.variance = robust(residuals, len(rows))
	return s
}

// relative compares what is paid for, of which less is better: by the ratio of
// the means, which is what a bill or a day of waiting grows by. Its variance is
// that of the linearized ratio (W. G. Cochran, Sampling Techniques, 1977, 6.4).
func (r Rules) relative(m *Metric, rows []row) {
	if m.Base == 0 {
		m.Cases = 0 // a share of nothing
		return
	}
	m.Diff = m.Candidate/m.Base - 1
	residuals := byCluster(rows, func(x row) float64 { return (x.candidate - (1+m.Diff)*x.base) / m.Base })
	df := float64(len(residuals) - 1)
	se := math.Sqrt(robust(residuals, len(rows)))
	if df <= 0 {
		return
	}
	half := 0.0
	if se > 0 {
		half = se * studentQuantile(r.Alpha, df)
		m.P = studentTail(m.Diff/se, df)
	} else if m.Diff > 0 {
		m.P = 0 // every case the same share worse
	}
	m.Low, m.High = m.Diff-half, m.Diff+half
	if m.High >= m.Margin {
		m.Needed = r.neededRelative(*m, len(rows), df+1, se)
	} else if m.Cases < r.MinCases {
		m.Needed = r.MinCases
	}
}

func (r Rules) neededRelative(m Metric, cases int, clusters, se float64) int {
	return smallest(max(r.MinCases, cases+1), 100_000, func(n int) bool {
		f := float64(n) / float64(cases)
		half := se / math.Sqrt(f) * studentQuantile(r.Alpha, clusters*f-1)
		if m.Diff < m.Margin {
			return m.Diff+half < m.Margin
		}
		return m.Diff-half > 0
	})
}

// holm adjusts for how many metrics decide (S. Holm, Scandinavian Journal of
// Statistics 6, 1979): one that is not worse is called so with probability alpha
// over all of them.
func holm(gated []Metric) {
	order := make([]int, len(gated))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(gated[a].P, gated[b].P) })
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, float64(len(gated)-k)*gated[i].P))
		gated[i].Adjusted = least
	}
}

// overall is the worst of the gated verdicts, and the most cases that one of
// them needs.
func overall(gated []Metric) (v Verdict, needed int) {
	v = NotRegressed
	open := false
	for _, m := range gated {
		switch {
		case m.Verdict == Regressed:
			return Regressed, 0
		case m.Verdict == Inconclusive:
			v = Inconclusive
			open = open || m.Needed == 0
			needed = max(needed, m.Needed)
		}
	}
	if open {
		needed = 0
	}
	return v, needed
}

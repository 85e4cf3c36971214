package compare

import (
	"math"
	"slices"
	"strconv"
)

// A row is one case on one metric: means over its repeats.
type row struct {
	cluster         string
	base, candidate float64 // over the first answers that every case has
	all             float64 // candidate − base over all answers
}

// A measure reads one metric of a sample.
type measure struct {
	name     string
	relative bool // lower is better, and differences are told as a share of the base
	read     func(Sample) (value float64, ok bool)
}

func measureOf(name string) measure {
	switch name {
	case "pass":
		return measure{name, false, func(s Sample) (float64, bool) {
			if s.Passed {
				return 1, true
			}
			return 0, true
		}}
	case "score":
		return measure{name, false, func(s Sample) (float64, bool) { return share(s.Score) }}
	case "latency":
		return measure{name, true, func(s Sample) (float64, bool) { return amount(s.LatencyMS) }}
	case "tokens":
		return measure{name, true, func(s Sample) (float64, bool) { return amount(s.Tokens) }}
	case "cost":
		return measure{name, true, func(s Sample) (float64, bool) {
			if s.Cost == nil {
				return 0, false
			}
			return amount(*s.Cost)
		}}
	}
	return measure{name, false, func(s Sample) (float64, bool) {
		v, ok := s.Metrics[name]
		if !ok {
			return 0, false
		}
		return share(v)
	}}
}

// share keeps a score between 0 and 1, which is what the interval rests on.
func share(v float64) (float64, bool) { return min(max(v, 0), 1), !math.IsNaN(v) }

func amount(v float64) (float64, bool) {
	return v, v >= 0 && !math.IsInf(v, 1)
}

// rows are the cases that have m on both sides.
//
// If cases were asked again because of what they answered, the mean over all
// answers is drawn toward zero where luck made the difference. So what is
// estimated is estimated from as many answers as every case has on both sides;
// what is tested is tested with all of them (docs/decisions/0026-comparison.md).
func (m measure) rows(pairs []Pair) []row {
	type values struct{ base, candidate []float64 }
	var (
		list   []values
		out    []row
		common = math.MaxInt
	)
	for i, p := range pairs {
		v := values{m.values(p.Base), m.values(p.Candidate)}
		if len(v.base) == 0 || len(v.candidate) == 0 {
			continue
		}
		common = min(common, len(v.base), len(v.candidate))
		list = append(list, v)
		cluster := "c" + p.Cluster
		if p.Cluster == "" {
			cluster = strconv.Itoa(i)
		}
		out = append(out, row{cluster: cluster})
	}
	for i, v := range list {
		out[i].base, out[i].candidate = mean(v.base[:common]), mean(v.candidate[:common])
		out[i].all = mean(v.candidate) - mean(v.base)
	}
	return out
}

func (m measure) values(samples []Sample) []float64 {
	var out []float64
	for _, s := range samples {
		if v, ok := m.read(s); ok {
			out = append(out, v)
		}
	}
	return out
}

func mean(list []float64) float64 {
	var sum float64
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

// byCluster sums value over the rows of each cluster, in the order in which
// clusters first appear.
func byCluster(rows []row, value func(row) float64) []float64 {
	at := make(map[string]int)
	var sums []float64
	for _, r := range rows {
		i, ok := at[r.cluster]
		if !ok {
			i = len(sums)
			at[r.cluster] = i
			sums = append(sums, 0)
		}
		sums[i] += value(r)
	}
	return sums
}

// robust is the variance of a mean over n cases whose residuals have these sums
// in each cluster: G/(G−1) · Σ sum² / n² (A. C. Cameron, D. L. Miller, Journal of
// Human Resources 50, 2015, for a mean; the same that E. Miller,
// arXiv:2411.00640, 2024, proposes for evaluations of language models).
func robust(residuals []float64, n int) float64 {
	g := float64(len(residuals))
	if g < 2 {
		return 0
	}
	var sum float64
	squares := make([]float64, len(residuals))
	for i, r := range residuals {
		squares[i] = r * r
	}
	slices.Sort(squares) // the order of the cases must not show in the last digit
	for _, v := range squares {
		sum += v
	}
	if sum < 1e-18*g { // what rounding leaves of zero
		return 0
	}
	return g / (g - 1) * sum / float64(n) / float64(n)
}

package compare

import "math"

// A spread is what the interval around a mean difference is made of.
type spread struct {
	cases    float64
	clusters float64
	loss     float64 // sum over cases of what the candidate lost, each from 0 to 1
	gain     float64 // and of what it gained
	variance float64 // of the mean difference, robust to clusters
}

func (s spread) mean() float64 { return (s.gain - s.loss) / s.cases }

// bounds are the ends of the interval around the mean difference of a metric
// that lies between 0 and 1; each end is wrong with probability alpha.
//
// It is the score interval for paired proportions (T. Tango, Statistics in
// Medicine 17, 1998), at the number of independent cases that would have the
// variance seen (as E. L. Korn and B. I. Graubard, Survey Methodology 24, 1998,
// do for one proportion), with Student's quantile for the clusters' number. A
// Student interval around a handful of differences is far too short, and of no
// length where there is none.
//
// No interval is shorter than what G clusters without a single difference leave
// open: a loss of share q goes unseen with probability (1−q)^G.
func (s spread) bounds(alpha float64) (low, high float64) {
	if s.clusters < 2 {
		return -1, 1
	}
	n := s.cases
	if s.variance > 0 {
		alone := (s.loss + s.gain - (s.gain-s.loss)*(s.gain-s.loss)/n) / (n * n)
		n *= alone / s.variance
	} else {
		n = s.clusters
	}
	scale := n / s.cases
	t := studentQuantile(alpha, s.clusters-1)
	loss, gain := s.loss*scale, s.gain*scale
	unseen := 1 - math.Pow(alpha, 1/s.clusters)
	low = min(-scoreBound(loss, gain, n, t), s.mean()-unseen)
	high = max(scoreBound(gain, loss, n, t), s.mean()+unseen)
	return max(low, -1), min(high, 1)
}

// scoreBound is the largest difference of shares (b−c)/n that b cases for it
// and c against it, of n, do not rule out at the quantile z.
func scoreBound(b, c, n, z float64) float64 {
	if n <= 0 || b == n {
		return 1
	}
	// The score falls from 0 at the estimate to −∞ at 1.
	inside := func(d float64) bool {
		// q is the share of the cases against, if the difference were d.
		qa, qb, qc := 2*n, -b-c+(2*n-b+c)*d, -c*d*(1-d)
		q := (math.Sqrt(max(0, qb*qb-4*qa*qc)) - qb) / (2 * qa)
		variance := n * (2*q + d*(1-d))
		return b-c-n*d > -z*math.Sqrt(max(0, variance))
	}
	return bisect((b-c)/n, 1, inside)
}

// needed is how many cases it would take to have the mean difference above
// −margin, or, where it lies below, to have the whole interval below zero, if
// everything else stayed as it is. 0: not even a hundred thousand.
func (s spread) needed(alpha, margin float64, least int) int {
	const most = 100_000
	decides := func(n int) bool {
		f := float64(n) / s.cases
		low, high := spread{
			cases: float64(n), clusters: s.clusters * f,
			loss: s.loss * f, gain: s.gain * f, variance: s.variance / f,
		}.bounds(alpha)
		if s.mean() > -margin {
			return low > -margin
		}
		return high < 0
	}
	return smallest(max(least, int(s.cases)+1), most, decides)
}

// smallest is the least n from low to most that decides, where every larger one
// does; 0 if none does.
func smallest(low, most int, decides func(int) bool) int {
	if low > most || !decides(most) {
		return 0
	}
	high := most
	for low < high {
		if mid := (low + high) / 2; decides(mid) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return high
}

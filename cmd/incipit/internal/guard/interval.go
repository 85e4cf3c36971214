package guard

import "math"

// A span follows the difference of the arms' means, to be shown: it decides
// nothing. Each call is weighted by the share it had, so a moving split does
// not bend it.
type span struct {
	arms       [2]spread
	n, sum, sq float64 // of the scores
}

func (s *span) add(x float64, candidate bool, pi float64) {
	m0, m1 := s.arms[0].mean(), s.arms[1].mean()
	z := m1 - m0
	if candidate {
		z += (x - m1) / pi
	} else {
		z -= (x - m0) / (1 - pi)
	}
	s.n++
	s.sum += z
	s.sq += z * z
	s.arms[arm(candidate)].add(x)
}

// An Interval is what a difference is, candidate minus stable, at the time.
type Interval struct {
	Low      float64 `json:"low"`
	Estimate float64 `json:"estimate"`
	High     float64 `json:"high"`
}

// within cuts off what no difference can be, which leaves an interval its level.
func (i Interval) within(most float64) Interval {
	cut := func(x float64) float64 { return max(-most, min(x, most)) }
	return Interval{cut(i.Low), cut(i.Estimate), cut(i.High)}
}

// interval is an asymptotic confidence sequence at level 1-alpha: it holds at all
// times together once there is some data, 30 or so of each arm.
func (s *span) interval(alpha float64) (i Interval, ok bool) {
	if s.arms[0].n < 2 || s.arms[1].n < 2 {
		return i, false
	}
	const tuned = 5000 // calls at which it is narrowest
	n, m := s.n, s.sum/s.n
	v := max(s.sq/n-m*m, 0)
	rho2 := (-2*math.Log(alpha) + math.Log(1-2*math.Log(alpha))) / tuned
	k := n*rho2 + 1
	r := math.Sqrt(v * 2 * k / (n * n * rho2) * math.Log(math.Sqrt(k)/alpha))
	return Interval{m - r, m, m + r}, true
}

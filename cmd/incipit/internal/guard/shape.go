package guard

import "math"

// A shape bets on the whole distribution of a value that is better the smaller
// it is: that it is shifted, or that a part of the calls is far out.
type shape struct {
	stable  histogram
	mix     mixture
	scale   float64 // of the values: costs are counted in millionths
	margin  int     // bins by which the candidate may be worse
	p95Only bool

	safe       mixture // evidence that the candidate is within the safe margin
	safeMargin float64
	mean       bool    // safe is about the mean, else about the 95th percentile
	winsor     spread  // of the stable's values, none above p99
	wealth     float64 // of the safe test
}

var (
	shapePrior = [5]float64{.25, .20, .33, .20, .02}
	tailPrior  = [4]float64{.32, .32, .32, .04}
	safePrior  = [2]float64{.5, .5}
)

// shapeShare is given back after every call, which is next to nothing. Without
// it a candidate that becomes slow after many good calls would never be seen:
// the experts would have lost all they had.
const shapeShare = 1e-5

func newShape(m Metric, p Policy) shape {
	s := shape{
		scale: 1, p95Only: p.P95Only && (m == Latency || m == FirstToken),
		margin: int(math.Log1p(p.Regress.of(m)) / binWidth),
		safe:   newMixture(safePrior[:]...), safeMargin: p.Safe.of(m), mean: m == Tokens || m == Cost, wealth: 1,
	}
	s.mix = newMixture(s.prior()...)
	if m == Cost {
		s.scale = 1e6
	}
	return s
}

// ready reports whether the stable release is known well enough to bet.
func (s *shape) ready() bool { return s.stable.built > 0 }

// stake is the bet on a value. The candidate's is taken to be smaller by the
// margin, so the two arms' bets are on different outcomes.
func (s *shape) stake(x float64, candidate bool, pi float64) bet {
	b := bin(x * s.scale)
	if candidate {
		b = max(b-s.margin, 0)
	}
	t := s.odds(s.stable.z[b])
	return s.mix.stake(&t, pi)
}

// odds never fall as z grows: who is faster at every rank wins nothing for the
// experts, so the test is one-sided.
func (s *shape) odds(z float64) (t odds) {
	if s.p95Only {
		for k, r := range [3]float64{1.5, 2.2, 4} {
			t[k] = tail(r, z)
		}
		t[3] = 1
		return t
	}
	const q1, d1, q2, d2 = .05, 2.0, .15, 1.3
	t[0] = math.Exp(.25*z - .25*.25/2)
	t[1] = math.Exp(.7*z - .7*.7/2)
	t[2] = 1 - q1 + q1*math.Exp(d1*z-d1*d1/2)
	t[3] = 1 - q2 + q2*math.Exp(d2*z-d2*d2/2)
	t[4] = 1
	return t
}

// tail are the odds if the candidate is beyond the stable's 95th percentile r
// times as often.
func tail(r, z float64) float64 {
	if z > z95 {
		return r
	}
	return (1 - .05*r) / .95
}

func (s *shape) settle(arm int) {
	s.mix.settle(arm)
	s.mix.share(shapeShare, s.prior())
}

func (s *shape) prior() []float64 {
	if s.p95Only {
		return tailPrior[:]
	}
	return shapePrior[:]
}

// stakeSafe is the bet that the candidate is better than the stable release
// plus the margin.
func (s *shape) stakeSafe(x float64, candidate bool, pi float64) bet {
	x *= s.scale
	if candidate {
		x /= 1 + s.safeMargin
	}
	if !s.mean {
		z := s.stable.z[bin(x)]
		t := odds{tail(.45, z), tail(.65, z)}
		return s.safe.stake(&t, pi)
	}
	c, gain := s.stable.p99, s.safeMargin/(1+s.safeMargin)
	m, v := s.winsor.mean(), s.winsor.variance()
	m = clamp(m, c/1e6, c)
	for k, part := range [2]float64{.5, 1} {
		l := min(part*gain*m/v, .95/max(pi*m, (1-pi)*(c-m)))
		s.safe.bets[k] = linear(l, m-min(x, c), pi)
	}
	return s.safe.sum()
}

// learn takes in a value of the stable release, after its bet.
func (s *shape) learn(x float64) {
	x *= s.scale
	s.stable.add(bin(x))
	if s.ready() {
		s.winsor.add(min(x, s.stable.p99))
	}
}

// settleSafe places that bet and settles it.
func (s *shape) settleSafe(x float64, candidate bool, pi, goal float64) {
	b, a := s.stakeSafe(x, candidate, pi), arm(candidate)
	if !s.mean { // see rating: linear stakes are not cut
		b = b.scaled(capped(b, enough(s.wealth, goal)))
	}
	s.wealth = grown(s.wealth, b[a])
	s.safe.settle(a)
}

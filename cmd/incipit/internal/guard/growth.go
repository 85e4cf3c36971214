package guard

import "math"

// A trait is what is known, or believed, of a metric on the stable release.
type trait struct {
	mean, sd float64
	known    float64 // part of the calls that have a value
}

// sigma is the spread of the logarithm, as if it were normal.
func (t trait) sigma() float64 {
	return math.Sqrt(math.Log1p(t.sd * t.sd / max(t.mean*t.mean, 1e-12)))
}

// safeGrowth is how much the logarithm of the capital of the bets for safe grows
// with each call at share pi, while there is no difference.
func (p *Policy) safeGrowth(m Metric, t trait, pi float64) float64 {
	if !(pi > 0 && pi < 1) {
		return 0
	}
	margin := p.Safe.of(m)
	switch m {
	case Errors:
		return t.known * ratesGrowth(t.mean, t.mean, pi, margin)
	case Satisfaction:
		return t.known * linearGrowth(margin, t.sd*t.sd, pi)
	case Latency, FirstToken:
		u := above(z95 + math.Log1p(margin)/max(t.sigma(), 1e-6))
		return t.known * max(tailGrowth(.45, u, pi), tailGrowth(.65, u, pi))
	default:
		return t.known * linearGrowth(t.mean*margin/(1+margin), t.sd*t.sd, pi)
	}
}

// worseGrowth is the same for the bets against a candidate that is worse by x:
// points of the rate, points of the marks, else a factor above 1.
func (p *Policy) worseGrowth(m Metric, t trait, x, pi float64) float64 {
	if !(pi > 0 && pi < 1) {
		return 0
	}
	margin := p.Regress.of(m)
	switch m {
	case Errors:
		if x <= margin {
			return 0
		}
		return t.known * ratesGrowth(t.mean, t.mean+x, pi, margin)
	case Satisfaction:
		return t.known * linearGrowth(max(x-margin, 0), t.sd*t.sd, pi)
	default:
		d := max(math.Log(x/(1+margin)), 0) / max(t.sigma(), 1e-6)
		if !p.P95Only || m > FirstToken {
			return t.known * shiftGrowth(d, pi)
		}
		best, u := 0.0, above(z95-d)
		for _, r := range []float64{1.5, 2.2, 4} {
			best = max(best, tailGrowth(r, u, pi))
		}
		return t.known * best
	}
}

// ratesGrowth is the least relative entropy from two error rates to those on the
// other side of a margin. Without a margin it is what an arm tells of an error.
func ratesGrowth(p0, p1, pi, margin float64) float64 {
	p0, p1 = clamp(p0, 1e-5, .999), clamp(p1, 1e-5, .999)
	q0 := project(pi, p1, p0, margin)
	return pi*entropy(p1, q0+margin) + (1-pi)*entropy(p0, q0)
}

// entropy is the relative entropy of two rates.
func entropy(a, b float64) float64 {
	return a*math.Log(a/b) + (1-a)*math.Log((1-a)/(1-b))
}

// linearGrowth is what the best linear stake wins on means that differ by delta.
func linearGrowth(delta, variance, pi float64) float64 {
	gain := pi * (1 - pi) * delta
	risk := pi*(1-pi)*(1-pi)*(variance+delta*delta) + (1-pi)*pi*pi*variance
	return gain * gain / max(2*risk, 1e-12)
}

// tailGrowth is what odds of r on the slowest 5 % win, if the candidate's part
// there is u.
func tailGrowth(r, u, pi float64) float64 {
	in, out := fair(tail(r, z95+1), pi), fair(tail(r, z95-1), pi)
	return pi*(u*math.Log(in[1])+(1-u)*math.Log(out[1])) + (1-pi)*(.05*math.Log(in[0])+.95*math.Log(out[0]))
}

// shiftGrowth is what an arm tells of a normal value that the candidate shifts by
// d standard deviations.
func shiftGrowth(d, pi float64) (sum float64) {
	const step = .05
	for z := -6.; z < 6+d; z += step {
		p0 := math.Exp(-z*z/2) * step / math.Sqrt(2*math.Pi)
		win := fair(math.Exp(d*z-d*d/2), pi)
		sum += p0 * ((1-pi)*math.Log(win[0]) + pi*math.Exp(d*z-d*d/2)*math.Log(win[1]))
	}
	return max(sum, 0)
}

// above is the part of a normal law that lies above z.
func above(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

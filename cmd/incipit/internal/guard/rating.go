package guard

// A spread is the mean and the variance of values.
type spread struct{ n, sum, squares float64 }

func (s *spread) add(x float64) {
	s.n++
	s.sum += x
	s.squares += x * x
}

func (s *spread) mean() float64 { return s.sum / max(s.n, 1) }

// variance is never 0: of n equal values we know only that it is small.
func (s *spread) variance() float64 {
	m := s.mean()
	return max(s.squares/max(s.n, 1)-m*m, (1e-6+m*m*1e-3)/(s.n+1), 1e-12)
}

// linear is the bet of a stake of l on the sign of h, which is how much worse an
// outcome is than expected. It is fair for h that differ in all but their
// mean, and wins nothing for an arm that merely has fewer of them.
func linear(l, h, pi float64) bet { return bet{1 - l*pi*h, 1 + l*(1-pi)*h} }

// A rating bets on the mean of marks from 1 to 5.
type rating struct {
	stable spread
	mix    mixture
	margin float64

	safe       mixture
	safeMargin float64
	wealth     float64 // of the safe test
}

const (
	lowest, highest = 1.0, 5.0
	// most of a stake that a single mark can lose.
	most = .95
	// ratingShare is given back after every rating: see shapeShare.
	ratingShare = 1e-4
)

var (
	// Lower marks vary more than the stable release's: the best stake is less
	// than the difference over its variance.
	ratingSteps = [3]float64{.18, .5, 1.2}
	ratingPrior = [4]float64{.5, .36, .1, .04}
	safeSteps   = [2]float64{.5, 1} // of the margin
)

func newRating(p Policy) rating {
	return rating{
		// Before there are ratings: 4, give or take 1, as if two had said so.
		stable: spread{n: 2, sum: 8, squares: 34}, wealth: 1,
		mix: newMixture(ratingPrior[:]...), margin: p.Regress.Satisfaction,
		safe: newMixture(safePrior[:]...), safeMargin: p.Safe.Satisfaction,
	}
}

// worst is how much a linear stake of 1 can lose, so that most/worst is the
// largest stake. up and down: how far marks can go against the candidate's and the
// stable's bet.
func worst(pi, up, down float64) float64 { return max((1-pi)*up, pi*down) }

// stake is the bet that the candidate's marks are lower by more than the margin.
// Marks are not cut at 5 when the margin is added: that would bend the mean.
func (r *rating) stake(y float64, candidate bool, pi float64) bet {
	m, v := r.stable.mean(), r.stable.variance()
	if candidate {
		y += r.margin
	}
	limit := most / worst(pi, highest+r.margin-m, m-lowest)
	for k, step := range ratingSteps {
		r.mix.bets[k] = linear(min(step/v, limit), m-y, pi)
	}
	r.mix.bets[3] = none()
	return r.mix.sum()
}

func (r *rating) settle(arm int) {
	r.mix.settle(arm)
	r.mix.share(ratingShare, ratingPrior[:])
}

// stakeSafe is the bet that the candidate's marks are not lower by the margin.
func (r *rating) stakeSafe(y float64, candidate bool, pi float64) bet {
	m, v := r.stable.mean(), r.stable.variance()
	if candidate {
		y += r.safeMargin
	}
	limit := most / worst(pi, m-lowest, highest-m)
	for k, part := range safeSteps {
		r.safe.bets[k] = linear(min(part*r.safeMargin/v, limit), y-m, pi)
	}
	return r.safe.sum()
}

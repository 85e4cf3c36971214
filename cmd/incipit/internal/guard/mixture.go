package guard

import "math"

// maxExperts is how many experts the largest mixture has.
const maxExperts = 8

// An odds is what the experts of a mixture say about one outcome: how much
// likelier it is on the candidate than on the stable release.
type odds [maxExperts]float64

// A bet is what a stake of 1 becomes, if the candidate served the call or if
// the stable release did. At a share pi it is fair: pi*win[1]+(1-pi)*win[0] = 1.
type bet [2]float64

// none is the bet that risks nothing.
func none() bet { return bet{1, 1} }

// arm is the place of an arm in a bet.
func arm(candidate bool) int {
	if candidate {
		return 1
	}
	return 0
}

// fair is the bet on odds of t at share pi. It is fair whatever the law of the
// outcome, since it depends on the outcome through t alone.
func fair(t, pi float64) bet {
	d := 1 - pi + pi*t
	return bet{1 / d, t / d}
}

// scaled is the bet with only a part of the stake.
func (b bet) scaled(part float64) bet {
	return bet{1 + part*(b[0]-1), 1 + part*(b[1]-1)}
}

// A mixture is a stake that is divided among experts. Those who are right hold
// more of it at the next bet.
type mixture struct {
	n    int // experts
	v    odds
	bets [maxExperts]bet // of the outcome at hand
}

// newMixture divides the stake by the prior, whose sum is 1.
func newMixture(prior ...float64) mixture {
	m := mixture{n: len(prior)}
	copy(m.v[:], prior)
	return m
}

// stake is the mixture's bet, at share pi, on an outcome of which the experts
// say t.
func (m *mixture) stake(t *odds, pi float64) bet {
	for k := range m.n {
		m.bets[k] = fair(t[k], pi)
	}
	return m.sum()
}

// sum is the bet of all experts together.
func (m *mixture) sum() (b bet) {
	for k := range m.n {
		b[0] += m.v[k] * m.bets[k][0]
		b[1] += m.v[k] * m.bets[k][1]
	}
	return b
}

// settle divides the stake anew, now that the arm is known.
func (m *mixture) settle(arm int) {
	var sum float64
	for k := range m.n {
		m.v[k] *= m.bets[k][arm]
		sum += m.v[k]
	}
	m.divide(sum)
}

func (m *mixture) divide(sum float64) {
	part := 1 / sum
	for k := range m.n {
		// What is this small will not come back by itself; numbers that are
		// not normal would make each later call ten times slower.
		if m.v[k] *= part; m.v[k] < 1e-250 {
			m.v[k] = 0
		}
	}
}

// share gives every expert a part s of its prior back, so that one who was
// wrong for long can still be right later.
func (m *mixture) share(s float64, prior []float64) {
	for k, w := range prior {
		m.v[k] = (1-s)*m.v[k] + s*w
	}
}

// enough is how many times w must grow to reach the goal.
func enough(w, goal float64) float64 { return max(goal/w, 1) }

// capped is the part of a stake to put on a bet, so that winning it lands on
// the goal and not beyond: what would be won beyond is of no use (Fischer and
// Ramdas). c is how many times the capital may still grow.
func capped(b bet, c float64) float64 {
	if most := math.Max(b[0], b[1]); most > c {
		return (c - 1) / (most - 1)
	}
	return 1
}

package guard

// A ratio tests whether calls arrive in the shares that were said. Where they do
// not, calls are lost or assigned otherwise, and no verdict means anything.
type ratio struct {
	mix    mixture
	wealth float64
}

// distrust is the capital at which the data are not trusted. By chance that
// happens once in a thousand rollouts.
const distrust = 1000

var (
	ratioPrior   = [6]float64{1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6}
	ratioFactors = odds{.5, .8, .9, 1.1, 1.25, 2}
)

func newRatio() ratio { return ratio{newMixture(ratioPrior[:]...), 1} }

// learn takes in the arm of a call that was drawn at share pi.
func (r *ratio) learn(candidate bool, pi float64) {
	a := arm(candidate)
	r.wealth = grown(r.wealth, r.mix.stake(&ratioFactors, pi)[a])
	r.mix.settle(a)
}

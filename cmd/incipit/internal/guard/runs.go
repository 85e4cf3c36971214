package guard

// Errors of calls that were assigned by themselves do not run on one arm. Where
// they do, attempts of one call were taken for calls, and a single one that
// nobody could have answered counts many times. runs tests for that: behind an
// error it bets that the next call has the same arm.
type runs struct {
	mix    mixture
	wealth float64
	last   uint8 // arm of the call before plus 1, if it failed; else 0
}

var (
	runsPrior = [4]float64{.25, .25, .25, .25}
	runsParts = [3]float64{.2, .6, .9} // of the calls behind an error are attempts
)

func newRuns() runs { return runs{mix: newMixture(runsPrior[:]...), wealth: 1} }

// learn takes in a call that was drawn at share pi; alone says that by itself.
func (r *runs) learn(o *Observation, pi float64, alone bool) {
	if r.last != 0 && alone {
		t := odds{3: 1}
		for k, part := range runsParts {
			if r.last == 2 {
				t[k] = (part + (1-part)*pi) / ((1 - part) * pi)
			} else {
				t[k] = (1 - part) * (1 - pi) / (part + (1-part)*(1-pi))
			}
		}
		a := arm(o.Candidate)
		r.wealth = grown(r.wealth, r.mix.stake(&t, pi)[a])
		r.mix.settle(a)
	}
	if r.last = 0; alone && o.failed() {
		r.last = uint8(arm(o.Candidate)) + 1
	}
}

// discount is what capital is divided by before it brings a verdict: it grew on
// runs as well. It is fair to ask for more than need be.
func (r *runs) discount() float64 { return max(r.wealth, 1) }

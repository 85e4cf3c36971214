package guard

import "math"

// A tally counts calls and the errors among them.
type tally struct{ errors, calls float64 }

func (t *tally) add(failed bool) {
	t.calls++
	if failed {
		t.errors++
	}
}

// An errorRate bets on errors.
type errorRate struct {
	mix     mixture
	history tally   // stable, before the rollout
	stable  tally   // stable calls that were assigned by themselves
	pooled  tally   // all calls of the rollout, of both arms
	fast    float64 // stable, over the last 50 or so calls; < 0 before the first

	// The experts' bets by outcome, for a rate and a share. Rates are taken anew
	// when they have moved by a fiftieth.
	tableRate, tableShare float64
	table                 [2][maxExperts]bet
}

// errorPrior is the weight of each expert: four that multiply the rate, three
// that break a part of all requests, and one that does not bet.
var errorPrior = [8]float64{.22, .22, .21, .18, .05, .06, .04, .02}

var (
	errorFactors = [4]float64{1.4, 2.2, 5, 15}
	errorParts   = [3]float64{.02, .25, .97}
)

// errorShare, times what a call can tell at its share, is what experts get back
// after an error. As much at every share would cost a detector its power where
// the share is small and errors are many: they would be set back more often than
// the few calls of the candidate could teach them.
const errorShare = .004

func newErrorRate() errorRate {
	return errorRate{mix: newMixture(errorPrior[:]...), fast: -1, tableShare: -1}
}

// rate is the stable release's error rate in the long run. With no errors seen
// it is small, never 0.
func (e *errorRate) rate() float64 {
	return clamp((e.history.errors+e.stable.errors+.5)/(e.history.calls+e.stable.calls+1), 1e-9, .99)
}

// pooledRate is the rate of both arms. Where subjects stay on an arm it stands
// in for the stable release's: that one would tell the arms of subjects whose
// first error is still to come.
func (e *errorRate) pooledRate() float64 {
	return clamp((e.history.errors+e.pooled.errors+.5)/(e.history.calls+e.pooled.calls+1), 1e-9, .99)
}

// stake is the bet on a call that was assigned by itself. While the stable
// release itself fails often (a provider is down) experts bet against what it does
// now: a rate that both arms share tells nothing of either.
func (e *errorRate) stake(failed bool, pi float64) bet {
	p := e.rate()
	if e.fast > .10+3*p {
		t := errorOdds(failed, p, min(e.fast, .99))
		return e.mix.stake(&t, pi)
	}
	if moved := math.Abs(p - e.tableRate); moved > .02*e.tableRate || e.tableShare != pi {
		if moved > .02*e.tableRate {
			e.tableRate = p
		}
		e.tableShare = pi
		for y := range e.table {
			t := errorOdds(y == 1, e.tableRate, e.tableRate)
			for k := range e.table[y] {
				e.table[y][k] = fair(t[k], pi)
			}
		}
	}
	e.mix.bets = e.table[arm(failed)]
	return e.mix.sum()
}

// errorOdds are the experts' on one call: p is the rate in the long run, loc the
// one now.
func errorOdds(failed bool, p, loc float64) (t odds) {
	expert := func(x float64) float64 {
		p1 := max(min(loc+(1-loc)*x, .999), loc)
		if failed {
			return p1 / loc
		}
		return (1 - p1) / (1 - loc)
	}
	for k, r := range errorFactors {
		t[k] = expert(min((r-1)*p/(1-p), .99))
	}
	for k, x := range errorParts {
		t[4+k] = expert(x)
	}
	t[7] = 1
	return t
}

// stakeFirst is the bet on the first error of a subject (Lindon and Malek). It
// needs no baseline: given an error, the odds are the ratio of the rates.
func (e *errorRate) stakeFirst(pi float64) bet {
	var t odds
	copy(t[:], errorFactors[:])
	p := e.pooledRate()
	for k, x := range errorParts {
		t[4+k] = min(1+x*(1-p)/p, .999/p)
	}
	t[7] = 1
	return e.mix.stake(&t, pi)
}

// settle ends a bet. Experts get their share back after errors alone: after
// every call it would cost most of the power.
func (e *errorRate) settle(arm int, failed bool, pi float64) {
	e.mix.settle(arm)
	if failed {
		e.share(pi)
	}
}

func (e *errorRate) share(pi float64) { e.mix.share(errorShare*pi*(1-pi), errorPrior[:]) }

// learn takes a call in after its bet. alone says that it was assigned by
// itself, so that its arm is known.
func (e *errorRate) learn(candidate, failed, alone bool) {
	e.pooled.add(failed)
	if candidate || !alone {
		return
	}
	if e.fast < 0 {
		e.fast = e.rate()
	}
	e.stable.add(failed)
	e.fast *= .98
	if failed {
		e.fast += .02
	}
}

func clamp(x, least, most float64) float64 { return min(max(x, least), most) }

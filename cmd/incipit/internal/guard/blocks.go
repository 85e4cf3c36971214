package guard

import "slices"

// blockCalls is how many calls are compared with each other where nobody says
// what share they were assigned at. A fortieth of the evidence is lost by it.
// After blockErrors a block ends early, so that a candidate that breaks
// everything need not wait: what ends a block may depend on outcomes, not on arms.
const blockCalls, blockErrors = 40, 4

// A block holds calls, or ratings, until there are enough to compare.
//
// Whatever the share was, if it stood still then every choice of as many of
// the block's calls was equally likely to be the candidate's. So the stake
// becomes the odds of those that were, over the mean of that over all choices.
type block struct {
	calls   []blocked
	ratings []blocked
	margins [2][2]uint64 // calls by arm and outcome, for the tests of margins
}

// A blocked is one of them.
type blocked struct {
	candidate bool
	o         Observation
}

// nominal stands in for the share in what is known of subjects.
const nominal = .5

// collect takes in an observation without a share. Of a subject it takes the
// first call and the first rating alone: its other calls have the same arm.
func (d *Detector) collect(o *Observation) {
	unit := o.unit()
	kept := Observation{Candidate: o.Candidate, Share: nominal, Error: o.Error, LatencyMS: o.LatencyMS, FirstTokenMS: o.FirstTokenMS, Tokens: o.Tokens, Cost: o.Cost}
	if o.isCall() && !o.Cancelled && d.firstCall.draw(unit, &d.shares, nominal).bet {
		d.firstCall.reveal(unit, &d.shares, nominal, o.Candidate)
		if o.Error.Known {
			d.collectMargins(o.Error.Value, arm(o.Candidate))
		}
		d.block.calls = append(d.block.calls, blocked{o.Candidate, kept})
		if len(d.block.calls) == blockCalls || failures(d.block.calls) == blockErrors {
			d.settleCalls(d.block.calls)
			d.block.calls = d.block.calls[:0]
		}
	}
	if o.Satisfaction.Known && d.on(Satisfaction) && d.drawRating(o, nominal).bet {
		d.firstRating.reveal(unit, &d.shares, nominal, o.Candidate)
		kept = Observation{Candidate: o.Candidate, Share: nominal, Satisfaction: o.Satisfaction}
		d.block.ratings = append(d.block.ratings, blocked{o.Candidate, kept})
		if len(d.block.ratings) == blockCalls {
			d.settleRatings(d.block.ratings)
			d.block.ratings = d.block.ratings[:0]
		}
	}
}

// settleCalls compares the calls of a block. At a share of 0 what the candidate
// would win on a bet is the expert's odds.
func (d *Detector) settleCalls(calls []blocked) {
	var worse [immediate]*choice
	if d.on(Errors) {
		worse[Errors] = d.compareErrors(calls)
	}
	for m := Latency; m <= Cost; m++ {
		s := &d.shapes[m]
		if !d.on(m) || !s.ready() {
			continue
		}
		worse[m] = newChoice(s.mix.n, candidates(calls))
		safe := newChoice(s.safe.n, candidates(calls))
		for i := range calls {
			o := &calls[i].o
			x, known := o.value(m)
			if !known {
				continue
			}
			s.stake(x, o.Candidate, 0)
			worse[m].add(&s.mix, o.Candidate)
			s.stakeSafe(x, o.Candidate, 0)
			safe.add(&s.safe, o.Candidate)
		}
		s.wealth = grown(s.wealth, safe.settle(&s.safe))
	}
	for _, pot := range d.pots() {
		d.payBlock(pot&^(1<<Satisfaction), &worse)
	}
	if worse[Errors] != nil && failures(calls) > 0 {
		d.errors.share(share(calls))
	}
	for i := range calls {
		o := &calls[i].o
		d.learn(o, draw{share(calls), true, true})
	}
}

// payBlock settles the bets of a pot, with stakes cut as in pay. How much could
// be won depends on the outcomes and on how many calls were the candidate's, not
// on which, so the stakes may depend on it.
func (d *Detector) payBlock(pot Set, worse *[immediate]*choice) {
	have, could := d.sum(pot), 0.0
	for m, c := range worse {
		if pot.Has(Metric(m)) {
			if c == nil {
				could += d.capital[m]
			} else {
				could += d.capital[m] * c.best(d.mixtureOf(Metric(m)))
			}
		}
	}
	if have <= 0 {
		return
	}
	part := capped(bet{1, could / have}, enough(have, 1/d.policy.Alpha))
	for m, c := range worse {
		if pot.Has(Metric(m)) && c != nil {
			d.capital[m] = grown(d.capital[m], 1+part*(c.settle(d.mixtureOf(Metric(m)))-1))
			if m != int(Errors) {
				d.shapes[m].mix.share(shapeShare, d.shapes[m].prior())
			}
		}
	}
}

func (d *Detector) mixtureOf(m Metric) *mixture {
	if m == Errors {
		return &d.errors.mix
	}
	return &d.shapes[m].mix
}

func failures(calls []blocked) (n int) {
	for i := range calls {
		if calls[i].o.failed() {
			n++
		}
	}
	return n
}

// compareErrors compares the errors of a block, unless there is a margin.
func (d *Detector) compareErrors(calls []blocked) *choice {
	if d.policy.Regress.Errors > 0 {
		return nil
	}
	worse := newChoice(d.errors.mix.n, candidates(calls))
	for i := range calls {
		if o := &calls[i].o; o.Error.Known {
			d.errors.stake(o.Error.Value, 0)
			worse.add(&d.errors.mix, o.Candidate)
		}
	}
	return worse
}

// collectMargins counts a call for the tests of margins. Their blocks take the
// share that they turn out to have for the share: by the inequality of the means
// the factors stay fair for any number of calls of each arm. This needs blocks
// whose end does not depend on outcomes, and rates from before they began.
func (d *Detector) collectMargins(failed bool, a int) {
	n := &d.block.margins
	if *n == [2][2]uint64{} {
		d.errorSafe.refresh(d.baseline())
		d.worse.refresh(d.baseline())
	}
	n[a][arm(failed)]++
	candidate := n[1][0] + n[1][1]
	if candidate+n[0][0]+n[0][1] < blockCalls {
		return
	}
	calls := *n
	*n = [2][2]uint64{}
	if candidate == 0 || candidate == blockCalls {
		return
	}
	pi := float64(candidate) / blockCalls
	for a := range calls {
		for y := range calls[a] {
			for range calls[a][y] {
				d.safety = grown(d.safety, d.errorSafe.factors(y == 1, pi)[a])
				d.errorSafe.settle(a, y == 1)
				if d.policy.Regress.Errors > 0 {
					d.capital[Errors] = grown(d.capital[Errors], d.worse.factors(y == 1, pi)[a])
					d.worse.settle(a, y == 1)
				}
			}
		}
	}
}

func (d *Detector) settleRatings(list []blocked) {
	r := &d.ratings
	worse, safe := newChoice(r.mix.n, candidates(list)), newChoice(r.safe.n, candidates(list))
	for i := range list {
		o := &list[i].o
		r.stake(o.Satisfaction.Value, o.Candidate, 0)
		worse.add(&r.mix, o.Candidate)
		r.stakeSafe(o.Satisfaction.Value, o.Candidate, 0)
		safe.add(&r.safe, o.Candidate)
	}
	d.capital[Satisfaction] = grown(d.capital[Satisfaction], worse.settle(&r.mix))
	r.mix.share(ratingShare, ratingPrior[:])
	r.wealth = grown(r.wealth, safe.settle(&r.safe))
	for i := range list {
		o := &list[i].o
		if pi := share(list); pi > 0 && pi < 1 {
			d.spans[Satisfaction].add(o.Satisfaction.Value, o.Candidate, pi)
		}
		if !o.Candidate {
			r.stable.add(o.Satisfaction.Value)
		}
	}
}

// share is the candidate's part of a block.
func share(list []blocked) float64 { return float64(candidates(list)) / float64(len(list)) }

func candidates(list []blocked) (n int) {
	for i := range list {
		n += arm(list[i].candidate)
	}
	return n
}

// A choice adds up, expert by expert, the odds of each choice of calls.
type choice struct {
	n          int
	most       int // candidates that there may be
	candidates int
	calls      int
	real       odds // of the choice that was made
	list       [maxExperts][blockCalls]float64
	all        [maxExperts][blockCalls + 1]float64 // sum over all choices, by how many were chosen
}

func newChoice(experts, most int) *choice {
	c := &choice{n: experts, most: most}
	for k := range experts {
		c.real[k], c.all[k][0] = 1, 1
	}
	return c
}

// add takes in a call, on which m has just staked at a share of 0.
func (c *choice) add(m *mixture, candidate bool) {
	c.calls++
	if candidate {
		c.candidates++
	}
	for k := range c.n {
		t := m.bets[k][1]
		c.list[k][c.calls-1] = t
		if candidate {
			c.real[k] *= t
		}
		for i := min(c.calls, c.most); i > 0; i-- {
			c.all[k][i] += t * c.all[k][i-1]
		}
	}
}

// best is what a stake of 1 would become under the best choice.
func (c *choice) best(m *mixture) (sum float64) {
	choices := c.choices()
	for k := range c.n {
		list := c.list[k][:c.calls]
		slices.Sort(list)
		product := 1.0
		for _, t := range list[c.calls-c.candidates:] {
			product *= t
		}
		sum += m.v[k] * product * choices / c.all[k][c.candidates]
	}
	return sum
}

// settle divides the stake anew, and returns what a stake of 1 became.
func (c *choice) settle(m *mixture) float64 {
	choices := c.choices()
	var sum float64
	for k := range c.n {
		m.v[k] *= c.real[k] * choices / c.all[k][c.candidates]
		sum += m.v[k]
	}
	m.divide(sum)
	return sum
}

// choices are how many ways there are to choose as many calls.
func (c *choice) choices() float64 {
	n := 1.0
	for i := range c.candidates {
		n = n * float64(c.calls-i) / float64(i+1)
	}
	return n
}

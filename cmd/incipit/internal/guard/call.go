package guard

import "math"

// call places the bets on a call.
func (d *Detector) call(o *Observation) {
	unit, pi, a, failed := o.unit(), o.Share, arm(o.Candidate), o.failed()
	first := d.firstCall.draw(unit, &d.shares, pi)
	discount := d.runs.discount()
	d.runs.learn(o, pi, unit == 0 && first.bet)
	var bets [immediate]bet
	for m := range bets {
		bets[m] = none()
	}
	if first.bet {
		d.ratio.learn(o.Candidate, first.pi)
		if o.Error.Known {
			d.settleErrorSafe(failed, a, first.pi)
		}
	}

	// Errors: each call if it was assigned by itself, else a subject's first.
	mine := draw{}
	if d.on(Errors) && o.Error.Known {
		switch {
		case d.policy.Regress.Errors > 0:
			if mine = first; mine.bet {
				d.worse.refresh(d.baseline())
				bets[Errors] = d.worse.factors(failed, mine.pi)
			}
		case unit == 0:
			if mine = first; mine.bet {
				bets[Errors] = d.errors.stake(failed, mine.pi)
			}
		case failed:
			if mine = d.firstError.draw(unit, &d.shares, pi); mine.bet {
				bets[Errors] = d.errors.stakeFirst(mine.pi)
			}
		}
	}
	var placed Set
	if first.bet {
		placed = d.stakeShapes(o, first.pi, &bets)
	}

	// All of one pot is known at the same time. Subjects' first errors are not
	// known when their first calls are, so with subjects there are two pots.
	for _, pot := range d.pots() {
		d.pay(pot&^(1<<Satisfaction), &bets, a, discount/d.policy.Alpha)
	}

	if mine.bet {
		if d.policy.Regress.Errors > 0 {
			d.worse.settle(a, failed)
		} else {
			d.errors.settle(a, failed, mine.pi)
		}
	}
	for m := Latency; m <= Cost; m++ {
		if placed.Has(m) {
			d.shapes[m].settle(a)
		}
	}
	d.learn(o, first)
	kept := d.firstCall.reveal(unit, &d.shares, pi, o.Candidate)
	if failed {
		kept = d.firstError.reveal(unit, &d.shares, pi, o.Candidate) && kept
	}
	d.shares.mixed = d.shares.mixed || !kept
}

// stakeShapes places the bets on values of a call, and settles those that the
// candidate is safe. It reports on which metrics there is a bet.
func (d *Detector) stakeShapes(o *Observation, pi float64, bets *[immediate]bet) (placed Set) {
	for m := Latency; m <= Cost; m++ {
		s := &d.shapes[m]
		x, known := o.value(m)
		if !known || !d.on(m) || !s.ready() {
			continue
		}
		placed |= Of(m)
		bets[m] = s.stake(x, o.Candidate, pi)
		s.settleSafe(x, o.Candidate, pi, 1/d.policy.AlphaSafe)
	}
	return placed
}

// baseline is the stable release's error rate for the tests of margins, and the
// calls that it is known from. See pooledRate.
func (d *Detector) baseline() (rate, calls float64) {
	if !d.sticky {
		return d.errors.rate(), d.errors.history.calls + d.errors.stable.calls
	}
	return d.errors.pooledRate(), d.errors.history.calls + d.errors.pooled.calls
}

func (d *Detector) settleErrorSafe(failed bool, a int, pi float64) {
	d.errorSafe.refresh(d.baseline())
	d.safety = grown(d.safety, d.errorSafe.factors(failed, pi)[a])
	d.errorSafe.settle(a, failed)
}

// learn takes in what the call says of the stable release, after the bets.
func (d *Detector) learn(o *Observation, first draw) {
	if o.Error.Known {
		d.errors.learn(o.Candidate, o.Error.Value, o.Subject == "")
	}
	if first.bet && first.pi > 0 && first.pi < 1 {
		for m := range immediate {
			if x, known := o.value(Metric(m)); known {
				d.spans[m].add(x, o.Candidate, first.pi)
			}
		}
	}
	if o.Candidate || !first.known {
		return
	}
	for m := Latency; m <= Cost; m++ {
		if x, known := o.value(m); known && d.on(m) {
			d.shapes[m].learn(x)
		}
	}
}

// rate places the bets on a rating.
func (d *Detector) rate(o *Observation) {
	y, a := o.Satisfaction.Value, arm(o.Candidate)
	first := d.drawRating(o, o.Share)
	if r := &d.ratings; first.bet {
		d.spans[Satisfaction].add(y, o.Candidate, first.pi)
		b := r.stake(y, o.Candidate, first.pi)
		d.capital[Satisfaction] = grown(d.capital[Satisfaction], b[a])
		r.settle(a)
		r.wealth = grown(r.wealth, r.stakeSafe(y, o.Candidate, first.pi)[a])
		r.safe.settle(a)
	}
	if !o.Candidate && first.known {
		d.ratings.stable.add(y)
	}
	kept := d.firstRating.reveal(o.unit(), &d.shares, o.Share, o.Candidate)
	d.shares.mixed = d.shares.mixed || !kept
}

// drawRating says whether a rating may be bet on: a subject's first, or without
// a subject a call's first.
func (d *Detector) drawRating(o *Observation, share float64) draw {
	if o.Subject == "" && o.Call != 0 && !d.firstRating.once(scattered(o.Call)) {
		return draw{}
	}
	return d.firstRating.draw(o.unit(), &d.shares, share)
}

// pay settles the bets of a pot. The stakes of all are cut by one factor, if
// the pot would else win more than it needs for the goal, known before the call.
func (d *Detector) pay(pot Set, bets *[immediate]bet, a int, goal float64) {
	var have float64
	var total bet
	for m, b := range bets {
		if pot.Has(Metric(m)) {
			have += d.capital[m]
			total[0] += d.capital[m] * b[0]
			total[1] += d.capital[m] * b[1]
		}
	}
	if have <= 0 || total[0] == have && total[1] == have {
		return // nothing was staked
	}
	part := 1.0
	// A bet against a margin has no fixed mean once the outcome is known, so
	// its stake must not depend on the outcome.
	if d.policy.Regress.Errors == 0 {
		part = capped(bet{total[0] / have, total[1] / have}, enough(have, goal))
	}
	for m, b := range bets {
		if pot.Has(Metric(m)) {
			d.capital[m] = grown(d.capital[m], b.scaled(part)[a])
		}
	}
}

// grown is capital after a bet. It is kept within what numbers hold: above is
// more than any goal, and below can never come back.
func grown(w, factor float64) float64 { return clamp(w*factor, 0, math.MaxFloat32) }

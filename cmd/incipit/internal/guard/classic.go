package guard

// classic is the rule of thumb: regressed if the candidate's error rate of this
// hour is above 1.5 times the stable release's of the 24 hours before it, or
// its satisfaction below 0.9 times theirs. Arms are told apart, and the hour at
// hand is no part of what it is compared with; what remains is that it takes
// noise for regressions, and never looks at time, tokens or cost.
type classic struct {
	hours  [25]hour // of the stable release, by hour modulo 25
	now    hour     // of the candidate
	first  int64    // hour of the candidate's first call; 0 before it
	called Kind
}

// An hour is what there was in an hour.
type hour struct {
	number int64
	tally
	marks, rated float64
}

const (
	// classicHour is how many observations are taken for an hour, if they do not
	// say when they were.
	classicHour = 2000
	// With fewer, the rule would act on a single error.
	classicCalls, classicRatings = 30, 10
)

// at is the hour of an observation, the n-th of all.
func (o *Observation) at(n uint64) int64 {
	if o.Hour != 0 {
		return o.Hour
	}
	return int64(n/classicHour) + 1
}

func (h *hour) add(o *Observation, number int64) {
	if h.number != number {
		*h = hour{number: number}
	}
	if o.Error.Known {
		h.tally.add(o.Error.Value)
	}
	if o.Satisfaction.Known {
		h.rated++
		h.marks += o.Satisfaction.Value
	}
}

// learn takes in an observation of the stable release.
func (c *classic) learn(o *Observation, n uint64) {
	number := o.at(n)
	c.hours[uint64(number)%25].add(o, number)
}

func (c *classic) observe(o *Observation, n uint64) {
	number := o.at(n)
	if !o.Candidate {
		c.learn(o, n)
	} else {
		if c.first == 0 {
			c.first = number
		}
		c.now.add(o, number)
	}
	if c.first == 0 {
		return
	}
	var base hour
	for _, h := range c.hours {
		if h.number != 0 && h.number < number && h.number >= number-24 {
			base.errors += h.errors
			base.calls += h.calls
			base.marks += h.marks
			base.rated += h.rated
		}
	}
	c.called = Insufficient
	if number > c.first {
		c.called = Healthy // a whole hour, or the rest of one, without an alarm
	}
	if c.now.number != number {
		return
	}
	fails := c.now.calls >= classicCalls && base.calls >= classicCalls && c.now.errors/c.now.calls > 1.5*base.errors/base.calls
	sinks := c.now.rated >= classicRatings && base.rated >= classicRatings && c.now.marks/c.now.rated < .9*base.marks/base.rated
	if fails || sinks {
		c.called = Regressed
	}
}

func (c *classic) verdict() Verdict { return Verdict{Kind: c.called} }

package guard

import (
	"math"
	"slices"
)

// A Change watches a release that serves everybody: for more errors, more slow
// calls and worse ratings than the same hours of the days before had. It says
// that something changed, not what caused it: for that there must be a second
// arm. Its zero value is not ready: use NewChange or RestoreChange.
//
// While nothing is worse than the reference, an alarm comes within n calls with
// a probability of n/ARL at most, so after ARL/2 calls or more on average.
// Errors and slow calls are known at the same moment, so the mean of their
// capitals is one e-detector: it grows by no more than 1 a call on average,
// whatever went before. A rating comes when it has long been known whether its
// call failed, and after a failure it is low without any change; in the order of
// all that is known its bet is not fair, in the order of ratings it is. So the
// two cannot be added up. Each has an alarm of its own, at ARL/.8 and ARL/.2:
// what they may do wrong adds up to what one may.
type Change struct {
	arl     float64
	errors  Drift
	slow    Drift // the calls that take longer than slowMS
	slowMS  [24]float64
	ratings markDrift

	rated  [lastRated]uint32 // fingerprints of the calls that were rated last
	next   int               // the place in rated that is written next
	calls  uint64
	recent [3]recent // of errors, slow calls and ratings
	guilty Set       // once there was an alarm
}

// lastRated is how many calls are known to be rated: who rates again, or sends a
// rating again, does it soon. Two bets on one rating would be one bet twice as
// large as what is fair.
const lastRated = 128

// The parts of ARL. Errors and slow calls have half of theirs each.
const (
	callsPart = 1 - ratingsAlpha
	pairPart  = .5
)

// NewChange begins to watch. It reports prompt.ErrInvalid for an arl below 2,
// such as DriftARL is not, or for a reference that is none.
func NewChange(r *Reference, arl float64) (*Change, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	var counts [24]HourCount
	for h := range r {
		counts[h] = r[h].HourCount
	}
	errors, err := NewDrift(counts, arl)
	if err != nil {
		return nil, err
	}
	c := &Change{arl: arl, errors: *errors, slow: Drift{rates: r.slow(), arl: arl}, ratings: markDrift{of: r.marks()}}
	for h := range r {
		if r[h].Timed > 0 {
			c.slowMS[h] = r[h].SlowMS
		}
	}
	return c, nil
}

// Observe takes in a call that was made in an hour of the day (UTC), or a rating
// of one, and reports whether there is an alarm. Of failed calls the latency
// counts, too, as it does in the reference. After an alarm nothing changes any
// more. Calls come once each; a call is bet on once, however often it is rated.
// Of an observation the arm, the share and what Check would refuse are not
// looked at, and of a cancelled call not whether it failed.
func (c *Change) Observe(hour int, o Observation) (alarm bool) {
	if c.guilty != 0 {
		return true
	}
	h := ((hour % 24) + 24) % 24
	if o.Error.Known || o.LatencyMS.Known {
		c.calls++
	}
	if o.Error.Known && !o.Cancelled {
		c.errors.Observe(h, o.Error.Value)
		c.recent[0].add(c.errors.mean(), float64(arm(o.Error.Value)), c.errors.rates[h])
	}
	if limit := c.slowMS[h]; limit > 0 && o.LatencyMS.Known {
		slow := o.LatencyMS.Value > limit
		c.slow.Observe(h, slow)
		c.recent[1].add(c.slow.mean(), float64(arm(slow)), c.slow.rates[h])
	}
	if y := o.Satisfaction; y.Known && y.Value >= lowest && y.Value <= highest && c.ratings.of[h].mean > 0 && c.unrated(o.Call) {
		c.ratings.observe(h, y.Value)
		c.recent[2].add(c.ratings.mean(), y.Value, c.ratings.of[h].mean)
	}
	return c.judge()
}

// unrated reports whether a call was not rated just before, and remembers that it
// is. 0 is a call that cannot be told from others.
func (c *Change) unrated(call uint64) bool {
	if call == 0 {
		return true
	}
	mark := fingerprint(scattered(call))
	if slices.Contains(c.rated[:], mark) {
		return false
	}
	c.rated[c.next] = mark
	c.next = (c.next + 1) % lastRated
	return true
}

// judge names what an alarm is about.
func (c *Change) judge() bool {
	errors, slow := pairPart*c.errors.mean(), (1-pairPart)*c.slow.mean()
	if goal := c.arl / callsPart; errors+slow >= goal {
		if errors >= goal/2 {
			c.guilty |= Of(Errors)
		}
		if slow >= goal/2 {
			c.guilty |= Of(Latency)
		}
	}
	if c.ratings.mean() >= c.arl/ratingsAlpha {
		c.guilty |= Of(Satisfaction)
	}
	return c.guilty != 0
}

// mean is the capital of the experts.
func (d *Drift) mean() float64 { return (d.m[0] + d.m[1] + d.m[2] + d.m[3]) / 4 }

// A markDrift is the e-detector for the mean of ratings.
type markDrift struct {
	of [24]mark
	m  [3]float64
}

// observe bets that the rating is below the mean of its hour: 1 + l(mean - y) is
// 1 on average at that mean, and less above it.
func (d *markDrift) observe(hour int, y float64) {
	of := d.of[hour]
	for k, step := range ratingSteps {
		l := min(step/of.variance, most/max(highest-of.mean, most/20))
		d.m[k] = min((d.m[k]+1)*(1+l*(of.mean-y)), math.MaxFloat32)
	}
}

func (d *markDrift) mean() float64 { return (d.m[0] + d.m[1] + d.m[2]) / 3 }

// A recent adds up what came since the evidence began to grow: what an alarm is
// told with. It decides nothing.
type recent struct{ n, sum, expected float64 }

// begun is the capital from which on evidence counts as growing. Without any
// change it is a few tens for most of the time.
const begun = 200

func (r *recent) add(capital, value, expected float64) {
	if capital < begun {
		*r = recent{}
	}
	r.n++
	r.sum += value
	r.expected += expected
}

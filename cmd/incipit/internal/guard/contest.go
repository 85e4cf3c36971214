package guard

import (
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Contest follows an experiment: it says which arms are worse than the stable
// release on any metric, and which are better on the primary one. Like a
// Detector it may be looked at after every call, and is used by one goroutine at
// a time.
//
// Each arm is compared with the stable release by the calls of these two alone.
// Among them the arm served a call with probability s/(s+s0), where s and s0 are
// the shares of the two when it was assigned: subjects are spread over all arms
// at random, and to be told that it was none of the others' says nothing about
// which of the two it was. So a Detector with that share bets fairly, whatever
// the other arms do and however their shares change. The same Detector with the
// roles exchanged, in which the stable release is worse than the arm, shows that
// the arm is better.
//
// Each of the n arms has alpha/n for being called worse, and alpha/n for being
// called better: that any of the arms is called worse in the whole experiment
// and is not has probability alpha at most, and so has any for being better.
type Contest struct {
	policy  Policy
	primary Metric
	arms    []contender
	won     []uint8 // arms in the order in which they were shown to be better

	// Subjects stay on an arm while shares stand. deal is the newest division of
	// the subjects that was seen, now are the subjects seen under it, and before
	// those of earlier ones: which arm they have now is no fresh throw.
	deal        uint64
	now, before units
}

// A contender is an arm beside the stable one.
type contender struct {
	name   string
	worse  *Detector // on any metric
	better *Detector // on the primary one; the stable release is its candidate
}

// A Turn is an observation of an experiment. Candidate and Share of the
// Observation follow from the rest, and are not looked at.
type Turn struct {
	Arm string // that the call was assigned to
	// Shares are those of the arms beside the stable one when the call was
	// assigned, 0 to 1, in the order of NewContest. The stable release has the
	// rest.
	Shares []float64
	// Deal numbers the change of the shares that brought them: the deployment.
	Deal uint64
	Observation
}

// dealtBits is the room for the subjects of one division, in bits of a filter:
// whoever is wrongly taken for known is not bet on, so it costs evidence alone.
const dealtBits = 1 << 17

// NewContest begins an experiment of these arms beside the stable one, under the
// policy of a rollout. The primary metric takes part, whatever the policy says.
// It reports prompt.ErrInvalid.
func NewContest(p Policy, primary Metric, arms ...string) (*Contest, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	if int(primary) >= metrics || p.Rule != Evidence || p.NoShares {
		return nil, registry.Errorf(prompt.ErrInvalid, "an experiment is judged on a known metric, by evidence, and from calls with their shares")
	}
	if len(arms) == 0 || len(arms) > registry.MaxContenders {
		return nil, registry.Errorf(prompt.ErrInvalid, "an experiment has 1 to %d arms beside the stable release, and not %d", registry.MaxContenders, len(arms))
	}
	p.Metrics |= Of(primary)
	c := &Contest{policy: p, primary: primary, now: newUnits(0, dealtBits), before: newUnits(0, dealtBits)}
	for i, name := range arms {
		if slices.Contains(arms[:i], name) {
			return nil, registry.Errorf(prompt.ErrInvalid, "the arm %s is named twice", prompt.Clip(name, 40))
		}
		if err := registry.CheckArmName(name); err != nil {
			return nil, err
		}
		one := contender{name: name}
		if one.worse, err = New(divided(p, len(arms))); err != nil {
			return nil, err
		}
		if one.better, err = New(exchanged(divided(p, len(arms)), primary)); err != nil {
			return nil, err
		}
		c.arms = append(c.arms, one)
	}
	return c, nil
}

// divided is the policy of one arm of n.
func divided(p Policy, n int) Policy {
	p.Alpha /= float64(n)
	return p
}

// exchanged is the policy for being better: on one metric, by whatever it is.
func exchanged(p Policy, primary Metric) Policy {
	p.Metrics, p.Regress = Of(primary), Margins{}
	return p
}

// History takes in a call or a rating of the stable release from before the
// experiment. It makes arms that are worse be found sooner.
func (c *Contest) History(o Observation) error {
	o.Candidate = false
	for i := range c.arms {
		if err := c.arms[i].worse.History(o); err != nil {
			return err
		}
	}
	return nil
}

// Observe takes in an observation and reports whether it changed how an arm
// stands. It reports prompt.ErrInvalid, and changes nothing, for what cannot be.
func (c *Contest) Observe(t Turn) (changed bool, err error) {
	rest, at, err := c.check(&t)
	if err != nil {
		return false, err
	}
	if !c.fresh(&t) {
		return false, nil
	}
	for i := range c.arms {
		if share := t.Shares[i]; (at == i || at < 0) && share+rest > 0 {
			moved, err := c.arms[i].observe(&t, at == i, share/(share+rest))
			if err != nil {
				return changed, err
			}
			changed = changed || moved
			c.note(i)
		}
	}
	return changed, nil
}

// check is the stable release's share and the place of the turn's arm, -1 for
// the stable one.
func (c *Contest) check(t *Turn) (rest float64, at int, err error) {
	if at = slices.IndexFunc(c.arms, func(a contender) bool { return a.name == t.Arm }); at < 0 && t.Arm != registry.StableArm {
		return 0, 0, registry.Errorf(prompt.ErrInvalid, "the experiment has no arm %q", prompt.Clip(t.Arm, 40))
	}
	if len(t.Shares) != len(c.arms) {
		return 0, 0, registry.Errorf(prompt.ErrInvalid, "there are %d shares for %d arms", len(t.Shares), len(c.arms))
	}
	rest = 1
	for _, s := range t.Shares {
		if !(s >= 0 && s <= 1) {
			return 0, 0, registry.Errorf(prompt.ErrInvalid, "a share is %v; it must be from 0 to 1", s)
		}
		rest -= s
	}
	if rest < -1e-9 {
		return 0, 0, registry.Errorf(prompt.ErrInvalid, "the shares add up to more than 1")
	}
	if rest < 1e-9 { // what sums of decimals leave
		rest = 0
	}
	t.Share = 0
	return rest, at, t.Observation.Check()
}

// fresh reports whether the arm of a turn is news. Where each call is assigned
// by itself it always is. A subject's is if the subject was not seen before the
// shares were changed the last time: a change of shares moves subjects from arm
// to arm by rules that have nothing to do with chance. Calls of programs that
// follow late, under shares that are no more, tell nothing either.
func (c *Contest) fresh(t *Turn) bool {
	unit := t.unit()
	if unit == 0 {
		return true
	}
	if t.Deal > c.deal {
		c.before.join(&c.now)
		c.now.bloom, c.deal = nil, t.Deal
	}
	if t.Deal < c.deal {
		c.before.filtered(unit, true)
		return false
	}
	if c.before.filtered(unit, false) {
		return false
	}
	c.now.filtered(unit, true)
	return true
}

// join adds what the filter of another holds.
func (u *units) join(other *units) {
	if u.bloom == nil {
		u.bloom = other.bloom
		return
	}
	for i, w := range other.bloom {
		u.bloom[i] |= w
	}
}

// observe gives a turn to the two tests of an arm. share is the arm's among the
// calls of the two.
func (a *contender) observe(t *Turn, arm bool, share float64) (changed bool, err error) {
	before := a.standing()
	o := t.Observation
	o.Candidate, o.Share = arm, share
	if _, err := a.worse.Observe(o); err != nil {
		return false, err
	}
	o.Candidate, o.Share = !arm, 1-share
	if _, err := a.better.Observe(o); err != nil {
		return false, err
	}
	return a.standing() != before, nil
}

func (a *contender) standing() registry.ArmStanding {
	worse, better := a.worse.verdict.Kind, a.better.verdict.Kind
	switch {
	case worse == Regressed:
		return registry.ArmWorse
	case worse == Untrusted || better == Untrusted:
		return registry.ArmUntrusted
	case better == Regressed:
		return registry.ArmBetter
	case worse == Unmeasured:
		return registry.ArmUnmeasured
	}
	return registry.ArmUndecided
}

// note notes that an arm was shown to be better.
func (c *Contest) note(i int) {
	if c.arms[i].better.verdict.Kind == Regressed && !slices.Contains(c.won, uint8(i)) {
		c.won = append(c.won, uint8(i))
	}
}

// Winner is the arm that was the first shown to be better, and is worse on no
// metric; "" if there is none.
func (c *Contest) Winner() string {
	for _, i := range c.won {
		if a := &c.arms[i]; a.standing() == registry.ArmBetter {
			return a.name
		}
	}
	return ""
}

// Standing is how an arm stands; one that is not there cannot be measured.
func (c *Contest) Standing(arm string) registry.ArmStanding {
	for i := range c.arms {
		if a := &c.arms[i]; a.name == arm {
			return a.standing()
		}
	}
	return registry.ArmUnmeasured
}

// Worse are the arms that are worse than the stable release, in their order.
func (c *Contest) Worse() []string {
	var out []string
	for i := range c.arms {
		if a := &c.arms[i]; a.standing() == registry.ArmWorse {
			out = append(out, a.name)
		}
	}
	return out
}

package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// deals are the arms of an experiment that began beside the stable one, and the
// records by which subjects were dealt out to them, the oldest first. An arm that
// was taken out stays one of the arms: what the others must show stays the same.
type deals struct {
	arms []string
	all  []deal
}

// A deal is what one record says about the shares.
type deal struct {
	seq int
	at  time.Time
	// sure is from when on applications go by it: an arm that kept its share does
	// not show by which record a call was dealt, and until then those of no arm
	// count, so that none has more than its share.
	sure   time.Time
	salt   string
	has    []dealtArm
	shares []float64 // of deals.arms
}

type dealtArm struct {
	name, version string
	share         registry.Share
}

// dealsOf are those of the experiment which began with record opened; none if
// that is another rollout.
func dealsOf(t registry.Track, opened int) deals {
	var d deals
	earlier := make(map[string]bool) // salts that were dealt by before
	for _, r := range t {
		if r.Seq < opened && r.Rollout != nil {
			earlier[r.Rollout.Salt] = true
		}
		if r.Seq > opened && !r.Continues() {
			break
		}
		if r.Seq < opened || r.Rollout == nil || r.Rollout.Strategy != registry.Experiment {
			continue
		}
		if r.Seq == opened {
			for _, a := range r.Rollout.Contenders() {
				d.arms = append(d.arms, a.Name)
			}
		}
		d.add(r, r.At)
		if r.Seq == opened && !earlier[r.Rollout.Salt] {
			d.all[0].sure = r.At
		}
	}
	return d
}

// add adds a record that dealt anew, at a time.
func (d *deals) add(r registry.Deployment, at time.Time) {
	if r.Rollout == nil || len(d.arms) == 0 {
		return
	}
	one := deal{seq: r.Seq, at: at, sure: at.Add(settling), salt: r.Rollout.Salt, shares: make([]float64, len(d.arms))}
	for _, a := range r.Rollout.Arms {
		one.has = append(one.has, dealtArm{a.Name, a.Version.String(), a.Share()})
		if i := slices.Index(d.arms, a.Name); i >= 0 {
			one.shares[i] = float64(a.Share()) / registry.Scale
		}
	}
	d.all = append(d.all, one)
}

// turn is a call or a rating as a contest takes it, and false if it is not of
// the experiment, or is in doubt. It was dealt by the newest record before it; if
// it says another share its application had not heard of that yet.
func (d *deals) turn(c *calllog.Seen) (guard.Turn, bool) {
	for i := len(d.all) - 1; i >= 0; i-- {
		one := &d.all[i]
		if c.StartedAt.Before(one.at) {
			continue
		}
		at := slices.IndexFunc(one.has, func(a dealtArm) bool { return a.name == c.Arm && a.version == c.Version })
		if at < 0 || one.salt != c.Rollout || c.StartedAt.Before(one.sure) || c.Share.Known && c.Share.Value != one.has[at].share {
			break
		}
		return guard.Turn{Arm: c.Arm, Shares: one.shares, Deal: uint64(one.seq), Observation: observation(c, 0)}, true
	}
	return guard.Turn{}, false
}

// in reports whether an arm is still in the experiment.
func (d *deals) in(arm string) bool {
	if len(d.all) == 0 {
		return false
	}
	return slices.ContainsFunc(d.all[len(d.all)-1].has, func(a dealtArm) bool { return a.name == arm })
}

// experiment reports whether the rollout is one.
func (t *tracked) experiment() bool { return t.opened.Rollout.Strategy == registry.Experiment }

// takeTurn is take for an experiment.
func (t *tracked) takeTurn(c *calllog.Seen) (decided bool, err error) {
	turn, ok := t.deals.turn(c)
	if !ok {
		return false, nil
	}
	t.row.Cursor, t.dirty = c.Seq, true
	t.taken++
	if !c.Rating {
		t.calls++
	}
	return t.contest.Observe(turn)
}

// freshContest is a contest before the first call of an experiment.
func (s *Shared) freshContest(ctx context.Context, t *tracked) (*guard.Contest, error) {
	policy, past, err := s.before(ctx, t.row, t.opened, t.row.Rules)
	if err != nil {
		return nil, err
	}
	c, err := contestOf(policy, *t.opened.Rollout)
	if err != nil {
		return nil, err
	}
	return c, remember(past, c.History)
}

// contestOf is the contest of an experiment that begins. It is judged by
// evidence, whatever a canary would be: the rule of thumb is for two arms.
func contestOf(policy guard.Policy, r registry.Rollout) (*guard.Contest, error) {
	primary, err := guard.ParseSet(r.Primary)
	if err != nil {
		return nil, err
	}
	one := primary.List()
	if len(one) != 1 {
		return nil, registry.Errorf(prompt.ErrInvalid, "an experiment is decided by one metric, and not by %q", prompt.Clip(r.Primary, 40))
	}
	names := make([]string, 0, len(r.Arms))
	for _, a := range r.Contenders() {
		names = append(names, a.Name)
	}
	policy.Rule = guard.Evidence
	return guard.NewContest(policy, one[0], names...)
}

// compared is what the evidence says about the arms that are still in an
// experiment.
func (t *tracked) compared(elapsed time.Duration) rollout.Compared {
	c := rollout.Compared{Elapsed: elapsed, Calls: t.calls}
	for _, arm := range t.contest.Worse() {
		if t.deals.in(arm) {
			c.Worse = append(c.Worse, arm)
		}
	}
	if arm := t.contest.Winner(); arm != "" && t.deals.in(arm) {
		c.Winner = arm
	}
	for _, arm := range t.deals.arms {
		switch standing := t.contest.Standing(arm); {
		case !t.deals.in(arm):
		case standing == registry.ArmUntrusted:
			c.Untrusted = true
		case standing == registry.ArmBetter && c.Winner == "": // the first one was taken out by a person
			c.Winner = arm
		}
	}
	return c
}

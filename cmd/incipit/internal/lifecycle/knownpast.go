package lifecycle

import (
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A past is what ran of a prompt in an environment, the oldest first. The nil
// past is that of a prompt that never ran there.
type past struct {
	eras     []era
	rollouts map[string]*registry.Rollout // by salt; the md5 bucketing has none
	trials   map[string][]registry.Arm    // the arms of experiments, by salt, "" too: each with all ranges that it ever had
	rolled   bool                         // there was a rollout, of any bucketing
}

// An era is a time in which the same releases ran, whatever their shares.
type era struct {
	from    time.Time
	stable  string
	rollout *registry.Rollout // nil where one release served everybody, or nothing ran
}

func pastOf(t registry.Track) *past {
	p := &past{rollouts: make(map[string]*registry.Rollout), trials: make(map[string][]registry.Arm)}
	for _, d := range t {
		p.try(d.Rollout)
		next := era{from: d.At, stable: d.Version.String(), rollout: d.Rollout}
		if n := len(p.eras); n > 0 && p.eras[n-1].same(next) {
			continue
		}
		p.eras = append(p.eras, next)
		p.rolled = p.rolled || d.Rollout != nil
		if d.Rollout != nil && d.Rollout.Salt != "" {
			p.rollouts[d.Rollout.Salt] = d.Rollout
		}
	}
	return p
}

func (e era) same(o era) bool {
	if e.stable != o.stable || (e.rollout == nil) != (o.rollout == nil) {
		return false
	}
	return e.rollout == nil || e.rollout.Salt == o.rollout.Salt && slices.EqualFunc(e.rollout.Arms, o.rollout.Arms, func(a, b registry.Arm) bool {
		return a.Name == b.Name && a.Version == b.Version
	})
}

// at is what ran at a time, and false before the first deployment.
func (p *past) at(t time.Time) (era, bool) {
	if p == nil {
		return era{}, false
	}
	i, _ := slices.BinarySearchFunc(p.eras, t, func(e era, t time.Time) int {
		if e.from.After(t) {
			return 1
		}
		return -1
	})
	if i == 0 {
		return era{}, false
	}
	return p.eras[i-1], true
}

func (p *past) rollout(salt string) *registry.Rollout {
	if p == nil {
		return nil
	}
	return p.rollouts[salt]
}

// version is which of the releases that have one digest a call was made of: one
// that ran there then, else the newest, which is the first.
func (p *past) version(c *registry.Call, versions []string) string {
	if len(versions) == 1 {
		return versions[0]
	}
	e, _ := p.at(c.StartedAt)
	r := p.rollout(c.Rollout)
	if r == nil {
		r = e.rollout
	}
	if r != nil {
		for _, a := range r.Arms {
			if v := a.Version.String(); (c.Arm == "" || c.Arm == a.Name) && slices.Contains(versions, v) {
				return v
			}
		}
	}
	if slices.Contains(versions, e.stable) {
		return e.stable
	}
	return versions[0]
}

// arm is the arm that served a call whose version is known: what it says, or
// what can be told if it says nothing, else "". It refuses what cannot be. A
// rollout that nobody here knows is taken as it is said: a bundle may come from
// another registry.
func (p *past) arm(c *registry.Call) (string, *registry.Rejection) {
	r := p.rollout(c.Rollout)
	if c.Arm == "" {
		return p.tell(r, c), nil
	}
	if c.Arm != registry.StableArm && c.Arm != registry.CandidateArm {
		return p.contender(r, c)
	}
	if r == nil {
		return c.Arm, nil
	}
	return c.Arm, serves(r, c)
}

// tell is the arm of a call that does not say it, but perhaps its rollout, and
// "" if nobody can tell.
func (p *past) tell(r *registry.Rollout, c *registry.Call) string {
	if r != nil {
		return armOf(r, c.Version)
	}
	if c.Rollout != "" {
		return ""
	}
	e, ran := p.at(c.StartedAt)
	switch {
	case e.rollout != nil:
		return armOf(e.rollout, c.Version)
	case ran || p == nil || !p.rolled:
		return registry.StableArm
	}
	return ""
}

// armOf is the one arm of a rollout that has a version, else "".
func armOf(r *registry.Rollout, version string) string {
	name := ""
	for _, a := range r.Arms {
		if a.Version.String() == version {
			if name != "" {
				return ""
			}
			name = a.Name
		}
	}
	return name
}

// serves reports why a rollout cannot have served a call by the arm it says.
//
// Every share gives the candidate the slots from 0 on, so a subject behind its
// share was not served by it. The other way round is not so: a program that
// asks for a range of versions is served the stable release for subjects of the
// candidate's, too.
func serves(r *registry.Rollout, c *registry.Call) *registry.Rejection {
	i := slices.IndexFunc(r.Arms, func(a registry.Arm) bool { return a.Name == c.Arm })
	if i < 0 {
		names := make([]string, len(r.Arms))
		for i, a := range r.Arms {
			names[i] = a.Name
		}
		return registry.Reject(registry.RejectArm, "arm is %q; the rollout %s has %s", prompt.Clip(c.Arm, 40), prompt.Clip(c.Rollout, 80), strings.Join(names, " and "))
	}
	if v := r.Arms[i].Version.String(); v != c.Version {
		return registry.Reject(registry.RejectArm, "arm is %s, which is %s in the rollout %s; version is %s", c.Arm, v, prompt.Clip(c.Rollout, 80), prompt.Clip(c.Version, 80))
	}
	if c.Arm != registry.CandidateArm || c.Subject == "" || !c.Share.Known {
		return nil
	}
	if slot := r.Bucketing.Slot(r.Salt, c.Subject); slot >= uint32(c.Share.Value) {
		return registry.Reject(registry.RejectArm, "arm is candidate; at a share of %s the rollout %s serves this subject, in slot %d of %d, the stable release",
			c.Share.Value, prompt.Clip(c.Rollout, 80), slot, registry.Scale)
	}
	return nil
}

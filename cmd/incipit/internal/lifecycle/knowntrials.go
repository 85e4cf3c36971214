package lifecycle

import (
	"cmp"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// try notes the arms of an experiment. Those of one salt have one version each;
// arms and ranges of them come and go.
func (p *past) try(r *registry.Rollout) {
	if r == nil || r.Strategy != registry.Experiment {
		return
	}
	arms := p.trials[r.Salt]
	for _, a := range r.Contenders() {
		i := slices.IndexFunc(arms, func(b registry.Arm) bool { return b.Name == a.Name && b.Version == a.Version })
		if i < 0 {
			arms, i = append(arms, registry.Arm{Name: a.Name, Version: a.Version}), len(arms)
		}
		arms[i].Ranges = union(arms[i].Ranges, a.Ranges)
	}
	p.trials[r.Salt] = arms
}

// union is all slots of both, in as few ranges as there can be.
func union(a, b []registry.Range) []registry.Range {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b registry.Range) int { return cmp.Compare(a.From, b.From) })
	var out []registry.Range
	for _, g := range all {
		if n := len(out); n > 0 && g.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, g.To)
		} else {
			out = append(out, g)
		}
	}
	return out
}

// contender is the arm of an experiment that a call says, of the same name and
// version. It refuses one that there never was, and one that never had the
// subject's slot: which arm had it when is not to be told, as programs follow
// late.
func (p *past) contender(r *registry.Rollout, c *registry.Call) (string, *registry.Rejection) {
	var arms []registry.Arm
	if p != nil && (r != nil || c.Rollout == "") {
		arms = p.trials[c.Rollout]
	}
	for _, a := range arms {
		if a.Name != c.Arm || a.Version.String() != c.Version {
			continue
		}
		if c.Subject == "" || r == nil {
			return a.Name, nil
		}
		slot := r.Bucketing.Slot(r.Salt, c.Subject)
		if slices.ContainsFunc(a.Ranges, func(g registry.Range) bool { return g.From <= slot && slot < g.To }) {
			return a.Name, nil
		}
		return "", registry.Reject(registry.RejectArm, "arm is %s; the experiment %s never served this subject, in slot %d of %d, by it",
			a.Name, prompt.Clip(c.Rollout, 80), slot, registry.Scale)
	}
	switch {
	case r == nil:
		return "", registry.Reject(registry.RejectArm, "arm is %q; it must be stable or candidate, or an arm of an experiment that is known here", prompt.Clip(c.Arm, 40))
	case len(arms) == 0:
		return "", serves(r, c)
	}
	return "", registry.Reject(registry.RejectArm, "arm is %q of %s; the experiment %s has no such arm", prompt.Clip(c.Arm, 40), prompt.Clip(c.Version, 80), prompt.Clip(c.Rollout, 80))
}

package words

import (
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Deployment is what a record of the history did.
func Deployment(d registry.Deployment) string {
	if d.Rollout != nil && d.Rollout.Strategy == registry.Experiment {
		what := fmt.Sprintf("%s %s beside %s", d.Action, Arms(d.Rollout.Contenders()), d.Version)
		if d.Action == registry.Rollback {
			what += ", without " + d.From
		}
		return what
	}
	if d.Rollout != nil {
		c := d.Rollout.Candidate()
		return fmt.Sprintf("%s %s → %s at %s", d.Action, d.Version, c.Version, c.Share())
	}
	if d.Action == registry.Retire || d.From == "" || d.From == d.Version.String() {
		return fmt.Sprintf("%s %s", d.Action, d.Version)
	}
	return fmt.Sprintf("%s %s → %s", d.Action, d.From, d.Version)
}

// Done is what runs after a record of a place.
func Done(at registry.Place, d registry.Deployment) string {
	switch {
	case d.Action == registry.Retire:
		return fmt.Sprintf("%s runs no more in %s (deployment %d)", at.Prompt, at.Environment, d.Seq)
	case d.Rollout != nil && d.Rollout.Strategy == registry.Experiment:
		return fmt.Sprintf("%s runs as %s, %s %s %s in %s (deployment %d)", at.Prompt, Arms(d.Rollout.Contenders()), registry.StableArm, d.Version, d.Rollout.Stable().Share(), at.Environment, d.Seq)
	case d.Rollout != nil:
		c := d.Rollout.Candidate()
		return fmt.Sprintf("%s@%s has %s of the subjects in %s, %s the rest (deployment %d)", at.Prompt, c.Version, c.Share(), at.Environment, d.Version, d.Seq)
	}
	return fmt.Sprintf("%s@%s is live in %s (deployment %d)", at.Prompt, d.Version, at.Environment, d.Seq)
}

// Running is "1.3.1", "1.3.1 → 1.3.2 5 %, healthy" during a rollout, and
// "1.3.1 50 %, 1.3.2 25 %, 1.4.0 25 %" during an experiment.
func Running(r registry.Running, watched registry.RolloutReport) string {
	if n := len(r.Arms); n > 0 {
		return Ran(append(r.Arms[n-1:n:n], r.Arms[:n-1]...))
	}
	if r.Candidate == "" {
		return r.Version
	}
	cell := fmt.Sprintf("%s → %s %s", r.Version, r.Candidate, r.Share)
	switch phase := rollout.Phase(watched.Phase); phase {
	case rollout.Paused, rollout.Asking:
		cell += ", " + watched.Phase
	case rollout.Watching:
		cell += ", " + watched.Verdict
	}
	return cell
}

// Ran is "1.3.1", and "1.3.1 95 %, 1.3.2 5 %" during a rollout.
func Ran(arms []registry.RanArm) string {
	if len(arms) == 1 {
		return arms[0].Version.String()
	}
	cells := make([]string, len(arms))
	for i, a := range arms {
		cells[i] = a.Version.String() + " " + a.Share.String()
	}
	return strings.Join(cells, ", ")
}

// RanArms is "b 1.1.0 25 %, stable 1.0.0 75 %".
func RanArms(arms []registry.RanArm) string {
	out := make([]string, len(arms))
	for i, a := range arms {
		out[i] = fmt.Sprintf("%s %s %s", prompt.Visible(a.Name), a.Version, a.Share)
	}
	return strings.Join(out, ", ")
}

// Arms is RanArms of the arms of a rollout.
func Arms(arms []registry.Arm) string {
	out := make([]registry.RanArm, len(arms))
	for i, a := range arms {
		out[i] = registry.RanArm{Name: a.Name, Version: a.Version, Share: a.Share()}
	}
	return RanArms(out)
}

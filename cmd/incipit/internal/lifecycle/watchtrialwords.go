package lifecycle

import (
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// begunTrialText says how an experiment will go.
func begunTrialText(r registry.Rollout, p rollout.Plan) string {
	how := "takes out an arm that is worse"
	if p.OnRegress == registry.GuardAsk {
		how = "asks about an arm that is worse"
	}
	return fmt.Sprintf("the guard follows %s, decided by %s: it %s, and asks about one that is better", described(r), spelled(r.Primary), how)
}

// trialWords say why something is done in an experiment now.
func (t *tracked) trialWords(s rollout.State, c rollout.Command) string {
	r := t.contest.Report()
	switch c.Tell {
	case rollout.TellRolled:
		return c.Arm + " was taken out: " + t.armWords(r, c.Arm)
	case rollout.TellAsks:
		if s.Question == rollout.IsBetter && c.Arm == s.Winner {
			return fmt.Sprintf("%s; incipit experiment promote %s %s --env %s makes it the stable release", t.armWords(r, c.Arm), t.row.Prompt, c.Arm, t.row.Environment)
		}
		return fmt.Sprintf("what shall become of %s? %s", c.Arm, t.armWords(r, c.Arm))
	case rollout.TellAdvanced, rollout.TellPromoted, rollout.TellVerdict:
	}
	return "held: " + t.trialStanding(s, r)
}

// trialStanding is what is known of all arms that are still in an experiment.
func (t *tracked) trialStanding(s rollout.State, r registry.ContestReport) string {
	if s.Calls == 0 {
		return "no call was recorded yet"
	}
	var all []string
	for _, a := range r.Arms {
		if t.deals.in(a.Name) {
			all = append(all, t.armWords(r, a.Name))
		}
	}
	return strings.Join(all, "; ")
}

// armWords are how an arm stands, in one sentence.
func (t *tracked) armWords(r registry.ContestReport, arm string) string {
	for _, a := range r.Arms {
		if a.Name != arm {
			continue
		}
		counts := fmt.Sprintf("after %d calls of it, %d of the stable release", a.Calls, a.StableCalls)
		var p float64
		var metrics []string
		switch a.Standing {
		case registry.ArmBetter:
			p, metrics = a.PBetter, []string{r.Primary}
		case registry.ArmWorse:
			p, metrics = a.PWorse, a.Worse
		case registry.ArmUntrusted:
			return fmt.Sprintf("the data of %s are not trusted: its calls are not split as subjects are, %s", a.Name, counts)
		case registry.ArmUndecided, registry.ArmUnmeasured:
			return fmt.Sprintf("%s: %s, %s", a.Name, a.Standing, counts)
		}
		return fmt.Sprintf("%s is %s: %s, %s; an arm that is not looks like this in at most one of %s experiments",
			a.Name, a.Standing, differences(a, metrics), counts, odds(p*float64(len(r.Arms))))
	}
	return arm + ": nothing is known"
}

// differences are an arm minus the stable release on metrics, with intervals.
func differences(a registry.ContestArm, metrics []string) string {
	known := make(map[string]string)
	for _, m := range a.Metrics {
		if m.Difference != nil && m.Low != nil && m.High != nil {
			known[m.Metric] = " " + words.Difference(m.Metric, guard.Interval{Estimate: *m.Difference, Low: *m.Low, High: *m.High})
		}
	}
	out := make([]string, 0, len(metrics))
	for _, name := range metrics {
		out = append(out, spelled(name)+known[name])
	}
	return strings.Join(out, ", ")
}

// nextOfTrial says what happens next in an experiment, by itself or by whom.
func (t *tracked) nextOfTrial() string {
	id, at := string(t.row.Prompt), " --env "+t.row.Environment
	switch t.state.Phase {
	case rollout.Ended:
		return ""
	case rollout.Paused:
		return "nothing is taken out until: incipit rollout resume " + id + at
	case rollout.Asking:
		return fmt.Sprintf("say what comes next: incipit experiment promote %s ARM%s, or shares, stop; or incipit rollout resume %s%s (watch on)", id, at, id, at)
	case rollout.Watching:
	}
	if t.plan.OnRegress == registry.GuardAsk {
		return "ask when an arm is worse, or better"
	}
	return "take an arm out when it is worse; ask when one is better"
}

// reportTrial adds to a report what an experiment has.
func (t *tracked) reportTrial(r *registry.RolloutReport) (err error) {
	if t.contest, err = guard.RestoreContest(t.row.Detector); err != nil { // not begun, or of another program
		var policy guard.Policy
		if policy, err = PolicyOf(t.row.Rules); err == nil {
			t.contest, err = contestOf(policy, *t.opened.Rollout)
		}
	}
	if err != nil {
		return err
	}
	r.Steps = []registry.Share{}
	_, r.Evidence = t.evidence()
	r.Text, r.Next = t.trialStanding(t.state, t.contest.Report()), t.nextOfTrial()
	return nil
}

package lifecycle

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

// begunText says how a rollout will go.
func begunText(r registry.Rollout, rules registry.GuardRules, p rollout.Plan) string {
	if r.Strategy == registry.Experiment {
		return begunTrialText(r, p)
	}
	steps := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = s.Number()
	}
	how := "advances by itself when it is safe"
	if p.Ask {
		how = "asks before it advances"
	}
	return fmt.Sprintf("the guard follows %s by policy %s: steps %s %%, %s", r.Candidate().Version, rules.Policy, strings.Join(steps, ", "), how)
}

// doneText says what a person did.
func doneText(d registry.Deployment) string {
	text := map[registry.Action]string{
		registry.Promote: "promoted", registry.Rollback: "rolled back", registry.Retire: "retired", registry.Deploy: "replaced by another deployment",
	}[d.Action]
	if d.Action == registry.Shift && d.Rollout != nil {
		text = "moved to " + sharesOf(*d.Rollout)
	}
	if d.Action == registry.Rollback && d.Rollout != nil {
		text = d.From + " was taken out"
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}

// words say why something is done now, or is not.
func (t *tracked) words(s rollout.State, c rollout.Command) string {
	if t.contest != nil {
		return t.trialWords(s, c)
	}
	r := t.detector.Report()
	switch c.Tell {
	case rollout.TellAdvanced:
		if s.Share == 0 {
			return fmt.Sprintf("switched to %s: both releases can be served", c.Share)
		}
		return fmt.Sprintf("advanced from %s to %s: %s", s.Share, c.Share, t.standing(s, r))
	case rollout.TellPromoted:
		return "promoted: " + t.standing(s, r)
	case rollout.TellRolled:
		if s.Verdict != rollout.Regressed {
			return fmt.Sprintf("rolled back: there is no verdict after %s at %s, and at_limit is rollback", observedTime(s.InStep), s.Share)
		}
		return "rolled back: " + t.standing(s, r)
	case rollout.TellAsks:
		return t.question(s, r)
	case rollout.TellVerdict:
	}
	return "held: " + t.standing(s, r)
}

func (t *tracked) question(s rollout.State, r guard.Report) string {
	switch s.Question {
	case rollout.MaySwitch:
		return "ready to switch: both releases can be served. A person must say so"
	case rollout.MayMove:
		return "may it advance? " + t.standing(s, r)
	case rollout.IsWorse:
		return "what shall become of it? " + t.standing(s, r)
	case rollout.AtLimit:
	}
	return fmt.Sprintf("no verdict after %s at %s, what shall become of it? %s", observedTime(s.InStep), s.Share, t.standing(s, r))
}

// standing is what is known, in one sentence.
func (t *tracked) standing(s rollout.State, r guard.Report) string {
	counts := fmt.Sprintf("%d calls of the candidate, %d of the stable release", r.Calls.Candidate, r.Calls.Stable)
	switch s.Verdict {
	case rollout.Regressed:
		return fmt.Sprintf("%s, after %s; a candidate that is no worse looks like this in at most one of %s rollouts", worse(r), counts, odds(r.PValue))
	case rollout.Healthy:
		return "it is safe within the margins, after " + counts
	case rollout.Untrusted:
		return fmt.Sprintf("the data are not trusted: %s at a share of %s is not how subjects were split. Calls are lost, or recorded for the wrong arm", counts, s.Share)
	case rollout.Unmeasured:
		if s.Silent {
			return fmt.Sprintf("nothing can be measured: no call was recorded for %s, after %s", observedTime(s.Quiet), counts)
		}
		return "nothing can be measured yet: " + counts
	case rollout.Insufficient:
	}
	if n, ok := guard.Needed(r); ok {
		return fmt.Sprintf("%d of about %.0f calls of the candidate that a verdict needs", r.Calls.Candidate, math.Max(n, float64(r.Calls.Candidate)+1))
	}
	return "the evidence is not sufficient: " + counts
}

// worse names the metrics that are.
func worse(r guard.Report) string {
	var all []string
	for _, m := range r.Metrics {
		if !m.Guilty {
			continue
		}
		all = append(all, spelled(m.Metric)+" "+value(m.Metric, m.Mean.Candidate)+" against "+value(m.Metric, m.Mean.Stable))
	}
	if len(all) == 0 {
		return "it is worse"
	}
	return "worse: " + strings.Join(all, ", ")
}

// value is a mean of a metric with its unit.
func value(metric string, x float64) string {
	switch metric {
	case "errors":
		return fmt.Sprintf("%.1f %%", 100*x)
	case "latency", "first_token":
		return fmt.Sprintf("%.0f ms", x)
	case "tokens":
		return fmt.Sprintf("%.0f", x)
	case "cost":
		return fmt.Sprintf("%.6f USD", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func spelled(metric string) string { return strings.ReplaceAll(metric, "_", " ") }

// odds is one in how many.
func odds(p float64) string {
	if p <= 0 {
		return "very many"
	}
	return fmt.Sprintf("%.0f", math.Min(1/p, 1e9))
}

// observedTime is a time as people say it.
func observedTime(d time.Duration) string { return registry.Duration(d.Round(time.Second)).String() }

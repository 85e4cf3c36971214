package words

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Sides are the two releases of a rollout: "1.0.0 → 1.1.0". An experiment has
// more than two.
func Sides(r registry.RolloutReport) string {
	switch {
	case r.Strategy == registry.Experiment:
		return Plain(r.Stable) + " beside its arms"
	case r.Phase == registry.PhaseSteady:
		return Plain(r.Stable) + " for everybody"
	}
	return Plain(r.Stable) + " → " + Plain(r.Candidate)
}

// CandidateOf is what a rollout would make stable, for a sentence.
func CandidateOf(r registry.RolloutReport) string { return cmp.Or(r.Candidate, "the experiment") }

// Stance is the phase and the verdict, or how a rollout ended.
func Stance(r registry.RolloutReport) string {
	if r.Phase == registry.PhaseSteady {
		return Plain(r.Verdict)
	}
	if r.Open() {
		return Plain(r.Phase + ", " + r.Verdict)
	}
	switch End(r).Kind {
	case registry.DecisionPromote:
		return "promoted"
	case registry.DecisionRollback:
		return "rolled back"
	}
	return "ended: another deployment took its place"
}

// Why is why a rollout stands where it stands, or how it ended.
func Why(r registry.RolloutReport) string {
	if r.Open() || r.Phase == registry.PhaseSteady {
		return Plain(r.Text)
	}
	return Plain(End(r).Text)
}

// End is the decision that ended a rollout.
func End(r registry.RolloutReport) registry.Decision {
	for _, d := range slices.Backward(r.Decisions) {
		switch d.Kind {
		case registry.DecisionPromote, registry.DecisionRollback, registry.DecisionEnd:
			return d
		}
	}
	return registry.Decision{Place: r.Place, Kind: registry.DecisionEnd, At: r.At}
}

// Rollout is what is known of a rollout, a line for each part of it.
func Rollout(r registry.RolloutReport) []Fact {
	var out []Fact
	if r.Strategy != registry.Experiment {
		out = append(out, Fact{"steps", Way(r)}, Fact{"verdict", r.Verdict + ": " + Meaning(r.Verdict)})
	}
	if r.Phase == registry.PhaseSteady {
		out = []Fact{{"next", r.Next}}
	}
	if r.Open() {
		out = append(out, Fact{"phase", r.Phase + ": " + Doing(r.Phase)}, Fact{"next", r.Next})
		if r.Strategy != registry.Experiment {
			out = append(out, Fact{"at this share", fmt.Sprintf("%s observed, %s of it healthy", r.InStep, r.Healthy)})
		}
	}
	out = append(out, Fact{"began", fmt.Sprintf("%s, by deployment %d", Minute(r.Since), r.Opened)})
	if report, known := Evidence(r); known {
		out = append(out, Fact{"policy", Policy(r, report.Policy)})
	}
	for i := range out {
		out[i].Text = Plain(out[i].Text)
	}
	return out
}

// Way is the way of a rollout, and where on it the candidate stands.
func Way(r registry.RolloutReport) string {
	if r.Strategy == registry.Experiment {
		return "" // it goes nowhere by itself
	}
	var parts []string
	for _, s := range Stops(r) {
		if s == r.Share && r.Open() {
			parts = append(parts, "["+s.String()+"]")
		} else {
			parts = append(parts, s.String())
		}
	}
	return strings.Join(append(parts, "promoted"), " → ")
}

// Stops are the shares on the way of a rollout, rising, the one where it stands
// among them.
func Stops(r registry.RolloutReport) []registry.Share {
	way := slices.Clone(r.Steps)
	if !slices.Contains(way, r.Share) {
		way = append(way, r.Share)
		slices.Sort(way)
	}
	return way
}

// Meaning says what a verdict means.
func Meaning(verdict string) string {
	switch rollout.Verdict(verdict) {
	case rollout.Healthy:
		return "no metric is worse by more than its margin"
	case rollout.Regressed:
		return "the candidate is worse than the stable release"
	case rollout.Insufficient:
		return "neither worse nor safe so far"
	case rollout.Unmeasured:
		return "there are no calls to judge by"
	case rollout.Untrusted:
		return "subjects are not split as they should be, so nothing is decided"
	}
	return "a newer server said this"
}

// Doing says what happens in a phase.
func Doing(phase string) string {
	switch rollout.Phase(phase) {
	case rollout.Watching:
		return "the guard moves it by the evidence"
	case rollout.Paused:
		return "a person holds it where it is"
	case rollout.Asking:
		return "a person must say what comes next"
	case rollout.Ended:
		return "it is over"
	}
	return "a newer server said this"
}

// Policy is how a rollout is judged, and its times.
func Policy(r registry.RolloutReport, p guard.Policy) string {
	if p.Rule == guard.Classic {
		return "classic, a rule of thumb: it alarms at noise; " + times(r.Rules)
	}
	margins := make([]string, 0, len(p.Metrics.List()))
	for _, metric := range p.Metrics.List() {
		margins = append(margins, Spaced(metric.String())+" "+Margin(p, metric))
	}
	return fmt.Sprintf("%s, alpha %s, safe at %s within %s; %s", p.Rule, Brief(p.Alpha), Brief(p.AlphaSafe), strings.Join(margins, ", "), times(r.Rules))
}

// Margin is by how much a candidate may be worse on a metric and still be safe.
func Margin(p guard.Policy, m guard.Metric) string {
	s := p.Safe
	switch m {
	case guard.Errors:
		return points(s.Errors*100, 4)
	case guard.Satisfaction:
		return points(s.Satisfaction, 4)
	}
	return Brief(100*map[guard.Metric]float64{guard.Latency: s.Latency, guard.FirstToken: s.FirstToken, guard.Tokens: s.Tokens, guard.Cost: s.Cost}[m]) + " %"
}

// points is a difference of shares or of ratings, rounded to so many digits.
func points(n float64, digits int) string {
	text := Rounded(n, digits)
	if text == "1" {
		return "1 point"
	}
	return text + " points"
}

// times of rules, and what is done at their ends.
func times(r registry.GuardRules) string {
	var parts []string
	for _, d := range []struct {
		name string
		is   *registry.Duration
	}{{"bake", r.Bake}, {"limit", r.Limit}, {"silence", r.Silence}} {
		if d.is != nil {
			parts = append(parts, d.name+" "+d.is.String())
		}
	}
	if r.HoldBack != nil && *r.HoldBack > 0 && r.HoldFor != nil {
		parts = append(parts, fmt.Sprintf("%s held back for %s", *r.HoldBack, *r.HoldFor))
	}
	return strings.Join(append(parts, "at limit "+r.AtLimit, "on regress "+r.OnRegress), ", ")
}

// Decision is a line of a rollout's log.
func Decision(d registry.Decision) string {
	return Plain(fmt.Sprintf("%s  %s by %s at %s: %s", Second(d.At), d.Kind, Name(d.By), d.Share, d.Text))
}

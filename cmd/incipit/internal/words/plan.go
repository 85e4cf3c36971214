package words

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Fact is a line of what is known: its name and what it says.
type Fact struct{ Name, Text string }

// PlanTitle is what a plan is about: who, where, from what to what.
func PlanTitle(p *registry.Plan) string {
	from, to, protected := p.From, p.To.String(), ""
	if from == "" {
		from = "nothing"
	}
	if p.Protected {
		protected = " (protected)"
	}
	if p.Action == registry.Retire {
		to = "nothing"
	}
	if r := p.Deployment.Rollout; r != nil && r.Strategy == registry.Experiment {
		to = Arms(r.Contenders()) + " beside it"
	}
	return fmt.Sprintf("%s %s in %s%s: %s → %s", p.Action, p.Prompt, p.Environment, protected, from, to)
}

// PlanAlready says that a plan changes nothing, "" if it does.
func PlanAlready(p *registry.Plan) string {
	if p.Already == "" {
		return ""
	}
	return p.Already + "; nothing would change"
}

// PlanFacts is what a plan would do, below what stands in its way.
func PlanFacts(p *registry.Plan) []Fact {
	out := []Fact{{"who moves", p.Moves}}
	if r := p.Deployment.Rollout; r != nil {
		out = append(out, Fact{"strategy", fmt.Sprintf("%s, subjects chosen by %s", r.Strategy, r.Bucketing)})
		if len(r.Steps) > 0 {
			out = append(out, Fact{"steps", Shares(r.Steps)})
		}
	}
	if p.Undo != "" {
		out = append(out, Fact{"undo", p.Undo})
	}
	return out
}

// Held reports whether something stands in a plan's way.
func Held(p *registry.Plan) bool {
	return slices.ContainsFunc(p.Checks, func(c registry.Check) bool { return !c.OK })
}

// Shares is "5 % → 25 % → 50 %".
func Shares(all []registry.Share) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = s.String()
	}
	return strings.Join(out, " → ")
}

// Steps are shares as a flag takes them: 5,25,50.
func Steps(all []registry.Share) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = s.Number()
	}
	return strings.Join(out, ",")
}

// Command is the command line that makes a plan happen.
func Command(p *registry.Plan) string {
	line := fmt.Sprintf("incipit %s %s --env %s%s", p.Action, p.Prompt, p.Environment, flags(p))
	switch {
	case p.Action == registry.Deploy && p.Strategy != registry.Experiment:
		line = fmt.Sprintf("incipit deploy %s@%s --env %s%s", p.Prompt, p.Version, p.Environment, flags(p))
	case p.Strategy == registry.Experiment:
		line = fmt.Sprintf("incipit experiment start %s --env %s%s", p.Prompt, p.Environment, flags(p))
	case p.Action == registry.Shift && len(p.Shares) > 0:
		line = fmt.Sprintf("incipit experiment shares %s --env %s", p.Prompt, p.Environment)
		for _, name := range slices.Sorted(maps.Keys(p.Shares)) {
			line += " " + name + "=" + p.Shares[name].Number()
		}
	case p.Action == registry.Promote && p.Arm != "":
		line = fmt.Sprintf("incipit experiment promote %s %s --env %s", p.Prompt, p.Arm, p.Environment)
	case p.Action == registry.Rollback && p.Arm != "":
		line = fmt.Sprintf("incipit experiment drop %s %s --env %s", p.Prompt, p.Arm, p.Environment)
	}
	if p.Reason != "" {
		line += " --reason " + quoted(p.Reason)
	}
	return line + Confirm(p)
}

// flags are those of the action, as far as they are not the default.
func flags(p *registry.Plan) (out string) {
	switch {
	case p.Action == registry.Shift:
		return " --to " + p.Share.Number()
	case p.Action == registry.Rollback && p.Version != "":
		return " --to " + p.Version
	case p.Action != registry.Deploy:
		return ""
	case p.Strategy == registry.Canary:
		out = " --canary " + Steps(p.Steps)
	case p.Strategy == registry.BlueGreen:
		out = " --blue-green"
	case p.Strategy == registry.Experiment:
		for _, a := range p.Arms {
			out += fmt.Sprintf(" --arm %s=%s:%s", a.Name, a.Version, a.Share.Number())
		}
		if p.Primary != "" {
			out += " --primary " + p.Primary
		}
	}
	if gradual := p.Strategy != registry.Full && p.Strategy != ""; gradual && p.Bucketing != "" && p.Bucketing != registry.DefaultBucketing {
		out += " --bucketing " + string(p.Bucketing)
	}
	if p.Manual {
		out += " --manual"
	}
	if p.Supersede {
		out += " --supersede"
	}
	if p.Quarantined {
		out += " --clear-quarantine"
	}
	return out
}

// Confirm is the flag that a protected environment asks for, with a blank before
// it, and "" elsewhere.
func Confirm(p *registry.Plan) string {
	if p.Protected {
		return " --confirm " + p.Environment
	}
	return ""
}

// quoted is a text as one word of a POSIX shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

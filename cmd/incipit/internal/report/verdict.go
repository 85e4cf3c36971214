package report

import (
	"fmt"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// Judge sets Verdict and Reasons, and adds to Warnings what does not decide. The
// worst verdict counts: invalid, then gate, then unavailable. A report in which
// nothing was tested although something should have been is no pass.
func (r *Report) Judge() {
	j := judgement{warnings: slices.Clone(r.Warnings)}
	for i := range r.Prompts {
		j.prompt(&r.Prompts[i])
	}
	for i := range r.Configs {
		j.run(r.Configs[i].Suite, &r.Configs[i])
	}
	if len(r.Prompts) == 0 && len(r.Configs) == 0 && r.Nothing == "" {
		j.gate = append(j.gate, "nothing was tested")
	}
	switch {
	case len(j.invalid) > 0:
		r.Verdict = Invalid
	case len(j.gate) > 0:
		r.Verdict = Refused
	case len(j.unavailable) > 0:
		r.Verdict = Unavailable
	default:
		r.Verdict = Passed
	}
	r.Reasons = slices.Concat(j.invalid, j.gate, j.unavailable)
	seen := make(map[string]bool)
	r.Warnings = slices.DeleteFunc(j.warnings, func(w string) bool {
		again := seen[w]
		seen[w] = true
		return again
	})
}

// A judgement collects sentences by the verdict that they lead to.
type judgement struct{ invalid, gate, unavailable, warnings []string }

func (j *judgement) prompt(p *Prompt) {
	errs := 0
	for _, f := range p.Findings {
		if f.Severity == prompt.SeverityError {
			errs++
		}
	}
	if errs > 0 {
		j.invalid = append(j.invalid, fmt.Sprintf("%s is not valid: %s", p.ID, count(errs, "error")))
	}
	for _, u := range p.Untested {
		j.warnings = append(j.warnings, fmt.Sprintf("%s: not tested: %s", p.ID, u))
	}
	switch {
	case p.Run != nil:
		j.run(string(p.ID), p.Run)
	case errs == 0 && len(p.Untested) == 0:
		j.gate = append(j.gate, fmt.Sprintf("%s was not tested, and nothing says why", p.ID))
	}
	if p.BaseRun != nil {
		j.base(p)
	}
	if p.Compared != nil {
		j.compared(p)
	}
}

func (j *judgement) run(name string, r *Run) {
	if len(r.Cases) == 0 {
		j.gate = append(j.gate, name+": its suite has no case that was asked")
		return
	}
	if r.Failed > 0 {
		s := fmt.Sprintf("%s: %s of %d failed", name, count(r.Failed, "case"), len(r.Cases))
		if r.Flaky > 0 {
			s += fmt.Sprintf(", %d flaky", r.Flaky)
		}
		// A share of cases that could not be judged is not known.
		if r.Threshold != nil && float64(r.Passed) >= *r.Threshold*float64(len(r.Cases)) {
			j.warnings = append(j.warnings, fmt.Sprintf("%s; %g %% must pass", s, 100**r.Threshold))
		} else {
			j.gate = append(j.gate, s)
		}
	}
	away, broken := r.failures()
	if away > 0 {
		j.unavailable = append(j.unavailable, fmt.Sprintf("%s: the provider gave no answer to %s of %d", name, count(away, "case"), len(r.Cases)))
	}
	if broken > 0 {
		j.gate = append(j.gate, fmt.Sprintf("%s: %s of %d could not be judged", name, count(broken, "case"), len(r.Cases)))
	}
}

// failures are the cases without a judgment: those for which a provider is to
// blame and that may be tried again, and those that another try does not help.
func (r *Run) failures() (away, broken int) {
	for _, c := range r.Cases {
		switch {
		case c.Outcome == Pass || c.Outcome == Fail:
		case c.Failure != nil && slices.Contains([]string{"unavailable", "limited", "denied", "malformed"}, c.Failure.Kind):
			away++
		default:
			broken++
		}
	}
	return away, broken
}

// base judges what could not be asked of the release that runs. A cassette that
// is missing there is no fault of the candidate: the case may be new.
func (j *judgement) base(p *Prompt) {
	away, broken := p.BaseRun.failures()
	if away > 0 {
		j.unavailable = append(j.unavailable, fmt.Sprintf("%s: the provider gave no answer to %s asked of %s", p.ID, count(away, "case"), p.base()))
	}
	if broken > 0 {
		j.warnings = append(j.warnings, fmt.Sprintf("%s: %s could not be asked of %s, so they are not compared", p.ID, count(broken, "case"), p.base()))
	}
}

func (j *judgement) compared(p *Prompt) {
	for _, m := range p.Compared.Metrics {
		s := fmt.Sprintf("%s: %s against %s: %s", p.ID, m.Name, p.base(), m.Why)
		switch {
		case m.Verdict == compare.Regressed && m.Gated:
			j.gate = append(j.gate, s)
		case m.Verdict == compare.Regressed, m.Verdict == compare.Inconclusive && m.Gated:
			j.warnings = append(j.warnings, s)
		}
	}
}

// base names the release that p is compared with.
func (p *Prompt) base() string {
	switch {
	case p.Base == nil:
		return "the base"
	case p.Base.Environment == "":
		return p.Base.Version
	}
	return p.Base.Version + " in " + p.Base.Environment
}

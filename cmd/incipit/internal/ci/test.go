package ci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// test runs the prompt's suite on the candidate and on the base, case by case
// beside one another, and compares the two.
func (g *Gate) test(ctx context.Context, p *report.Prompt, d prompt.Draft, base *Base) error {
	s, err := g.suiteOf(g.Candidate.Files, p.ID)
	if err != nil {
		return g.notASuite(p, err)
	}
	if s == nil {
		g.noSuite(p, d)
		return nil
	}
	chosen := s.Cases
	if g.Select != nil {
		if chosen = g.Select(s.Cases); len(chosen) == 0 {
			p.Untested = append(p.Untested, "no case of its suite is selected")
			return nil
		}
	}
	spec, err := g.Ask(d.Prompt.Model)
	if err != nil {
		return err
	}
	candidate, err := suite.NewRelease(label(p), d.Prompt, spec, false)
	if err != nil {
		return err
	}
	plan := suite.Plan{Suite: s, Targets: []suite.Target{candidate}, Repeat: g.Repeat, Cases: chosen}
	var old *suite.Release
	if base != nil && base.Release.Digest != p.Digest {
		oldSpec, err := g.Ask(base.Prompt.Model)
		if err != nil {
			return err
		}
		if old, err = suite.NewRelease(base.Release.Tag, base.Prompt, oldSpec, true); err != nil {
			return err
		}
		plan.Targets = append(plan.Targets, old)
	}
	run, err := g.Runner.Run(ctx, plan)
	if err != nil {
		return err
	}
	if old == nil {
		p.Run = &run
		return nil
	}
	rules := g.rules(d.Metadata)
	run, err = g.decide(ctx, plan, run, rules)
	if err != nil {
		return err
	}
	p.Run, p.BaseRun = split(run, candidate.Label(), old.Label())
	pairs, without := pairs(s, p.Run, p.BaseRun)
	if without > 0 {
		p.Untested = append(p.Untested, fmt.Sprintf("%d of %d cases have no answer of %s to compare with", without, len(s.Cases), base.Release.Tag))
	}
	if len(pairs) > 0 {
		result := compare.Compare(pairs, rules)
		p.Compared = &result
	}
	return nil
}

// label is what the candidate is called beside the release it is compared with.
func label(p *report.Prompt) string { return string(p.ID) + " (candidate)" }

// decide asks the cases on which the two sides waver up to g.Repeats times, both
// sides alike and whatever the verdict would be by then: to ask only until it
// looks good would decide it.
func (g *Gate) decide(ctx context.Context, plan suite.Plan, run report.Run, rules compare.Rules) (report.Run, error) {
	asked := max(1, plan.Repeat)
	mine, other := split(run, plan.Targets[0].Label(), plan.Targets[1].Label())
	ps, _ := pairs(plan.Suite, mine, other)
	undecided := compare.Undecided(ps, rules)
	if asked >= g.Repeats || len(undecided) == 0 {
		return run, nil
	}
	again := plan
	again.First, again.Repeat, again.Cases = asked, g.Repeats-asked, nil
	for _, i := range undecided {
		again.Cases = append(again.Cases, caseOf(plan.Suite, ps[i].Case))
	}
	more, err := g.Runner.Run(ctx, again)
	if err != nil {
		return run, err
	}
	run.Cases = append(run.Cases, answeredByBoth(more.Cases)...)
	run.Sort()
	return run, nil
}

// answeredByBoth leaves out the repeats that one side did not answer. Where
// answers are replayed, one that nobody recorded is no miss: the suite did not
// ask for it.
func answeredByBoth(cases []report.Case) []report.Case {
	type round struct {
		key    string
		repeat int
	}
	failed := make(map[round]bool)
	for _, c := range cases {
		if c.Outcome == report.Error {
			failed[round{c.Key, c.Repeat}] = true
		}
	}
	return slices.DeleteFunc(cases, func(c report.Case) bool { return failed[round{c.Key, c.Repeat}] })
}

func caseOf(s *suite.Suite, key string) suite.Case {
	return s.Cases[slices.IndexFunc(s.Cases, func(c suite.Case) bool { return c.Key == key })]
}

// rules are the workspace's with those of the prompt's metadata before them.
func (g *Gate) rules(m prompt.Metadata) compare.Rules {
	r := g.Rules
	if c := m.Comparison; c != nil {
		if c.Margin != nil {
			r.Margin = *c.Margin
		}
		if c.Margins != nil {
			r.Margins = c.Margins
		}
		if c.Gate != nil {
			r.Gate = c.Gate
		}
	}
	return r
}

// split parts a run by its two targets.
func split(run report.Run, candidate, base string) (mine, other *report.Run) {
	part := func(target string) *report.Run {
		out := run
		out.Cases = nil
		for _, c := range run.Cases {
			if c.Target == target {
				out.Cases = append(out.Cases, c)
			}
		}
		out.Sort()
		return &out
	}
	return part(candidate), part(base)
}

// pairs joins the two sides case by case. A case that one of them could not
// answer is left out, and counted.
func pairs(s *suite.Suite, mine, other *report.Run) (out []compare.Pair, without int) {
	samples := func(run *report.Run, key string) (out []compare.Sample) {
		for _, c := range run.Cases {
			if c.Key == key && c.Outcome != report.Error {
				out = append(out, compare.Sample{Passed: c.Outcome == report.Pass, Score: c.Score, Metrics: c.Metrics, LatencyMS: c.LatencyMS, Tokens: float64(c.OutputTokens), Cost: c.Cost})
			}
		}
		return out
	}
	asked := make(map[string]bool)
	for _, c := range mine.Cases {
		asked[c.Key] = true
	}
	for _, c := range s.Cases {
		if !asked[c.Key] {
			continue
		}
		p := compare.Pair{Case: c.Key, Cluster: c.Cluster, Base: samples(other, c.Key), Candidate: samples(mine, c.Key)}
		if len(p.Base) == 0 || len(p.Candidate) == 0 {
			without++
			continue
		}
		out = append(out, p)
	}
	return out, without
}

// hash is over the strings and where each ends.
func hash(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		io.WriteString(h, p) //nolint:errcheck // a hash takes everything
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

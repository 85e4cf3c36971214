package lifecycle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// PolicyOf is what rules say to whoever judges the calls.
func PolicyOf(r registry.GuardRules) (guard.Policy, error) {
	p := guard.Policy{Rule: guard.Rule(r.Policy), P95Only: r.P95Only != nil && *r.P95Only}
	const percent = .01
	for _, n := range []struct {
		from *float64
		to   *float64
		unit float64
	}{
		{r.Alpha, &p.Alpha, 1},
		{r.AlphaSafe, &p.AlphaSafe, 1},
		{r.MaxErrorIncrease, &p.Safe.Errors, 1},
		{r.MaxLatencyIncreasePct, &p.Safe.Latency, percent},
		{r.MaxFirstTokenIncreasePct, &p.Safe.FirstToken, percent},
		{r.MaxTokensIncreasePct, &p.Safe.Tokens, percent},
		{r.MaxCostIncreasePct, &p.Safe.Cost, percent},
		{r.MinSatisfactionDelta, &p.Safe.Satisfaction, -1},
		{r.TolerateErrorIncrease, &p.Regress.Errors, 1},
		{r.TolerateLatencyIncreasePct, &p.Regress.Latency, percent},
		{r.TolerateFirstTokenIncreasePct, &p.Regress.FirstToken, percent},
		{r.TolerateTokensIncreasePct, &p.Regress.Tokens, percent},
		{r.TolerateCostIncreasePct, &p.Regress.Cost, percent},
		{r.TolerateSatisfactionDelta, &p.Regress.Satisfaction, -1},
	} {
		if n.from != nil {
			*n.to = *n.from * n.unit
		}
	}
	for _, name := range r.Metrics {
		m, err := guard.ParseSet(name)
		if err != nil {
			return p, err
		}
		p.Metrics |= m
	}
	if r.Policy == registry.GuardOff {
		p.Rule = "" // so that the rest can be held against each other all the same
	}
	_, err := guard.New(p)
	return p, err
}

// checkGuard reports what the rules of an environment do not agree on, for all
// prompts and for those that have rules of their own.
func checkGuard(e registry.Environment) error {
	if _, err := PolicyOf(e.GuardOf("")); err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	if e.Guard == nil {
		return nil
	}
	for _, pattern := range slices.Sorted(maps.Keys(e.Guard.Prompts)) {
		if _, err := PolicyOf(e.GuardOf(prompt.ID(pattern))); err != nil {
			return fmt.Errorf("guard: prompts: %s: %w", prompt.Clip(pattern, 60), err)
		}
	}
	return nil
}

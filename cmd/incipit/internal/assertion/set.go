package assertion

import (
	"context"
	"fmt"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// Total is what the grades of one answer come to. score is their mean by
// weight, 0 if nothing weighs. With a threshold the outcome is Pass if score is
// at least that, without if every grade with a weight is. No grades pass, as in
// promptfoo. One Error makes the outcome Error, whatever the others are.
//
// metrics are the named scores, each the mean by weight of the grades that name
// it, also of those inside a set or a script; of grades without any weight the
// plain mean. It is nil if there are none.
func Total(grades []report.Grade, threshold *float64) (outcome report.Outcome, score float64, metrics map[string]float64) {
	if len(grades) == 0 {
		return report.Pass, 1, nil
	}
	outcome = report.Pass
	sum, weights, wrong := 0.0, 0.0, false
	named := map[string]*mean{}
	for _, g := range grades {
		sum += unit(g.Score) * g.Weight
		weights += g.Weight
		wrong = wrong || g.Outcome == report.Error
		if g.Outcome == report.Fail && g.Weight != 0 {
			outcome = report.Fail
		}
		addNamed(named, g, g.Weight, "", 0)
	}
	if weights > 0 {
		score = unit(sum / weights)
	}
	if threshold != nil {
		outcome = report.Fail
		if atLeast(score, *threshold) {
			outcome = report.Pass
		}
	}
	if wrong {
		outcome = report.Error
	}
	for name, m := range named {
		if metrics == nil {
			metrics = make(map[string]float64, len(named))
		}
		metrics[name] = m.value()
	}
	return outcome, score, metrics
}

// A mean is one of numbers with weights.
type mean struct {
	sum, weights float64
	plain        float64 // the sum without weights
	n            int
}

func (m mean) value() float64 {
	if m.weights > 0 {
		return unit(m.sum / m.weights)
	}
	return unit(m.plain / float64(m.n))
}

// addNamed adds the named scores of a grade and of its parts, which weigh what
// they weigh in it times what it weighs. A part that repeats the name of the
// whole adds nothing.
func addNamed(named map[string]*mean, g report.Grade, weight float64, above string, depth int) {
	if g.Outcome != report.Error && g.Metric != "" && g.Metric != above {
		m := named[g.Metric]
		if m == nil {
			m = &mean{}
			named[g.Metric] = m
		}
		score := unit(g.Score)
		m.sum, m.weights, m.plain, m.n = m.sum+score*weight, m.weights+weight, m.plain+score, m.n+1
	}
	if depth == maxParts {
		return
	}
	for _, part := range g.Parts {
		addNamed(named, part, weight*part.Weight, g.Metric, depth+1)
	}
}

// maxParts bounds how deep the parts of parts are looked at.
const maxParts = 8

// set checks the assertions of a set, each by itself.
func (c *Checker) set(ctx context.Context, q question) (finding, error) {
	f := finding{final: true}
	if err := c.validateSet(q.a); err != nil {
		return f, err
	}
	passed := 0
	for _, a := range q.a.Set {
		g := c.Check(ctx, a, q.s)
		if g.Outcome == report.Pass {
			passed++
		}
		f.spent = added(f.spent, g.Judge)
		g.Judge = nil // it is counted once, by the set
		f.parts = append(f.parts, g)
	}
	outcome, score, _ := Total(f.parts, q.a.Threshold)
	f.holds, f.score = outcome == report.Pass, score
	f.reason = fmt.Sprintf("%d of %d assertions of the set hold", passed, len(f.parts))
	if q.a.Threshold != nil {
		f.reason += fmt.Sprintf(", and their score is %s of the %s that is asked for", number(score), number(*q.a.Threshold))
	}
	if outcome == report.Error {
		return f, fmt.Errorf("%s, and not all could be judged: %s", f.reason, firstError(f.parts))
	}
	if !f.holds && q.a.Threshold == nil {
		f.reason += ": " + firstFailure(f.parts)
	}
	return f, nil
}

func firstError(parts []report.Grade) string { return firstOf(parts, report.Error) }

func firstFailure(parts []report.Grade) string { return firstOf(parts, report.Fail) }

func firstOf(parts []report.Grade, outcome report.Outcome) string {
	for _, p := range parts {
		if p.Outcome == outcome {
			return p.Type + ": " + p.Reason
		}
	}
	return ""
}

// added sums what calls took; the cost is known if both are.
func added(a, b *report.Spent) *report.Spent {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	sum := report.Spent{Calls: a.Calls + b.Calls, Input: a.Input + b.Input, Output: a.Output + b.Output}
	if a.Cost != nil && b.Cost != nil {
		cost := *a.Cost + *b.Cost
		sum.Cost = &cost
	}
	return &sum
}

package assertion

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// Select judges the outputs of one case against one another: select-best and
// max-score. It returns a grade for each subject, in their order; the best
// passes and the others fail. grades are what each subject got from the other
// assertions, which max-score adds up. What the judge took stands in the first
// grade alone. If one could not be judged, none is.
func (c *Checker) Select(ctx context.Context, a Assertion, all []Subject, grades [][]report.Grade) []report.Grade {
	out := make([]report.Grade, len(all))
	found, err := c.choose(ctx, a, all, grades)
	for i := range out {
		out[i] = report.Grade{Type: a.Name(), Weight: a.Weighs(), Line: a.Line}
		var vars map[string]any
		if i < len(all) {
			vars = all[i].Vars
		}
		metric, failed := c.render(ctx, a.Metric, vars)
		if out[i].Metric = metric; err == nil {
			err = failed
		}
		f := finding{final: true}
		if i < len(found) {
			f = found[i]
		}
		settle(&out[i], a, f, err)
	}
	return out
}

func (c *Checker) choose(ctx context.Context, a Assertion, all []Subject, grades [][]report.Grade) ([]finding, error) {
	k, err := kindOf(a)
	switch {
	case err != nil:
		return nil, err
	case k.check != nil:
		return nil, invalid(a, "judges one output at a time", "only select-best and max-score compare outputs")
	case len(all) < 2:
		return nil, invalid(a, "has nothing to compare: the case has one output", "give it at least two prompts or providers")
	case a.Type == "max-score":
		return maxScore(a, all, grades)
	}
	return c.selectBest(ctx, k, a, all)
}

// selectBest asks a judge which output meets a criterion best.
func (c *Checker) selectBest(ctx context.Context, k kind, a Assertion, all []Subject) ([]finding, error) {
	value, err := c.value(ctx, k, a, all[0])
	if err != nil {
		return nil, err
	}
	criterion := wordOf(value)
	blocks := []block{{"criterion", criterion}}
	outputs := make([]any, len(all))
	for i, s := range all {
		text, err := textOf(s.Output)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
		outputs[i] = text
		blocks = append(blocks, block{fmt.Sprintf("output %d", i), text})
	}
	j, err := c.judgeOf(ctx, a)
	if err != nil {
		return nil, err
	}
	messages, err := c.own(ctx, question{a: a, s: all[0]}, "", map[string]any{"criteria": criterion, "outputs": outputs},
		brief(fmt.Sprintf(`Choose which of the texts named "output 0" to "output %d" meets the text named "criterion" best. Neither their order nor their length counts.`, len(all)-1),
			`{"reason": "one or two sentences", "best": the number of the output}`, blocks...))
	if err != nil {
		return nil, err
	}
	answer, err := j.ask(ctx, messages)
	found := make([]finding, len(all))
	found[0] = finding{spent: j.spent}
	if err != nil {
		return found, err
	}
	best, reason, err := bestOf(answer, len(all))
	if err != nil {
		return found, err
	}
	for i := range found {
		found[i] = plain(i == best, fmt.Sprintf("the judge chose output %d: %s", best, reason))
		found[i].final = true
	}
	found[0].spent = j.spent
	return found, nil
}

// bestOf reads the number of the best output in a judge's answer: JSON, or the
// first number of an answer that has none, as promptfoo's prompt asks for.
func bestOf(answer string, of int) (best int, reason string, err error) {
	said := -1.0
	if v, err := answerWith(answer, "best"); err == nil {
		if f, ok := scoreOf(v["best"]); ok {
			said = f
		}
		reason, _ = v["reason"].(string)
	} else if !strings.Contains(answer, "{") {
		reason = answer
		digits := strings.FieldsFunc(answer, func(r rune) bool { return r < '0' || r > '9' })
		if len(digits) > 0 {
			if f, ok := scoreOf(digits[0]); ok {
				said = f
			}
		}
	}
	if said < 0 || said >= float64(of) || said != float64(int(said)) {
		return 0, "", unreadable(answer, fmt.Sprintf("since it names none of the outputs 0 to %d", of-1))
	}
	return int(said), sentence(shownReason(reason)), nil
}

// A maxScoreRule is the value of max-score.
type maxScoreRule struct {
	sum       bool               // add up; else the mean counts
	weights   map[string]float64 // by type; 1 if a type is not named
	threshold *float64           // below which the best is not chosen either
}

func maxScoreOf(v any) (rule maxScoreRule, wrong string) {
	m, ok := v.(map[string]any)
	if v != nil && !ok {
		return rule, "has a value that is no mapping"
	}
	for key, e := range m {
		switch key {
		case "method":
			if e != "average" && e != "sum" {
				return rule, "has a method that is neither average nor sum"
			}
			rule.sum = e == "sum"
		case "threshold":
			f, ok := floatOf(e)
			if !ok {
				return rule, "has a threshold that is no number"
			}
			rule.threshold = &f
		case "weights":
			list, ok := e.(map[string]any)
			if !ok {
				return rule, "has weights that are no mapping from types to numbers"
			}
			rule.weights = map[string]float64{}
			for name, w := range list {
				f, ok := floatOf(w)
				if !ok || f < 0 {
					return rule, "has a weight of " + quote(name) + " that is no number of 0 or more"
				}
				rule.weights[name] = f
			}
		default:
			return rule, "has a " + quote(key) + ", and knows method, weights and threshold"
		}
	}
	return rule, ""
}

// maxScore chooses the output whose other grades come to most, of two alike the
// first.
func maxScore(a Assertion, all []Subject, grades [][]report.Grade) ([]finding, error) {
	rule, wrong := maxScoreOf(a.Value)
	if wrong != "" {
		return nil, invalid(a, wrong, "see docs/assertions.md for the value of max-score")
	}
	if len(grades) != len(all) {
		return nil, fmt.Errorf("%d outputs have %d lists of grades", len(all), len(grades))
	}
	scores, best := make([]float64, len(all)), 0
	for i := range all {
		var err error
		if scores[i], err = rule.score(a, grades[i]); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
		if scores[i] > scores[best] {
			best = i
		}
	}
	enough := rule.threshold == nil || atLeast(scores[best], *rule.threshold)
	found := make([]finding, len(all))
	for i, score := range scores {
		reason := fmt.Sprintf("the score of the output is %s, and the highest is %s", number(score), number(scores[best]))
		if !enough {
			reason += ", below the threshold " + number(*rule.threshold)
		}
		found[i] = plain(i == best && enough, reason)
		found[i].final = true
	}
	return found, nil
}

// score is what the grades of one output come to.
func (r maxScoreRule) score(a Assertion, grades []report.Grade) (float64, error) {
	sum, weights, n := 0.0, 0.0, 0
	var add func(list []report.Grade) error
	add = func(list []report.Grade) error {
		for _, g := range list {
			switch {
			case g.Outcome == report.Error:
				return errors.New("an assertion could not be judged, so the outputs cannot be compared: " + g.Reason)
			case (Assertion{Type: g.Type}).Compares():
				continue
			case g.Type == "assert-set":
				if err := add(g.Parts); err != nil {
					return err
				}
				continue
			}
			w, ok := r.weights[g.Type]
			if !ok {
				w = 1
			}
			sum, weights, n = sum+w*unit(g.Score), weights+w, n+1
		}
		return nil
	}
	if err := add(grades); err != nil {
		return 0, err
	}
	switch {
	case n == 0:
		return 0, invalid(a, "has no other assertion whose score it could compare", "add one to the case")
	case r.sum:
		return sum, nil
	case weights == 0:
		return 0, nil
	}
	return sum / weights, nil
}

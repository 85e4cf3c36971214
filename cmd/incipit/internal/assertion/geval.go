package assertion

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	gevalMax  = 10 // the best score that a judge gives
	gevalMean = 0.7
	maxSteps  = 20
)

// geval asks a judge for the steps by which a criterion is judged, and then for
// a score by these steps (Liu et al.: G-Eval, EMNLP 2023). It holds if the score,
// as a share, is at least threshold (0.7); of several criteria the mean counts.
func (c *Checker) geval(ctx context.Context, q question) (finding, error) {
	j, err := c.judgeOf(ctx, q.a)
	if err != nil {
		return finding{}, err
	}
	criteria := textsOf(q.value)
	total, reasons := 0.0, make([]string, 0, len(criteria))
	for _, criterion := range criteria {
		score, reason, err := c.gevalOne(ctx, q, j, criterion)
		if err != nil {
			return finding{spent: j.spent}, fmt.Errorf("by the criterion %s: %w", quote(criterion), err)
		}
		total += score
		reasons = append(reasons, reason)
	}
	f := similarity(q, "the judge's score", total/float64(len(criteria)), gevalMean)
	f.spent = j.spent
	f.reason += ": " + strings.Join(reasons, " ")
	return f, nil
}

// gevalOne is the score of one criterion, as a share, and why.
func (c *Checker) gevalOne(ctx context.Context, q question, j *judge, criterion string) (float64, string, error) {
	steps, err := c.gevalSteps(ctx, q, j, criterion)
	if err != nil {
		return 0, "", err
	}
	list := "- " + strings.Join(steps, "\n- ")
	messages, err := c.own(ctx, q, "evaluate",
		map[string]any{"criteria": criterion, "steps": strings.Join(steps, "\n- "), "maxScore": fmt.Sprint(gevalMax), "input": q.s.Prompt, "output": q.output},
		brief(fmt.Sprintf(`The text named "output" answers the text named "input". Walk through the text named "steps", one by one, and then score how far the answer meets the text named "criterion": 0 is not at all, %d is in full.`, gevalMax),
			fmt.Sprintf(`{"reason": "one or two sentences", "score": a whole number from 0 to %d}`, gevalMax),
			block{"criterion", criterion}, block{"steps", list}, block{"input", q.s.Prompt}, block{"output", q.output}))
	if err != nil {
		return 0, "", err
	}
	answer, err := j.ask(ctx, messages)
	if err != nil {
		return 0, "", err
	}
	v, err := answerWith(answer, "score")
	if err != nil {
		return 0, "", err
	}
	score, ok := scoreOf(v["score"])
	if !ok || score < 0 || score > gevalMax {
		return 0, "", unreadable(answer, fmt.Sprintf("since its score is none from 0 to %d", gevalMax))
	}
	reason, _ := v["reason"].(string)
	return score / gevalMax, sentence(shownReason(reason)), nil
}

// gevalSteps asks how to judge a criterion.
func (c *Checker) gevalSteps(ctx context.Context, q question, j *judge, criterion string) ([]string, error) {
	messages, err := c.own(ctx, q, "steps", map[string]any{"criteria": criterion},
		brief(`Do not grade yet. Write three to five short steps by which somebody can judge how far any text meets the text named "criterion".`,
			`{"steps": ["the first step", "the second step"]}`, block{"criterion", criterion}))
	if err != nil {
		return nil, err
	}
	answer, err := j.ask(ctx, messages)
	if err != nil {
		return nil, err
	}
	v, err := answerWith(answer, "steps")
	if err != nil {
		return nil, err
	}
	list, _ := v["steps"].([]any)
	var steps []string
	for _, e := range list {
		step, _ := e.(string)
		if step = strings.TrimSpace(step); step == "" {
			return nil, unreadable(answer, "since one of its steps is no text")
		}
		steps = append(steps, step)
	}
	switch {
	case len(steps) == 0:
		return nil, errors.New("the judge proposed no steps to judge by")
	case len(steps) > maxSteps:
		return nil, fmt.Errorf("the judge proposed %d steps to judge by, and at most %d are followed", len(steps), maxSteps)
	}
	return steps, nil
}

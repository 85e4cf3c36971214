package assertion

import (
	"context"
	"strings"
)

// factuality holds if a judge finds that the output does not contradict the
// value, which is taken for true. It sorts the output into one of promptfoo's
// five classes, each with a score; a class whose score is 0 fails. The scores
// are 1, and 0 for a contradiction; config overrides them by promptfoo's names:
// subset, superset, agree, disagree, differButFactual.
func (c *Checker) factuality(ctx context.Context, q question) (finding, error) {
	scores, err := factualScores(q.a)
	if err != nil {
		return finding{}, err
	}
	j, err := c.judgeOf(ctx, q.a)
	if err != nil {
		return finding{}, err
	}
	truth := wordOf(q.value)
	messages, err := c.own(ctx, q, "", map[string]any{"input": q.s.Prompt, "ideal": truth, "completion": q.output},
		brief(`The text named "output" answers the text named "input". Take the text named "truth" for true, and compare the facts of the two; style, order and wording do not matter. Choose the class that fits:
A: the output says a part of the truth, and nothing against it
B: the output says all of the truth and more, and nothing against it
C: the output says the same as the truth
D: the output says something against the truth
E: the two differ, and not in facts`,
			`{"reason": "one or two sentences", "category": "A", "B", "C", "D" or "E"}`,
			block{"input", q.s.Prompt}, block{"truth", truth}, block{"output", q.output}))
	if err != nil {
		return finding{}, err
	}
	answer, err := j.ask(ctx, messages)
	if err != nil {
		return finding{spent: j.spent}, err
	}
	class, reason, err := classOf(answer)
	if err != nil {
		return finding{spent: j.spent}, err
	}
	score := scores[class]
	return finding{holds: score > 0, score: score, spent: j.spent, reason: classMeans(class) + ": " + reason}, nil
}

// classOf reads the class in a judge's answer: JSON, or the "(C)" of older
// prompts at its start.
func classOf(answer string) (class, reason string, err error) {
	v, err := answerWith(answer, "category")
	if err != nil {
		trimmed := strings.TrimPrefix(strings.TrimSpace(answer), "(")
		if len(trimmed) > 1 && trimmed[1] == ')' && classMeans(strings.ToUpper(trimmed[:1])) != "" {
			return strings.ToUpper(trimmed[:1]), sentence(shownReason(trimmed[2:])), nil
		}
		return "", "", err
	}
	class, _ = v["category"].(string)
	class = strings.ToUpper(strings.Trim(class, " ()."))
	if classMeans(class) == "" {
		return "", "", unreadable(answer, "since its category is none of A to E")
	}
	reason, _ = v["reason"].(string)
	return class, sentence(shownReason(reason)), nil
}

func classMeans(class string) string {
	switch class {
	case "A":
		return "the output says a part of the truth (A)"
	case "B":
		return "the output says the truth and more (B)"
	case "C":
		return "the output says the truth (C)"
	case "D":
		return "the output says something against the truth (D)"
	case "E":
		return "the output differs from the truth, and not in facts (E)"
	}
	return ""
}

// factualScores are the scores of the classes.
func factualScores(a Assertion) (map[string]float64, error) {
	scores := map[string]float64{"A": 1, "B": 1, "C": 1, "D": 0, "E": 1}
	given, _ := a.Config["factuality"].(map[string]any)
	if given == nil {
		given = a.Config
	}
	for class, name := range map[string]string{"A": "subset", "B": "superset", "C": "agree", "D": "disagree", "E": "differButFactual"} {
		v, ok := given[name]
		if !ok {
			continue
		}
		score, ok := floatOf(v)
		if !ok || score < 0 || score > 1 {
			return nil, invalid(a, "has a "+name+" in its config that is no score", "write a number from 0 to 1")
		}
		scores[class] = score
	}
	return scores, nil
}

package assertion

import (
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

func selected(t *testing.T, c *Checker, a Assertion, all []Subject, grades [][]report.Grade) (outcomes string, out []report.Grade) {
	t.Helper()
	out = c.Select(t.Context(), a, all, grades)
	if len(out) != len(all) {
		t.Fatalf("%d grades of %d outputs", len(out), len(all))
	}
	for _, g := range out {
		sound(t, a, g)
		outcomes += string(g.Outcome)[:1]
	}
	return outcomes, out
}

func TestTheBestIsSelected(t *testing.T) {
	all := []Subject{said("one"), said("two"), said("three")}
	for answer, want := range map[string]string{
		`{"reason":"short","best":1}`: "fpf", `{"best":"0"}`: "pff", "2": "ffp", "Output 1 is best.": "fpf",
		`{"best":3}`: "eee", `{"best":-1}`: "eee", `{"best":1.5}`: "eee", `{"reason":"none"}`: "eee", "none": "eee", "99999999999999999999": "eee", `{"best":0} {"best":1}`: "eee",
	} {
		c, m := checker(), says(answer)
		c.Judge = m.judge
		got, grades := selected(t, c, Assertion{Type: "select-best", Value: "is shortest, {{name}}", Metric: "best"}, all, nil)
		if got != want || len(m.asked) != 1 || grades[0].Judge == nil || grades[1].Judge != nil || grades[0].Metric != "best" {
			t.Errorf("%q: %s, want %s: %+v", answer, got, want, grades)
		}
		if asked := m.asked[0].Messages[1].Content; !strings.Contains(asked, "is shortest, Ada") || !strings.Contains(asked, "output 2:\n") {
			t.Errorf("it was asked %s", asked)
		}
	}
	c, m := checker(), says("1")
	c.Judge = m.judge
	if got, _ := selected(t, c, Assertion{Type: "select-best", Value: "x", Rubric: "{{criteria}} of {{outputs}}"}, all, nil); got != "fpf" || m.asked[0].Messages[0].Content != "x of [one two three]" {
		t.Errorf("%s %+v", got, m.asked)
	}
}

func TestWhatCannotBeSelected(t *testing.T) {
	two := []Subject{said("one"), said("two")}
	for name, r := range map[string]struct {
		a      Assertion
		all    []Subject
		reason string
	}{
		"one output alone":           {Assertion{Type: "select-best", Value: "x"}, two[:1], "one output"},
		"no judge":                   {Assertion{Type: "select-best", Value: "x"}, two, "needs a model that judges"},
		"no criterion":               {Assertion{Type: "select-best"}, two, "no text"},
		"a not-":                     {Assertion{Type: "select-best", Not: true, Value: "x"}, two, "without the not-"},
		"a type of one output":       {Assertion{Type: "contains", Value: "x"}, two, "one output at a time"},
		"a type that there is not":   {Assertion{Type: "select-worst", Value: "x"}, two, "no assertion type"},
		"no grades to add up":        {Assertion{Type: "max-score"}, two, "lists of grades"},
		"a method that is not known": {Assertion{Type: "max-score", Value: map[string]any{"method": "median"}}, two, "neither average nor sum"},
		"an output of 50 MB":         {Assertion{Type: "select-best", Value: "x"}, []Subject{said("one"), said(strings.Repeat("x", 50<<20))}, "output 1"},
	} {
		got, grades := selected(t, checker(), r.a, r.all, nil)
		if strings.Trim(got, "e") != "" || !strings.Contains(strings.ToLower(grades[0].Reason), strings.ToLower(r.reason)) {
			t.Errorf("%s: %s %s", name, got, grades[0].Reason)
		}
	}
	if got := checker().Select(t.Context(), Assertion{Type: "max-score"}, nil, nil); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if g := graded(t, checker(), Assertion{Type: "max-score"}, said("x")); g.Outcome != report.Error || !strings.Contains(g.Reason, "several prompts or providers") {
		t.Errorf("%+v", g)
	}
}

func TestTheHighestScoreIsSelected(t *testing.T) {
	of := func(typ string, score float64) report.Grade {
		return report.Grade{Type: typ, Outcome: report.Pass, Score: score, Weight: 1}
	}
	all := []Subject{said("one"), said("two")}
	for name, r := range map[string]struct {
		value  any
		grades [][]report.Grade
		want   string
	}{
		"the mean counts":               {nil, [][]report.Grade{{of("contains", 1), of("regex", 0)}, {of("contains", 0.8)}}, "fp"},
		"or the sum":                    {map[string]any{"method": "sum"}, [][]report.Grade{{of("contains", 1), of("regex", 0)}, {of("contains", 0.8)}}, "pf"},
		"of two alike the first":        {nil, [][]report.Grade{{of("contains", 1)}, {of("contains", 1)}}, "pf"},
		"types can weigh more":          {map[string]any{"weights": map[string]any{"regex": 3}}, [][]report.Grade{{of("contains", 1), of("regex", 0)}, {of("contains", 0), of("regex", 1)}}, "fp"},
		"none reaches the threshold":    {map[string]any{"threshold": 0.9}, [][]report.Grade{{of("contains", 0.5)}, {of("contains", 0.8)}}, "ff"},
		"the parts of a set count":      {nil, [][]report.Grade{{{Type: "assert-set", Score: 1, Parts: []report.Grade{of("contains", 0.1)}}}, {of("contains", 0.8)}}, "fp"},
		"other selections do not count": {nil, [][]report.Grade{{of("select-best", 1), of("contains", 0.1)}, {of("contains", 0.8)}}, "fp"},
		"nothing to add up":             {nil, [][]report.Grade{{of("select-best", 1)}, {of("contains", 0.8)}}, "ee"},
		"an error among the grades":     {nil, [][]report.Grade{{of("contains", 1)}, {{Type: "contains", Outcome: report.Error, Reason: "It broke."}}}, "ee"},
		"weights of nothing":            {map[string]any{"weights": map[string]any{"contains": 0}}, [][]report.Grade{{of("contains", 1)}, {of("contains", 1)}}, "pf"},
	} {
		if got, grades := selected(t, checker(), Assertion{Type: "max-score", Value: r.value}, all, r.grades); got != r.want {
			t.Errorf("%s: %s, want %s: %+v", name, got, r.want, grades)
		}
	}
}

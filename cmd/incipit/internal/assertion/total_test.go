package assertion

import (
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

func grade(outcome report.Outcome, score, weight float64, metric string, parts ...report.Grade) report.Grade {
	return report.Grade{Type: "x", Outcome: outcome, Score: score, Weight: weight, Metric: metric, Reason: "Because.", Parts: parts}
}

func TestTotal(t *testing.T) {
	pass, fail, broken := report.Pass, report.Fail, report.Error
	for name, r := range map[string]struct {
		grades    []report.Grade
		threshold *float64
		outcome   report.Outcome
		score     float64
		metrics   map[string]float64
	}{
		"no grades pass":                                         {nil, nil, pass, 1, nil},
		"all pass":                                               {[]report.Grade{grade(pass, 1, 1, ""), grade(pass, 0.5, 1, "")}, nil, pass, 0.75, nil},
		"one that fails fails the case":                          {[]report.Grade{grade(pass, 1, 3, ""), grade(fail, 0, 1, "")}, nil, fail, 0.75, nil},
		"a threshold forgives it":                                {[]report.Grade{grade(pass, 1, 3, ""), grade(fail, 0, 1, "")}, new(0.75), pass, 0.75, nil},
		"a threshold can ask for more than passing":              {[]report.Grade{grade(pass, 0.5, 1, "")}, new(0.6), fail, 0.5, nil},
		"sums of floats are forgiven":                            {[]report.Grade{grade(pass, 0.1, 1, ""), grade(pass, 0.2, 1, ""), grade(pass, 0.3, 1, "")}, new(0.2), pass, 0.2, nil},
		"what weighs nothing fails nothing":                      {[]report.Grade{grade(fail, 0, 0, "m"), grade(pass, 1, 1, "")}, nil, pass, 1, map[string]float64{"m": 0}},
		"an error is neither, whatever the threshold":            {[]report.Grade{grade(pass, 1, 1, ""), grade(broken, 0, 1, "m")}, new(0.1), broken, 0.5, nil},
		"an error that weighs nothing is one":                    {[]report.Grade{grade(pass, 1, 1, ""), grade(broken, 0, 0, "")}, nil, broken, 1, nil},
		"a metric is the mean of those that name it":             {[]report.Grade{grade(pass, 1, 1, "tone"), grade(fail, 0, 3, "tone"), grade(pass, 1, 1, "")}, nil, fail, 0.4, map[string]float64{"tone": 0.25}},
		"metrics without weight are a plain mean":                {[]report.Grade{grade(pass, 1, 0, "tone"), grade(pass, 0.5, 0, "tone")}, nil, pass, 0, map[string]float64{"tone": 0.75}},
		"metrics of parts weigh what they weigh in a whole":      {[]report.Grade{grade(pass, 0.5, 2, "", grade(pass, 1, 3, "tone"), grade(fail, 0, 1, "tone")), grade(pass, 0, 8, "tone")}, nil, pass, 0.1, map[string]float64{"tone": 0.375}},
		"a part that repeats the name of its whole adds nothing": {[]report.Grade{grade(pass, 0.5, 1, "tone", grade(pass, 1, 1, "tone"), grade(pass, 1, 1, "other"))}, nil, pass, 0.5, map[string]float64{"tone": 0.5, "other": 1}},
	} {
		outcome, score, metrics := Total(r.grades, r.threshold)
		if outcome != r.outcome || math.Abs(score-r.score) > 1e-9 || !maps.EqualFunc(metrics, r.metrics, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%s: %s %v %v, want %s %v %v", name, outcome, score, metrics, r.outcome, r.score, r.metrics)
		}
	}
}

func grades() *rapid.Generator[[]report.Grade] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) report.Grade {
		return grade(rapid.SampledFrom([]report.Outcome{report.Pass, report.Fail}).Draw(t, "outcome"), rapid.Float64Range(0, 1).Draw(t, "score"), float64(rapid.IntRange(0, 3).Draw(t, "weight")), rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "metric"))
	}), 1, 8)
}

// A better grade never makes a case worse.
func TestTotalIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := grades().Draw(t, "grades")
		var threshold *float64
		if rapid.Bool().Draw(t, "bounded") {
			threshold = new(rapid.Float64Range(0, 1).Draw(t, "threshold"))
		}
		before, low, _ := Total(list, threshold)
		i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
		list[i].Outcome, list[i].Score = report.Pass, rapid.Float64Range(list[i].Score, 1).Draw(t, "better")
		after, high, metrics := Total(list, threshold)
		if high < low-1e-12 || before == report.Pass && after != report.Pass {
			t.Fatalf("%s %v became %s %v", before, low, after, high)
		}
		for name, m := range metrics {
			if !(m >= 0 && m <= 1) {
				t.Fatalf("%s is %v", name, m)
			}
		}
	})
}

func TestTotalOfOneErrorIsAnError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := grades().Draw(t, "grades")
		list[rapid.IntRange(0, len(list)-1).Draw(t, "which")].Outcome = report.Error
		if outcome, _, _ := Total(list, new(0.0)); outcome != report.Error {
			t.Fatal(outcome)
		}
	})
}

func TestASetOfAssertions(t *testing.T) {
	has := func(word string, weight float64) Assertion {
		return Assertion{Type: "contains", Value: word, Weight: &weight, Metric: word}
	}
	for _, r := range []row{
		{"all must hold", Assertion{Type: "assert-set", Set: []Assertion{has("a", 1), has("z", 1)}}, "abc", report.Fail, `1 of 2 assertions of the set hold: contains: The output does not contain "z"`},
		{"or as much of the score as is asked for", Assertion{Type: "assert-set", Threshold: new(0.75), Set: []Assertion{has("a", 3), has("z", 1)}}, "abc", report.Pass, "0.75"},
		{"what weighs nothing in it fails nothing", Assertion{Type: "assert-set", Set: []Assertion{has("a", 3), has("z", 0)}}, "abc", report.Pass, ""},
		{"one that cannot be judged is an error of the set", Assertion{Type: "assert-set", Threshold: new(0.1), Set: []Assertion{has("a", 3), {Type: "llm-rubric", Value: "x"}}}, "abc", report.Error, "needs a model that judges"},
		{"a set of nothing is refused", Assertion{Type: "assert-set"}, "abc", report.Error, "holds no assertion"},
		{"a set in a set is refused", Assertion{Type: "assert-set", Set: []Assertion{{Type: "assert-set", Set: []Assertion{has("a", 1)}}}}, "abc", report.Error, "beside the set"},
		{"select-best in a set is refused", Assertion{Type: "assert-set", Set: []Assertion{{Type: "select-best", Value: "x"}}}, "abc", report.Error, "beside the set"},
		{"there is no not-assert-set", Assertion{Type: "assert-set", Not: true, Set: []Assertion{has("a", 1)}}, "abc", report.Error, "without the not-"},
	} {
		run(t, checker(), []row{r})
	}
	c := checker()
	c.Judge = says(`{"reason":"fine","pass":true,"score":1}`).judge
	g := graded(t, c, Assertion{Type: "assert-set", Set: []Assertion{{Type: "llm-rubric", Value: "x"}, has("a", 1), {Type: "llm-rubric", Value: "y"}}}, said("abc"))
	if len(g.Parts) != 3 || g.Judge == nil || g.Judge.Calls != 2 || *g.Judge.Cost != 0.5 || g.Parts[0].Judge != nil || g.Parts[1].Metric != "a" || !strings.HasPrefix(g.Parts[2].Reason, "Fine") {
		t.Errorf("%+v", g)
	}
}

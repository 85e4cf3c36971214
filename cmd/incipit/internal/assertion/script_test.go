package assertion

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// returns is a checker whose code returns one value, or fails.
func returns(v any, err error) *Checker {
	c := checker()
	f := scriptFunc(func(string, string, map[string]any) (any, error) { return v, err })
	c.Scripts, c.Python = f, f
	return c
}

func TestCodeDecides(t *testing.T) {
	js := Assertion{Type: "javascript", Value: "output.length > 3"}
	not := Assertion{Type: "javascript", Not: true, Value: "output.length > 3"}
	half := Assertion{Type: "javascript", Value: "score(output)", Threshold: new(0.5)}
	py := Assertion{Type: "python", Value: "len(output) > 3", Threshold: new(0.5)}
	thrown := fmt.Errorf("line 1: output.x is undefined: %w", ErrThrown)
	for name, r := range map[string]struct {
		a      Assertion
		v      any
		err    error
		want   report.Outcome
		score  float64
		reason string
	}{
		"true passes":                                  {js, true, nil, report.Pass, 1, "true"},
		"false fails":                                  {js, false, nil, report.Fail, 0, "false"},
		"not- turns false round":                       {not, false, nil, report.Pass, 1, ""},
		"a number above 0 passes":                      {js, 0.2, nil, report.Pass, 0.2, "0.2"},
		"0 does not":                                   {js, 0, nil, report.Fail, 0, ""},
		"a number must reach the threshold":            {half, 0.4, nil, report.Fail, 0.4, ""},
		"a number above 1 is a score of 1":             {half, 7, nil, report.Pass, 1, "7"},
		"not- leaves a number's score as it is":        {not, 0.2, nil, report.Fail, 0.2, ""},
		"a mapping says it all":                        {js, map[string]any{"pass": true, "score": 0.7, "reason": "polite enough"}, nil, report.Pass, 0.7, "Polite enough."},
		"a mapping without score":                      {js, map[string]any{"pass": false}, nil, report.Fail, 0, "pass: false"},
		"JavaScript's mapping knows no threshold":      {half, map[string]any{"pass": true, "score": 0.1, "reason": "x"}, nil, report.Pass, 0.1, ""},
		"Python's does":                                {py, map[string]any{"pass": true, "score": 0.1, "reason": "x"}, nil, report.Fail, 0.1, "below the threshold"},
		"Python may answer in a text":                  {py, "True", nil, report.Pass, 1, ""},
		"with a number in it":                          {py, "0.6", nil, report.Pass, 0.6, ""},
		"or JSON":                                      {py, `{"pass": true, "score": 1, "reason": "x"}`, nil, report.Pass, 1, ""},
		"JavaScript may not":                           {js, "true", nil, report.Fail, 0, "where true, false"},
		"nothing fails":                                {js, nil, nil, report.Fail, 0, "null"},
		"also with a not-":                             {not, nil, nil, report.Fail, 0, ""},
		"a mapping without pass fails":                 {js, map[string]any{"score": 1}, nil, report.Fail, 0, ""},
		"code that throws fails":                       {js, nil, thrown, report.Fail, 0, "undefined"},
		"code that throws, with a not-":                {not, nil, thrown, report.Fail, 0, "undefined"},
		"code that takes too long is an error":         {js, nil, errors.New("it took more than 5 s"), report.Error, 0, "5 s"},
		"code that throws a megabyte is told in short": {js, nil, fmt.Errorf("%s: %w", strings.Repeat("x", 1<<20), ErrThrown), report.Fail, 0, "xxx"},
	} {
		g := graded(t, returns(r.v, r.err), r.a, said("hello"))
		if g.Outcome != r.want || g.Score != r.score || !strings.Contains(g.Reason, r.reason) {
			t.Errorf("%s: %s %v %s", name, g.Outcome, g.Score, g.Reason)
		}
	}
}

func TestCodeMayTellMore(t *testing.T) {
	g := graded(t, returns(map[string]any{
		"pass": true, "score": 0.5, "reason": "x", "namedScores": map[string]any{"tone": 0.25, "length": 2, "odd": "x"},
		"componentResults": []any{map[string]any{"pass": false, "score": 0.3, "reason": "too long"}, "odd"},
	}, nil), Assertion{Type: "javascript", Value: "x", Weight: new(2.0)}, said("hello"))
	if len(g.Parts) != 3 || g.Parts[0].Metric != "length" || g.Parts[0].Score != 1 || g.Parts[2].Outcome != report.Fail || g.Parts[2].Reason != "Too long." {
		t.Errorf("%+v", g.Parts)
	}
	if _, _, metrics := Total([]report.Grade{g}, nil); metrics["tone"] != 0.25 || len(metrics) != 2 {
		t.Errorf("%v", metrics)
	}
}

func TestWhatCodeSees(t *testing.T) {
	c, seen := checker(), map[string]any{}
	c.Sources = map[string]string{"tests/check.js": "module.exports = …"}
	var code, file string
	c.Scripts = scriptFunc(func(text, name string, scope map[string]any) (any, error) {
		code, file, seen = text, name, scope
		return true, nil
	})
	s := said(map[string]any{"a": 1})
	s.Description, s.Provider, s.Metadata = "a case", "mini", map[string]any{"k": "v"}
	graded(t, c, Assertion{Type: "javascript", Value: "output.name === '{{name}}'", Config: map[string]any{"max": 3}}, s)
	context := seen["context"].(map[string]any)
	if code != "output.name === 'Ada'" || file != "" || seen["output"].(map[string]any)["a"] != 1 || context["prompt"] != s.Prompt || context["vars"].(map[string]any)["name"] != "Ada" ||
		context["config"].(map[string]any)["max"] != 3 || context["test"].(map[string]any)["description"] != "a case" || context["provider"].(map[string]any)["label"] != "mini" || context["metadata"].(map[string]any)["k"] != "v" {
		t.Errorf("%q %q %v", code, file, seen)
	}
	graded(t, c, Assertion{Type: "javascript", Value: "file://check.js:tone", File: "tests/a.yaml"}, s)
	if code != "module.exports = …" || file != "tests/check.js:tone" {
		t.Errorf("%q %q", code, file)
	}
}

func TestPythonNeedsConsent(t *testing.T) {
	c := returns(true, nil)
	c.Python = nil
	if g := graded(t, c, Assertion{Type: "python", Value: "True"}, said("x")); g.Outcome != report.Error || !strings.Contains(g.Reason, "allow Python") {
		t.Errorf("%+v", g)
	}
	c.Scripts = nil
	if g := graded(t, c, Assertion{Type: "javascript", Not: true, Value: "true"}, said("x")); g.Outcome != report.Error {
		t.Errorf("%+v", g)
	}
}

func TestATransformComesFirst(t *testing.T) {
	c := checker()
	c.Scripts = scriptFunc(func(code, _ string, scope map[string]any) (any, error) {
		switch code {
		case "upper":
			return strings.ToUpper(scope["output"].(string)), nil
		case "nothing":
			return nil, nil
		}
		return nil, fmt.Errorf("line 1: %w", ErrThrown)
	})
	for _, r := range []row{
		{"the output is what the transform makes of it", Assertion{Type: "equals", Value: "ABC", Transform: "upper"}, "abc", report.Pass, ""},
		{"a transform that returns nothing cannot be judged", Assertion{Type: "equals", Not: true, Value: "ABC", Transform: "nothing"}, "abc", report.Error, "returned nothing"},
		{"nor one that throws", Assertion{Type: "equals", Not: true, Value: "ABC", Transform: "throw"}, "abc", report.Error, "transform of not-equals"},
		{"nor one in a file that was not read", Assertion{Type: "equals", Not: true, Value: "ABC", Transform: "file://x.js"}, "abc", report.Error, "not read with the suite"},
	} {
		run(t, c, []row{r})
	}
}

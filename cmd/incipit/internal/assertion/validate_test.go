package assertion

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatIsWrittenWronglyIsRefused(t *testing.T) {
	for name, r := range map[string]struct {
		a   Assertion
		fix string
	}{
		"a type that there is not":               {Assertion{Type: "contain", Value: "x"}, `did you mean "contains"?`},
		"one with a not-":                        {Assertion{Type: "regx", Not: true, Value: "x"}, `did you mean "regex"?`},
		"one that is like none":                  {Assertion{Type: "frobnicate", Value: "x"}, "the types are answer-relevance, assert-set"},
		"one of a megabyte":                      {Assertion{Type: strings.Repeat("x", 1<<20)}, "the types are"},
		"no type at all":                         {Assertion{}, ""},
		"promptfoo's is-xml":                     {Assertion{Type: "is-xml"}, "regex"},
		"its ruby":                               {Assertion{Type: "ruby", Value: "x"}, "javascript"},
		"its traces":                             {Assertion{Type: "trajectory:tool-used", Value: "x"}, "no part of incipit"},
		"contains without a value":               {Assertion{Type: "contains"}, "docs/assertions.md"},
		"contains with an empty one":             {Assertion{Type: "contains", Value: ""}, "docs"},
		"contains with a list":                   {Assertion{Type: "contains", Value: []any{"x"}}, "docs"},
		"contains-any with a mapping":            {Assertion{Type: "contains-any", Value: map[string]any{}}, "docs"},
		"a list in a list":                       {Assertion{Type: "contains-any", Value: []any{[]any{}}}, "docs"},
		"starts-with without a value":            {Assertion{Type: "starts-with"}, "docs"},
		"regex with a number":                    {Assertion{Type: "regex", Value: 3}, "docs"},
		"a pattern that does not compile":        {Assertion{Type: "regex", Value: "("}, "correct it"},
		"a schema that is none":                  {Assertion{Type: "is-json", Value: map[string]any{"type": "objekt"}}, "correct it"},
		"a schema that is a list":                {Assertion{Type: "is-json", Value: []any{}}, "docs"},
		"a schema that reaches out":              {Assertion{Type: "contains-json", Value: map[string]any{"$ref": "http://169.254.169.254/x"}}, "$ref"},
		"latency without a threshold":            {Assertion{Type: "latency"}, "threshold: 2000"},
		"cost below nothing":                     {Assertion{Type: "cost", Threshold: new(-1.0)}, "0 or more"},
		"a share above 1":                        {Assertion{Type: "bleu", Value: "x", Threshold: new(75.0)}, "from 0 to 1"},
		"a threshold that is no number":          {Assertion{Type: "similar", Value: "x", Threshold: new(math.NaN())}, "write a number"},
		"a weight below nothing":                 {Assertion{Type: "equals", Weight: new(-1.0)}, "weight of 0 or more"},
		"a weight without end":                   {Assertion{Type: "equals", Weight: new(math.Inf(1))}, "weight of 0 or more"},
		"word-count with words":                  {Assertion{Type: "word-count", Value: "few"}, "docs"},
		"llm-rubric without a criterion":         {Assertion{Type: "llm-rubric"}, "docs"},
		"javascript without code":                {Assertion{Type: "javascript", Value: " "}, "docs"},
		"a set of nothing":                       {Assertion{Type: "assert-set"}, "assert"},
		"a set with something wrong in it":       {Assertion{Type: "assert-set", Set: []Assertion{{Type: "contain"}}}, "contains"},
		"max-score with a key that is not known": {Assertion{Type: "max-score", Value: map[string]any{"metod": "sum"}}, "docs"},
		"not-max-score":                          {Assertion{Type: "max-score", Not: true}, "without the not-"},
	} {
		err := checker().Validate(r.a)
		var fix *registry.FixError
		if !errors.Is(err, prompt.ErrInvalid) || !errors.As(err, &fix) || !strings.Contains(fix.Fix, r.fix) || len(err.Error()) > 1000 {
			t.Errorf("%s: %v, %+v", name, err, fix)
		}
		if g := checker().Check(t.Context(), r.a, said("x")); g.Outcome != report.Error {
			t.Errorf("%s is graded %s: %s", name, g.Outcome, g.Reason)
		}
	}
}

func TestWhatIsWrittenWellIsTaken(t *testing.T) {
	for _, a := range []Assertion{
		{Type: "equals"},
		{Type: "equals", Value: ""},
		{Type: "contains", Value: 3},
		{Type: "contains", Value: "{{x}}"},
		{Type: "contains-any", Value: "file://x.txt"},
		{Type: "icontains-all", Value: "a, b"},
		{Type: "starts-with", Value: " "},
		{Type: "regex", Value: "({{x}}"},
		{Type: "regex", Value: "a+"},
		{Type: "is-json"},
		{Type: "is-json", Value: order()},
		{Type: "is-json", Value: "type: object"},
		{Type: "levenshtein", Value: "", Threshold: new(0.0)},
		{Type: "rouge-n", Value: "x", Threshold: new(1.0)},
		{Type: "bleu", Value: []any{"x"}},
		{Type: "word-count", Value: map[string]any{"min": 1}},
		{Type: "is-refusal", Not: true},
		{Type: "latency", Threshold: new(2000.0)},
		{Type: "cost", Threshold: new(0.01)},
		{Type: "finish-reason", Value: "stop"},
		{Type: "javascript", Value: "true"},
		{Type: "python", Value: "file://x.py"},
		{Type: "llm-rubric", Value: map[string]any{"a": 1}},
		{Type: "g-eval", Value: []any{"x"}},
		{Type: "factuality", Value: "x"},
		{Type: "answer-relevance"},
		{Type: "similar", Value: "x"},
		{Type: "similar:euclidean", Value: "x", Threshold: new(5.0)},
		{Type: "select-best", Value: "x"},
		{Type: "max-score"},
		{Type: "max-score", Value: map[string]any{"method": "sum", "weights": map[string]any{"equals": 2}, "threshold": 1}},
		{Type: "webhook", Value: "https://example.com"},
		{Type: "assert-set", Set: []Assertion{{Type: "equals", Value: "x"}}},
		{Type: "model-graded-closedqa", Value: "x"},
		{Type: "is-valid-openai-tools-call"},
	} {
		if err := checker().Validate(a); err != nil {
			t.Errorf("%s: %v", a.Name(), err)
		}
		if err := Validate(a); err != nil {
			t.Errorf("%s: %v", a.Name(), err)
		}
	}
}

func TestEveryTypeIsKnown(t *testing.T) {
	if !slices.IsSorted(Types()) {
		t.Error("the types are not sorted")
	}
	for _, name := range Types() {
		if _, ok := kindNamed(name); !ok {
			t.Errorf("%s is told and not checked", name)
		}
		if _, ok := refused(name); ok {
			t.Errorf("%s is checked and refused", name)
		}
	}
}

// Whatever an assertion holds, Check grades it and does not fall over.
func TestAnAssertionOfNothingIsGraded(t *testing.T) {
	for _, name := range append(Types(), "nonsense", "") {
		for _, value := range []any{nil, "", "x", 1, 2.5, true, []any{}, []any{nil}, map[string]any{}, map[string]any{"min": nil}, struct{}{}} {
			for _, not := range []bool{false, true} {
				graded(t, new(Checker), Assertion{Type: name, Not: not, Value: value}, Subject{})
				graded(t, checker(), Assertion{Type: name, Not: not, Value: value, Threshold: new(0.5)}, said("x"))
			}
		}
	}
}

func TestACheckerIsSharedByMany(t *testing.T) {
	c := checker()
	c.Judge = says(`{"pass":true,"score":1,"reason":"x"}`).judge
	want := map[string]report.Outcome{}
	list := []Assertion{{Type: "regex", Value: "x"}, {Type: "is-json", Value: order()}, {Type: "llm-rubric", Value: "x"}, {Type: "contains-json", Value: order()}}
	for _, a := range list {
		want[a.Type] = graded(t, c, a, said(`x {"id":1}`)).Outcome
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for _, a := range list {
					if g := c.Check(t.Context(), a, said(`x {"id":1}`)); g.Outcome != want[a.Type] {
						t.Errorf("%s: %s", a.Type, g.Outcome)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestToolsAreCalledAsTheySay(t *testing.T) {
	tools := `[{"type":"function","function":{"name":"track","parameters":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}}},{"type":"function","function":{"name":"ping"}}]`
	for name, r := range map[string]struct {
		calls, tools string
		want         report.Outcome
	}{
		"a call with the right arguments":     {`[{"function":{"name":"track","arguments":"{\"id\":7}"}}]`, tools, report.Pass},
		"a function that takes anything":      {`[{"function":{"name":"ping","arguments":"[]"}}]`, tools, report.Pass},
		"wrong arguments":                     {`[{"function":{"name":"track","arguments":"{\"id\":\"7\"}"}}]`, tools, report.Fail},
		"one of two calls is wrong":           {`[{"function":{"name":"ping","arguments":"{}"}},{"function":{"name":"track","arguments":"{}"}}]`, tools, report.Fail},
		"arguments that are no JSON":          {`[{"function":{"name":"ping","arguments":"{"}}]`, tools, report.Fail},
		"no arguments":                        {`[{"function":{"name":"ping"}}]`, tools, report.Fail},
		"a tool that was not given":           {`[{"function":{"name":"drop","arguments":"{}"}}]`, tools, report.Fail},
		"no call":                             {`[]`, tools, report.Fail},
		"nothing":                             {``, tools, report.Fail},
		"a prompt without tools":              {`[{"function":{"name":"ping","arguments":"{}"}}]`, ``, report.Error},
		"tools that are no list":              {`[{"function":{"name":"ping","arguments":"{}"}}]`, `{"a":1}`, report.Error},
		"parameters that are no schema":       {`[{"function":{"name":"ping","arguments":"{}"}}]`, `[{"function":{"name":"ping","parameters":{"type":"x"}}}]`, report.Error},
		"arguments that are nested too deep":  {`[{"function":{"name":"ping","arguments":"` + strings.Repeat("[", 5000) + `"}}]`, tools, report.Error},
		"calls that are no list of functions": {`{"function":1}`, tools, report.Fail},
	} {
		s := Subject{Output: "", Response: provider.Response{ToolCalls: []byte(r.calls)}, Tools: []byte(r.tools)}
		if g := graded(t, checker(), Assertion{Type: "is-valid-openai-tools-call"}, s); g.Outcome != r.want {
			t.Errorf("%s: %s %s", name, g.Outcome, g.Reason)
		}
	}
}

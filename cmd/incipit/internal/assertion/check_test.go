package assertion

import (
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

type row struct {
	name   string
	a      Assertion
	output any
	want   report.Outcome
	reason string // a part of it
}

func TestAnOutputIsHeldToText(t *testing.T) {
	run(t, checker(), []row{
		{"an equal text is equal", Assertion{Type: "equals", Value: "yes"}, "yes", report.Pass, `exactly "yes"`},
		{"another text is not", Assertion{Type: "equals", Value: "yes"}, "Yes", report.Fail, `The output is "Yes", and not "yes"`},
		{"a number is compared as JavaScript writes it", Assertion{Type: "equals", Value: 5.0}, "5", report.Pass, ""},
		{"so is true", Assertion{Type: "equals", Value: true}, "true", report.Pass, ""},
		{"a mapping is compared as JSON, whatever the order of keys", Assertion{Type: "equals", Value: map[string]any{"a": 1, "b": []any{"x", nil}}}, `{"b":["x",null],"a":1.0}`, report.Pass, ""},
		{"a mapping with one key more is another", Assertion{Type: "equals", Value: map[string]any{"a": 1}}, `{"a":1,"b":2}`, report.Fail, "as JSON"},
		{"a mapping is no text", Assertion{Type: "equals", Value: map[string]any{"a": 1}}, "a: 1", report.Fail, "no JSON"},
		{"templates in a mapping are rendered", Assertion{Type: "equals", Value: map[string]any{"who": "{{name}}"}}, `{"who":"Ada"}`, report.Pass, ""},
		{"what a transform made is compared as JSON", Assertion{Type: "equals", Value: []any{1, 2}}, []any{1.0, 2.0}, report.Pass, ""},
		{"not- turns it round", Assertion{Type: "equals", Not: true, Value: "yes"}, "no", report.Pass, `The output is "no"`},

		{"a part is contained", Assertion{Type: "contains", Value: "parcel"}, "Your parcel left.", report.Pass, `contains "parcel"`},
		{"case counts", Assertion{Type: "contains", Value: "Parcel"}, "Your parcel left.", report.Fail, `does not contain "Parcel"`},
		{"unless it is passed over", Assertion{Type: "icontains", Value: "PARCEL"}, "Your parcel left.", report.Pass, ""},
		{"a number can be looked for", Assertion{Type: "contains", Value: 42}, "It is 42.", report.Pass, ""},
		{"a template is rendered", Assertion{Type: "contains", Value: "Dear {{name}}"}, "Dear Ada,", report.Pass, ""},
		{"a template that renders to nothing is no value", Assertion{Type: "contains", Value: "{{gone}}"}, "x", report.Error, "not known"},
		{"contains without a value cannot be judged", Assertion{Type: "contains"}, "x", report.Error, "neither a text nor a number"},
		{"not-contains fails if it is there", Assertion{Type: "contains", Not: true, Value: "sorry"}, "I am sorry", report.Fail, `contains "sorry"`},

		{"one of a list is enough", Assertion{Type: "contains-any", Value: []any{"x", "left"}}, "It left.", report.Pass, `contains "left"`},
		{"a text with commas is a list", Assertion{Type: "contains-any", Value: `x, "a, b" ,y`}, "so a, b it is", report.Pass, `"a, b"`},
		{"a quote in a quote may be doubled or escaped", Assertion{Type: "contains-all", Value: `"say ""hi""", "back\\slash \"q\""`}, `say "hi" and back\slash "q"`, report.Pass, ""},
		{"empty fields are passed over", Assertion{Type: "contains-any", Value: ",, x ,"}, "abc", report.Fail, "none"},
		{"a quote that is not closed cannot be judged", Assertion{Type: "contains-any", Value: `"a`}, "a", report.Error, "not closed"},
		{"nor one with text behind", Assertion{Type: "contains-any", Value: `"a" b`}, "a", report.Error, "comma"},
		{"all of a list must be there", Assertion{Type: "contains-all", Value: []any{"a", 1, "z"}}, "a 1", report.Fail, `does not contain "z"`},
		{"whatever their case", Assertion{Type: "icontains-all", Value: "HE, she"}, "he and She", report.Pass, ""},
		{"icontains-any too", Assertion{Type: "icontains-any", Value: "HE, she"}, "THE", report.Pass, ""},
		{"an empty list cannot be judged", Assertion{Type: "contains-any", Value: []any{}}, "x", report.Error, "no list"},
		{"not-contains-all passes if one is missing", Assertion{Type: "contains-all", Not: true, Value: "a, z"}, "a", report.Pass, ""},

		{"an output starts with a text", Assertion{Type: "starts-with", Value: "Dear"}, "Dear Ada", report.Pass, ""},
		{"and not with what stands later", Assertion{Type: "starts-with", Value: "Ada"}, "Dear Ada", report.Fail, ""},

		{"a pattern is found anywhere", Assertion{Type: "regex", Value: `\d{3}`}, "it is 123.", report.Pass, ""},
		{"or it is not", Assertion{Type: "regex", Value: `^\d+$`}, "it is 123.", report.Fail, "does not match"},
		{"a pattern that does not compile cannot be judged", Assertion{Type: "regex", Not: true, Value: `(`}, "x", report.Error, "does not compile"},
		{"nor one that takes too long, also with a not-", Assertion{Type: "regex", Not: true, Value: "slow"}, "x", report.Error, "250 ms"},

		{"words are counted between white space", Assertion{Type: "word-count", Value: 3}, " a\u00a0b\n\nc ", report.Pass, "3 words"},
		{"a count may be a text", Assertion{Type: "word-count", Value: "{{n}}"}, "a b c", report.Pass, ""},
		{"at least and at most", Assertion{Type: "word-count", Value: map[string]any{"min": 2, "max": 3}}, "a b c d", report.Fail, "2 to 3"},
		{"at least alone", Assertion{Type: "word-count", Value: map[string]any{"min": 2}}, "a b c d", report.Pass, "at least 2"},
		{"at most alone", Assertion{Type: "word-count", Value: map[string]any{"max": 3}}, "", report.Pass, "0 words"},
		{"a min above the max cannot be judged", Assertion{Type: "word-count", Value: map[string]any{"min": 4, "max": 3}}, "a", report.Error, "min above"},
		{"nor a bound that is not known", Assertion{Type: "word-count", Value: map[string]any{"mni": 4}}, "a", report.Error, `"mni"`},

		{"a refusal says so", Assertion{Type: "is-refusal"}, "I’m sorry, but I can’t help with that.", report.Pass, "refuses"},
		{"in the middle too", Assertion{Type: "is-refusal"}, "That is a delicate matter. I'm not able to discuss it.", report.Pass, ""},
		{"an empty answer is one", Assertion{Type: "is-refusal"}, " \n", report.Pass, "empty"},
		{"an answer is none", Assertion{Type: "is-refusal"}, "Your parcel left on Monday.", report.Fail, "does not refuse"},
		{"not-is-refusal passes an answer", Assertion{Type: "is-refusal", Not: true}, "Your parcel left on Monday.", report.Pass, ""},

		{"a few edits are forgiven", Assertion{Type: "levenshtein", Value: "kitten"}, "sitting", report.Pass, "3 edits"},
		{"more are not", Assertion{Type: "levenshtein", Value: "kitten", Threshold: new(2.0)}, "sitting", report.Fail, "3 edits"},
		{"an empty value is compared", Assertion{Type: "levenshtein", Value: ""}, "123456", report.Fail, "6 edits"},

		{"the same words score 1", Assertion{Type: "rouge-n", Value: "The cat sat on the mat."}, "the cat sat on the MAT.", report.Pass, "1"},
		{"other words score 0", Assertion{Type: "rouge-n", Value: "one two"}, "three four", report.Fail, "0, below"},
		{"bleu takes the best of its references", Assertion{Type: "bleu", Value: []any{"nothing alike", "the cat sat on the mat"}}, "the cat sat on the mat", report.Pass, ""},
		{"bleu of nothing is 0", Assertion{Type: "bleu", Value: "the cat"}, "  ", report.Fail, ""},
	})
}

func run(t *testing.T, c *Checker, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			g := graded(t, c, r.a, said(r.output))
			if g.Outcome != r.want || !strings.Contains(g.Reason, r.reason) {
				t.Errorf("%s: %s, want %s with %q", g.Outcome, g.Reason, r.want, r.reason)
			}
		})
	}
}

func TestNotTurnsTheScoreRound(t *testing.T) {
	c := checker()
	a := Assertion{Type: "rouge-n", Value: "a b c d", Threshold: new(0.5)}
	straight := graded(t, c, a, said("a b x y"))
	a.Not = true
	turned := graded(t, c, a, said("a b x y"))
	if straight.Score != 0.5 || straight.Outcome != report.Pass || turned.Score != 0.5 || turned.Outcome != report.Fail || turned.Type != "not-rouge-n" {
		t.Errorf("%+v and %+v", straight, turned)
	}
}

func TestWhatWasMeasured(t *testing.T) {
	s := said("x")
	s.Response.LatencyMS, s.Response.Cost, s.Response.FinishReason = 1500.4, new(0.0021), "stop"
	for name, r := range map[string]struct {
		a    Assertion
		s    Subject
		want report.Outcome
	}{
		"as long as is allowed":                 {Assertion{Type: "latency", Threshold: new(1500.4)}, s, report.Pass},
		"too long":                              {Assertion{Type: "latency", Threshold: new(1500.0)}, s, report.Fail},
		"latency without a threshold":           {Assertion{Type: "latency"}, s, report.Error},
		"cheap":                                 {Assertion{Type: "cost", Threshold: new(0.01)}, s, report.Pass},
		"dear":                                  {Assertion{Type: "cost", Threshold: new(0.002)}, s, report.Fail},
		"a cost that nobody knows":              {Assertion{Type: "cost", Not: true, Threshold: new(0.01)}, said("x"), report.Error},
		"the reason, whatever its case":         {Assertion{Type: "finish-reason", Value: "STOP"}, s, report.Pass},
		"another reason":                        {Assertion{Type: "finish-reason", Value: "length"}, s, report.Fail},
		"no reason at all":                      {Assertion{Type: "finish-reason", Value: "stop"}, said("x"), report.Fail},
		"not a reason, and none is told":        {Assertion{Type: "finish-reason", Not: true, Value: "length"}, said("x"), report.Pass},
		"a refusal that only the provider says": {Assertion{Type: "is-refusal"}, Subject{Output: "x", Response: provider.Response{Refusal: true}}, report.Pass},
	} {
		if g := graded(t, checker(), r.a, r.s); g.Outcome != r.want {
			t.Errorf("%s: %s: %s", name, g.Outcome, g.Reason)
		}
	}
}

func TestWhatWeighsNothingFailsNothing(t *testing.T) {
	g := graded(t, checker(), Assertion{Type: "contains", Value: "x", Weight: new(0.0), Metric: "of {{name}}"}, said("abc"))
	if g.Outcome != report.Pass || g.Score != 0 || g.Weight != 0 || g.Metric != "of Ada" || !strings.Contains(g.Reason, "weighs nothing") {
		t.Errorf("%+v", g)
	}
}

func TestAHiddenCharacterIsShown(t *testing.T) {
	g := graded(t, checker(), Assertion{Type: "equals", Value: "ok"}, said("ok\u202e\x1b[31m"+strings.Repeat("z", 500)))
	if strings.ContainsAny(g.Reason, "\u202e\x1b") || !strings.Contains(g.Reason, "⟨U+202E⟩") || strings.Count(g.Reason, "z") > maxShown {
		t.Error(g.Reason)
	}
}

func TestFilesThatAnAssertionNames(t *testing.T) {
	c := checker()
	c.Scripts = scriptFunc(func(code, file string, _ map[string]any) (any, error) {
		switch file {
		case "tests/list.js":
			return []any{"x", "parcel"}, nil
		case "tests/list.js:one":
			return true, nil
		}
		return code, nil
	})
	c.Sources = map[string]string{
		"tests/greeting.txt": " Dear {{name}} \n", "tests/schema.json": `{"type":"object","required":["a"]}`, "tests/list.js": "module.exports = …", "tests/odd.bin": "x",
	}
	c.YAML = func(string) (any, error) { return map[string]any{"type": "array"}, nil }
	c.Sources["tests/schema.yaml"] = "type: array"
	for _, r := range []row{
		{"the text of a file is no template", Assertion{Type: "contains", Value: "file://greeting.txt"}, "Dear {{name}}", report.Pass, ""},
		{"a schema is read", Assertion{Type: "is-json", Value: "file://schema.json"}, `{"b":1}`, report.Fail, "missing property 'a'"},
		{"a schema in YAML is read", Assertion{Type: "is-json", Value: "file://schema.yaml"}, `[]`, report.Pass, ""},
		{"a script gives the value", Assertion{Type: "contains-any", Value: "file://list.js"}, "a parcel", report.Pass, ""},
		{"a script that gives a verdict is refused", Assertion{Type: "contains", Value: "file://list.js:one"}, "true", report.Error, "verdict"},
		{"a file that was not read is an error", Assertion{Type: "contains", Value: "file://../secret.txt"}, "x", report.Error, "was not read with the suite"},
		{"an ending that nobody reads is an error", Assertion{Type: "contains", Value: "file://odd.bin"}, "x", report.Error, "ending"},
	} {
		r.a.File = "tests/support.yaml"
		run(t, c, []row{r})
	}
}

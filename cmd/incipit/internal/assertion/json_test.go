package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

func order() map[string]any {
	return map[string]any{
		"type": "object", "required": []any{"id"}, "additionalProperties": false,
		"properties": map[string]any{"id": map[string]any{"type": "integer", "minimum": 1}, "mail": map[string]any{"type": "string", "format": "email"}},
	}
}

func TestAnOutputIsHeldToJSON(t *testing.T) {
	c := checker()
	c.YAML = func(text string) (any, error) {
		if text == "type: array" {
			return map[string]any{"type": "array"}, nil
		}
		return nil, errors.New("line 1: it does not parse")
	}
	run(t, c, []row{
		{"JSON is JSON", Assertion{Type: "is-json"}, ` {"a": [1, null, "x"]} `, report.Pass, "is JSON"},
		{"a bare number is", Assertion{Type: "is-json"}, `3`, report.Pass, ""},
		{"prose is not", Assertion{Type: "is-json"}, `Here it is: {"a":1}`, report.Fail, "no JSON"},
		{"JSON with a comma too much is not", Assertion{Type: "is-json"}, `{"a":1,}`, report.Fail, ""},
		{"nothing is not", Assertion{Type: "is-json"}, ``, report.Fail, ""},
		{"not-is-json passes prose", Assertion{Type: "is-json", Not: true}, `hello`, report.Pass, ""},
		{"a schema is met", Assertion{Type: "is-json", Value: order()}, `{"id": 7, "mail": "a@example.com"}`, report.Pass, "as the schema says"},
		{"each place that is wrong is told, with its path", Assertion{Type: "is-json", Value: order()}, `{"id": 0, "mail": "x", "z": 1}`, report.Fail, "'/id'"},
		{"a format is checked", Assertion{Type: "is-json", Value: order()}, `{"id": 7, "mail": "x"}`, report.Fail, "'/mail'"},
		{"not-is-json with a schema passes other JSON", Assertion{Type: "is-json", Not: true, Value: order()}, `{}`, report.Pass, ""},
		{"a schema may be JSON in a text", Assertion{Type: "is-json", Value: `{"type":"array"}`}, `[]`, report.Pass, ""},
		{"or YAML", Assertion{Type: "is-json", Value: `type: array`}, `{}`, report.Fail, "want array"},
		{"a text that is neither cannot be judged", Assertion{Type: "is-json", Value: `type: [`}, `{}`, report.Error, "neither JSON nor YAML"},
		{"a schema that is none cannot be judged, also with a not-", Assertion{Type: "is-json", Not: true, Value: map[string]any{"type": "objekt"}}, `{}`, report.Error, "no JSON Schema"},
		{"a schema that reaches out is refused", Assertion{Type: "is-json", Value: map[string]any{"$ref": "file:///etc/passwd"}}, `{}`, report.Error, "nothing is loaded from elsewhere"},
		{"over the network too", Assertion{Type: "is-json", Value: map[string]any{"$ref": "https://example.com/s.json"}}, `{}`, report.Error, "nothing is loaded from elsewhere"},
		{"a schema may refer to itself", Assertion{Type: "is-json", Value: map[string]any{
			"$ref": "#/definitions/tree", "definitions": map[string]any{"tree": map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": "#/definitions/tree"}}},
		}}, `{"a":{"b":{}}}`, report.Pass, ""},
		{"a schema that goes in a circle ends", Assertion{Type: "is-json", Value: map[string]any{"$ref": "#"}}, `{}`, report.Fail, ""},
		{"a pattern is JavaScript's where Go has none", Assertion{Type: "is-json", Value: map[string]any{"pattern": "(?!)"}}, `"abc"`, report.Error, "250 ms"},
		{"a number that JavaScript cannot hold meets no schema", Assertion{Type: "is-json", Value: map[string]any{"type": "number"}}, `1e999999999`, report.Fail, "number"},

		{"JSON in prose is found", Assertion{Type: "contains-json"}, "Here:\n```json\n{\"a\": \"}\"}\n```", report.Pass, `{"a": "}"}`},
		{"behind braces that are none", Assertion{Type: "contains-json"}, `use {curly} and {"open, then {"a":1}`, report.Pass, `{"a":1}`},
		{"within JSON that is cut off", Assertion{Type: "contains-json"}, `{"a": {"b": 1}, "c`, report.Pass, `{"b": 1}`},
		{"prose has none", Assertion{Type: "contains-json"}, "no { here } [1]", report.Fail, "no JSON object"},
		{"the one that meets the schema counts", Assertion{Type: "contains-json", Value: order()}, `{"x":1} or {"id":3}`, report.Pass, `{"id":3}`},
		{"if none meets it the last is told", Assertion{Type: "contains-json", Value: order()}, `{"x":1} or {"y":3}`, report.Fail, "none that is as the schema says"},
		{"not-contains-json passes prose", Assertion{Type: "contains-json", Not: true}, "none", report.Pass, ""},
	})
}

func TestReasonsTellTheSameWhateverTheOrder(t *testing.T) {
	want := ""
	for range 20 {
		g := graded(t, checker(), Assertion{Type: "is-json", Value: order()}, said(`{"a":1,"b":2,"id":"x","mail":5}`))
		if want == "" {
			want = g.Reason
		}
		if g.Reason != want {
			t.Fatalf("%q and %q", g.Reason, want)
		}
	}
}

func TestASchemaIsCompiledOnce(t *testing.T) {
	c, read := checker(), 0
	c.YAML = func(string) (any, error) {
		read++
		return map[string]any{"type": "object"}, nil
	}
	for range 50 {
		graded(t, c, Assertion{Type: "is-json", Value: "type: object"}, said("{}"))
	}
	if read != 1 {
		t.Errorf("it was read %d times", read)
	}
}

func TestManySchemasAreForgotten(t *testing.T) {
	c := checker()
	for i := range 2*maxKept + 10 {
		graded(t, c, Assertion{Type: "is-json", Value: map[string]any{"const": i}}, said("1"))
	}
	if n := len(c.schemas.made); n > maxKept {
		t.Errorf("%d are kept", n)
	}
}

// A schema that asks twice for the next, thirty times, ends, whichever way it
// asks and whatever the answer is.
func TestASchemaThatAsksForTooMuchEnds(t *testing.T) {
	const links = 30
	ended := 0
	for _, draft := range []string{"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"} {
		for _, ask := range map[string]func(next map[string]any) map[string]any{
			"allOf": func(next map[string]any) map[string]any { return map[string]any{"allOf": []any{next, next}} },
			"anyOf": func(next map[string]any) map[string]any { return map[string]any{"anyOf": []any{next, next}} },
			"oneOf": func(next map[string]any) map[string]any { return map[string]any{"oneOf": []any{next, next}} },
			"not": func(next map[string]any) map[string]any {
				return map[string]any{"not": map[string]any{"anyOf": []any{next, next}}}
			},
			"if": func(next map[string]any) map[string]any {
				return map[string]any{"if": map[string]any{"anyOf": []any{next, next}}, "else": next}
			},
		} {
			for _, leaf := range []map[string]any{{"type": "string"}, {"minimum": 0}} {
				defs := map[string]any{}
				for i := range links {
					defs[fmt.Sprint(i)] = ask(map[string]any{"$ref": fmt.Sprintf("#/definitions/%d", i+1)})
				}
				defs[fmt.Sprint(links)] = leaf
				sch, err := checker().compile(Assertion{Type: "is-json"}, map[string]any{"$schema": draft, "definitions": defs, "$ref": "#/definitions/0"})
				if err != nil {
					t.Fatal(err)
				}
				sch.steps.most = 5000 // what is left of a walk of 500,000 is the same
				if _, err := sch.validate(1.0); err != nil {
					ended++
				}
			}
		}
	}
	if ended < 10 {
		t.Errorf("%d walks were ended", ended)
	}
	wide := map[string]any{"items": map[string]any{"pattern": "^(?!x)"}}
	c := checker()
	c.Pattern = func(string) (Pattern, error) { return goPatterns("^x") }
	if g := graded(t, c, Assertion{Type: "is-json", Value: wide}, said(`["x"`+strings.Repeat(`,"x"`, 5000)+`]`)); g.Outcome != report.Error || !strings.Contains(g.Reason, "too much") {
		t.Errorf("%+v", g)
	}
}

func TestHostileOutputs(t *testing.T) {
	c := checker()
	huge := strings.Repeat("a", 50<<20)
	for _, a := range []Assertion{
		{Type: "equals", Value: "x"},
		{Type: "icontains", Value: "x"},
		{Type: "regex", Value: "x"},
		{Type: "is-json"},
		{Type: "contains-json"},
		{Type: "is-refusal"},
		{Type: "levenshtein", Value: "x"},
		{Type: "bleu", Value: "x"},
		{Type: "rouge-n", Value: "x"},
		{Type: "word-count", Value: 1},
		{Type: "similar", Value: "x"},
	} {
		if g := graded(t, c, a, said(huge)); g.Outcome != report.Error || !strings.Contains(g.Reason, "bytes") {
			t.Errorf("%s of 50 MB: %s: %s", a.Type, g.Outcome, g.Reason)
		}
	}
	wide := strings.Repeat("[],", 2_000_000)
	for name, r := range map[string]struct {
		a      Assertion
		output string
		want   report.Outcome
	}{
		"JSON that is nested too deeply":            {Assertion{Type: "is-json"}, strings.Repeat("[", 1_000_000), report.Error},
		"objects that are nested too deeply":        {Assertion{Type: "contains-json"}, strings.Repeat(`{"a":`, 1_000_000), report.Error},
		"an equal to it":                            {Assertion{Type: "equals", Value: []any{}}, strings.Repeat("[", 1_000_000), report.Error},
		"braces without end":                        {Assertion{Type: "contains-json"}, strings.Repeat("{", 8<<20), report.Fail},
		"half objects without end":                  {Assertion{Type: "contains-json"}, strings.Repeat(`{"a" `, 1_000_000), report.Error},
		"strings that never close":                  {Assertion{Type: "contains-json"}, strings.Repeat(`{"a `, 1_000_000), report.Error},
		"more values than a schema looks at":        {Assertion{Type: "is-json", Value: map[string]any{"uniqueItems": true}}, "[" + wide + "0]", report.Error},
		"as many without a schema":                  {Assertion{Type: "is-json"}, "[" + wide + "0]", report.Pass},
		"bytes that are no UTF-8 are no JSON":       {Assertion{Type: "is-json"}, "\"\xff\"", report.Fail},
		"and are contained":                         {Assertion{Type: "contains", Value: "b"}, "a\xffb", report.Pass},
		"and are counted":                           {Assertion{Type: "word-count", Value: 2}, "\xff \xfe", report.Pass},
		"and are edits":                             {Assertion{Type: "levenshtein", Value: "ab"}, "a\xffb", report.Pass},
		"long texts that differ by their length":    {Assertion{Type: "levenshtein", Value: "x"}, strings.Repeat("a", 8<<20), report.Fail},
		"long texts with a threshold beyond reason": {Assertion{Type: "levenshtein", Value: strings.Repeat("b", 100_000), Threshold: new(1e12)}, strings.Repeat("a", 100_000), report.Error},
		"long texts that are nearly the same":       {Assertion{Type: "levenshtein", Value: "x" + strings.Repeat("ab", 10_000)}, strings.Repeat("ba", 10_000) + "x", report.Pass},
		"more words than are compared":              {Assertion{Type: "bleu", Value: "a"}, strings.Repeat("a ", 100_000), report.Error},
		"more words than are compared by rouge":     {Assertion{Type: "rouge-n", Value: "a"}, strings.Repeat(`" `, 100_000), report.Error},
		"white space alone":                         {Assertion{Type: "rouge-n", Value: "a"}, strings.Repeat(" ", 8<<20), report.Fail},
	} {
		if g := graded(t, c, r.a, said(r.output)); g.Outcome != r.want {
			t.Errorf("%s: %s: %s", name, g.Outcome, g.Reason)
		}
	}
}

func TestAnOutputThatIsNoJSONValue(t *testing.T) {
	if g := graded(t, checker(), Assertion{Type: "contains", Value: "x"}, said(map[string]any{"f": func() {}})); g.Outcome != report.Error {
		t.Errorf("%+v", g)
	}
	deep := any("x")
	for range 300 {
		deep = []any{deep, "{{name}}"}
	}
	if g := graded(t, checker(), Assertion{Type: "equals", Value: deep}, said("x")); g.Outcome != report.Error || !strings.Contains(g.Reason, "nested") {
		t.Errorf("%+v", g)
	}
}

// naive finds the objects in a text by trying each brace.
func naive(text string) []string {
	var out []string
	for i := 0; i < len(text); i++ {
		if text[i] != '{' {
			continue
		}
		var raw json.RawMessage
		if json.NewDecoder(strings.NewReader(text[i:])).Decode(&raw) == nil {
			out = append(out, string(raw))
			i += len(raw) - 1
		}
	}
	return out
}

func found(text string) ([]string, error) {
	var out []string
	err := objects(text, func(object string) bool {
		out = append(out, object)
		return true
	})
	return out, err
}

func TestObjectsAreFoundAsByTryingEachBrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{`{`, `}`, `[`, `]`, `"`, `\`, `:`, `,`, `1`, ` `, "\n", `"a"`, `{"a":`, `{}`, `{"b":[1]}`, `x`, "\xff"}), 0, 30).Draw(t, "parts")
		text := strings.Join(parts, "")
		got, err := found(text)
		if want := naive(text); err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("in %q: %q, %v, want %q", text, got, err, want)
		}
	})
}

func FuzzObjects(f *testing.F) {
	for _, seed := range []string{`{"a":1} x {"b":{}}`, `{"a":"\"}"}`, `{{{`, `{"a":[}]}`, "{\"a\n\":1}", `{"a":1`, "{\t\"a\":1}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := found(text)
		if err != nil {
			return // it is bounded, and says so
		}
		at := 0
		for _, object := range got {
			i := strings.Index(text[at:], object)
			if i < 0 || !json.Valid([]byte(object)) || object[0] != '{' {
				t.Fatalf("in %q: %q", text, object)
			}
			at += i + len(object)
		}
		if len(text) < 2000 && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", naive(text)) {
			t.Fatalf("in %q: %q, want %q", text, got, naive(text))
		}
	})
}

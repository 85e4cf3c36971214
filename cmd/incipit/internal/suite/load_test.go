package suite

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// filesOf makes files of a txtar archive.
func filesOf(archive string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return files
}

// load reads c.yaml of an archive as a configuration of promptfoo.
func load(t *testing.T, archive string) *Suite {
	t.Helper()
	s, err := Load(filesOf(archive), "c.yaml", LoadOptions{Prompts: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// varsOf lists the variables of all cases.
func varsOf(s *Suite) (out []map[string]any) {
	for _, c := range s.Cases {
		out = append(out, c.Vars)
	}
	return out
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestAnInlineSuiteIsReadWhole(t *testing.T) {
	s := load(t, `
-- c.yaml --
description: Greetings
prompts: ["Say hello to {{name}}", {raw: "Greet {{name}}", label: greet, config: {temperature: 0}}]
providers:
  - echo
  - id: openai:chat:gpt-4o-mini
    label: mini
    config: {temperature: 0.5}
    prompts: [greet]
    delay: 100
  - openai:responses:gpt-4o: {config: {max_tokens: 5}}
defaultTest:
  vars: {tone: kind, name: nobody}
  assert: [{type: is-refusal, weight: 0}]
  threshold: 0.5
  options: {prefix: "A", suffix: "Z"}
  metadata: {team: core}
tests:
  - description: Ada
    vars: {name: Ada}
    assert:
      - {type: not-icontains, value: sorry, metric: manners, weight: 2}
      - type: assert-set
        threshold: 0.5
        assert: [{type: equals, value: a}, {type: regex, value: "b+"}]
    options: {suffix: "Y", response_format: {type: json_object}}
    metadata: {kind: name}
  - vars: {name: Bo}
    threshold: 0
    options: {disableDefaultAsserts: true}
    assert: [{type: latency, threshold: 500}]
evaluateOptions: {maxConcurrency: 3, repeat: 2}
commandLineOptions: {repeat: 4, delay: 10}
`)
	equal(t, "prompts", s.Prompts, []Template{
		{ID: "Say hello to {{name}}", Label: "Say hello to {{name}}", Text: "Say hello to {{name}}"},
		{ID: "Greet {{name}}", Label: "greet", Text: "Greet {{name}}", Config: map[string]any{"temperature": 0}},
	})
	equal(t, "providers", s.Providers, []ProviderSpec{
		{ID: "echo", Line: 4},
		{ID: "openai:chat:gpt-4o-mini", Label: "mini", Config: map[string]any{"temperature": 0.5}, Prompts: []string{"greet"}, DelayMS: 100, Line: 5},
		{ID: "openai:responses:gpt-4o", Config: map[string]any{"max_tokens": 5}, Line: 10},
	})
	equal(t, "options", s.Options, EvaluateOptions{Repeat: 4, MaxConcurrency: 3, DelayMS: 10})
	common := assertion.Assertion{Type: "is-refusal", Weight: new(0.0), File: "c.yaml", Line: 13}
	want := []Case{{
		Number: 1, Description: "Ada", Vars: map[string]any{"tone": "kind", "name": "Ada"}, Threshold: new(0.5),
		Asserts: []assertion.Assertion{
			common,
			{Type: "icontains", Not: true, Value: "sorry", Metric: "manners", Weight: new(2.0), File: "c.yaml", Line: 21},
			{Type: "assert-set", Threshold: new(0.5), File: "c.yaml", Line: 22, Set: []assertion.Assertion{
				{Type: "equals", Value: "a", File: "c.yaml", Line: 24}, {Type: "regex", Value: "b+", File: "c.yaml", Line: 24},
			}},
		},
		Metadata: map[string]any{"team": "core", "kind": "name"},
		Options:  CaseOptions{Prefix: "A", Suffix: "Y", Config: map[string]any{"response_format": map[string]any{"type": "json_object"}}},
		File:     "c.yaml", Line: 18,
	}, {
		Number: 2, Vars: map[string]any{"tone": "kind", "name": "Bo"}, Threshold: new(0.0),
		Asserts:  []assertion.Assertion{{Type: "latency", Threshold: new(500.0), File: "c.yaml", Line: 30}},
		Metadata: map[string]any{"team": "core"}, Options: CaseOptions{Prefix: "A", Suffix: "Z"}, File: "c.yaml", Line: 27,
	}}
	for i := range s.Cases {
		if c := s.Cases[i]; len(c.Key) != 32 || c.Cluster != c.Key {
			t.Errorf("case %d has key %q and cluster %q", i+1, c.Key, c.Cluster)
		}
		s.Cases[i].Key, s.Cases[i].Cluster = "", ""
	}
	equal(t, "cases", s.Cases, want)
}

func TestVariablesExpand(t *testing.T) {
	for _, c := range []struct {
		name, archive string
		want          []map[string]any
	}{
		{"lists of texts multiply, the last fastest", `
-- c.yaml --
prompts: [p]
tests: [{vars: {a: [x, y], b: ["1", "2"], c: z}}]
`, []map[string]any{{"a": "x", "b": "1", "c": "z"}, {"a": "x", "b": "2", "c": "z"}, {"a": "y", "b": "1", "c": "z"}, {"a": "y", "b": "2", "c": "z"}}},
		{"a list of anything else is a value", `
-- c.yaml --
prompts: [p]
tests: [{vars: {a: [1, 2], b: [{k: v}], c: []}}]
`, []map[string]any{{"a": []any{1, 2}, "b": []any{map[string]any{"k": "v"}}, "c": []any{}}}},
		{"disableVarExpansion keeps lists", `
-- c.yaml --
prompts: [p]
tests: [{vars: {a: [x, y]}, options: {disableVarExpansion: true}}]
`, []map[string]any{{"a": []any{"x", "y"}}}},
		{"a file is its text, YAML its JSON", `
-- c.yaml --
prompts: [p]
tests: [{vars: {a: file://d/a.txt, b: file://d/b.yaml, c: file://d/c.json}}]
-- d/a.txt --

  some text
-- d/b.yaml --
z: [1, 2.50, no]
a: {x: ~}
-- d/c.json --
{"k": 1}
`, []map[string]any{{"a": "some text", "b": `{"z":[1,2.5,"no"],"a":{"x":null}}`, "c": `{"k": 1}`}}},
		{"a pattern is a value for each file, in order", `
-- c.yaml --
prompts: [p]
tests: [{vars: {a: "file://d/**/*.txt", b: [x, y]}}]
-- d/2.txt --
two
-- d/e/1.txt --
one
-- d/n.md --
no
`, []map[string]any{{"a": "two", "b": "x"}, {"a": "two", "b": "y"}, {"a": "one", "b": "x"}, {"a": "one", "b": "y"}}},
		{"variables may stand in files of their own", `
-- c.yaml --
prompts: [p]
tests: [{vars: "v*.yaml"}, {vars: [v1.yaml]}]
-- v1.yaml --
a: x
b: y
-- v2.yaml --
b: z
`, []map[string]any{{"a": "x", "b": "z"}, {"a": "x", "b": "y"}}},
		{"scalars are those of YAML 1.2", `
-- c.yaml --
prompts: [p]
tests: [{vars: {a: no, b: 010, c: 1_000, d: 0o10, e: 0x1F, f: 1e3, g: "1", h: 2024-01-01, i: yes, j: 12:30, k: True, l: +1, m: .5}}]
`, []map[string]any{{"a": "no", "b": 10, "c": "1_000", "d": 8, "e": 31, "f": 1000.0, "g": "1", "h": "2024-01-01", "i": "yes", "j": "12:30", "k": true, "l": 1, "m": 0.5}}},
		{"anchors, aliases and merge keys are written out", `
-- c.yaml --
prompts: [p]
x-shared: &base {a: 1, b: 2}
tests: [{vars: &v {<<: *base, b: 3}}, {vars: *v}]
`, []map[string]any{{"b": 3, "a": 1}, {"b": 3, "a": 1}}},
		{"a block of YAML loses its last line end", `
-- c.yaml --
prompts: [p]
tests:
  - vars:
      a: |
        one
        two
`, []map[string]any{{"a": "one\ntwo"}}},
		{"scenarios ask each test with each data", `
-- c.yaml --
prompts: [p]
defaultTest: {vars: {lang: en, who: all}}
scenarios:
  - config: [{vars: {lang: fr}}, {vars: {lang: de}}]
    tests: [{vars: {say: hi}}, {vars: {say: bye, lang: it}}]
`, []map[string]any{
			{"lang": "fr", "who": "all", "say": "hi"},
			{"lang": "it", "who": "all", "say": "bye"},
			{"lang": "de", "who": "all", "say": "hi"},
			{"lang": "it", "who": "all", "say": "bye"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, "vars", varsOf(load(t, c.archive)), c.want) })
	}
}

func TestTestsComeFromFiles(t *testing.T) {
	s := load(t, `
-- c.yaml --
prompts: [p]
tests: ["file://d/*.{yaml,json}", d/t.jsonl, file://d/t.csv, {path: "file://d/t.jsonl"}]
-- d/a.yaml --
- {description: yaml, vars: {v: 1}}
-- d/b.json --
{"description": "json \ud83d\ude00",
	"vars": {"v": "a\/b"}}
-- d/t.jsonl --
{"description": "first", "vars": {"v": 2}}

{"vars": {"v": 3}}
-- d/t.csv --
v,__description
"4,
4",csv
5,
`)
	type row struct {
		Description string
		V           any
		File        string
		Line        int
	}
	var got []row
	for _, c := range s.Cases {
		got = append(got, row{c.Description, c.Vars["v"], c.File, c.Line})
	}
	equal(t, "cases", got, []row{
		{"yaml", 1, "d/a.yaml", 1},
		{"json 😀", "a/b", "d/b.json", 1},
		{"first", 2, "d/t.jsonl", 1},
		{"", 3, "d/t.jsonl", 3},
		{"csv", "4,\n4", "d/t.csv", 2},
		{"Row #2", "5", "d/t.csv", 4},
		{"first", 2, "d/t.jsonl", 1},
		{"Row #2", 3, "d/t.jsonl", 3},
	})
	equal(t, "files", s.Files, []string{"c.yaml", "d/a.yaml", "d/b.json", "d/t.csv", "d/t.jsonl"})
}

func TestTheColumnsOfACSV(t *testing.T) {
	s := load(t, `
-- c.yaml --
prompts: [p]
tests: t.csv
-- t.csv --
q,__expected,__expected2,__prefix,__suffix,__description,__metric,__threshold,__metadata:topic,__metadata:tags[],__config:__expected2:threshold
why,contains:because,similar:a reason,P,S,asks,depth,0.5,science,"a, b\,c",0.9
who,,is-json,,,,,,,,
`)
	at := func(line int, a assertion.Assertion) assertion.Assertion { a.File, a.Line = "t.csv", line; return a }
	c := s.Cases[0]
	equal(t, "assert", c.Asserts, []assertion.Assertion{
		at(2, assertion.Assertion{Type: "contains", Value: "because", Metric: "depth"}),
		at(2, assertion.Assertion{Type: "similar", Value: "a reason", Metric: "depth", Threshold: new(0.9)}),
	})
	equal(t, "metadata", c.Metadata, map[string]any{"topic": "science", "tags": []any{"a", "b,c"}})
	equal(t, "options", c.Options, CaseOptions{Prefix: "P", Suffix: "S"})
	equal(t, "rest", []any{c.Description, *c.Threshold, c.Vars}, []any{"asks", 0.5, map[string]any{"q": "why"}})
	equal(t, "second row", s.Cases[1].Asserts, []assertion.Assertion{at(3, assertion.Assertion{Type: "is-json"})})
}

func TestPromptsComeInManyForms(t *testing.T) {
	s := load(t, `
-- c.yaml --
prompts:
  - file://p/two.txt
  - p/chat.yaml
  - {id: file://p/chat.json, label: chat}
  - file://p/*.md
  - file://p/list.csv
  - file://p/lines.jsonl
  - file://p/loop.json
  - What is and/or? {{x}}
tests: [{vars: {x: 1}}]
-- p/two.txt --
One {{x}}
---
Two
-- p/chat.yaml --
- role: system
  content: file://s.txt
- {role: user, content: "{{x}}"}
-- s.txt --
Be brief.
-- p/chat.json --
[{"role": "user", "content": "{{x}}"}]
-- p/a.md --
# A
-- p/list.csv --
prompt,label
"Hello, {{x}}",greeting
Bye,
-- p/lines.jsonl --
[{"role":"user","content":"1"}]
-- p/loop.json --
[{% for m in x %}{"role":"user"}{% endfor %}]
`)
	var got [][3]string
	for _, p := range s.Prompts {
		got = append(got, [3]string{p.ID, p.Label, p.Text})
	}
	equal(t, "prompts", got, [][3]string{
		{"p/two.txt:1", "p/two.txt:1", "One {{x}}"},
		{"p/two.txt:2", "p/two.txt:2", "Two"},
		{"p/chat.yaml", "p/chat.yaml", `[{"role":"system","content":"Be brief."},{"role":"user","content":"{{x}}"}]`},
		{"p/chat.json", "chat", `[{"role":"user","content":"{{x}}"}]`},
		{"p/a.md", "p/a.md", "# A\n"},
		{"p/list.csv:1", "greeting", "Hello, {{x}}"},
		{"p/list.csv:2", "p/list.csv:2", "Bye"},
		{"p/lines.jsonl", "p/lines.jsonl", `[{"role":"user","content":"1"}]`},
		{"p/loop.json", "p/loop.json", "[{% for m in x %}{\"role\":\"user\"}{% endfor %}]\n"},
		{"What is and/or? {{x}}", "What is and/or? {{x}}", "What is and/or? {{x}}"},
	})
}

func TestValuesComeFromFiles(t *testing.T) {
	s := load(t, `
-- c.yaml --
prompts: [p]
providers: [file://prov.yaml]
assertionTemplates:
  polite: {type: llm-rubric, value: is polite, weight: 2}
defaultTest: file://default.yaml
tests:
  - assert:
      - {type: is-json, value: file://schema.json}
      - {type: javascript, value: "file://js/check.js:fn"}
      - {type: contains-any, value: [file://word.txt, b]}
      - {$ref: '#/assertionTemplates/polite', weight: 1}
      - {type: is-json, value: {$ref: '#/definitions/x'}}
    options: {transform: "file://js/t.js", rubricPrompt: file://rubric.json, provider: openai:chat:gpt-4o}
-- prov.yaml --
- {id: "openai:chat:gpt-4o", config: {tools: file://tools.json}}
- {id: echo}
-- tools.json --
[{"type": "function"}]
-- default.yaml --
assert: [{type: equals, value: file://word.txt}]
-- schema.json --
{"type": "object"}
-- js/check.js --
module.exports.fn = () => true
-- js/t.js --
output.trim()
-- word.txt --
a
-- rubric.json --
[{"role": "system", "content": "Grade"}]
`)
	var got []any
	for _, a := range s.Cases[0].Asserts {
		got = append(got, a.Value)
	}
	equal(t, "values", got, []any{"a", map[string]any{"type": "object"}, "file://js/check.js:fn", []any{"a", "b"}, "is polite", map[string]any{"$ref": "#/definitions/x"}})
	equal(t, "the weight beside a reference", *s.Cases[0].Asserts[4].Weight, 1.0)
	equal(t, "sources", s.Sources, map[string]string{"js/check.js": "module.exports.fn = () => true\n", "js/t.js": "output.trim()\n"})
	equal(t, "options", s.Cases[0].Options, CaseOptions{
		Transform: "file://js/t.js", Judge: "openai:chat:gpt-4o",
		RubricPrompt: []any{map[string]any{"role": "system", "content": "Grade"}}, Sources: s.Sources,
	})
	equal(t, "tools", s.Providers[0].Config, map[string]any{"tools": []any{map[string]any{"type": "function"}}})
	equal(t, "files", s.Files, []string{"c.yaml", "default.yaml", "js/check.js", "js/t.js", "prov.yaml", "rubric.json", "schema.json", "tools.json", "word.txt"})
}

func TestASuiteOfAWorkspacesPrompt(t *testing.T) {
	files := filesOf(`
-- tests/billing/refunds.yaml --
- vars: {q: file://../data/q.txt}
  assert: [{type: contains, value: x}]
-- tests/data/q.txt --
Where is my money?
`)
	s, err := Load(files, "tests/billing/refunds.yaml", LoadOptions{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "vars", varsOf(s), []map[string]any{{"q": "Where is my money?"}})
}

// findingsOf is what an error tells, after a look at how it tells it.
func findingsOf(t *testing.T, err error) []prompt.Finding {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v", err)
	}
	if !errors.Is(err, prompt.ErrInvalid) {
		t.Error("the error is not prompt.ErrInvalid")
	}
	for _, f := range e.Findings {
		if f.Severity == prompt.SeverityError && !strings.Contains(err.Error(), f.String()) {
			t.Errorf("the error does not tell %s", f)
		}
	}
	return e.Findings
}

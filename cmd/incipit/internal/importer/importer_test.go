package importer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const policy = "You answer questions about the orders of Example Ltd, and about nothing else."

// read reads one file of one prompt with one version.
func read(t *testing.T, kind Kind, name, data string, opts Options) (Prompt, Version) {
	t.Helper()
	ps, err := Read(kind, fstest.MapFS{name: {Data: []byte(data)}}, name, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 1 || len(ps[0].Versions) != 1 {
		t.Fatalf("got %d prompts", len(ps))
	}
	return ps[0], ps[0].Versions[0]
}

func notes(v Version) string {
	var b strings.Builder
	for _, n := range v.Notes {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

// mustBeValid holds a version against all rules of a prompt.
func mustBeValid(t *testing.T, p Prompt, v Version) prompt.Draft {
	t.Helper()
	d, findings, err := v.Draft(p.ID, "prompts/"+string(p.ID), prompt.Version{Major: 1})
	if err != nil || len(findings) > 0 {
		t.Fatalf("not valid: %v %v", findings, err)
	}
	return d
}

func contains(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q is missing in:\n%s", w, got)
		}
	}
}

func TestGitHubPromptComesWithItsSchemaAndTests(t *testing.T) {
	p, v := read(t, GitHub, "Order Status.prompt.yml", `
name: Order status
description: Says where an order is.
model: openai/gpt-4o-mini
modelParameters: {temperature: 0.5, maxTokens: 300, topP: 0.9}
responseFormat: json_schema
jsonSchema: |
  {"name": "answer", "strict": true, "schema": {"type": "object", "properties": {"where": {"type": "string"}}}}
messages:
  - role: system
    content: `+policy+` Today is {{ today }}.
  - role: user
    content: |
      <order>{{order}}</order> as {"where": …}
testData:
  - {order: "17 {{x}}", today: Monday, expected: shipped}
evaluators:
  - {name: says so, string: {contains: Shipped}}
  - {name: starts, string: {startsWith: "{W"}}
  - {name: same, string: {equals: "x"}}
  - {name: judged, llm: {modelId: m, prompt: p, choices: []}}
`, Options{})
	if p.ID != "order-status" || v.Model != "openai/gpt-4o-mini" {
		t.Errorf("got %s %s", p.ID, v.Model)
	}
	d := mustBeValid(t, p, v)
	if diff := cmp.Diff([]prompt.Message{
		{Role: "system", Content: policy + " Today is {{today}}."},
		{Role: "user", Content: "<order>{{order}}</order> as {\"where\": …}\n"},
	}, d.Prompt.Messages); diff != "" {
		t.Error(diff)
	}
	if !v.Variables["today"].Trusted || v.Variables["order"].Trusted {
		t.Errorf("got %+v", v.Variables)
	}
	if diff := cmp.Diff(map[string]any{"temperature": 0.5, "max_tokens": 300, "top_p": 0.9}, v.Parameters); diff != "" {
		t.Error(diff)
	}
	if v.OutputSchema["type"] != "object" {
		t.Errorf("got %v", v.OutputSchema)
	}
	contains(t, notes(v), `:21: the evaluator "judged" is not taken over`, "{{today}} stands in the system message", ":16: expected is not checked")
	contains(t, string(v.Suite), "type: icontains", "value: Shipped", "^[{][wW]", "17 {{ '{{' }}x}}", "type: equals")
}

func TestDotpromptComesWithItsRolesAndVariables(t *testing.T) {
	p, v := read(t, Dotprompt, "greet.prompt", `---
# a comment
name: Greet
description: Greets people.
version: 1.2.0
model: googleai/gemini-2.5-flash
config:
  temperature: 0.9
  maxOutputTokens: 100
  apiKey: hidden
input:
  schema:
    name: string, who is greeted
    style?: string
    age?: integer
    count: integer
  default:
    name: friend
output:
  format: json
  schema:
    greeting: string, what to say
    words(array): string
    mood?(enum, how): [glad, sad]
---

{{! greets }}
{{role "system"}}You greet people kindly, in the style of {{{style}}}, and say nothing else at all.
{{role "user"}}Greet {{name}}, {{ count }} times, with \{{braces}}.
{{role "model"}}Hello.
{{role "user"}}Again.
`, Options{})
	d := mustBeValid(t, p, v)
	if diff := cmp.Diff([]prompt.Message{
		{Role: "system", Content: "You greet people kindly, in the style of {{style}}, and say nothing else at all.\n"},
		{Role: "user", Content: "Greet {{name}}, {{count}} times, with \\{{braces}}.\n"},
		{Role: "assistant", Content: "Hello.\n"},
		{Role: "user", Content: "Again."},
	}, d.Prompt.Messages); diff != "" {
		t.Error(diff)
	}
	if v.Number != "1.2.0" || v.Parameters["max_tokens"] != 100 || v.Parameters["apiKey"] != nil {
		t.Errorf("got %q %v", v.Number, v.Parameters)
	}
	if x := v.Variables["style"]; x.IsRequired() || x.Default != "" || !x.Trusted {
		t.Errorf("got %+v", x)
	}
	if x := v.Variables["name"]; x.IsRequired() || x.Default != "friend" || x.Description != "who is greeted" {
		t.Errorf("got %+v", x)
	}
	if x := v.Variables["count"]; !x.IsRequired() || x.Type != "integer" {
		t.Errorf("got %+v", x)
	}
	if diff := cmp.Diff(map[string]any{
		"type": "object", "additionalProperties": false, "required": []any{"greeting", "words"},
		"properties": map[string]any{
			"greeting": map[string]any{"type": "string", "description": "what to say"},
			"words":    map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
			"mood":     map[string]any{"enum": []any{"glad", "sad"}, "description": "how"},
		},
	}, v.OutputSchema); diff != "" {
		t.Error(diff)
	}
	contains(t, notes(v), "variable age stands in no message")
}

func TestPromptyComesWithoutWhereToCall(t *testing.T) {
	p, v := read(t, Prompty, "orders.prompty", `---
name: Orders
description: About orders.
authors: [Ada, Grace]
tags: [orders]
model:
  api: chat
  configuration:
    type: azure_openai
    azure_endpoint: ${env:AZURE_OPENAI_ENDPOINT}
    azure_deployment: gpt-4o
  parameters:
    max_tokens: 300
    temperature: 0.2
inputs:
  question: {type: string, description: what is asked}
  limit: {type: integer, default: 3}
sample:
  question: where is it?
---
system:
`+policy+`

user:
At most {{limit}} lines: {{ question }} {{ '{{' }}raw}}
`, Options{})
	d := mustBeValid(t, p, v)
	if diff := cmp.Diff([]prompt.Message{
		{Role: "system", Content: policy + "\n"},
		{Role: "user", Content: "At most {{limit}} lines: {{question}} \\{{raw}}"},
	}, d.Prompt.Messages); diff != "" {
		t.Error(diff)
	}
	if v.Model != "gpt-4o" || v.Author != "Ada, Grace" || v.Parameters["max_tokens"] != 300 || v.Variables["limit"].Default != 3 {
		t.Errorf("got %+v", v)
	}
	contains(t, notes(v), ":9: model.configuration is not taken over", ":19: sample is not taken over")
}

func TestPrompty2IsReadAsWell(t *testing.T) {
	p, v := read(t, Prompty, "orders.prompty", `---
name: Orders
model:
  id: gpt-4o
  provider: openai
  apiType: chat
  connection: {kind: key, apiKey: hidden}
  options: {temperature: 0.2, maxOutputTokens: 300}
inputs:
  - {name: question, kind: string, description: what is asked}
  - {name: limit, kind: integer, default: 3}
template: {format: jinja2, parser: prompty}
---
system:
`+policy+`
user:
At most {{limit}} lines: {{question}}
`, Options{})
	mustBeValid(t, p, v)
	if v.Model != "gpt-4o" || v.Parameters["max_tokens"] != 300 || v.Variables["limit"].Default != 3 || v.Variables["question"].Description != "what is asked" {
		t.Errorf("got %+v", v)
	}
	contains(t, notes(v), ":7: model.connection is not taken over")
}

func TestOpenAIVersionsComeInTheirOrder(t *testing.T) {
	data := `{
  "object": "list",
  "data": [
    {"id": "pmpt_1", "version": "2", "model": "gpt-4o", "instructions": "` + policy + ` Be brief.", "created_at": 1767225600,
     "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "{{question}}"}]}],
     "variables": {"question": {"type": "string"}}, "temperature": 0.1, "max_output_tokens": 50,
     "text": {"format": {"type": "json_schema", "name": "a", "strict": true, "schema": {"type": "object"}}}},
    {"id": "pmpt_1", "version": "1", "model": "gpt-4o", "instructions": "` + policy + `", "messages": [{"role": "user", "content": "{{question}} {\"a\": {\"b\": 1}}"}], "store": true}
  ]
}`
	ps, err := Read(OpenAI, fstest.MapFS{"support.json": {Data: []byte(data)}}, "support.json", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 1 || len(ps[0].Versions) != 2 || ps[0].ID != "support" {
		t.Fatalf("got %+v", ps)
	}
	one, two := ps[0].Versions[0], ps[0].Versions[1]
	if one.Label != "version 1" || two.Label != "version 2" || two.At.Unix() != 1767225600 {
		t.Errorf("got %q %q %v", one.Label, two.Label, two.At)
	}
	contains(t, notes(one), "support.json:8: store is not taken over")
	if one.Messages[1].Content != `{{question}} {"a": {"b": 1}}` || two.OutputSchema["type"] != "object" || two.Parameters["max_tokens"] != 50 {
		t.Errorf("got %+v\n%+v", one, two)
	}
	mustBeValid(t, ps[0], one)
	mustBeValid(t, ps[0], two)
}

func TestEvalsBecomeAPromptAndItsSuite(t *testing.T) {
	data := `{"input": [{"role": "system", "content": "` + policy + `"}, {"role": "user", "content": "Is {{x}} in?"}], "ideal": "Yes"}

{"input": [{"role": "system", "content": "` + policy + `"}, {"role": "user", "content": "And y?"}], "ideal": ["No", "no", "NO"]}
`
	p, v := read(t, Evals, "stock.jsonl", data, Options{Model: "gpt-4o", Match: "equals"})
	d := mustBeValid(t, p, v)
	if d.Prompt.Messages[1].Content != "{{input}}" {
		t.Errorf("got %+v", d.Prompt.Messages)
	}
	want := `tests:
  - vars:
      input: Is {{ '{{' }}x}} in?
    assert:
      - type: equals
        value: "Yes"
  - vars:
      input: And y?
    assert:
      - type: assert-set
        threshold: 0.3333
        assert:
          - type: equals
            value: "No"
          - type: equals
            value: "no"
          - type: equals
            value: "NO"
`
	if diff := cmp.Diff(want, string(v.Suite)); diff != "" {
		t.Error(diff)
	}
}

func TestPromptfooBringsItsTestsAndTheirFiles(t *testing.T) {
	fsys := fstest.MapFS{
		"eval/promptfooconfig.yaml": {Data: []byte(`description: about orders
prompts:
  - file://prompts/*.json
  - label: short
    raw: |-
      - role: system
        content: ` + policy + `
      - role: user
        content: "{{question}}"
providers:
  - id: openai:chat:gpt-4o-mini
    config: {temperature: 0.1, apiKey: hidden, response_format: {type: json_schema, json_schema: {name: a, schema: {type: object}}}}
  - openai:gpt-4o
defaultTest: &d
  assert: [{type: latency, threshold: 5000}]
tests:
  - cases.yaml
  - file://more.csv
  - prompts: [short]
    vars: {question: why}
    assert: [{type: contains, value: because}]
  - <<: *d
    vars: {question: file://why.txt}
outputPath: out.json
`)},
		"eval/prompts/chat.json": {Data: []byte(`[{"role": "system", "content": "` + policy + `"},
 {"role": "user", "content": "{{ question }}"}]`)},
		"eval/cases.yaml": {Data: []byte("- vars: {question: where}\n  assert: [{type: is-json, value: file://schema.json}]\n")},
		"eval/more.csv":   {Data: []byte("question,__expected\nwho?,equals:me\n")},
		"eval/why.txt":    {Data: []byte("why?")},
		"eval/schema.json": {
			Data: []byte(`{"type": "object"}`),
		},
	}
	ps, err := Read(Promptfoo, fsys, "eval/promptfooconfig.yaml", Options{Fallback: "My Eval"})
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 2 || ps[0].ID != "my-eval-1" || ps[1].ID != "my-eval-short" {
		t.Fatalf("got %+v", ps)
	}
	v := ps[0].Versions[0]
	mustBeValid(t, ps[0], v)
	mustBeValid(t, ps[1], ps[1].Versions[0])
	if v.Model != "gpt-4o-mini" || v.Parameters["apiKey"] != nil || v.OutputSchema["type"] != "object" {
		t.Errorf("got %q %v %v", v.Model, v.Parameters, v.OutputSchema)
	}
	contains(t, notes(v), "this provider is not taken over", "apiKey is not taken over", "outputPath is not taken over", "for other prompts")
	want := `description: about orders
defaultTest:
  assert:
    - type: latency
      threshold: 5000
tests:
  - vars:
      question: where
    assert:
      - type: is-json
        value: file://my-eval-1.files/schema.json
  - file://my-eval-1.files/more.csv
  - vars:
      question: file://my-eval-1.files/why.txt
    assert:
      - type: latency
        threshold: 5000
`
	if diff := cmp.Diff(want, string(v.Suite)); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, f := range v.Extras {
		names = append(names, f.Path)
	}
	if diff := cmp.Diff([]string{"my-eval-1.files/schema.json", "my-eval-1.files/more.csv", "my-eval-1.files/why.txt"}, names); diff != "" {
		t.Error(diff)
	}
	contains(t, string(ps[1].Versions[0].Suite), "file://my-eval-short.files/why.txt", "because")
}

func TestTextsOfPromptfooArePartedByDashes(t *testing.T) {
	fsys := fstest.MapFS{
		"promptfooconfig.yaml": {Data: []byte("prompts: [{id: file://all.txt, label: tone}]\nproviders: openai:responses:gpt-4o\n")},
		"all.txt":              {Data: []byte("\nSay {{x}} -- kindly.\r\n ---\n\n---\n----\nSay it coldly.\n")},
	}
	ps, err := Read(Promptfoo, fsys, "promptfooconfig.yaml", Options{ID: "say", System: policy})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ps {
		v := p.Versions[0]
		mustBeValid(t, p, v)
		got = append(got, fmt.Sprintf("%s %s %d %q", p.ID, v.Model, v.Line, v.Messages[1].Content))
	}
	if diff := cmp.Diff([]string{`say-tone gpt-4o 2 "Say {{x}} -- kindly."`, `say-tone-2 gpt-4o 6 "----\nSay it coldly."`}, got); diff != "" {
		t.Error(diff)
	}
	_, err = Read(Promptfoo, fstest.MapFS{"a.yaml": {Data: []byte("prompts: [b.txt]\nproviders: [x:y]\n")}, "b.txt": {Data: []byte("a\n---\n\n\nb {{ c.d }}\n")}}, "a.yaml", Options{System: policy})
	if err == nil || !strings.Contains(err.Error(), "b.txt:5: {{ c.d }} is an expression") {
		t.Errorf("got %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	head := "---\nmodel: m\n---\n"
	chat := func(s string) string {
		return "model: m\nmessages:\n  - {role: system, content: '" + policy + "'}\n" + s
	}
	tests := []struct {
		name string
		kind Kind
		data string
		want string
	}{
		{"a block of Handlebars", Dotprompt, head + "\n{{role \"system\"}}\n{{#if x}}a{{/if}}\n", "a.file:6: {{#if x}} is a block"},
		{"a partial", Dotprompt, head + "{{>shared}}", "a.file:4: {{>shared}}"},
		{"a helper", Dotprompt, head + "{{json x}}", "{{json x}}"},
		{"the history", Dotprompt, head + "{{role \"system\"}}a{{history}}", "{{history}}"},
		{"a name with a dash", Dotprompt, head + "{{user-name}}", "letters, digits and _"},
		{"a schema by its name", Dotprompt, "---\nmodel: m\ninput: {schema: Order}\n---\nx", "a.file:3: \"Order\" is no type"},
		{"tools by their names", Dotprompt, "---\nmodel: m\ntools: [search]\n---\nx", "a.file:3: tools"},
		{"settings that never end", Dotprompt, "---\nmodel: m\n", "a.file:1: the settings must end"},
		{"no settings", Prompty, "system:\n", "a.file:1: the file must begin"},
		{"logic of Jinja", Prompty, head + "system:\na\n{% for x in y %}", "a.file:6: {% for x in y %} is logic"},
		{"a comment of Jinja", Prompty, head + "system:\n{# x #}", "{# x #} is logic or a comment"},
		{"a filter", Prompty, head + "system:\n{{ x | upper }}", "a.file:5: {{ x | upper }} has a filter"},
		{"an attribute", Prompty, head + "system:\n{{ x.y }}", "is an expression"},
		{"white space that is trimmed", Prompty, head + "system:\n{{- x -}}", "write {{x}}"},
		{"a tag that never ends", Prompty, head + "system:\n{{ x", "never closed"},
		{"a backslash before braces", Prompty, head + "system:\n\\{{x}}", "a backslash"},
		{"an image", Prompty, head + "system:\nx\nuser:\n![x](y.png)", "a.file:7: an image"},
		{"a thread", Prompty, head + "system:\nx\n![thread]\n", "![thread]"},
		{"the environment", Promptfoo, "prompts: ['{{ env.KEY }}']\n", "is of the environment"},
		{"mustache in a prompt of promptfoo", Promptfoo, "prompts:\n  - |\n    a\n    {% if x %}\n", "a.file:4: {% if x %}"},
		{"a file outside", Promptfoo, "prompts: [file://../../etc/passwd]\n", "a.file:1: ../../etc/passwd lies outside"},
		{"an absolute file", Promptfoo, "prompts: [file:///etc/passwd]\n", "lies outside"},
		{"a file that is not there", Promptfoo, "prompts: [x.txt]\n", "a.file:1: x.txt: file does not exist"},
		{"a program that makes prompts", Promptfoo, "prompts: [file://x.js]\n", "x.js: file does not exist"},
		{"no prompts", Promptfoo, "providers: [a]\n", "no prompts"},
		{"no system message", GitHub, "model: m\nmessages: [{role: user, content: x}]\n", "a.file:2: there is no system message"},
		{"no model", GitHub, "messages: [{role: system, content: x}]\n", "it names no model"},
		{"a second system message", GitHub, chat("  - {role: system, content: x}\n"), "a.file:4: message 2 is a second system message"},
		{"a tool's message", GitHub, chat("  - {role: tool, content: x}\n"), `a.file:4: message 2 has the role "tool"`},
		{"two of the user in a row", GitHub, chat("  - {role: user, content: x}\n  - {role: user, content: x}\n"), "a.file:5: the user speaks twice"},
		{"an image in parts", GitHub, chat("  - {role: user, content: [{image: x}]}\n"), "no text"},
		{"three braces", GitHub, chat("  - {role: user, content: '{{{x}}}'}\n"), "three braces"},
		{"a tag", GitHub, "model: !!binary aGk=\n", "a.file:1: the tag !!binary"},
		{"a key that is there twice", GitHub, "model: m\nmodel: n\n", "a.file:2: the key \"model\" is there twice"},
		{"an alias that holds itself", GitHub, "a: &a [*a]\n", "a.file:1: the alias *a"},
		{"two documents", GitHub, "model: m\n---\nmodel: n\n", "more than one document"},
		{"YAML that is none", GitHub, "a: [\n", "a.file:"},
		{"no UTF-8", GitHub, "model: \xff\n", "not UTF-8"},
		{"a schema that is no JSON", GitHub, "model: m\nresponseFormat: json_schema\njsonSchema: '{'\n", "a.file:3: jsonSchema is not JSON"},
		{"a schema that is missing", GitHub, "responseFormat: json_schema\n", "there is no jsonSchema"},
		{"JSON that is none", OpenAI, "{\n\"a\": }", "a.file:2:"},
		{"a key of JSON that is there twice", OpenAI, "{\"a\": 1,\n\"a\": 2}", "a.file:2:"},
		{"a reference to a prompt", OpenAI, `{"id": "pmpt_1", "version": "1", "variables": {}}`, "does not hold its text"},
		{"an empty list", OpenAI, "[]", "the list is empty"},
		{"a time that is none", OpenAI, `{"model": "m", "created_at": "x", "instructions": "y"}`, "created_at"},
		{"samples with other beginnings", Evals, `{"input": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "ideal": "c"}` + "\n" + `{"input": [{"role": "system", "content": "x"}, {"role": "user", "content": "b"}], "ideal": "c"}`, "a.file:2: this sample has other messages"},
		{"a sample without an answer", Evals, `{"input": "x"}`, "a.file:1: a sample is"},
		{"a sample that ends with the assistant", Evals, `{"input": [{"role": "assistant", "content": "b"}], "ideal": "c"}`, "must be the user's"},
		{"no sample", Evals, "\n\n", "there is no sample"},
		{"a line that is no JSON", Evals, "\n{", "a.file:2:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(tt.kind, fstest.MapFS{"a.file": {Data: []byte(tt.data)}}, "a.file", Options{ID: "x"})
			if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReadIsBounded(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	for name, tt := range map[string]struct {
		kind Kind
		data string
		want string
	}{
		"an alias bomb":              {GitHub, bomb, "more than 200000 values"},
		"a file that is too large":   {GitHub, strings.Repeat("#", MaxFileBytes+1), "larger than"},
		"lists that are too deep":    {GitHub, "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "deeper than 32"},
		"JSON that is too deep":      {OpenAI, strings.Repeat("[", 100) + strings.Repeat("]", 100), "a.file:1:"},
		"more lines than are read":   {Evals, strings.Repeat("\n", maxLines+1), "more than 100000 lines"},
		"a tag of half a megabyte":   {Dotprompt, "---\nmodel: m\n---\n{{" + strings.Repeat("x", 1<<19), "never closed"},
		"braces without end":         {Evals, `{"input": [{"role": "system", "content": "` + strings.Repeat(`{{`, 1<<18) + `"}, {"role": "user", "content": "a"}], "ideal": ""}`, "ideal must be"},
		"comments without end":       {Dotprompt, "---\nmodel: m\n---\n" + strings.Repeat("{{!}} ", 1<<17) + "{{#x}}", "{{#x}} is a block"},
		"keys for each version":      {OpenAI, `{"versions": [{}]` + manyKeys(50_000) + `}`, "more than 100 keys"},
		"more versions than allowed": {OpenAI, "[" + strings.Repeat("{},", maxVersions) + "{}]", "more than 1000 versions"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(tt.kind, fstest.MapFS{"a.file": {Data: []byte(tt.data)}}, "a.file", Options{ID: "x"})
			if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `, "k%d": 1`, i)
	}
	return b.String()
}

func TestKindsAreKnownByTheirNames(t *testing.T) {
	for name, want := range map[string]Kind{
		"a/promptfooconfig.yaml": Promptfoo, "x.prompt.yml": GitHub, "x.PROMPT.yaml": GitHub, "x.prompt": Dotprompt, "x.prompty": Prompty,
		"x.jsonl": Evals, "x.json": "", "x.yaml": "", "x.txt": "",
	} {
		if got, ok := Detect(name); got != want || ok != (want != "") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

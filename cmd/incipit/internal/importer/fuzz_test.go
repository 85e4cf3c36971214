package importer

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// fuzzed reads anything as one kind: what is accepted is a prompt whose texts
// are templates of ours, and what is refused says which file is at fault.
func fuzzed(f *testing.F, kind Kind, seeds ...string) {
	f.Helper()
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		fsys := fstest.MapFS{"a.file": {Data: []byte(data)}, "b.txt": {Data: []byte("{{x}}\n---\ny")}, "c.yaml": {Data: []byte("- vars: {x: 1}")}}
		ps, err := Read(kind, fsys, "a.file", Options{ID: "p", Model: "m", System: policy})
		if err != nil {
			if !errors.Is(err, prompt.ErrInvalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, p := range ps {
			for _, v := range p.Versions {
				if _, err := v.Files(prompt.Version{Major: 1}); err != nil {
					t.Fatal(err)
				}
				compiles(t, v)
				for _, file := range v.Extras {
					if strings.Contains(file.Path, "..") {
						t.Fatalf("%s leads out", file.Path)
					}
				}
			}
		}
	})
}

func compiles(t *testing.T, v Version) {
	t.Helper()
	for name, x := range v.Variables { // a default of another type is for validation to say
		x.Default, x.Required = nil, nil
		v.Variables[name] = x
	}
	if _, err := prompt.Compile(prompt.Prompt{Messages: v.Messages, Variables: v.Variables}); err != nil {
		t.Fatalf("%v\n%q", err, v.Messages)
	}
}

func FuzzPromptfoo(f *testing.F) {
	fuzzed(f, Promptfoo, "prompts: ['{{x}}', b.txt]\nproviders: [openai:chat:gpt-4o]\ntests: [c.yaml, {vars: {y: file://b.txt}}]\n",
		"prompts:\n  - raw: '[{\"role\":\"user\",\"content\":\"{{ x }}\"}]'\n    label: a\nproviders: {id: 'openai:m', config: {tools: []}}\n")
}

func FuzzGitHub(f *testing.F) {
	fuzzed(f, GitHub, "messages: [{role: system, content: '{{x}} {{'}]\nresponseFormat: json_object\ntestData: [{x: 1}]\nevaluators: [{name: a, string: {endsWith: b}}]\n",
		"a: &a {role: user, content: '\\{{x}}'}\nmessages: [*a]\njsonSchema: '{\"schema\": {}}'\n")
}

func FuzzDotprompt(f *testing.F) {
	fuzzed(f, Dotprompt, "---\ninput: {schema: {a?: string, 'b(array, c)': integer}, default: {a: 1}}\noutput: {schema: {'d(enum)': [x]}}\n---\n{{role \"system\"}}{{{a}}}\n{{! x }}\n\\{{b}}{{&c}}{{!-- y --}}",
		"---\n---\n{{#if x}}", "---\nconfig: {topP: 1}\n---\n{{{x}}")
}

func FuzzPrompty(f *testing.F) {
	fuzzed(f, Prompty, "---\nmodel: {api: chat, configuration: {name: m}, parameters: {response_format: {json_schema: {}}}}\ninputs: {a: {type: string}}\n---\nsystem:\n{{ a }}\nuser[x=1]:\n{{ '{%' }}{{ \"{{\" }}",
		"---\nsample: {a: 1}\n---\n# user:\n{% raw %}")
}

func FuzzOpenAI(f *testing.F) {
	fuzzed(f, OpenAI, `{"versions": [{"version": 1, "instructions": "{{x}}", "variables": ["x"]}, {"version": 2, "input": [{"role": "user", "content": [{"text": "\ud83d\ude00"}]}]}], "model": "m"}`,
		`[{"id": "a", "messages": [{"role": "system", "content": "x"}], "text": {"format": {"type": "json_schema", "schema": {}}}}]`)
}

func FuzzEvals(f *testing.F) {
	fuzzed(f, Evals, `{"input": [{"role": "system", "content": "{{{{x\\{{"}, {"role": "user", "content": "b"}], "ideal": ["a", "b"]}`, `{"input": "x", "ideal": "y"}`)
}

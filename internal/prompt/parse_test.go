package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	goodSystem = "You answer questions about {{product}} for its customers, in short and plain words.\n"
	goodUser   = "{{question}}\n"

	beforeVariables = `{
  "name": "Support",
  "version": "1.2.3",
  "description": "Answers questions.",
  "model": "m",
  "variables": `
	goodMeta = beforeVariables + `{
    "product": {"trusted": true},
    "question": {"max_length": 4000}
  }
}
`
)

func goodFiles() Files {
	return Files{Dir: "prompts/support", System: []byte(goodSystem), User: []byte(goodUser), Metadata: []byte(goodMeta)}
}

// texts is an includer of texts that stand in the same tree, with one release
// of each in every range.
func texts(ts map[string]string) Includer {
	return func(name, constraint string) (string, Version, error) {
		text, ok := ts[name]
		if !ok {
			return "", Version{}, fmt.Errorf("there is no include %s", name)
		}
		if constraint == "" {
			return text, Version{}, nil
		}
		return text, Version{1, 2, 3, ""}, nil
	}
}

// places is findings as file:line:col: code, without the directory.
func places(fs []Finding) []string {
	out := []string{}
	for _, f := range fs {
		out = append(out, fmt.Sprintf("%s:%d:%d: %s", path.Base(f.Path), f.Line, f.Col, f.Code))
	}
	return out
}

func TestParseAcceptsAGoodPrompt(t *testing.T) {
	files := goodFiles()
	files.Examples = []byte(`[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]`)
	d, fs := Parse("support", files, texts(nil))
	if len(fs) != 0 {
		t.Fatal(fs)
	}
	want := []Message{{System, goodSystem}, {User, "Hi"}, {Assistant, "Hello"}, {User, goodUser}}
	if !slices.Equal(d.Prompt.Messages, want) || d.Prompt.Model != "m" || d.Prompt.Version != "1.2.3" || len(d.Pins) != 0 {
		t.Errorf("got %+v", d)
	}
}

// Each code of Parse, where it stands.
func TestParseReportsEachMistakeAtItsPlace(t *testing.T) {
	const meta, system, user, examples = MetadataFile, SystemFile, UserFile, ExamplesFile
	// swap replaces text in the good file.
	swap := func(file, old, text string) func(*Files) {
		return func(f *Files) {
			data := map[string]*[]byte{meta: &f.Metadata, system: &f.System, user: &f.User}[file]
			if !strings.Contains(string(*data), old) {
				panic(old)
			}
			*data = []byte(strings.Replace(string(*data), old, text, 1))
		}
	}
	example := func(text string) func(*Files) { return func(f *Files) { f.Examples = []byte(text) } }
	key := func(text string) func(*Files) { return swap(meta, `"model": "m",`, `"model": "m",`+"\n  "+text+",") }

	tests := []struct {
		name    string
		change  func(*Files)
		place   string
		message string
	}{
		{"the metadata is missing", func(f *Files) { f.Metadata = nil }, meta + ":0:0: missing-file", "a prompt needs"},
		{"the system message is missing", func(f *Files) { f.System = nil; swap(meta, `"product": {"trusted": true},`, "")(f) }, system + ":0:0: missing-file", "a prompt needs"},
		{"the user message is white space", func(f *Files) {
			f.User = []byte(" \n")
			swap(meta, "},\n    \"question\": {\"max_length\": 4000}", "}")(f)
		}, user + ":1:1: empty-file", "empty"},
		{"the system message is short", swap(system, goodSystem, "{{product}}"), system + ":1:1: too-short", "11 characters"},
		{"short is counted in characters", swap(system, goodSystem, "{{product}}"+strings.Repeat("日", 38)), system + ":1:1: too-short", "49 characters"},
		{"the system message is long", swap(system, "\n", strings.Repeat("日", 50_000)), system + ":1:1: too-long", "50083 characters"},

		{"the metadata is not JSON", swap(meta, `"1.2.3",`, `"1.2.3"`), meta + ":4:3: json", "comma or }"},
		{"a key twice", key(`"name": "x"`), meta + ":6:3: json", `"name" appears twice`},
		{"text behind the object", func(f *Files) { f.Metadata = append(f.Metadata, " x"...) }, meta + ":11:2: json", "after the end"},
		{"not UTF-8", swap(meta, "Answers", "\xff"), meta + ":4:19: json", "0xff"},
		{"a list", func(f *Files) { f.Metadata = []byte(" []") }, meta + ":1:1: json", "must be a JSON object"},
		{"nested too deep", key(`"x": ` + strings.Repeat("[", 10_000)), meta + ":6:40: json", "deeper"},
		{"the name is missing", swap(meta, `"name": "Support",`, ""), meta + ":1:1: metadata-missing", "name is missing"},
		{"the model is empty", swap(meta, `"model": "m"`, `"model": ""`), meta + ":5:3: metadata-missing", "model is missing"},
		{"the description is null", swap(meta, `"Answers questions."`, `null`), meta + ":4:3: metadata-missing", "description is missing"},
		{"the version is a number", swap(meta, `"1.2.3"`, `1.2`), meta + ":3:3: metadata-type", "version is a number here"},
		{"the version is none", swap(meta, `1.2.3`, `v1.2`), meta + ":3:3: version", `"v1.2" is not valid`},
		{"the previous version is none", key(`"previous_version": "latest"`), meta + ":6:3: version", `"latest"`},
		{"a key in capitals", key(`"Maintainer": "x"`), meta + ":6:3: metadata-key", `write "maintainer"`},
		{"a time without a zone", key(`"created": "2026-01-31 09:00"`), meta + ":6:3: metadata-time", "RFC 3339"},
		{"a time in another zone", key(`"updated": "2026-01-31T09:00:00+02:00"`), meta + ":6:3: metadata-time", "write 2026-01-31T07:00:00Z"},
		{"tags that are no list", key(`"tags": "a"`), meta + ":6:3: metadata-type", "tags is a string here and must be a list"},
		{"a fraction of a window", key(`"context_window_used": 1.5`), meta + ":6:3: metadata-type", "must be a whole number"},
		{"parameters that are a list", key(`"parameters": [1]`), meta + ":6:3: metadata-type", "parameters must be an object"},
		{"tools that are an object", key(`"tools": {"a": 1}`), meta + ":6:3: metadata-type", "tools must be a list"},
		{"an output schema that is a word", key(`"output_schema": "json"`), meta + ":6:3: metadata-type", "output_schema must be"},
		{"a number that others round", key(`"parameters": {"seed": 9007199254740993}`), meta + ":6:3: metadata-number", "beyond 2^53"},
		{"a number of twenty digits", key(`"parameters": {"seed": 99999999999999999999}`), meta + ":6:3: metadata-number", "beyond 2^53"},
		{"a pin that is no version", key(`"includes": {"tone@^1": "x"}`), meta + ":6:3: metadata-type", "not valid as a version"},
		{"a hidden character in a tool", key("\"tools\": [{\"name\": \"a\U000E0041\"}]"), meta + ":6:24: tag", "U+E0041"},
		{"a secret in a default", key(`"parameters": {"metadata": {"key": "` + newForge(1).openAI() + `"}}`), meta + ":6:39: secret", "openai-api-key"},
		{"an exception without a reason", key(`"allow": {"bidi": " "}`), meta + ":6:13: allow", "needs its reason"},

		{"variables that are a list", func(f *Files) { f.Metadata = []byte(beforeVariables + "[]}") }, "", ""},
		{"a variable that is a word", swap(meta, `{"trusted": true}`, `"string"`), "", ""},
		{"a field that nobody knows", swap(meta, `"trusted": true`, `"trusted": true, "requird": false`), meta + ":7:34: variable-key", `"requird" is not a field; the fields are type, required`},
		{"a field in capitals", swap(meta, `"trusted": true`, `"trusted": true, "Required": true`), meta + ":7:34: variable-key", `write "required"`},
		{"a field of another tool", swap(meta, `"max_length": 4000`, "\"max_length\": 4000,\n      \"enum\": [\"a\"]"), meta + ":9:7: variable-key", `"enum" is not a field`},
		{"a length that is a word", swap(meta, `4000`, `"4000"`), meta + ":8:5: metadata-type", "variable question is a string here (max_length) and must be a whole number"},
		{"a length below zero", swap(meta, `4000`, `-1`), meta + ":8:5: variable-type", "max_length is negative"},
		{"a type that is none", swap(meta, `"max_length": 4000`, `"type": "text"`), meta + ":8:5: variable-type", `"text"`},
		{"a default that does not fit", swap(meta, `"max_length": 4000`, `"type": "integer", "default": "x"`), meta + ":8:5: variable-default", "does not fit"},
		{"a default that is rounded", swap(meta, `"max_length": 4000`, `"type": "integer", "default": 9007199254740993`), meta + ":8:5: variable-default", "write it in quotes"},
		{"required with a default", swap(meta, `"max_length": 4000`, `"required": true, "default": "x"`), meta + ":8:5: variable-default", "never used"},
		{"optional without a default", swap(meta, `"max_length": 4000`, `"required": false`), meta + ":8:5: variable-default", "has no default"},
		{"declared and not used", swap(user, "{{question}}", "hello"), meta + ":8:5: variable-unused", "stands in no message"},
		{"used and not declared", swap(user, "{{question}}", "{{question}}\n é {{more}}"), user + ":2:4: variable-undeclared", "{{more}} is not declared"},
		{"not trusted in the system message", swap(meta, `{"trusted": true}`, `{}`), system + ":1:28: untrusted-in-system", "could instruct the model"},

		{"a template that does not close", swap(system, "customers", "{{customers"), system + ":1:48: template", "never closed"},
		{"a template that is none", swap(user, "{{question}}", "{{question}}\n{{if x}}"), user + ":2:1: template", "not a variable"},
		{"an include that does not exist", swap(user, "{{question}}", "{{question}} {{> tone}}"), user + ":1:14: include", "no include tone"},

		{"a character that turns text round", swap(user, "{{question}}", "日\u202e{{question}}"), user + ":1:2: bidi", "U+202E"},
		{"a byte that is not UTF-8", swap(user, "{{question}}", "{{question}}\n\xff"), "", ""},
		{"a secret", swap(user, "{{question}}", "{{question}} "+newForge(1).openAI()), user + ":1:14: secret", "openai-api-key"},

		{"examples that are not JSON", example("[\n{]"), examples + ":2:2: json", "key in double quotes"},
		{"examples that are an object", example(`{"role": "user"}`), examples + ":1:1: json", "must be a JSON array"},
		{"an example that is a word", example("[\n  \"hi\",\n  {\"role\": \"assistant\", \"content\": \"a\"}]"), examples + ":2:3: examples", "message 1 must be an object"},
		{"an example of the system", example("[\n  {\"role\": \"system\", \"content\": \"a\"},\n  {\"role\": \"assistant\", \"content\": \"a\"}]"), examples + ":2:4: examples", `message 1 has the role "system"`},
		{"an example without text", example("[\n  {\"role\": \"assistant\"}]"), examples + ":2:3: examples", "message 1 has no content"},
		{"an example with a number", example("[\n  {\"role\": \"assistant\", \"content\": 1}]"), examples + ":2:25: examples", "content must be a string"},
		{"an example with null", example("[\n  {\"role\": \"assistant\", \"content\": null}]"), examples + ":2:25: examples", "content must be a string"},
		{"an example with a key too many", example("[\n  {\"role\": \"assistant\", \"content\": \"a\", \"name\": \"x\"}]"), examples + ":2:41: examples", `unknown key "name"`},
		{"an example in capitals", example("[\n  {\"role\": \"assistant\", \"content\": \"a\", \"Role\": \"user\"}]"), examples + ":2:41: examples", `unknown key "Role"`},
		{"the last example is the user's", example("[\n  {\"role\": \"assistant\", \"content\": \"a\"},\n  {\"role\": \"user\", \"content\": \"b\"}]"), examples + ":3:3: examples", "must be the assistant's"},
		{"a mistake inside an example", example("[\n  {\"role\": \"assistant\", \"content\": \"\\n\\u00e9\\ud83e\\udd80 \\\"{{more}}\"}]"), examples + ":2:60: variable-undeclared", "{{more}}"},
		{"a hidden character inside an example", example("[\n  {\"role\": \"assistant\", \"content\": \"\\n\\n\\u202eab\"}]"), examples + ":2:41: bidi", "U+202E"},
	}
	// Where two findings belong together.
	several := map[string][]string{
		"variables that are a list": {meta + ":6:3: metadata-type", system + ":1:28: variable-undeclared", user + ":1:1: variable-undeclared"},
		"a variable that is a word": {meta + ":7:5: metadata-type", system + ":1:28: untrusted-in-system"},
		"a byte that is not UTF-8":  {meta + ":8:5: variable-unused", user + ":2:1: encoding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := goodFiles()
			tt.change(&files)
			_, fs := Parse("support", files, texts(nil))
			want := several[tt.name]
			if want == nil {
				want = []string{tt.place}
			}
			if got := places(fs); !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q\n%v", got, want, fs)
			}
			if !strings.Contains(fs[0].Message, tt.message) || !Failed(fs) {
				t.Errorf("%q does not say %q", fs[0].Message, tt.message)
			}
		})
	}
}

// T11: a variable stands in the system message only if it is declared trusted.
func TestAVariableInTheSystemMessageMustBeTrusted(t *testing.T) {
	for _, declared := range []string{`{}`, `{"trusted": false}`, `{"type": "integer"}`, `{"default": "x"}`, `{"Trusted": false}`} {
		files := goodFiles()
		files.Metadata = []byte(strings.Replace(goodMeta, `{"trusted": true}`, declared, 1))
		_, fs := Parse("support", files, texts(nil))
		if !slices.ContainsFunc(fs, func(f Finding) bool { return f.Code == "untrusted-in-system" }) {
			t.Errorf("%s passes: %v", declared, fs)
		}
	}
	// An include does not smuggle one in.
	files := goodFiles()
	files.System = append(files.System, "{{> tone}}"...)
	_, fs := Parse("support", files, texts(map[string]string{"tone": "Answer {{question}}."}))
	if got := places(fs); !slices.Equal(got, []string{SystemFile + ":2:1: untrusted-in-system"}) {
		t.Error(got)
	}
}

func TestAllowLetsARuleBeBrokenForAReason(t *testing.T) {
	key := newForge(1).openAI()
	files := goodFiles()
	files.User = []byte(goodUser + "\u200f\u200d " + key + "\x00")
	files.Metadata = []byte(strings.Replace(goodMeta, `"model"`, `"allow": {"bidi": "Arabic", "openai-api-key": "an example", "control": "no"}, "model"`, 1))
	_, fs := Parse("support", files, texts(nil))
	if got := places(fs); !slices.Equal(got, []string{UserFile + ":2:2: zero-width", UserFile + ":2:168: control"}) {
		t.Error(got)
	}
}

func TestMetadataMayHoldWhatToolsWriteIntoIt(t *testing.T) {
	files := goodFiles()
	files.Metadata = []byte(strings.ReplaceAll(strings.Replace(goodMeta, `"model"`,
		`"previous_digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "author": "Zoë 🦀 <zoe@example.com>",
  "x-commit": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "includes": {"tone@^1": "1.2.3"}, "model"`, 1), "\n", "\r\n"))
	if _, fs := Parse("support", files, texts(nil)); len(fs) != 0 {
		t.Error(fs)
	}
}

func TestOneMistakeHidesNoOther(t *testing.T) {
	files := Files{
		Dir:      "p",
		System:   []byte("{{a}} \u202e {{b-}} {{> gone}}"),
		User:     []byte(""),
		Examples: []byte(`[{"role": "x", "content": 1}]`),
		Metadata: []byte(`{"version": "1", "created": "x", "Name": "x", "variables": {"a": {"typ": "x", "type": "y"}, "0": {}}, "parameters": []}`),
	}
	_, fs := Parse("p", files, texts(nil))
	var codes []string
	for _, f := range fs {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	want := []string{
		"bidi", "empty-file", "examples", "examples", "examples", "include", "metadata-key", "metadata-missing", "metadata-missing", "metadata-missing",
		"metadata-time", "metadata-type", "template", "too-short", "untrusted-in-system", "variable-key", "variable-name", "variable-type", "variable-unused", "version",
	}
	if !slices.Equal(codes, want) {
		t.Errorf("got  %q\nwant %q\n%v", codes, want, fs)
	}
}

// A hostile file must not cost minutes, nor fill the terminal.
func TestParseIsBounded(t *testing.T) {
	var variables strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&variables, `"v%d":{"x":1},`, i)
	}
	many := `{"name": "a", "version": "1.0.0", "description": "d", "model": "m", "variables": {` + variables.String() + `"z": {}}}`
	fill := func(s string) []byte { return []byte(strings.Repeat(s, MaxTextBytes/len(s))) }
	for name, files := range map[string]Files{
		"variables":     {System: fill("{{a}}"), Metadata: []byte(goodMeta)},
		"declarations":  {System: []byte(goodSystem), Metadata: []byte(many)},
		"open braces":   {System: fill("{{"), Metadata: []byte(goodMeta)},
		"mistakes":      {System: fill("{{-}}"), Metadata: []byte(goodMeta)},
		"includes":      {System: fill("{{> a}}"), Metadata: []byte(goodMeta)},
		"lost includes": {System: fill("{{> b}}"), Metadata: []byte(goodMeta)},
		"examples":      {System: []byte(goodSystem), Examples: []byte("[" + strings.Repeat("[],", 80_000) + "[]]"), Metadata: []byte(goodMeta)},
		"roles":         {System: []byte(goodSystem), Examples: []byte("[" + strings.Repeat(`{"role":"x"},`, 18_000) + `{}]`), Metadata: []byte(goodMeta)},
		"escapes":       {System: []byte(goodSystem), Examples: []byte(`[{"role":"assistant","content":"` + strings.Repeat(`\u202ea`, 30_000) + `"}]`), Metadata: []byte(goodMeta)},
		"depth":         {System: []byte(goodSystem), Metadata: []byte(strings.Repeat("[", 10_001))},
		"a long line":   {System: []byte(strings.Repeat("日", 80_000)), User: fill("{{q}}é"), Metadata: []byte(goodMeta)},
	} {
		t.Run(name, func(t *testing.T) {
			// What takes minutes here runs into go test's time limit.
			_, fs := Parse("support", files, texts(map[string]string{"a": ""}))
			if len(fs) == 0 || len(fs) > 6*maxRuns {
				t.Errorf("%d findings", len(fs))
			}
		})
	}
}

func TestFindingsBeyondTheTwentiethAreCounted(t *testing.T) {
	files := goodFiles()
	files.User = []byte(goodUser + strings.Repeat("{{more}}\n", 100))
	_, fs := Parse("support", files, texts(nil))
	if len(fs) != maxRuns || !strings.HasSuffix(fs[maxRuns-1].Message, "(and 80 more)") || fs[maxRuns-1].Line != 21 {
		t.Errorf("%d findings, the last: %+v", len(fs), fs[len(fs)-1])
	}
}

func TestParseSharedReadsATextLikeAPrompt(t *testing.T) {
	d, fs := ParseShared("_shared/billing/tone", "prompts/_shared/billing/tone.txt", []byte("Be {{kind}}. {{> base}}\n"), texts(map[string]string{"base": "{{x}}\n"}))
	if len(fs) != 0 || d.Prompt.Messages[0].Content != "Be {{kind}}. {{x}}\n" || len(d.Prompt.Variables) != 2 || len(d.Pins) != 0 {
		t.Errorf("got %+v, %v", d, fs)
	}
	if _, err := Compile(d.Prompt); err != nil {
		t.Error(err)
	}
	_, fs = ParseShared("_shared/tone", "prompts/_shared/tone.txt", []byte(" \n"), texts(nil))
	if len(fs) != 1 || fs[0].String() != "prompts/_shared/tone.txt:1:1: empty-file: the text is empty" {
		t.Error(fs)
	}
}

func TestFindingsAreSortedAndPrinted(t *testing.T) {
	fs := []Finding{
		{Path: "b", Line: 1, Col: 1, Code: "x"},
		{Path: "a", Line: 2, Col: 1, Code: "x"},
		{Path: "a", Line: 1, Col: 9, Code: "y"},
		{Path: "a", Line: 1, Col: 9, Code: "x", Message: "2"},
		{Path: "a", Line: 1, Col: 9, Code: "x", Message: "1"},
		{Path: "a", Code: "z", Severity: SeverityWarning},
	}
	SortFindings(fs)
	var s []string
	for _, f := range fs {
		s = append(s, f.String())
	}
	want := []string{"a:1:1: z: ", "a:1:9: x: 1", "a:1:9: x: 2", "a:1:9: y: ", "a:2:1: x: ", "b:1:1: x: "}
	if !slices.Equal(s, want) {
		t.Errorf("got %q", s)
	}
	if Failed(fs) || Failed(nil) || !Failed(append(fs, Finding{Severity: SeverityError})) {
		t.Error("a warning fails, or an error does not")
	}
}

// Whatever the metadata: Parse ends, each finding stands within its file, and
// a prompt without one can be compiled, rendered and digested.
func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(goodMeta), goodUser, []byte(`[{"role":"assistant","content":"{{question}}"}]`))
	f.Add([]byte(`{"name":"a","variables":{"a":{"requird":1},"A":null}}`), "{{a}}", []byte(`[{"role":"user","content":"\ud83e\udd80{{x}}"}]`))
	f.Add([]byte(`{"version":1,"Version":"1","tags":[1],"allow":{"bidi":""}}`), "\u202e{{> tone}}{{> tone@^1}}", []byte(`[{},1,null]`))
	f.Add([]byte(`{"parameters":{"a":1e400},"tools":{},"output_schema":[]}`), "\\{{> edge}}{{question}}", []byte(`{`))
	f.Add([]byte("[[[[\xff"), "{{> loop}}{{", []byte("\"\\ud800\""))
	f.Add([]byte(goodMeta), "{{> edge}}{{question}}", []byte(`[]`))
	f.Add([]byte(goodMeta), "{{> brace}}{question}}", []byte(``))
	include := texts(map[string]string{"tone": "Be kind.\n", "loop": "{{> loop}}", "edge": `\`, "brace": "{", "latin": "\xe9"})
	f.Fuzz(func(t *testing.T, meta []byte, user string, examples []byte) {
		files := Files{Dir: "d", System: []byte(goodSystem), User: []byte(user), Examples: examples, Metadata: meta}
		d, fs := Parse("support", files, include)
		for _, finding := range fs {
			data, ok := map[string][]byte{SystemFile: files.System, UserFile: files.User, ExamplesFile: examples, MetadataFile: meta}[path.Base(finding.Path)]
			if !ok || finding.Code == "" || finding.Message == "" || finding.Severity != SeverityError {
				t.Fatalf("%+v", finding)
			}
			lines := strings.Split(string(data), "\n")
			if finding.Line == 0 && finding.Code == "missing-file" {
				continue
			}
			if finding.Line < 1 || finding.Line > len(lines) || finding.Col < 1 || finding.Col > utf8.RuneCountInString(lines[finding.Line-1])+1 {
				t.Fatalf("%s is not in the file: %q", finding, data)
			}
		}
		if len(fs) > 0 {
			return
		}
		tmpl, err := Compile(d.Prompt)
		if err != nil {
			t.Fatalf("no finding, and %v", err)
		}
		digest, err := d.Prompt.Digest()
		if err != nil || len(digest) != len("sha256:")+64 {
			t.Fatalf("no finding, and %q, %v", digest, err)
		}
		if _, err := tmpl.Render(Vars{}); err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
		// What is kept in the registry is the same prompt.
		text, err := json.Marshal(d.Prompt)
		var back Prompt
		if err != nil || json.Unmarshal(text, &back) != nil {
			t.Fatal(err)
		}
		if again, err := back.Digest(); err != nil || again != digest {
			t.Fatalf("the digest %s became %s, %v", digest, again, err)
		}
		if cs := Compare(d.Prompt, back); len(cs) != 0 {
			t.Fatalf("it differs from itself: %v", cs)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	files := goodFiles()
	p, _ := prompt2KB()
	files.System = []byte(p.Messages[0].Content)
	files.User = []byte(p.Messages[1].Content)
	files.Examples = []byte(`[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]`)
	p.Variables["history"] = Variable{}
	declared, err := json.Marshal(p.Variables)
	if err != nil {
		b.Fatal(err)
	}
	files.Metadata = []byte(beforeVariables + string(declared) + "}")
	if _, fs := Parse("support", files, texts(nil)); len(fs) != 0 {
		b.Fatal(fs)
	}
	size := int64(len(files.System) + len(files.User) + len(files.Examples) + len(files.Metadata))
	b.Run("Parse", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			Parse("support", files, texts(nil))
		}
	})
	// The yardstick reads the same files from a disk that has them in memory,
	// and decodes the JSON.
	b.Run("yardstick=read+json", func(b *testing.B) {
		dir := b.TempDir()
		for name, data := range map[string][]byte{SystemFile: files.System, UserFile: files.User, ExamplesFile: files.Examples, MetadataFile: files.Metadata} {
			if err := os.WriteFile(path.Join(dir, name), data, 0o600); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			var m Metadata
			var examples []Message
			for name, v := range map[string]any{SystemFile: nil, UserFile: nil, ExamplesFile: &examples, MetadataFile: &m} {
				data, err := os.ReadFile(path.Join(dir, name))
				if err == nil && v != nil {
					err = json.Unmarshal(data, v)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func TestHiddenCharactersAreFoundBehindEscapes(t *testing.T) {
	files := goodFiles()
	files.Metadata = []byte(strings.Replace(goodMeta, `"name": "`, `"name": "\u202e`, 1))
	_, fs := Parse("support", files, texts(nil))
	if len(fs) != 1 || fs[0].Code != "bidi" || !strings.Contains(fs[0].Message, "as an escape") {
		t.Errorf("got %v", fs)
	}
}

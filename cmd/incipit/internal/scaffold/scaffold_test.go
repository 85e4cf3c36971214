package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var noon = Input{
	Now:    time.Date(2025, 3, 1, 13, 0, 0, 987, time.FixedZone("CET", 3600)),
	Author: "Author <author@example.com>",
}

// all returns the files of a workspace with one more prompt, by path.
func all(t *testing.T, in Input) map[string]string {
	t.Helper()
	workspace, err := Workspace(in)
	if err != nil {
		t.Fatal(err)
	}
	added, err := Prompt("prompts", "billing/refunds", in)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]string{}
	for _, f := range slices.Concat(workspace, added) {
		if _, twice := byPath[f.Path]; twice {
			t.Errorf("%s is made twice", f.Path)
		}
		byPath[f.Path] = string(f.Data)
	}
	return byPath
}

// prompts returns the folders that hold a system prompt.
func prompts(t *testing.T, made map[string]string) []string {
	t.Helper()
	var dirs []string
	for name := range made {
		if path.Base(name) == "system-prompt.txt" {
			dirs = append(dirs, path.Dir(name))
		}
	}
	if len(dirs) != 3 {
		t.Fatalf("prompts in %q, want 3", dirs)
	}
	slices.Sort(dirs)
	return dirs
}

func TestWorkspaceHoldsEveryFileInOrder(t *testing.T) {
	made, err := Workspace(noon)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range made {
		got = append(got, f.Path)
	}
	want := []string{
		".gitattributes",
		".github/workflows/prompts.yml",
		".gitlab-ci.yml",
		"README.md",
		"docs/deploying.md",
		"docs/rolling-back.md",
		"incipit.yaml",
		"prompts/customer-support/.prompt-metadata.json",
		"prompts/customer-support/system-prompt.txt",
		"prompts/customer-support/user-prompt.txt",
		"prompts/data-extraction/.prompt-metadata.json",
		"prompts/data-extraction/system-prompt.txt",
		"prompts/data-extraction/user-prompt.txt",
		"tests/customer-support.yaml",
		"tests/data-extraction.yaml",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPromptFollowsDirectoryAndID(t *testing.T) {
	made, err := Prompt("texts/llm/", "billing/refunds", noon)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range made {
		got = append(got, f.Path)
	}
	want := []string{
		"texts/llm/billing/refunds/system-prompt.txt",
		"texts/llm/billing/refunds/user-prompt.txt",
		"texts/llm/billing/refunds/.prompt-metadata.json",
		"tests/billing/refunds.yaml",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if text := string(made[3].Data); !strings.Contains(text, "suite of billing/refunds,") {
		t.Errorf("the suite does not name its prompt:\n%s", text)
	}
	for _, dir := range []string{"..", "/prompts", "a/../../b"} {
		if _, err := Prompt(dir, "greeting", noon); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("directory %q: error %v, want %v", dir, err, fs.ErrInvalid)
		}
	}
}

func TestDisplayName(t *testing.T) {
	for id, want := range map[string]string{
		"greeting":         "Greeting",
		"billing/refunds":  "Billing refunds",
		"a_b/c-d.e":        "A b c d e",
		"2fa":              "2fa",
		"customer-support": "Customer support",
	} {
		if got := displayName(id); got != want {
			t.Errorf("displayName(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestEveryFileIsPlainText(t *testing.T) {
	token := regexp.MustCompile(`@[A-Z]+@`)
	for name, text := range all(t, noon) {
		if !utf8.ValidString(text) {
			t.Errorf("%s is not UTF-8", name)
		}
		if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
			t.Errorf("%s does not end with one line feed", name)
		}
		if strings.ContainsAny(text, "\r\t\x00") {
			t.Errorf("%s holds a carriage return, a tab or a zero byte", name)
		}
		for i, line := range strings.Split(text, "\n") {
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s:%d: spaces at the end of the line", name, i+1)
			}
		}
		if left := token.FindString(text); left != "" {
			t.Errorf("%s still holds %s", name, left)
		}
	}
}

func TestPromptsAreASCIIAndWithinTheLimits(t *testing.T) {
	for name, text := range all(t, noon) {
		if path.Ext(name) != ".txt" {
			continue
		}
		for i := range len(text) {
			if c := text[i]; c != '\n' && (c < ' ' || c > '~') {
				t.Errorf("%s: byte %#x at offset %d", name, c, i)
			}
		}
		if n := len(text); n < 50 || n > 50_000 {
			t.Errorf("%s has %d characters, want 50 to 50,000", name, n)
		}
	}
}

func TestMetadataIsValidForAnyAuthor(t *testing.T) {
	authors := []string{
		"", "Author <author@example.com>", `"quoted" \ back\\slash \u0041`, "Zoë Ünal 李 🙂",
		"a\nb\tc\r\x00\x1f\x7f", "\u2028\u2029", `", "version": "9.9.9`, "@NOW@ @AUTHOR@ @ID@", "</script>&",
	}
	for _, author := range authors {
		in := Input{Now: noon.Now, Author: author}
		made := all(t, in)
		for _, dir := range prompts(t, made) {
			m := metadata(t, made, dir)
			version := "1.0.0"
			if strings.HasSuffix(dir, "billing/refunds") {
				version = "0.0.0" // not released yet: the first release names its version
			}
			for key, want := range map[string]any{
				"author": author, "maintainer": author, "version": version, "previous_version": nil,
				"created": "2025-03-01T12:00:00Z", "updated": "2025-03-01T12:00:00Z",
				"test_status": "not-run",
			} {
				if got, ok := m[key]; !ok || got != want {
					t.Errorf("%s: %s is %q, want %q", dir, key, got, want)
				}
			}
		}
	}
	// Bytes that are no text cannot be kept, but must not break the file either.
	made := all(t, Input{Author: "a\xff\xfeb"})
	if got := metadata(t, made, "prompts/data-extraction")["author"]; got != "a\ufffd\ufffdb" {
		t.Errorf("author %q", got)
	}
}

func TestAuthorStandsInJSONOnly(t *testing.T) {
	const author = "SOMEBODY <somebody@example.com>"
	for name, text := range all(t, Input{Author: author}) {
		if got, want := strings.Contains(text, author), path.Ext(name) == ".json"; got != want {
			t.Errorf("%s: holds the author %v, want %v", name, got, want)
		}
	}
}

func TestMetadataKeepsTheOrderOfKeys(t *testing.T) {
	want := []string{
		"name", "version", "description", "created", "updated", "author", "model",
		"context_window_used", "estimated_cost_per_1k", "performance_metrics", "change_notes", "tags",
		"previous_version", "test_status", "maintainer", "variables", "parameters",
	}
	made := all(t, noon)
	for _, dir := range prompts(t, made) {
		got := keys(t, made[dir+"/.prompt-metadata.json"])
		if dir == "prompts/data-extraction" {
			got = slices.DeleteFunc(got, func(k string) bool { return k == "output_schema" })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: keys %q, want %q", dir, got, want)
		}
	}
}

func TestVariablesAreDeclaredUsedAndTrusted(t *testing.T) {
	use := regexp.MustCompile(`\{\{([^{}]*)\}\}`)
	made := all(t, noon)
	for _, dir := range prompts(t, made) {
		used := map[string]bool{}
		declared := variables(t, made, dir)
		for _, file := range []string{"system-prompt.txt", "user-prompt.txt"} {
			text := made[dir+"/"+file]
			for _, m := range use.FindAllStringSubmatch(text, -1) {
				v, ok := declared[m[1]]
				used[m[1]] = true
				if !ok {
					t.Errorf("%s/%s: {{%s}} is not declared", dir, file, m[1])
				}
				if inSystem := file == "system-prompt.txt"; v.Trusted != inSystem {
					t.Errorf("%s/%s: {{%s}} has trusted %v", dir, file, m[1], v.Trusted)
				}
			}
			if rest := use.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
				t.Errorf("%s/%s: a brace outside of a variable", dir, file)
			}
		}
		for name, v := range declared {
			if !used[name] {
				t.Errorf("%s: %s is declared and not used", dir, name)
			}
			if v.Type != "string" || v.MaxLength <= 0 || v.Description == "" {
				t.Errorf("%s: %s lacks a type, a limit or a description: %+v", dir, name, v)
			}
			if v.Required == (v.Default != nil) {
				t.Errorf("%s: %s must be required or have a default: %+v", dir, name, v)
			}
			if v.Default != nil && len(*v.Default) > v.MaxLength {
				t.Errorf("%s: the default of %s is longer than allowed", dir, name)
			}
		}
	}
}

func TestContextEstimateMatchesTheText(t *testing.T) {
	made := all(t, noon)
	for _, dir := range prompts(t, made) {
		// Four characters a token, give or take a fifth.
		tokens := float64(len(made[dir+"/system-prompt.txt"])+len(made[dir+"/user-prompt.txt"])) / 4
		stated, ok := metadata(t, made, dir)["context_window_used"].(float64)
		if !ok || stated < 0.8*tokens || stated > 1.2*tokens {
			t.Errorf("%s: context_window_used %.0f, the text has about %.0f tokens", dir, stated, tokens)
		}
	}
}

// TestOutputSchemaSuitsStrictMode: the providers' strict modes want every
// object closed and every property required.
func TestOutputSchemaSuitsStrictMode(t *testing.T) {
	type node struct {
		Type       any             `json:"type"` // a string or a list of strings
		Properties map[string]node `json:"properties"`
		Required   []string        `json:"required"`
		Additional *bool           `json:"additionalProperties"`
		Items      *node           `json:"items"`
	}
	var m struct {
		Schema node `json:"output_schema"`
	}
	text := all(t, noon)["prompts/data-extraction/.prompt-metadata.json"]
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	objects := 0
	var walk func(where string, n node)
	walk = func(where string, n node) {
		if n.Type == "object" {
			objects++
			got, want := slices.Sorted(slices.Values(n.Required)), slices.Sorted(maps.Keys(n.Properties))
			if !slices.Equal(got, want) {
				t.Errorf("%s: required %q, want %q", where, got, want)
			}
			if n.Additional == nil || *n.Additional {
				t.Errorf("%s: additionalProperties is not false", where)
			}
		}
		for name, p := range n.Properties {
			walk(where+"."+name, p)
		}
		if n.Items != nil {
			walk(where+"[]", *n.Items)
		}
	}
	walk("output_schema", m.Schema)
	if objects != 2 {
		t.Errorf("%d objects seen, want the document and its line items", objects)
	}
}

type variable struct {
	Type        string  `json:"type"`
	Required    bool    `json:"required"`
	Default     *string `json:"default"`
	MaxLength   int     `json:"max_length"`
	Trusted     bool    `json:"trusted"`
	Description string  `json:"description"`
}

func variables(t *testing.T, made map[string]string, dir string) map[string]variable {
	t.Helper()
	var m struct {
		Variables map[string]variable `json:"variables"`
	}
	if err := json.Unmarshal([]byte(made[dir+"/.prompt-metadata.json"]), &m); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return m.Variables
}

func metadata(t *testing.T, made map[string]string, dir string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(made[dir+"/.prompt-metadata.json"]), &m); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return m
}

// keys returns the keys of the JSON object in text, in their order and with repetitions.
func keys(t *testing.T, text string) []string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var out []string
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		key, ok := token.(string)
		if !ok {
			t.Fatalf("%v is no key", token)
		}
		out = append(out, key)
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// refusal is a suite and the one error it has, as path:line:col: code.
type refusal struct{ name, archive, want string }

// passes is a test that nothing is wrong with.
const passes = "tests: [{vars: {a: 1}, assert: [{type: equals, value: a}]}]\n"

func refusals() []refusal {
	return []refusal{
		// what is always refused
		{"an empty file", "-- c.yaml --\n", "c.yaml:1:1: no-cases"},
		{"a suite without tests", "-- c.yaml --\ndescription: x\n", "c.yaml:1:1: no-cases"},
		{"an empty list of tests", "-- c.yaml --\ntests: []\n", "c.yaml:1:1: no-cases"},
		{"a file of tests with no row", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n", "c.yaml:1:1: no-cases"},
		{"a suite that is a text", "-- c.yaml --\nhello\n", "c.yaml:1:1: shape"},
		{"two documents", "-- c.yaml --\n" + passes + "---\n" + passes, "c.yaml:2:1: documents"},
		{"a tab as indentation", "-- c.yaml --\ntests:\n\t- a\n", "c.yaml:2:1: yaml"},
		{"a custom tag", "-- c.yaml --\ntests: !!python/object:os.system [x]\n", "c.yaml:1:8: tag"},
		{"a duplicate key", "-- c.yaml --\n" + passes + passes, "c.yaml:2:1: duplicate-key"},
		{"an anchor that contains itself", "-- c.yaml --\ntests: &a [*a]\n", "c.yaml:1:12: alias"},
		{"5,001 variables", "-- c.yaml --\ntests:\n- vars: {" + manyKeys(5001) + "}\n", "c.yaml:2:9: too-large"},
		{"5,001 variables of two mappings", "-- c.yaml --\nx-a: &a {" + manyKeys(5000) + "}\ntests:\n- vars: {<<: *a, one: 1}\n", "c.yaml:3:9: too-large"},
		{"65 levels", "-- c.yaml --\ntests: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "\n", "c.yaml:1:72: too-deep"},
		{"10,001 brackets", "-- c.yaml --\ntests: " + strings.Repeat("[", 10_001) + "\n", "c.yaml:1:1: yaml"},
		{"a reference that contains itself", "-- c.yaml --\nassertionTemplates: {a: {x: {$ref: '#/assertionTemplates/a'}}}\n" + passes, "c.yaml:1:36: reference"},
		{"a reference to nothing", "-- c.yaml --\ntests: [{assert: [{$ref: '#/assertionTemplates/a'}]}]\n", "c.yaml:1:26: reference"},
		{"a file outside", "-- c.yaml --\ntests: file:///etc/passwd\n", "c.yaml:1:8: outside"},
		{"a file above", "-- c.yaml --\ntests: file://../x.csv\n", "c.yaml:1:8: outside"},
		{"a variable outside", "-- c.yaml --\ntests:\n  - vars:\n      a: file:///etc/passwd\n    assert: [{type: equals, value: a}]\n", "c.yaml:3:10: outside"},
		{"a path of Windows", `-- c.yaml --` + "\n" + `tests: 'file://C:\x.csv'` + "\n", "c.yaml:1:8: outside"},
		{"a file of Git", "-- c.yaml --\ntests: [{assert: [{type: equals, value: file://.git/config.txt}]}]\n", "c.yaml:1:41: outside"},
		{"a file that is not there", "-- c.yaml --\ntests: t.csv\n", "c.yaml:1:8: missing"},
		{"a directory as a file", "-- c.yaml --\ntests: d.csv\n-- d.csv/x --\n", "c.yaml:1:8: not-a-file"},
		{"a pattern that matches nothing", "-- c.yaml --\ntests: [t/*.csv]\n", "c.yaml:1:9: no-match"},
		{"a pattern of a variable that matches nothing", "-- c.yaml --\ntests: [{vars: {a: 'file://t/*.txt'}, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:20: no-match"},
		{"a data set of the network", "-- c.yaml --\ntests: https://example.com/t.csv\n", "c.yaml:1:8: remote"},
		{"a data set of a hub", "-- c.yaml --\ntests: ['huggingface://datasets/x']\n", "c.yaml:1:9: remote"},
		{"a program that makes tests", "-- c.yaml --\ntests: file://t.py:make\n-- t.py --\n", "c.yaml:1:8: unsupported"},
		{"a program that makes a variable", "-- c.yaml --\ntests: [{vars: {a: file://v.js}, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:20: unsupported"},
		{"a picture as a variable", "-- c.yaml --\ntests: [{vars: {a: file://v.png}, assert: [{type: equals, value: a}]}]\n-- v.png --\n", "c.yaml:1:20: unsupported"},
		{"a scoring function", "-- c.yaml --\ntests: [{assert: [{type: equals, value: a}], assertScoringFunction: 'file://s.js'}]\n", "c.yaml:1:46: unsupported"},
		{"an assertion type that cannot be checked", "-- c.yaml --\ntests: [{assert: [{type: moderation}]}]\n", "c.yaml:1:26: unsupported"},
		{"an assertion type that is none", "-- c.yaml --\ntests: [{assert: [{type: containz, value: a}]}]\n", "c.yaml:1:26: unknown-type"},
		{"an assertion without a type", "-- c.yaml --\ntests: [{assert: [{value: a}]}]\n", "c.yaml:1:19: shape"},
		{"an empty assert-set", "-- c.yaml --\ntests: [{assert: [{type: assert-set, assert: []}]}]\n", "c.yaml:1:19: no-assertion"},
		{"a key that would be an assertion", "-- c.yaml --\ntests: [{asserts: [{type: equals, value: a}]}, {assert: [{type: equals, value: a}]}]\n", "c.yaml:1:10: unknown-key"},
		{"assert among the variables", "-- c.yaml --\ntests: [{vars: {assert: [{type: equals}]}}, {assert: [{type: equals, value: a}]}]\n", "c.yaml:1:25: assert-in-vars"},
		{"a threshold that is a text", "-- c.yaml --\ntests: [{threshold: high, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:21: shape"},
		{"a negative weight", "-- c.yaml --\ntests: [{assert: [{type: equals, value: a, weight: -1}]}]\n", "c.yaml:1:52: range"},
		{"an infinite threshold", "-- c.yaml --\ntests: [{threshold: .inf, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:21: shape"},
		{"too many cases", "-- c.yaml --\ntests:\n  - vars: {a: &l [" + strings.Repeat("x,", 47) + "], b: *l, c: *l}\n    assert: [{type: equals, value: a}]\n", "c.yaml:2:5: too-large"},
		{"a CSV with unbalanced quotes", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n1,b\n\"2,b\n3,b\n", "t.csv:3:1: csv"},
		{"a CSV with text behind a quote", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n\"1\"x,b\n", "t.csv:2:1: csv"},
		{"a CSV with a short row", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n1\n", "t.csv:2:1: csv"},
		{"a CSV with a column twice", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected,__expected\n1,2,3\n", "t.csv:1:1: csv"},
		{"a CSV with one underscore", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,_expected,__expected\n1,2,3\n", "t.csv:1:1: csv"},
		{"a CSV with prepared outputs", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__providerOutput,__expected\n1,2,3\n", "t.csv:1:1: csv"},
		{"a CSV with a threshold that is none", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__threshold,__expected\n1,high,3\n", "t.csv:2:1: range"},
		{"a CSV with an open quote in a value", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n1,\"contains-any: \"\"x\"\n", "t.csv:2:1: csv"},
		{"a CSV with a type that cannot be checked", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n1,moderation\n", "t.csv:2:1: unsupported"},
		{"bytes that are no UTF-8", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n\xff,x\n", "c.yaml:1:8: encoding"},
		{"JSONL with a broken line", "-- c.yaml --\ntests: t.jsonl\n-- t.jsonl --\n{\"assert\": [{\"type\": \"equals\", \"value\": \"a\"}]}\n{\"vars\": \n", "t.jsonl:2:10: json"},
		{"JSON with a key twice", "-- c.yaml --\ntests: t.json\n-- t.json --\n[{\"vars\": {},\n  \"vars\": {}}]\n", "t.json:2:3: json"},
		{"JSON with more behind it", "-- c.yaml --\ntests: t.json\n-- t.json --\n[] []\n", "t.json:1:4: json"},
		{"a variable of the environment", "-- c.yaml --\ntests: [{vars: {a: '{{env.SECRET}}'}, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:20: environment"},
		{"an expression over the environment", "-- c.yaml --\ntests: [{vars: {a: '{% if env.SECRET %}x{% endif %}'}, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:20: environment"},
		{"the environment in a CSV", "-- c.yaml --\ntests: t.csv\n-- t.csv --\na,__expected\n{{ env.SECRET }},x\n", "t.csv:2:1: environment"},
		{"a sample", "-- c.yaml --\ncommandLineOptions: {filterSample: 3}\n" + passes, "c.yaml:1:22: unsupported"},
		{"an extension", "-- c.yaml --\nextensions: ['file://x.js:f']\n" + passes, "c.yaml:1:1: unsupported"},
		{"a scenario without data", "-- c.yaml --\nscenarios: [{tests: [{assert: [{type: equals, value: a}]}]}]\n", "c.yaml:1:13: no-cases"},
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1, ", i)
	}
	return b.String()
}

// onlyError is the place and code of the one error, and the whole error if
// there are more.
func onlyError(t *testing.T, err error) string {
	t.Helper()
	var places []string
	for _, f := range findingsOf(t, err) {
		if f.Severity == prompt.SeverityError {
			places = append(places, fmt.Sprintf("%s:%d:%d: %s", f.Path, max(f.Line, 1), max(f.Col, 1), f.Code))
		}
	}
	if len(places) != 1 {
		return err.Error()
	}
	return places[0]
}

func canCheck(name string) bool { return typeNames[name] && name != "moderation" }

func TestWhatIsAlwaysRefused(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, c := range refusals() {
			t.Run(fmt.Sprintf("%s, strict %v", c.name, strict), func(t *testing.T) {
				_, err := Load(filesOf(c.archive), "c.yaml", LoadOptions{Strict: strict, KnownType: canCheck})
				if got := onlyError(t, err); got != c.want {
					t.Errorf("the error is %s, want %s", got, c.want)
				}
			})
		}
	}
}

func TestWhatIsRefusedWhereStrict(t *testing.T) {
	for _, c := range []refusal{
		{"an unknown key", "-- c.yaml --\nmood: good\n" + passes, "c.yaml:1:1: unknown-key"},
		{"a misspelled key", "-- c.yaml --\nproviderz: x\n" + passes, "c.yaml:1:1: unknown-key"},
		{"an unknown key of a test", "-- c.yaml --\ntests: [{mood: x, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:10: unknown-key"},
		{"an unknown key of an assertion", "-- c.yaml --\ntests: [{assert: [{type: equals, value: a, mood: x}]}]\n", "c.yaml:1:44: unknown-key"},
		{"a misspelled option", "-- c.yaml --\ntests: [{assert: [{type: equals, value: a}], options: {prefxi: x}}]\n", "c.yaml:1:56: unknown-key"},
		{"a test without an assertion", "-- c.yaml --\ntests: [{vars: {a: 1}}]\n", "c.yaml:1:9: no-assertion"},
		{"a threshold above 1", "-- c.yaml --\ntests: [{threshold: 80, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:21: range"},
		{"a similarity above 1", "-- c.yaml --\ntests: [{assert: [{type: similar, value: a, threshold: 8}]}]\n", "c.yaml:1:56: range"},
		{"${} in a suite", "-- c.yaml --\ntests: [{vars: {a: '${SECRET}'}, assert: [{type: equals, value: a}]}]\n", "c.yaml:1:20: environment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(filesOf(c.archive), "c.yaml", LoadOptions{Strict: true})
			if got := onlyError(t, err); got != c.want {
				t.Errorf("the error is %s, want %s", got, c.want)
			}
			s, err := Load(filesOf(c.archive), "c.yaml", LoadOptions{})
			if err != nil {
				if strings.HasSuffix(c.want, "range") {
					t.Errorf("a range that promptfoo takes is refused: %v", err)
				}
				t.Fatal(err)
			}
			if !strings.HasSuffix(c.want, "range") && (len(s.Notices) != 1 || s.Notices[0].Severity != prompt.SeverityWarning) {
				t.Errorf("the notices are %v, want one", s.Notices)
			}
		})
	}
}

func TestWhatAWorkspacesSuiteMayNotBring(t *testing.T) {
	for _, c := range []refusal{
		{"prompts", "-- c.yaml --\nprompts: [p]\n" + passes, "c.yaml:1:10: brings-prompts"},
		{"providers", "-- c.yaml --\nproviders: [echo]\n" + passes, "c.yaml:1:12: brings-prompts"},
		{"a provider of one test", "-- c.yaml --\ntests: [{provider: 'exec:rm', assert: [{type: equals, value: a}]}]\n", "c.yaml:1:20: brings-prompts"},
		{"a program that judges", "-- c.yaml --\ntests: [{assert: [{type: llm-rubric, value: a, provider: 'exec:rm -rf /'}]}]\n", "c.yaml:1:58: exec"},
		{"a program that judges all", "-- c.yaml --\ndefaultTest: {options: {provider: {text: {id: 'exec:x'}}}}\n" + passes, "c.yaml:1:42: exec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(filesOf(c.archive), "c.yaml", LoadOptions{Strict: true})
			if got := onlyError(t, err); got != c.want {
				t.Errorf("the error is %s, want %s", got, c.want)
			}
		})
	}
}

func TestAProgramIsAProviderOnlyWhereAllowed(t *testing.T) {
	files := filesOf("-- c.yaml --\nprompts: [p]\nproviders: ['exec:./answer']\n" + passes)
	_, err := Load(files, "c.yaml", LoadOptions{Prompts: true})
	if got := onlyError(t, err); got != "c.yaml:2:13: exec" {
		t.Errorf("the error is %s", got)
	}
	if _, err := Load(files, "c.yaml", LoadOptions{Prompts: true, Exec: true}); err != nil {
		t.Error(err)
	}
}

func TestTheEnvironmentIsAskedByAllowListOnly(t *testing.T) {
	archive := `
-- c.yaml --
env: {REGION: eu, KEY: "{{env.TEAM}}-key"}
prompts: ["From {{ env.REGION }} for {{ env['TEAM'] }}: {{q}} {{ env.NONE | default('x', true) }}"]
providers: [{id: "openai:chat:m", config: {apiBaseUrl: "https://${TEAM}.example.com", key: "{{env.KEY}}"}}]
tests: [{vars: {q: "{{env.TEAM}}", shell: "${OTHER}"}, assert: [{type: javascript, value: "` + "`${OUTPUT}`" + `"}]}]
`
	getenv := func(name string) (string, bool) { return "core{{env.SECRET}}", name == "TEAM" }
	s, err := Load(filesOf(archive), "c.yaml", LoadOptions{Prompts: true, Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "prompt", s.Prompts[0].Text, "From eu for core{{env.SECRET}}: {{q}} x")
	equal(t, "config", s.Providers[0].Config, map[string]any{"apiBaseUrl": "https://core{{env.SECRET}}.example.com", "key": "core{{env.SECRET}}-key"})
	equal(t, "vars", s.Cases[0].Vars, map[string]any{"q": "core{{env.SECRET}}", "shell": "${OTHER}"})
	equal(t, "script", s.Cases[0].Asserts[0].Value, any("`${OUTPUT}`"))
}

func TestNoErrorTellsASecret(t *testing.T) {
	t.Setenv("INCIPIT_TEST_SECRET", "hunter2")
	for _, value := range []string{"{{env.INCIPIT_TEST_SECRET}}", "${INCIPIT_TEST_SECRET}", "{{ env['INCIPIT_TEST_SECRET'] | upper }}"} {
		_, err := Load(filesOf("-- c.yaml --\nproviders: [{id: x, config: {key: \""+value+"\"}}]\n"+passes), "c.yaml", LoadOptions{Prompts: true})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "c.yaml:1:35: environment") {
			t.Errorf("for %s the error is %v", value, err)
		}
	}
}

func TestAllThatIsWrongIsTold(t *testing.T) {
	_, err := Load(filesOf(`
-- c.yaml --
mood: x
tests:
  - assert: [{type: containz, value: a}]
  - threshold: 7
    assert: [{type: equals, value: "\u202e"}, {type: "\u202e"}]
`), "c.yaml", LoadOptions{Strict: true})
	equal(t, "the error", err.Error(), `the suite c.yaml cannot be run:
  c.yaml:1:1: unknown-key: "mood" is no key of a suite; remove it; keys that begin with x- are left alone
  c.yaml:3:21: unknown-type: "containz" is no assertion type; did you mean contains?
  c.yaml:4:16: range: threshold is 7; it must be from 0 to 1
  c.yaml:5:54: unknown-type: "⟨U+202E⟩" is no assertion type; the types are those of promptfoo: contains, regex, is-json, javascript, llm-rubric, …`)
}

func TestAThousandMistakesAreToldOnce(t *testing.T) {
	_, err := Load(filesOf("-- c.yaml --\ntests:\n"+strings.Repeat("  - {mood: x}\n", 2000)), "c.yaml", LoadOptions{Strict: true})
	if found := findingsOf(t, err); len(found) != maxFindings+1 || found[maxFindings].Code != "more" {
		t.Errorf("%d findings are told, want %d and how many more", len(found), maxFindings)
	}
}

func TestValidateIsAsked(t *testing.T) {
	validate := func(a assertion.Assertion) error {
		if a.Value == "(" {
			return errors.New("the pattern does not end")
		}
		return nil
	}
	_, err := Load(filesOf("-- c.yaml --\ntests: [{assert: [{type: regex, value: ok}, {type: assert-set, assert: [{type: regex, value: '('}]}]}]\n"), "c.yaml", LoadOptions{Validate: validate})
	if err == nil || !strings.Contains(err.Error(), "c.yaml:1:80: assertion: the pattern does not end") {
		t.Errorf("the error is %v", err)
	}
}

func TestABombIsRefused(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		was := string(c - 1)
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat("*"+was+",", 10))
	}
	if len(bomb) > 600 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	_, err := Load(filesOf("-- c.yaml --\n"+bomb+passes), "c.yaml", LoadOptions{})
	if findings := findingsOf(t, err); findings[0].Code != "alias" {
		t.Errorf("the error is %v", err)
	}
}

func TestALargeFileIsRefusedUnread(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"c.yaml", "t.csv", "t.jsonl"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(1 << 30); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, suite := range map[string]string{"a.yaml": "tests: t.csv\n", "b.yaml": "tests: t.jsonl\n", "c.yaml": ""} {
		if suite != "" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(suite), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files := &counting{FS: os.DirFS(dir)}
		_, err := Load(files, name, LoadOptions{})
		if got := onlyError(t, err); !strings.HasSuffix(got, ": too-large") {
			t.Errorf("%s: the error is %s", name, got)
		}
		for opened := range files.opened {
			if opened != name || suite == "" {
				t.Errorf("%s was opened", opened)
			}
		}
	}
}

// counting notes what is opened.
type counting struct {
	fs.FS
	opened map[string]bool
}

func (c *counting) Open(name string) (fs.File, error) {
	if c.opened == nil {
		c.opened = map[string]bool{}
	}
	c.opened[name] = true
	return c.FS.Open(name)
}

func (c *counting) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.FS, name) }

func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"secret.csv": "a,__expected\n1,2\n", "d/t.csv": "a,__expected\n1,2\n", "c.yaml": "tests: link.csv\n", "b.yaml": "tests: e/t.csv\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link.csv": "secret.csv", "e": "d"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"b.yaml", "c.yaml"} {
		_, err := Load(os.DirFS(dir), name, LoadOptions{})
		if got := onlyError(t, err); got != name+":1:8: link" {
			t.Errorf("the error is %s", got)
		}
	}
}

func TestAFileOfManyValuesIsRefusedUnparsed(t *testing.T) {
	files := fstest.MapFS{
		"c.yaml": {Data: []byte("tests: t.yaml\n")},
		"t.yaml": {Data: []byte("[" + strings.Repeat("a,", maxMarks) + "]")},
	}
	_, err := Load(files, "c.yaml", LoadOptions{})
	if got := onlyError(t, err); got != "t.yaml:1:1: too-large" {
		t.Errorf("the error is %s", got)
	}
}

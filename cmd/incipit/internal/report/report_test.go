package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// forms are all that a report is written as, by the name of the golden file.
func forms(t interface{ Fatal(...any) }, r Report) map[string][]byte {
	must := func(doc []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	var text, verbose bytes.Buffer
	if err := r.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Text(&verbose, TextOptions{Width: 60, Verbose: true}); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"report.txt": text.Bytes(), "verbose.txt": verbose.Bytes(), "report.md": r.Markdown(),
		"report.json": must(r.JSON()), "junit.xml": must(r.JUnit()), "report.sarif": must(r.SARIF("1.0.0")), "report.html": must(r.HTML()),
	}
}

// UPDATE=1 writes the golden files anew; look at what changed.
func TestEachFormIsAsItWas(t *testing.T) {
	for name, got := range forms(t, sample()) {
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

func TestTheOrderOfFinishingDoesNotShow(t *testing.T) {
	want := forms(t, sample())
	rapid.Check(t, func(t *rapid.T) {
		r := sample()
		r.Prompts = rapid.Permutation(r.Prompts).Draw(t, "prompts")
		for i := range r.Prompts {
			for _, run := range []*Run{r.Prompts[i].Run, r.Prompts[i].BaseRun} {
				if run != nil {
					run.Cases = rapid.Permutation(run.Cases).Draw(t, "cases")
				}
			}
		}
		r.Sort()
		r.Judge()
		for name, doc := range forms(t, r) {
			if !bytes.Equal(doc, want[name]) {
				t.Fatalf("%s differs:\n%s", name, cmp.Diff(string(want[name]), string(doc)))
			}
		}
	})
}

func TestAReportIsReadAsItWasWritten(t *testing.T) {
	want := sample()
	doc, err := want.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	want.Schema = Schema
	again, err := got.JSON()
	if err != nil || !bytes.Equal(doc, again) {
		t.Errorf("written again it differs (%v)", err)
	}
	if got.Verdict != want.Verdict || len(got.Prompts) != 2 || got.Prompts[1].Compared.Cases != 40 {
		t.Errorf("%+v", got)
	}
}

func TestReportsThatWereTouchedAreRefused(t *testing.T) {
	doc, err := sample().JSON()
	if err != nil {
		t.Fatal(err)
	}
	good := string(doc)
	for _, c := range []struct{ name, doc string }{
		{"nothing", ""},
		{"not JSON", "report"},
		{"cut off", good[:len(good)/2]},
		{"something behind it", good + "{}"},
		{"without its last newline", strings.TrimSpace(good)},
		{"a name twice", strings.Replace(good, `"mode": "replay"`, `"mode": "live", "mode": "replay"`, 1)},
		{"a name in other case", strings.Replace(good, `"mode"`, `"Mode"`, 1)},
		{"a name that is not known", strings.Replace(good, `"mode"`, `"modus"`, 1)},
		{"another schema", strings.Replace(good, `"schema": 1`, `"schema": 2`, 1)},
		{"another type", strings.Replace(good, `"mode": "replay"`, `"mode": 7`, 1)},
		{"deeply nested", strings.Repeat("[", 100_000)},
		{"too large", strings.Repeat(" ", MaxBytes+1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Read([]byte(c.doc)); !errors.Is(err, prompt.ErrInvalid) {
				t.Errorf("%v", err)
			} else if len(err.Error()) > 500 {
				t.Errorf("the error is long: %s", err)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	tested := func(outcomes string) Prompt { return Prompt{ID: "a", Version: "1.0.0", Run: run("a@1.0.0", outcomes)} }
	with := func(p Prompt, change func(*Prompt)) Prompt {
		change(&p)
		return p
	}
	broken := func(kind string) Prompt {
		return with(tested("pe"), func(p *Prompt) { p.Run.Cases[1].Failure.Kind = kind })
	}
	finding := func(s prompt.Severity) func(*Prompt) {
		return func(p *Prompt) { p.Findings = []prompt.Finding{{Code: "length", Severity: s}} }
	}
	verdict := func(v compare.Verdict, gated bool) func(*Prompt) {
		return func(p *Prompt) {
			p.Compared = &compare.Result{Metrics: []compare.Metric{{Name: "pass", Gated: gated, Verdict: v, Why: "it is"}}}
		}
	}
	most := .6
	for _, c := range []struct {
		name     string
		prompts  []Prompt
		want     Verdict
		warnings int
	}{
		{"all pass", []Prompt{tested("pppp")}, Passed, 0},
		{"one failed", []Prompt{tested("ppfp")}, Refused, 0},
		{"one failed, and enough passed", []Prompt{with(tested("ppfp"), func(p *Prompt) { p.Run.Threshold = &most })}, Passed, 1},
		{"two failed, and too few passed", []Prompt{with(tested("pfff"), func(p *Prompt) { p.Run.Threshold = &most })}, Refused, 0},
		{"the provider was away", []Prompt{tested("ppep")}, Unavailable, 0},
		{"a fault beside an absence", []Prompt{tested("pfe")}, Refused, 0},
		{"a script that broke is no absence", []Prompt{broken("script")}, Refused, 0},
		{"a cassette that is missing is no absence", []Prompt{broken("missing")}, Refused, 0},
		{"a budget that was spent is no absence", []Prompt{broken("over-budget")}, Refused, 0},
		{"a failure without a reason is no absence", []Prompt{with(tested("e"), func(p *Prompt) { p.Run.Cases[0].Failure = nil })}, Refused, 0},
		{"an outcome that is not known is no pass", []Prompt{with(tested("p"), func(p *Prompt) { p.Run.Cases[0].Outcome = "" })}, Refused, 0},
		{"invalid comes first", []Prompt{tested("f"), with(tested("e"), finding(prompt.SeverityError))}, Invalid, 0},
		{"a warning of validation decides nothing", []Prompt{with(tested("p"), finding(prompt.SeverityWarning))}, Passed, 0},
		{"regress", []Prompt{with(tested("p"), verdict(compare.Regressed, true))}, Refused, 0},
		{"regress of what only warns", []Prompt{with(tested("p"), verdict(compare.Regressed, false))}, Passed, 1},
		{"inconclusive", []Prompt{with(tested("p"), verdict(compare.Inconclusive, true))}, Passed, 1},
		{"the provider was away for the base", []Prompt{with(tested("p"), func(p *Prompt) { p.BaseRun = run("a@0.9.0", "e") })}, Unavailable, 0},
		{"nothing at all", nil, Refused, 0},
		{"a suite without a case", []Prompt{tested("")}, Refused, 0},
		{"a prompt that nothing was asked of", []Prompt{{ID: "a"}}, Refused, 0},
		{"a prompt that is not tested, and why", []Prompt{{ID: "a", Untested: []string{"it has no suite"}}}, Passed, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Report{Prompts: c.prompts}
			r.Sort()
			r.Judge()
			if r.Verdict != c.want || len(r.Warnings) != c.warnings {
				t.Errorf("%s, want %s: %q, %q", r.Verdict, c.want, r.Reasons, r.Warnings)
			}
			if (r.Verdict == Passed) != (len(r.Reasons) == 0) {
				t.Errorf("%s for the reasons %q", r.Verdict, r.Reasons)
			}
			before := slices.Clone(r.Warnings)
			r.Judge()
			if d := cmp.Diff(before, r.Warnings); d != "" {
				t.Error("judged again, it says something else:\n" + d)
			}
		})
	}
	r := Report{Nothing: "no prompt changed"}
	if r.Judge(); r.Verdict != Passed {
		t.Error("a change that touches no prompt is refused")
	}
}

func TestRepeatsThatDisagreeAreFlaky(t *testing.T) {
	r := run("a", "pfep")
	for i := range r.Cases {
		r.Cases[i].Number, r.Cases[i].Repeat = 1+i/2, i%2
	}
	r.Sort()
	// The second cell is an error and a pass: that is no change of mind.
	if r.Flaky != 1 || r.Passed != 2 || r.Failed != 1 || r.Errors != 1 {
		t.Errorf("%+v", r)
	}
}

func TestJUnitSaysWhy(t *testing.T) {
	doc, err := sample().JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range got.Suites {
		for _, c := range s.Cases {
			if c.Failure != nil {
				texts = append(texts, "failure: "+c.Failure.Message)
			}
			if c.Error != nil {
				texts = append(texts, "error: "+c.Error.Message)
			}
		}
	}
	want := []string{
		"failure: temperature is not a number",
		`failure: not-contains: the output contains "refund"`,
		"error: unavailable: openai:chat: overloaded (HTTP 503); try: try again later",
	}
	if d := cmp.Diff(want, texts[:3]); d != "" {
		t.Error(d)
	}
	if got.Failures+got.Errors != len(texts) {
		t.Errorf("%d failures and %d errors are counted, %d told", got.Failures, got.Errors, len(texts))
	}
}

func TestFindingsAreSARIFAsBefore(t *testing.T) {
	doc, err := json.Marshal(SARIFOf(sample().Prompts[0].Findings, "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"tool":{"driver":{"name":"incipit","version":"1.0.0","rules":[{"id":"metadata"}]}},"columnKind":"unicodeCodePoints","results":[{"ruleId":"metadata","level":"error","message":{"text":"temperature is not a number\nwrite 0.2"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"prompts/billing/refunds/.prompt-metadata.json"},"region":{"startLine":4,"startColumn":3}}}]}]}]}`
	if d := cmp.Diff(want, string(doc)); d != "" {
		t.Error(d)
	}
}

func TestAWriterThatFailsIsTold(t *testing.T) {
	if err := sample().Text(failing{}, TextOptions{}); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func BenchmarkForms(b *testing.B) {
	r := sample()
	one := r.Prompts[1].Run.Cases
	r.Prompts[1].Run.Cases = slices.Repeat(one, 2_500) // 10,000 cases
	for i := range r.Prompts[1].Run.Cases {
		r.Prompts[1].Run.Cases[i].Number = i + 1
	}
	r.Sort()
	for name, write := range map[string]func() ([]byte, error){
		"text":     func() ([]byte, error) { return nil, r.Text(io.Discard, TextOptions{}) },
		"markdown": func() ([]byte, error) { return r.Markdown(), nil },
		"json":     r.JSON, "junit": r.JUnit, "html": r.HTML,
		"sarif": func() ([]byte, error) { return r.SARIF("1") },
		"sort":  func() ([]byte, error) { r.Sort(); return nil, nil },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := write(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

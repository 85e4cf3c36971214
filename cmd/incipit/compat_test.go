package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A promptfooVerdict is a line of a verdicts.json, which scripts/compat writes.
type promptfooVerdict struct {
	Test, Prompt int
	Outcome      string
	Score        float64
	Output       json.RawMessage
	Metrics      map[string]float64
}

// TestPromptfooSuitesComeToItsVerdicts runs configs for promptfoo unchanged, and
// holds outcome, score, output and named scores of each case against what
// promptfoo itself said. Where we differ on purpose, differs.json says why, and
// a difference that is no more fails as well.
func TestPromptfooSuitesComeToItsVerdicts(t *testing.T) {
	configs, err := filepath.Glob("testdata/promptfoo/*/verdicts.json")
	if err != nil || len(configs) < 20 {
		t.Fatalf("%d configs, %v", len(configs), err)
	}
	var differs map[string]map[string]string
	readJSON(t, "testdata/promptfoo/differs.json", &differs)
	for _, verdicts := range configs {
		dir := filepath.Dir(verdicts)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			var theirs []promptfooVerdict
			readJSON(t, verdicts, &theirs)
			found := compatDifferences(theirs, runCompat(t, dir))
			for _, place := range slices.Sorted(maps.Keys(found)) {
				if differs[name][place] == "" {
					t.Errorf("%s of %s: %s", place, name, found[place])
				}
			}
			for place := range differs[name] {
				if found[place] == "" {
					t.Errorf("%s of %s differs no more: take it out of differs.json", place, name)
				}
			}
		})
	}
}

// runCompat has the program that testscript put on the path run a copy of dir.
func runCompat(t *testing.T, dir string) []compatCase {
	t.Helper()
	work, out := t.TempDir(), filepath.Join(t.TempDir(), "out.json")
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("incipit", "test", "--config", "promptfooconfig.yaml", "--mode", "live", "--quiet", "--allow", "exec,python", "--out", out)
	cmd.Dir = work
	said, err := cmd.CombinedOutput()
	if _, missing := os.Stat(out); missing != nil {
		t.Fatalf("no report (%v):\n%s", err, said)
	}
	var doc struct {
		Configs []struct{ Cases []compatCase }
	}
	readJSON(t, out, &doc)
	if len(doc.Configs) != 1 {
		t.Fatalf("%d runs", len(doc.Configs))
	}
	return doc.Configs[0].Cases
}

// A compatCase is one of our report.
type compatCase struct {
	Number  int
	Outcome string
	Score   float64
	Output  string
	Metrics map[string]float64
}

// compatDifferences are by place, which is test.prompt as promptfoo counts. The
// answers to one test are paired by what they are, since the order of prompts
// is not the same.
func compatDifferences(theirs []promptfooVerdict, ours []compatCase) map[string]string {
	found := map[string]string{}
	if len(ours) != len(theirs) {
		found["count"] = fmt.Sprintf("%d cases, promptfoo has %d", len(ours), len(theirs))
		return found
	}
	slices.SortStableFunc(theirs, func(a, b promptfooVerdict) int {
		return cmp.Or(a.Test-b.Test, cmp.Compare(plainOutput(a.Output), plainOutput(b.Output)))
	})
	slices.SortStableFunc(ours, func(a, b compatCase) int {
		return cmp.Or(a.Number-b.Number, cmp.Compare(plainText(a.Output), plainText(b.Output)))
	})
	for i, want := range theirs {
		if diff := compatDifference(want, ours[i]); diff != "" {
			found[fmt.Sprintf("%d.%d", want.Test, want.Prompt)] = diff
		}
	}
	return found
}

func compatDifference(want promptfooVerdict, got compatCase) string {
	switch {
	case got.Outcome != want.Outcome:
		return fmt.Sprintf("outcome %s, promptfoo says %s", got.Outcome, want.Outcome)
	case math.Abs(got.Score-want.Score) > 1e-6:
		return fmt.Sprintf("score %v, promptfoo says %v", got.Score, want.Score)
	case got.Outcome != "error" && plainText(got.Output) != plainOutput(want.Output):
		return fmt.Sprintf("output %q, promptfoo says %s", got.Output, want.Output)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6 }
	if !maps.EqualFunc(got.Metrics, want.Metrics, near) {
		return fmt.Sprintf("metrics %v, promptfoo says %v", got.Metrics, want.Metrics)
	}
	return ""
}

// plainOutput is an output of promptfoo's as the text that ours would be: it
// keeps what a transform made of it as a value, and we keep its JSON.
func plainOutput(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	return plainText(text)
}

// plainText is a text, and JSON without its layout and the order of its keys:
// promptfoo writes a chat in several lines.
func plainText(text string) string {
	var v any
	if !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(plain)
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	paired "github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// tested is a report of one prompt whose cases passed.
func tested() report.Report {
	hash := reportHash([]byte("suite"))
	return report.Report{Schema: 1, Mode: "replay", Verdict: report.Passed, Prompts: []report.Prompt{{
		ID: "support", Version: "1.1.0", Digest: reportHash([]byte("text")),
		Base:     &report.Base{Version: "1.0.0", Digest: reportHash([]byte("old")), Environment: "production"},
		Run:      &report.Run{Suite: "tests/support.yaml", SuiteHash: hash, Passed: 3},
		Compared: &paired.Result{Verdict: paired.NotRegressed},
	}}}
}

func TestAStatementSaysWhatTheReportSays(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*report.Report)
		want evidence.Kinds // zero: nothing can be said
	}{
		"all passed":                         {func(*report.Report) {}, evidence.Kinds{Tests: "pass", Comparison: "not-regressed"}},
		"a case failed":                      {func(r *report.Report) { r.Prompts[0].Run.Failed = 1 }, evidence.Kinds{Tests: "fail", Comparison: "not-regressed"}},
		"it is worse":                        {func(r *report.Report) { r.Prompts[0].Compared.Verdict = paired.Regressed }, evidence.Kinds{Tests: "pass", Comparison: "regressed"}},
		"too few cases to say":               {func(r *report.Report) { r.Prompts[0].Compared.Verdict = paired.Inconclusive }, evidence.Kinds{Tests: "pass", Comparison: "inconclusive"}},
		"a verdict that nobody knows":        {func(r *report.Report) { r.Prompts[0].Compared.Verdict = "fine" }, evidence.Kinds{Tests: "pass", Comparison: "inconclusive"}},
		"nothing to compare with":            {func(r *report.Report) { r.Prompts[0].Base = nil }, evidence.Kinds{Tests: "pass", Comparison: "none"}},
		"not compared":                       {func(r *report.Report) { r.Prompts[0].Compared = nil }, evidence.Kinds{Tests: "pass", Comparison: "none"}},
		"a prompt that is not valid":         {func(r *report.Report) { r.Prompts[0].Findings = []prompt.Finding{{Severity: prompt.SeverityError}} }, evidence.Kinds{Tests: "fail", Comparison: "not-regressed"}},
		"a case that could not be judged":    {func(r *report.Report) { r.Prompts[0].Run.Errors = 1 }, evidence.Kinds{}},
		"a provider that did not answer":     {func(r *report.Report) { r.Verdict = report.Unavailable }, evidence.Kinds{}},
		"a suite of which nothing was asked": {func(r *report.Report) { r.Prompts[0].Run.Passed = 0 }, evidence.Kinds{}},
		"no suite":                           {func(r *report.Report) { r.Prompts[0].Run = nil }, evidence.Kinds{}},
	} {
		r := tested()
		c.edit(&r)
		got, untold := statementsOf(r, reportHash(nil), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
		switch {
		case c.want == (evidence.Kinds{}) && (len(got) != 0 || len(untold) != 1):
			t.Errorf("%s: %+v, %q", name, got, untold)
		case c.want != (evidence.Kinds{}) && (len(got) != 1 || len(untold) != 0 || got[0].Kinds != c.want):
			t.Errorf("%s: %+v, %q, want %v", name, got, untold, c.want)
		}
		for _, s := range got {
			if err := s.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// evidenceWorkspace is a workspace with one commit.
func evidenceWorkspace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for k, v := range map[string]string{"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com"} {
		t.Setenv(k, v)
	}
	if err := os.WriteFile(filepath.Join(dir, "incipit.yaml"), []byte("prompts: prompts\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	repo, err := gitrepo.Init(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Commit(t.Context(), "chore: start\n", []string{"incipit.yaml"}, []string{"incipit.yaml"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAReportThatWasJustMadeIsFiled(t *testing.T) {
	var talk bytes.Buffer
	e := &env{dir: evidenceWorkspace(t), now: time.Now, stdout: &bytes.Buffer{}, stderr: &talk}
	defer func() {
		if err := e.ws.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := e.fileReport(t.Context(), tested()); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"evidence of support: tests pass, comparison not-regressed against 1.0.0 (replay)", "is not signed"} {
		if !strings.Contains(talk.String(), says) {
			t.Errorf("nothing is said of %q:\n%s", says, talk.String())
		}
	}
	all, err := e.evidenceOf(t.Context(), "support")
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	var kinds []string
	for _, ev := range all {
		kinds = append(kinds, ev.Kind)
	}
	if diff := cmp.Diff([]string{"tests", "comparison"}, kinds); diff != "" {
		t.Error(diff)
	}
	down := tested()
	down.Verdict = report.Unavailable
	if err := e.fileReport(t.Context(), down); err != nil {
		t.Errorf("of a provider that does not answer: %v", err)
	}
}

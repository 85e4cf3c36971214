package ci

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// workspace is one with four prompts: two have a suite, one of them beside it.
func workspace(t *testing.T) *Gate {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{
		"incipit.yaml", "prompts/a/system-prompt.txt", "prompts/b/system-prompt.txt", "prompts/b/tests.yaml", "prompts/team/c/system-prompt.txt",
		"prompts/team/d/.prompt-metadata.json", "prompts/_shared/tone.txt", "tests/a.yaml", "tests/data/rows.csv", "tests/cassettes/ab/abc.json", "src/main.go",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ws, err := source.Open(t.Context(), dir, source.Options{Now: func() time.Time { return time.Time{} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ws.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Gate{Workspace: ws, Candidate: ws.Now()}
}

func TestAFileReachesThePromptsThatItCanChange(t *testing.T) {
	g := workspace(t)
	all := []prompt.ID{"a", "b", "team/c", "team/d"}
	tested := []prompt.ID{"a", "b"}
	for name, want := range map[string][]prompt.ID{
		"prompts/a/system-prompt.txt":     {"a"},
		"prompts/a/notes/why.md":          {"a"},
		"prompts/team/c/user-prompt.txt":  {"team/c"},
		"prompts/b/tests.yaml":            {"b"},
		"tests/a.yaml":                    {"a"},
		"tests/team/d.yaml":               {"team/d"}, // a suite that was taken away
		"tests/data/rows.csv":             tested,
		"tests/cassettes/ab/abc.json":     tested,
		"src/main.go":                     tested, // a suite may read it
		"prompts/_shared/tone.txt":        all,
		"incipit.yaml":                    all,
		"prompts/registry.json":           {},
		"prompts/gone/system-prompt.txt":  tested, // no prompt here and none before: a file like any other
		"prompts/team/README.md":          tested,
		"tests/nobody.yaml":               tested,
		"prompts/_shared/deeper/sign.txt": all,
	} {
		got, err := g.reach(g.Candidate, []string{name})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if got, err := g.reach(g.Candidate, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing touched reaches %v, %v", got, err)
	}
	both, err := g.reach(g.Candidate, []string{"prompts/team/c/user-prompt.txt", "tests/data/rows.csv"})
	if d := cmp.Diff([]prompt.ID{"a", "b", "team/c"}, both); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

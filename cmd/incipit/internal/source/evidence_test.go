package source

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/internal/registry"
)

func noteKey(t testing.TB, name string) evidence.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := evidence.NewKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// noted is a workspace with a commit to hang notes on, and its clock.
func noted(t *testing.T) (*Workspace, time.Time) {
	t.Helper()
	dir, now := t.TempDir(), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	git(t, dir, "init", "--quiet", "--initial-branch=main")
	git(t, dir, "config", "user.name", "Ada")
	git(t, dir, "config", "user.email", "ada@example.com")
	git(t, dir, "commit", "--quiet", "--allow-empty", "-m", "start")
	git(t, dir, "commit", "--quiet", "--allow-empty", "-m", "more")
	if err := os.Mkdir(filepath.Join(dir, "prompts"), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := Open(t.Context(), dir, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, now
}

func statement(text string, at time.Time, tests string) evidence.Statement {
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
	return evidence.Statement{
		Format: evidence.Format, Prompt: "support", Digest: hash, Kinds: evidence.Kinds{Tests: tests, Comparison: evidence.NotCompared},
		SuiteHash: hash, ReportHash: hash, Mode: "replay", At: at,
	}
}

func note(t *testing.T, w *Workspace, commit string, s evidence.Statement, keys ...evidence.PrivateKey) {
	t.Helper()
	e, err := evidence.Seal(s, keys...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.NoteEvidence(t.Context(), commit, []evidence.Envelope{e}); err != nil {
		t.Fatal(err)
	}
}

// said is what is known of support: digest, kind and result, the oldest first.
func said(t *testing.T, w *Workspace) []string {
	t.Helper()
	all, err := w.Evidence(t.Context(), "support")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, fmt.Sprintf("%.10s %s %v", e.Digest[7:], e.Kind, e.Passed))
	}
	return out
}

func line(text string, passed bool) string {
	return fmt.Sprintf("%.10s tests %v", fmt.Sprintf("%x", sha256.Sum256([]byte(text))), passed)
}

func TestEvidenceHangsOnTheCommitAndIsFoundByDigest(t *testing.T) {
	w, now := noted(t)
	if got := said(t, w); got != nil {
		t.Fatalf("before the first note: %q", got)
	}
	note(t, w, "HEAD~1", statement("a", now.Add(-3*time.Minute), evidence.TestsFailed))
	note(t, w, "HEAD", statement("a", now.Add(-2*time.Minute), evidence.TestsPassed))
	note(t, w, "HEAD", statement("b", now.Add(-1*time.Minute), evidence.TestsPassed))
	if got, want := said(t, w), []string{line("a", true), line("b", true)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if text := git(t, w.Dir, "notes", "--ref="+EvidenceNotes, "show", "HEAD"); strings.Count(text, "\n") != 1 {
		t.Errorf("the note has not one line for each:\n%s", text)
	}
	before := git(t, w.Dir, "rev-parse", EvidenceNotes)
	note(t, w, "HEAD", statement("b", now.Add(-1*time.Minute), evidence.TestsPassed))
	if after := git(t, w.Dir, "rev-parse", EvidenceNotes); after != before {
		t.Error("what hangs there already was written again")
	}
	if err := w.NoteEvidence(t.Context(), strings.Repeat("1", 40), nil); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("on a commit that is not here: %v", err)
	}
}

func TestWhereKeysAreTrustedOthersSayNothing(t *testing.T) {
	w, now := noted(t)
	ci := noteKey(t, "ci")
	note(t, w, "HEAD", statement("a", now.Add(-3*time.Minute), evidence.TestsPassed), ci)
	// Newer, and by whoever may push a note.
	note(t, w, "HEAD", statement("a", now.Add(-2*time.Minute), evidence.TestsFailed))
	note(t, w, "HEAD", statement("b", now.Add(-2*time.Minute), evidence.TestsPassed), noteKey(t, "mallory"))
	w.Config.EvidenceKeys = evidence.Keys{ci.Public()}
	if got, want := said(t, w), []string{line("a", true)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNotesThatAreNoEvidenceAreLeftOut(t *testing.T) {
	w, now := noted(t)
	note(t, w, "HEAD", statement("a", now.Add(-time.Minute), evidence.TestsPassed))
	good := git(t, w.Dir, "notes", "--ref="+EvidenceNotes, "show", "HEAD")
	other := statement("a", now, evidence.TestsFailed)
	other.Prompt = "another"
	note(t, w, "HEAD", other)
	note(t, w, "HEAD", statement("a", now.Add(time.Hour), evidence.TestsFailed)) // which has not come yet
	all := git(t, w.Dir, "notes", "--ref="+EvidenceNotes, "show", "HEAD")
	if !strings.Contains(all, strings.TrimSpace(good)) || strings.Count(all, "\n") != 2 {
		t.Fatalf("%s", all)
	}
	git(t, w.Dir, "notes", "--ref="+EvidenceNotes, "append", "-m", "hello\n{\"payloadType\":1}\n[", "HEAD")
	git(t, w.Dir, "notes", "--ref="+EvidenceNotes, "add", "-F", large(t), "HEAD~1")
	if got, want := said(t, w), []string{line("a", true)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// large is a file that is larger than a note may be.
func large(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, []byte(strings.Repeat("x", maxNote+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOfOneSecondTheWorseWordCounts(t *testing.T) {
	w, now := noted(t)
	note(t, w, "HEAD", statement("a", now, evidence.TestsFailed))
	note(t, w, "HEAD~1", statement("a", now, evidence.TestsPassed))
	if got, want := said(t, w), []string{line("a", false)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

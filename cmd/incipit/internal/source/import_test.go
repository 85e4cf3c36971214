package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// someone is a workspace in a repository of its own.
func someone(t *testing.T) *Workspace {
	t.Helper()
	dir := t.TempDir()
	for k, v := range map[string]string{
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
		"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
	} {
		t.Setenv(k, v)
	}
	git(t, ".", "init", "--quiet", "--initial-branch=main", dir)
	if err := os.Mkdir(filepath.Join(dir, "prompts"), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := Open(t.Context(), dir, Options{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// version is an imported version with this text and number.
func version(id, number, text string) ImportedVersion {
	meta := `{"name": "X", "version": "1.0.0", "description": "d", "model": "m", "author": "", "tags": []}`
	return ImportedVersion{
		Prompt: prompt.ID(id), Version: number, Message: "import " + text, From: "a.json:1 (" + text + ")",
		Files: []NewFile{{prompt.MetadataFile, []byte(meta)}, {prompt.SystemFile, []byte("You answer questions about orders, and nothing else: " + text)}},
	}
}

func TestNothingIsImportedIfOneVersionIsWrong(t *testing.T) {
	short := version("b", "", "short")
	short.Files[1].Data = []byte("short")
	large := version("b", "", "large")
	large.Files = append(large.Files, NewFile{prompt.UserFile, []byte(strings.Repeat("x", prompt.MaxTextBytes+1))})
	hidden := version("b", "", "x")
	hidden.Message = "a\u202eb"
	for name, tt := range map[string]struct {
		last ImportedVersion
		want string
	}{
		"a text that is too short":       {short, "a.json:1 (short) is not valid"},
		"a text that is too large":       {large, "user-prompt.txt:1: too-large"},
		"a version that is no version":   {version("b", "v1", "x"), "not valid as a version"},
		"a version that is not higher":   {version("a", "0.9.0", "x"), "0.9.0 is not higher than 1.0.0"},
		"a version that is there twice":  {version("a", "1.0.0", "x"), "a@1.0.0 is released already"},
		"a message that nobody can read": {hidden, "its message is empty, or holds a character that nobody sees"},
	} {
		t.Run(name, func(t *testing.T) {
			w := someone(t)
			_, err := w.Import(t.Context(), []ImportedVersion{version("a", "", "one"), tt.last}, false)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if left := git(t, w.Dir, "status", "--porcelain", "--untracked-files=all"); left != "" {
				t.Errorf("left %q", left)
			}
			if tags := git(t, w.Dir, "tag", "--list"); tags != "" {
				t.Errorf("made %q", tags)
			}
		})
	}
}

func TestAnImportThatIsCanceledGoesOnTheNextTime(t *testing.T) {
	w := someone(t)
	all := []ImportedVersion{version("a", "", "one"), version("a", "", "two"), version("a", "", "two"), version("a", "", "three")}
	ctx, cancel := context.WithCancel(t.Context())
	w.now = func() time.Time { // the first release asks for the time
		cancel()
		return time.Unix(1_800_000_000, 0)
	}
	out, err := w.Import(ctx, all, false)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 of 4 versions are done") {
		t.Fatalf("got %v", err)
	}
	if _, fixed := errors.AsType[*registry.FixError](err); !fixed || out[0].Commit == "" {
		t.Errorf("got %v, %+v", err, out[0])
	}
	out, err = w.Import(t.Context(), all, false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range out {
		got = append(got, fmt.Sprint(v.Tag, v.Same))
	}
	if want := "a@1.0.0true a@1.0.1false a@1.0.1true a@1.0.2false"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	rs, err := w.Releases(t.Context(), "a")
	if err != nil || len(rs) != 3 {
		t.Fatalf("got %v, %v", rs, err)
	}
	for _, r := range rs {
		if _, err := w.Released(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
}

func TestAForeignDirectoryIsReadAlone(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		full := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("in/a.txt", "a")
	write("in/sub/b.txt", "b")
	write("out.txt", "secret")
	for link, to := range map[string]string{"in/link.txt": "../out.txt", "in/here.txt": "a.txt", "in/dir": "sub"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := OpenForeign(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]string{"a.txt": "a", "sub/b.txt": "b"} {
		if data, err := fs.ReadFile(f.Files(), name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"link.txt", "here.txt", "dir/b.txt", "../out.txt", "sub", "/etc/passwd"} {
		if data, err := fs.ReadFile(f.Files(), name); err == nil {
			t.Errorf("%s was read: %q", name, data)
		}
	}
	if _, err := fs.ReadDir(f.Files(), "dir"); err == nil {
		t.Error("a directory behind a link was read")
	}
	if names, err := fs.Glob(f.Files(), "sub/*.txt"); err != nil || len(names) != 1 {
		t.Errorf("got %v, %v", names, err)
	}
	if _, err := f.History(t.Context(), "a.txt"); err == nil {
		t.Error("there is a history without a repository")
	}
}

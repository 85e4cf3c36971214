package gitrepo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// branched is a repository whose branch feature left main after one commit.
func branched(t *testing.T) (repo *Repo, base string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "in/b.txt"} {
		writeFile(t, dir, name, name)
	}
	runGit(t, dir, "init", "--quiet", "--initial-branch=main")
	runGit(t, dir, "config", "user.name", "Ada")
	runGit(t, dir, "config", "user.email", "ada@example.com")
	runGit(t, dir, "add", "-A")
	runGit(t, dir, "commit", "--quiet", "-m", "start")
	base = runGit(t, dir, "rev-parse", "HEAD")
	runGit(t, dir, "checkout", "--quiet", "-b", "feature")
	writeFile(t, dir, "in/b.txt", "changed")
	runGit(t, dir, "commit", "--quiet", "-am", "change")
	runGit(t, dir, "checkout", "--quiet", "main")
	writeFile(t, dir, "a.txt", "on main")
	runGit(t, dir, "commit", "--quiet", "-am", "main goes on")
	runGit(t, dir, "checkout", "--quiet", "feature")
	repo, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return repo, base
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := At(dir).run(t.Context(), nil, args...)
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func TestABranchIsHeldAgainstWhereItBegan(t *testing.T) {
	repo, base := branched(t)
	got, err := repo.MergeBase(t.Context(), "main")
	if err != nil || got != base {
		t.Fatalf("got %s, %v, want %s", got, err, base)
	}
	writeFile(t, repo.Dir, "new ünknown.txt", "x")
	files, err := repo.Since(t.Context(), base, nil)
	if err != nil || !slices.Equal(files, []string{"in/b.txt", "new ünknown.txt"}) {
		t.Errorf("the work tree: %q, %v", files, err)
	}
	for _, rev := range []string{"nowhere", "--output=x", ""} {
		if _, err := repo.MergeBase(t.Context(), rev); err == nil {
			t.Errorf("%q is no commit", rev)
		}
	}
	runGit(t, repo.Dir, "checkout", "--quiet", "--orphan", "other")
	runGit(t, repo.Dir, "commit", "--quiet", "-m", "another beginning")
	if _, err := repo.MergeBase(t.Context(), "main"); !errors.Is(err, ErrNoMergeBase) {
		t.Errorf("got %v", err)
	}
}

func TestTheIndexIsReadAndLeftAlone(t *testing.T) {
	repo, _ := branched(t)
	writeFile(t, repo.Dir, "a.txt", "staged")
	runGit(t, repo.Dir, "add", "a.txt")
	writeFile(t, repo.Dir, "a.txt", "not staged")
	before := runGit(t, repo.Dir, "status", "--porcelain")
	files, err := repo.Since(t.Context(), "HEAD", &Index{})
	if err != nil || !slices.Equal(files, []string{"a.txt"}) {
		t.Errorf("got %q, %v", files, err)
	}
	tree, err := repo.WriteIndex(t.Context(), Index{})
	if err != nil {
		t.Fatal(err)
	}
	objects := repo.Objects(t.Context())
	defer objects.Close()
	view := repo.Tree(objects, tree)
	data, err := fs.ReadFile(view, "a.txt")
	if err != nil || string(data) != "staged" {
		t.Errorf("got %q, %v", data, err)
	}
	if after := runGit(t, repo.Dir, "status", "--porcelain"); after != before {
		t.Errorf("status was %q and is %q", before, after)
	}
}

func TestATreeCanBeWalked(t *testing.T) {
	repo, _ := branched(t)
	objects := repo.Objects(t.Context())
	defer objects.Close()
	view := repo.Tree(objects, "HEAD")
	var seen []string
	err := fs.WalkDir(view, ".", func(name string, e fs.DirEntry, err error) error {
		seen = append(seen, name)
		return err
	})
	if err != nil || !slices.Equal(seen, []string{".", "a.txt", "in", "in/b.txt"}) {
		t.Errorf("walked %q, %v", seen, err)
	}
	if fi, err := fs.Stat(view, "in"); err != nil || !fi.IsDir() {
		t.Errorf("in: %v, %v", fi, err)
	}
	if fi, err := fs.Stat(view, "in/b.txt"); err != nil || fi.Size() != int64(len("changed")) {
		t.Errorf("in/b.txt: %v, %v", fi, err)
	}
	if _, err := fs.Stat(view, "out"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("out: %v", err)
	}
}

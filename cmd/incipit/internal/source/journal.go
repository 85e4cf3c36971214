package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The journal lies in the work tree's own git directory: each work tree has at
// most one change under way.
func journalPath(repo *gitrepo.Repo) string {
	return filepath.Join(repo.GitDir, "incipit", "journal.json")
}

func (w *Workspace) writeJournal(repo *gitrepo.Repo, c change) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	name := journalPath(repo)
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name+tempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+tempSuffix, name); err != nil {
		return err
	}
	return syncDir(dir)
}

func (w *Workspace) removeJournal(repo *gitrepo.Repo) error {
	return os.Remove(journalPath(repo))
}

// Interrupted tells what a crash left half made, or "".
func (w *Workspace) Interrupted(ctx context.Context) (string, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return "", err
	}
	c, err := readJournal(repo)
	if c == nil {
		return "", err
	}
	return c.What, err
}

func readJournal(repo *gitrepo.Repo) (*change, error) {
	data, err := os.ReadFile(journalPath(repo))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c change
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w; delete it after a look at git status", journalPath(repo), err)
	}
	return &c, nil
}

// Repair mends what a crash left, and lock files that no process holds.
func (w *Workspace) Repair(ctx context.Context) error {
	return w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		return w.removeLocks(ctx, repo, time.Time{})
	})
}

// recover completes or takes back the change that the journal tells of. It is
// called under the lock, which the children of a killed process keep: none of
// them is alive here.
func (w *Workspace) recover(ctx context.Context, repo *gitrepo.Repo) error {
	c, err := readJournal(repo)
	if c == nil {
		return err
	}
	if err := w.removeLocks(ctx, repo, c.Started.Add(-time.Second)); err != nil {
		return err
	}
	head, _, err := repo.Head(ctx)
	if err != nil {
		return err
	}
	switch {
	case head == c.Head && len(c.allPaths()) > 0:
		w.notify("took back an interrupted change: " + c.What)
		err = w.takeBack(ctx, repo, *c, "")
	case head == c.Head || w.isCommitOf(ctx, head, *c):
		w.notify("completed an interrupted change: " + c.What)
		err = w.complete(ctx, repo, *c, head)
	default:
		w.notify("an interrupted change was overtaken by other commits, look at git status: " + c.What)
	}
	if err != nil {
		return err
	}
	return w.removeJournal(repo)
}

func (w *Workspace) complete(ctx context.Context, repo *gitrepo.Repo, c change, head string) error {
	if len(c.allPaths()) > 0 {
		if err := repo.Refresh(ctx, c.allPaths()); err != nil {
			return err
		}
	}
	if c.Tag == "" {
		return nil
	}
	if err := repo.CreateTag(ctx, c.Tag, head, c.TagMessage); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// isCommitOf reports whether commit is the one that c was about to make.
func (w *Workspace) isCommitOf(ctx context.Context, commit string, c change) bool {
	o, err := w.reader(ctx)
	if err != nil {
		return false
	}
	got, err := o.Commit(commit)
	if err != nil || len(got.Parents) > 1 || len(got.Parents) == 1 && got.Parents[0] != c.Head || len(got.Parents) == 0 && c.Head != "" {
		return false
	}
	tree, err := w.at(ctx, commit)
	return err == nil && !slices.ContainsFunc(c.Files, func(f fileChange) bool {
		data, err := fs.ReadFile(tree, f.Path)
		return err != nil || !bytes.Equal(data, f.After)
	})
}

// removeLocks removes the lock files that git left behind since a moment. A
// lock is left behind if no git process works in the repository.
func (w *Workspace) removeLocks(ctx context.Context, repo *gitrepo.Repo, since time.Time) error {
	locks := slices.DeleteFunc(repo.LockFiles(), func(l gitrepo.LockFile) bool { return l.Since.Before(since) })
	if len(locks) == 0 {
		return nil
	}
	if pid, ok := repo.GitProcess(); ok {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "git holds the lock %s (process %s)", locks[0].Path, pid), "wait until it is done, then try again")
	}
	for _, l := range locks {
		if err := os.Remove(l.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		w.notify("removed a lock file that a killed git left behind: " + l.Path)
	}
	return ctx.Err()
}

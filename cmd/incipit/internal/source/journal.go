package source

import (
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
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := replaceFile(root, filepath.Base(name), data, 0o600); err != nil {
		if _, statErr := os.Lstat(name); statErr == nil {
			err = errors.Join(err, w.removeJournal(repo)) // renamed, and not known to last
		}
		return err
	}
	return nil
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
		return nil, registry.WithFix(fmt.Errorf("%s: %w: %w", journalPath(repo), errDamaged, err), "incipit doctor --repair sets it aside; then look at git status")
	}
	return &c, nil
}

var errDamaged = errors.New("the journal cannot be read")

// Repair mends what a crash left, and lock files that no process holds. A
// journal that cannot be read is set aside: nobody can tell what it stood for.
func (w *Workspace) Repair(ctx context.Context) error {
	repo, err := w.Git(ctx)
	if err != nil {
		return err
	}
	if _, err := readJournal(repo); errors.Is(err, errDamaged) {
		if err := os.Rename(journalPath(repo), journalPath(repo)+".damaged"); err != nil {
			return err
		}
		w.notify("set a journal aside that cannot be read: " + journalPath(repo) + ".damaged")
	}
	return w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		return w.removeLocks(repo, time.Time{})
	})
}

// removeLocks removes the lock files that git left behind since a moment. A
// lock is left behind if no git process works in the repository.
func (w *Workspace) removeLocks(repo *gitrepo.Repo, since time.Time) error {
	locks := slices.DeleteFunc(repo.LockFiles(), func(l gitrepo.LockFile) bool { return l.Since.Before(since) })
	if len(locks) == 0 {
		return nil
	}
	if _, live := repo.GitProcess(); live {
		return lockHeld(repo, locks[0])
	}
	for _, l := range locks {
		if err := os.Remove(l.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		w.notify("removed a lock file that a killed git left behind: " + l.Path)
	}
	return nil
}

// removeLocksSoon is removeLocks for a git that was killed along with us and
// may take a moment to be gone.
func (w *Workspace) removeLocksSoon(repo *gitrepo.Repo, since time.Time) (err error) {
	const tries, pause = 50, 20 * time.Millisecond
	for range tries {
		if err = w.removeLocks(repo, since); err == nil {
			return nil
		}
		time.Sleep(pause)
	}
	return err
}

// lockHeld names the git process that holds a lock, or says that none does.
func lockHeld(repo *gitrepo.Repo, l gitrepo.LockFile) error {
	if pid, live := repo.GitProcess(); live {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "git (process %s) is at work here and holds the lock %s", pid, l.Path),
			"wait until it is done, or end it; then run the same command again")
	}
	return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "a git that is gone left the lock %s behind", l.Path), "incipit doctor --repair")
}

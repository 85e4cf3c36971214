package source

import (
	"bytes"
	"context"
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

// A change is one commit, and at most one tag on it, that is made whole or not
// at all. It is written to the journal before anything else is touched: after
// a crash the next change completes it or takes it back.
type change struct {
	What    string    `json:"what"` // for people: release customer-support 1.3.2
	Head    string    `json:"head"` // the commit it was planned on; "" before the first
	Started time.Time `json:"started"`

	Files     []fileChange `json:"files"`               // written by us
	Paths     []string     `json:"paths,omitempty"`     // committed as they stand in the work tree
	Untracked []string     `json:"untracked,omitempty"` // those of them that are new to git

	Message    string `json:"message"`
	Tag        string `json:"tag,omitempty"`
	TagMessage string `json:"tag_message,omitempty"`
}

// A fileChange is a file that the change writes. Before is nil if there was
// none.
type fileChange struct {
	Path   string `json:"path"`
	Before []byte `json:"before"`
	After  []byte `json:"after"`
}

// lockWait is how long a change waits for another one to end.
const lockWait = 10 * time.Second

// exclusively runs do while nobody else changes the repository, after what an
// earlier crash left is mended.
func (w *Workspace) exclusively(ctx context.Context, do func(*gitrepo.Repo) error) (err error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return err
	}
	if err := repo.Ready(); err != nil {
		return err
	}
	lock, err := repo.Acquire(ctx, lockWait)
	if errors.Is(err, gitrepo.ErrLocked) {
		return fmt.Errorf("%w: %w", registry.ErrUnavailable, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if err := w.recover(ctx, repo); err != nil {
		return err
	}
	return do(repo)
}

// make carries the change out. It is called under the lock.
func (w *Workspace) make(ctx context.Context, repo *gitrepo.Repo, c change) (commit string, err error) {
	if held := repo.LockFiles(); len(held) > 0 {
		return "", registry.WithFix(registry.Errorf(registry.ErrUnavailable, "git holds the lock %s", held[0].Path),
			"wait for the git command that runs; if none does: incipit doctor --repair")
	}
	c.Started = w.now()
	// From here on an interrupt must not leave the change half made.
	ctx = context.WithoutCancel(ctx)
	if err := w.writeJournal(repo, c); err != nil {
		return "", err
	}
	commit, err = w.carryOut(ctx, repo, c)
	if err != nil {
		err = errors.Join(err, w.takeBack(ctx, repo, c, commit))
	}
	return commit, errors.Join(err, w.removeJournal(repo))
}

// carryOut returns the id of the commit even where the tag fails.
func (w *Workspace) carryOut(ctx context.Context, repo *gitrepo.Repo, c change) (string, error) {
	for _, f := range c.Files {
		if err := w.writeFile(f.Path, f.After); err != nil {
			return "", err
		}
	}
	commit := c.Head
	if len(c.allPaths()) > 0 {
		var err error
		if commit, err = repo.Commit(ctx, c.Message, c.allPaths()); err != nil {
			return "", explainCommit(err)
		}
		if err := w.unaltered(ctx, commit, c); err != nil {
			return commit, err
		}
	}
	if c.Tag == "" {
		return commit, nil
	}
	err := repo.CreateTag(ctx, c.Tag, commit, c.TagMessage)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %w", err, registry.ErrConflict)
	}
	return commit, err
}

func (c change) allPaths() []string {
	paths := slices.Clone(c.Paths)
	for _, f := range c.Files {
		if !slices.Contains(paths, f.Path) {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// unaltered holds what was committed against what was meant: a pre-commit hook
// may have rewritten a file.
func (w *Workspace) unaltered(ctx context.Context, commit string, c change) error {
	tree, err := w.at(ctx, commit)
	if err != nil {
		return err
	}
	for _, f := range c.Files {
		data, err := fs.ReadFile(tree, f.Path)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, f.After) {
			return registry.WithFix(fmt.Errorf("a hook of this repository changed %s while it was committed; nothing was released", f.Path),
				"exclude the prompts directory from the hook, or let it format the file before you release")
		}
	}
	return nil
}

func explainCommit(err error) error {
	if _, ok := errors.AsType[*gitrepo.CommandError](err); !ok {
		return err
	}
	return registry.WithFix(fmt.Errorf("git did not commit, nothing was changed: %w", err),
		"if a hook refused, do what it asks; then run the same command again")
}

// takeBack undoes a change that failed. commit is what it committed, if it
// came that far.
func (w *Workspace) takeBack(ctx context.Context, repo *gitrepo.Repo, c change, commit string) error {
	var errs []error
	if commit != "" && commit != c.Head && c.Head != "" {
		if err := repo.MoveHead(ctx, commit, c.Head, "incipit: take back "+c.What); err != nil {
			return fmt.Errorf("commit %.12s could not be taken back: %w", commit, err)
		}
		errs = append(errs, repo.Refresh(ctx, c.allPaths()))
	}
	for _, f := range c.Files {
		errs = append(errs, w.restore(f))
	}
	return errors.Join(append(errs, repo.Unstage(ctx, c.Untracked))...)
}

// restore puts a file back, unless somebody else has written it since.
func (w *Workspace) restore(f fileChange) error {
	w.root.Remove(f.Path + tempSuffix) //nolint:errcheck // usually there is none
	now, err := os.ReadFile(filepath.Join(w.Dir, filepath.FromSlash(f.Path)))
	if err != nil || !bytes.Equal(now, f.After) || bytes.Equal(f.Before, f.After) {
		return nil //nolint:nilerr // not written yet, or not ours any more
	}
	if f.Before == nil {
		return w.root.Remove(f.Path)
	}
	return w.writeFile(f.Path, f.Before)
}

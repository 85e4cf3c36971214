package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A change is one commit and the tags on it, made whole or not at all. It is
// written to the journal before anything else is touched: after a crash the
// next change completes it or takes it back.
type change struct {
	What    string    `json:"what"` // for people: release customer-support 1.3.2
	Head    string    `json:"head"` // the commit it was planned on, "" before the first; without paths, the one to tag
	Started time.Time `json:"started"`

	Files     []fileChange `json:"files"`               // written by us
	Paths     []string     `json:"paths,omitempty"`     // committed as they stand in the work tree
	Untracked []string     `json:"untracked,omitempty"` // those of them that are new to git

	Message string      `json:"message"`
	Tags    []tagChange `json:"tags,omitempty"`

	// Prompt and Digest say what a release's commit must hold, whatever a hook
	// does to the files.
	Prompt prompt.ID `json:"prompt,omitempty"`
	Digest string    `json:"digest,omitempty"`
}

// A tagChange is an annotated tag that the change makes.
type tagChange struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// A fileChange is a file that the change writes. The journal holds what it
// takes to go back and to know our own bytes again, and not the bytes: a
// registry has a megabyte, and the journal is synced before each change.
type fileChange struct {
	Path   string `json:"path"`
	Before []byte `json:"before,omitempty"`  // nil if there was no file, or AtHead
	AtHead bool   `json:"at_head,omitempty"` // the file was as the commit has it that the change was planned on
	Sum    string `json:"after"`             // SHA-256 of after, in hex
	after  []byte
}

func writing(path string, before, after []byte, atHead bool) fileChange {
	f := fileChange{Path: path, Before: before, AtHead: atHead, Sum: sum(after), after: after}
	if atHead {
		f.Before = nil
	}
	return f
}

// wrote reports whether data is what the change writes.
func (f fileChange) wrote(data []byte) bool { return sum(data) == f.Sum }

// isNew reports whether the change makes the file.
func (f fileChange) isNew() bool { return f.Before == nil && !f.AtHead }

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
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

// make carries the change out, or leaves everything as it was. It is called
// under the lock.
func (w *Workspace) make(ctx context.Context, repo *gitrepo.Repo, c change) (commit string, err error) {
	if held := repo.LockFiles(c.refs()...); len(held) > 0 {
		return "", lockHeld(repo, held[0])
	}
	c.Started = w.now()
	// From here on an interrupt must not leave the change half made.
	ctx = context.WithoutCancel(ctx)
	if err := w.writeJournal(repo, c); err != nil {
		return "", err
	}
	if commit, err = w.carryOut(ctx, repo, c); err != nil {
		return w.giveUp(ctx, repo, c, commit, err)
	}
	return commit, w.removeJournal(repo)
}

// giveUp takes back a change that failed; made is its commit, if it came that
// far. If all of it was done before git was killed, giveUp returns the commit
// and no error. Where it can do neither, the journal stays, for the next change
// to try again.
func (w *Workspace) giveUp(ctx context.Context, repo *gitrepo.Repo, c change, made string, cause error) (commit string, err error) {
	lockErr := w.removeLocksSoon(repo, c.Started.Add(-time.Second))
	commit, err = w.settle(ctx, repo, c, made, false)
	switch {
	case err != nil:
		return "", registry.WithFix(
			fmt.Errorf("%w; and what was done until then could not be taken back: %w", cause, errors.Join(err, lockErr)),
			"mend the cause, then run incipit doctor --repair")
	case commit != "":
		return commit, w.removeJournal(repo)
	case lockErr != nil: // the journal stays, so that the next change removes the lock
		return "", errors.Join(explainCommit(ctx, repo, cause), lockErr)
	}
	return "", errors.Join(explainCommit(ctx, repo, cause), w.removeJournal(repo))
}

// carryOut returns the id of the commit that was made or tagged, even where
// what follows it fails.
func (w *Workspace) carryOut(ctx context.Context, repo *gitrepo.Repo, c change) (commit string, err error) {
	for _, f := range c.Files {
		if err := w.writeFile(f.Path, f.after); err != nil {
			return "", err
		}
	}
	commit = c.Head
	if len(c.allPaths()) > 0 {
		if commit, err = w.commit(ctx, repo, c); err != nil {
			return "", err
		}
		if err := w.unaltered(ctx, commit, c); err != nil {
			return commit, err
		}
	}
	for _, t := range c.Tags {
		err := repo.CreateTag(ctx, t.Name, commit, t.Message)
		if errors.Is(err, fs.ErrExist) {
			err = registry.Errorf(registry.ErrConflict, "the tag %s was made meanwhile", t.Name)
		}
		if err == nil {
			err = w.readable(ctx, t.Name)
		}
		if err != nil {
			return commit, err
		}
	}
	return commit, nil
}

// readable holds a tag that was just made to what everybody will read of it.
func (w *Workspace) readable(ctx context.Context, name string) error {
	id, v, ok := parseTag(name)
	if !ok {
		return fmt.Errorf("tag %s names no release", name)
	}
	_, err := w.ReleaseOf(ctx, id, v)
	return err
}

// commit commits the change's files and returns the new commit's id.
func (w *Workspace) commit(ctx context.Context, repo *gitrepo.Repo, c change) (string, error) {
	untracked := slices.Clone(c.Untracked)
	for _, f := range c.Files {
		if f.isNew() && !slices.Contains(untracked, f.Path) {
			untracked = append(untracked, f.Path)
		}
	}
	if err := repo.Commit(ctx, c.Message, c.allPaths(), untracked); err != nil {
		return "", err
	}
	o, err := w.reader(ctx)
	if err != nil {
		return "", err
	}
	return o.Head()
}

// refs are what the change makes, besides moving its branch.
func (c change) refs() []string {
	refs := []string{"HEAD"}
	for _, t := range c.Tags {
		refs = append(refs, "refs/tags/"+t.Name)
	}
	return refs
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
// may have rewritten a file of ours or the prompt itself.
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
		if !f.wrote(data) {
			return alteredBy(f.Path)
		}
	}
	if c.Digest == "" {
		return nil
	}
	_, digest, err := w.readAt(ctx, c.Prompt, commit)
	if err == nil && digest != c.Digest {
		err = alteredBy(string(c.Prompt))
	}
	return err
}

func alteredBy(what string) error {
	return registry.WithFix(fmt.Errorf("a hook of this repository changed %s while it was committed; nothing was released", what),
		"exclude the prompts directory from the hook, or let it change the files before you release")
}

func explainCommit(ctx context.Context, repo *gitrepo.Repo, err error) error {
	if _, ok := errors.AsType[*gitrepo.CommandError](err); !ok {
		return err
	}
	if _, err := repo.Identity(ctx); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	return registry.WithFix(fmt.Errorf("git did not commit, nothing was changed: %w", err),
		"if a hook refused, do what it asks; then run the same command again")
}

package source

import (
	"bytes"
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
)

// UpdateRegistry changes the registry and commits it, whole or not at all. edit
// is called while nobody else can change it, with the registry as it is then;
// it returns the new one and the commit's message, or nil if there is nothing
// to do. The new commit's id is returned.
func (w *Workspace) UpdateRegistry(ctx context.Context, what string, edit func(*Registry) (*Registry, string, error)) (commit string, err error) {
	return w.updateRegistry(ctx, what, false, edit)
}

// updateRegistry is UpdateRegistry; dirty lets changes that are not committed
// go into the commit.
func (w *Workspace) updateRegistry(ctx context.Context, what string, dirty bool, edit func(*Registry) (*Registry, string, error)) (commit string, err error) {
	err = w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		file := w.RegistryPath()
		changed, err := repo.Status(ctx, file)
		if err != nil {
			return err
		}
		c := change{What: what}
		for _, s := range changed {
			switch {
			case s.State == gitrepo.Untracked:
				c.Untracked = []string{file}
			case s.State != gitrepo.Added && !dirty:
				return dirtyRegistry(file)
			}
		}
		before, err := w.Registry()
		if err != nil {
			return err
		}
		after, message, err := edit(before)
		if err != nil || after == nil || len(changed) == 0 && bytes.Equal(after.Bytes(), before.Bytes()) {
			return err
		}
		old := before.Bytes()
		if _, err := w.root.Lstat(file); err != nil {
			old, c.Untracked = nil, []string{file}
		}
		c.Message = message
		o, err := w.reader(ctx)
		if err != nil {
			return err
		}
		if c.Head, err = o.Head(); err != nil {
			return err
		}
		c.Files = []fileChange{writing(file, old, after.Bytes(), len(changed) == 0 && old != nil && c.Head != "")}
		commit, err = w.make(ctx, repo, c)
		return err
	})
	return commit, err
}

// Author is who git says is at work here.
func (w *Workspace) Author(ctx context.Context) (string, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return "", err
	}
	who, err := repo.Identity(ctx)
	return who.String(), err
}

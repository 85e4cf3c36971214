package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Rebuild makes the registry's index of releases anew, from the tags and the
// metadata they hold. What runs where cannot be rebuilt and is kept: from the
// file if it can be read, else from the last commit in which it could. It
// returns the number of prompts, whether the index differed, and the commit.
func (w *Workspace) Rebuild(ctx context.Context, dryRun bool) (prompts int, changed bool, commit string, err error) {
	mended, err := w.mendRegistry(ctx, dryRun)
	if err != nil || mended && dryRun {
		return 0, mended, "", err
	}
	commit, err = w.updateRegistry(ctx, "rebuild the registry", true, func(reg *Registry) (*Registry, string, error) {
		last, err := w.lastTagged(ctx)
		if err != nil {
			return nil, "", err
		}
		prompts = len(last)
		next := reg
		for _, id := range slices.Sorted(maps.Keys(last)) {
			if next, err = w.reindex(ctx, next, id, last[id]); err != nil {
				return nil, "", err
			}
		}
		changed = mended || !bytes.Equal(next.Bytes(), reg.Bytes())
		if dryRun {
			return nil, "", nil
		}
		return next, "registry: rebuild the index from the tags\n", nil
	})
	return prompts, changed, commit, err
}

// lastTagged is the highest stable version of each prompt, or its highest
// pre-release if it has no other.
func (w *Workspace) lastTagged(ctx context.Context) (map[prompt.ID]prompt.Version, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx, "")
	if err != nil {
		return nil, err
	}
	last := make(map[prompt.ID]prompt.Version)
	for _, t := range tags {
		id, v, ok := parseTag(t.Name)
		if _, shared := id.Shared(); !ok || shared {
			continue
		}
		old, seen := last[id]
		better := v.Pre == "" && old.Pre != "" || (v.Pre == "") == (old.Pre == "") && v.Compare(old) > 0
		if !seen || better {
			last[id] = v
		}
	}
	return last, nil
}

func (w *Workspace) reindex(ctx context.Context, reg *Registry, id prompt.ID, v prompt.Version) (*Registry, error) {
	r, err := w.ReleaseOf(ctx, id, v)
	if err != nil {
		return nil, err
	}
	d, err := w.Released(ctx, r)
	if err != nil {
		return nil, err
	}
	e, err := reg.Entry(id)
	if err != nil {
		return nil, err
	}
	if e == nil {
		e = &Entry{RegisteredAt: r.At.Format("2006-01-02T15:04:05Z")}
	}
	before := *e
	e.Describe(d.Metadata, v, r.Digest, before.RegisteredAt)
	e.Unpublished = ""
	if e.Name == before.Name && e.CurrentVersion == before.CurrentVersion && e.Digest == before.Digest && e.Model == before.Model &&
		e.Description == before.Description && e.Maintainer == before.Maintainer && e.Unpublished == before.Unpublished {
		return reg, nil
	}
	return reg.Put(id, e)
}

// mendRegistry replaces a file that is gone or cannot be read by the last
// committed one that can: a registry without what runs where would look whole.
func (w *Workspace) mendRegistry(ctx context.Context, dryRun bool) (mended bool, err error) {
	_, err = w.Registry()
	if _, statErr := w.root.Lstat(w.RegistryPath()); err == nil && statErr == nil {
		return false, nil
	}
	if err != nil && !errors.Is(err, prompt.ErrInvalid) {
		return false, err
	}
	repo, gitErr := w.Git(ctx)
	if gitErr != nil {
		return false, err
	}
	if head, _, headErr := repo.Head(ctx); headErr != nil || head == "" {
		return false, errors.Join(err, headErr)
	}
	commits, gitErr := repo.History(ctx, "HEAD", false, w.RegistryPath())
	if gitErr != nil {
		return false, gitErr
	}
	for _, c := range commits {
		tree, treeErr := w.at(ctx, c)
		if treeErr != nil {
			return false, treeErr
		}
		data, readErr := fs.ReadFile(tree, w.RegistryPath())
		if readErr != nil {
			continue
		}
		if _, parseErr := parseRegistry(data, w.RegistryPath()); parseErr == nil {
			if dryRun {
				w.notify(fmt.Sprintf("%s would be taken from commit %.12s", w.RegistryPath(), c))
				return true, nil
			}
			w.notify(fmt.Sprintf("%s was taken from commit %.12s", w.RegistryPath(), c))
			return true, w.writeFile(w.RegistryPath(), data)
		}
	}
	return false, err
}

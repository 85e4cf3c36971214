package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Rebuild makes the registry's index of releases anew, from the tags and the
// metadata they hold. What runs where cannot be rebuilt and is kept: from the
// file if it can be read, else from the last commit in which it could. It
// returns the number of prompts, whether the index differed, and the commit.
func (w *Workspace) Rebuild(ctx context.Context, dryRun bool) (prompts int, changed bool, commit string, err error) {
	if err := w.mendRegistry(ctx); err != nil {
		return 0, false, "", err
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
		if string(next.Bytes()) == string(reg.Bytes()) {
			return nil, "", nil
		}
		if changed = true; dryRun {
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
	e.describe(d.Metadata, v, r.Digest, before.RegisteredAt)
	e.Unpublished = ""
	if e.Name == before.Name && e.CurrentVersion == before.CurrentVersion && e.Digest == before.Digest && e.Model == before.Model &&
		e.Description == before.Description && e.Maintainer == before.Maintainer && e.Unpublished == before.Unpublished {
		return reg, nil
	}
	return reg.Put(id, e)
}

// mendRegistry replaces a file that is gone or cannot be read by the last
// committed one that can: a registry without what runs where would look whole.
func (w *Workspace) mendRegistry(ctx context.Context) error {
	_, err := w.Registry()
	if _, statErr := w.root.Lstat(w.RegistryPath()); err == nil && statErr == nil {
		return nil
	}
	if err != nil && !errors.Is(err, prompt.ErrInvalid) {
		return err
	}
	repo, gitErr := w.Git(ctx)
	if gitErr != nil {
		return err
	}
	if head, _, headErr := repo.Head(ctx); headErr != nil || head == "" {
		return errors.Join(err, headErr)
	}
	commits, gitErr := repo.History(ctx, "HEAD", false, w.RegistryPath())
	if gitErr != nil {
		return gitErr
	}
	for _, c := range commits {
		tree, treeErr := w.at(ctx, c)
		if treeErr != nil {
			return treeErr
		}
		data, readErr := fs.ReadFile(tree, w.RegistryPath())
		if readErr != nil {
			continue
		}
		if _, parseErr := parseRegistry(data, w.RegistryPath()); parseErr == nil {
			w.notify(fmt.Sprintf("%s could not be read and was taken from commit %.12s", w.RegistryPath(), c))
			return w.writeFile(w.RegistryPath(), data)
		}
	}
	return err
}

// Import takes the entries of another registry file in: what it says of the
// prompts, and what it says runs where. Every deployment must name a release
// that exists; if one does not, nothing is taken in and all of them are named.
// It returns the prompts, none if the registry had all of it already.
func (w *Workspace) Import(ctx context.Context, data []byte, name string, dryRun bool) (imported []prompt.ID, commit string, err error) {
	other, err := parseRegistry(data, name)
	if err != nil {
		return nil, "", err
	}
	commit, err = w.UpdateRegistry(ctx, "import "+name, func(reg *Registry) (*Registry, string, error) {
		next := reg
		var missing []string
		for _, id := range other.IDs() {
			e, problems, err := w.merged(ctx, next, other, id)
			if err != nil {
				return nil, "", err
			}
			missing = append(missing, problems...)
			if next, err = next.Put(id, e); err != nil {
				return nil, "", err
			}
			imported = append(imported, id)
		}
		if missing != nil {
			return nil, "", registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s names releases that do not exist: %s", name, strings.Join(missing, ", ")),
				"release them first, or take them out of the file")
		}
		if string(next.Bytes()) == string(reg.Bytes()) {
			imported = nil
			return nil, "", nil
		}
		if dryRun {
			return nil, "", nil
		}
		return next, "registry: import " + oneLine(name) + "\n", nil
	})
	return imported, commit, err
}

// merged is the entry of id with what other says of it.
func (w *Workspace) merged(ctx context.Context, reg, other *Registry, id prompt.ID) (e *Entry, missing []string, err error) {
	theirs, err := other.Entry(id)
	if err != nil {
		return nil, nil, err
	}
	if e, err = reg.Entry(id); err != nil {
		return nil, nil, err
	}
	if e == nil {
		e = &Entry{raw: theirs.raw}
		*e = *theirs
		e.Deployments = nil
	}
	for _, env := range slices.Sorted(maps.Keys(theirs.Deployments)) {
		if _, err := w.Config.Environment(env); err != nil {
			return nil, nil, err
		}
		track, err := theirs.Track(env)
		if err != nil {
			return nil, nil, err
		}
		now, ok := track.Current()
		if !ok {
			continue
		}
		r, err := w.ReleaseOf(ctx, id, now.Version)
		if errors.Is(err, registry.ErrNotFound) {
			missing = append(missing, id.Tag(now.Version)+" ("+env+")")
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		ours, err := e.Track(env)
		if err != nil {
			return nil, nil, err
		}
		if have, ok := ours.Current(); ok && have.Version == now.Version && have.Rollout == nil {
			continue
		}
		now.Seq, now.Digest, now.Reason = ours.Seq()+1, r.Digest, "imported"
		e.Install(env, ours, now)
	}
	return e, missing, nil
}

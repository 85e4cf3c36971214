package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Mirror writes registry.json into a remote's branch, for those who read the
// repository and not the server. The server's database is the truth.
type Mirror struct{ remote *Remote }

// mirrorTries bounds how often a push is made again because somebody else was
// faster. Each time somebody was, so it ends.
const mirrorTries = 8

// Push lets edit change the registry of the remote's branch, as it was fetched
// last, and pushes a commit of that one file. If the branch moved meanwhile it
// fetches, and edit is called again. Where edit returns nil or changes nothing
// there is no commit, and commit is "".
//
// It reports registry.ErrForbidden if the remote refuses the push, with its
// reason; registry.ErrUnavailable if it cannot be reached; and
// registry.ErrConflict if others kept being faster.
func (m *Mirror) Push(ctx context.Context, edit func(*Registry) (*Registry, error), message string) (commit string, err error) {
	repo, err := m.remote.clone(ctx)
	if err != nil {
		return "", err
	}
	for range mirrorTries {
		commit, err = m.push(ctx, repo, edit, message)
		if !errors.Is(err, gitrepo.ErrMoved) {
			return commit, err
		}
		if err := repo.Fetch(ctx); err != nil {
			return "", err
		}
	}
	return "", registry.WithFix(registry.Errorf(registry.ErrConflict, "%v, %d times in a row", err, mirrorTries), "it is tried again; if it goes on, look who pushes all the time")
}

// push makes one attempt.
func (m *Mirror) push(ctx context.Context, repo *gitrepo.Repo, edit func(*Registry) (*Registry, error), message string) (commit string, err error) {
	_, branch, err := repo.Head(ctx)
	if err != nil {
		return "", err
	}
	w, err := m.remote.open(ctx, repo)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	before, err := w.Registry()
	if err != nil {
		return "", err
	}
	after, err := edit(before)
	if err != nil || after == nil || bytes.Equal(after.Bytes(), before.Bytes()) {
		return "", err
	}
	by := m.remote.author
	by.At = m.remote.config.Now()
	return repo.PushFile(ctx, gitrepo.FileCommit{
		Branch: branch, Parent: w.head, Path: m.remote.config.Within + w.RegistryPath(), Data: after.Bytes(), Message: message, By: by,
	})
}

// Deployed is an edit for Push: it makes the registry say what runs where, and
// leaves alone what says it already, other prompts and other environments.
// wanted is prompt → environment → what happened there, or the end of it.
// describe makes the entry of a prompt that is not registered yet; nil leaves
// such a prompt out.
func Deployed(wanted map[prompt.ID]map[string]registry.Track, describe func(prompt.ID) (*Entry, error)) func(*Registry) (*Registry, error) {
	return func(reg *Registry) (*Registry, error) {
		for _, id := range slices.Sorted(maps.Keys(wanted)) {
			e, err := reg.Entry(id)
			if err == nil && e == nil && describe != nil {
				e, err = describe(id)
			}
			if err != nil {
				return nil, err
			}
			if e == nil {
				continue
			}
			changed := false
			for _, env := range slices.Sorted(maps.Keys(wanted[id])) {
				differs, err := e.deployed(env, wanted[id][env])
				if err != nil {
					return nil, err
				}
				changed = changed || differs
			}
			if !changed {
				continue
			}
			if reg, err = reg.Put(id, e); err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
		}
		return reg, nil
	}
}

// deployed sets what happened in an environment, and reports whether the entry
// said something else. Revisions belong to a database and are left out.
func (e *Entry) deployed(env string, track registry.Track) (bool, error) {
	plain := slices.Clone(track)
	for i := range plain {
		plain[i].Revision = 0
	}
	var next Entry
	next.Replace(env, plain)
	was, err1 := json.Marshal(e.Deployments[env])
	now, err2 := json.Marshal(next.Deployments[env])
	if err := errors.Join(err1, err2); err != nil || bytes.Equal(was, now) {
		return false, err
	}
	e.Replace(env, plain)
	return true, nil
}

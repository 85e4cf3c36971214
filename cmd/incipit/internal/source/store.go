package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Store is the registry of a workspace, the file registry.json: each change
// of it is a commit. Its evidence are Git notes. It keeps no approvals and no
// answers.
type Store struct{ *Workspace }

// Environments lists those of incipit.yaml.
func (s Store) Environments(context.Context) ([]registry.Environment, error) {
	return s.Config.Environments, nil
}

// State is what a decision about a prompt in an environment is made from.
func (s Store) State(ctx context.Context, id prompt.ID, env string) (registry.State, error) {
	reg, err := s.Registry()
	if err != nil {
		return registry.State{}, err
	}
	return s.state(ctx, reg, id, env)
}

func (s Store) state(ctx context.Context, reg *Registry, id prompt.ID, env string) (st registry.State, err error) {
	if st.Environment, err = s.Config.Environment(env); err != nil {
		return st, err
	}
	e, err := reg.Entry(id)
	if err != nil {
		return st, err
	}
	if e == nil {
		e = &Entry{}
	}
	if st.Track, err = e.Track(env); err != nil {
		return st, err
	}
	if st.Before, err = e.Track(st.Environment.After); err != nil {
		return st, err
	}
	if st.Revision, err = reg.Revision(env); err != nil || len(st.Environment.Require) == 0 {
		return st, err
	}
	st.Evidence, err = s.Evidence(ctx, id)
	return st, err
}

// Change commits what decide comes to. A change is known by its commit, and not
// by the key of a request.
func (s Store) Change(ctx context.Context, id prompt.ID, env string, once registry.Once, decide func(registry.State) (registry.Change, error)) (registry.Recorded, error) {
	return s.ChangeAll(ctx, []registry.Place{{Prompt: id, Environment: env}}, once, func(states []registry.State) ([]registry.Change, error) {
		c, err := decide(states[0])
		return []registry.Change{c}, err
	})
}

// ChangeAll commits what decide comes to for several places at once: one
// commit, with the message of the first change.
func (s Store) ChangeAll(ctx context.Context, places []registry.Place, _ registry.Once, decide func([]registry.State) ([]registry.Change, error)) (registry.Recorded, error) {
	if err := s.Mend(ctx); err != nil {
		return registry.Recorded{}, err
	}
	// Decided once before the lock: a refusal need not wait for one.
	if reg, err := s.Registry(); err != nil {
		return registry.Recorded{}, err
	} else if next, _, err := s.changed(ctx, reg, places, decide); err != nil || next == reg {
		return registry.Recorded{}, err
	}
	commit, err := s.UpdateRegistry(ctx, fmt.Sprintf("a change of %s", places[0].Prompt), func(reg *Registry) (*Registry, string, error) {
		return s.changed(ctx, reg, places, decide)
	})
	return registry.Recorded{Commit: commit}, err
}

// changed is the registry after what decide comes to, reg itself if that is
// nothing.
func (s Store) changed(ctx context.Context, reg *Registry, places []registry.Place, decide func([]registry.State) ([]registry.Change, error)) (*Registry, string, error) {
	states := make([]registry.State, len(places))
	for i, p := range places {
		if p.Environment == "" {
			continue
		}
		var err error
		if states[i], err = s.state(ctx, reg, p.Prompt, p.Environment); err != nil {
			return nil, "", err
		}
	}
	changes, err := decide(states)
	if err != nil {
		return nil, "", err
	}
	next, message := reg, ""
	for i, c := range changes {
		if message == "" {
			message = c.Message
		}
		if next, err = next.with(places[i], c); err != nil {
			return nil, "", err
		}
	}
	return next, message, nil
}

// with is the registry after one change.
func (r *Registry) with(place registry.Place, c registry.Change) (*Registry, error) {
	e, err := r.Entry(place.Prompt)
	if err != nil {
		return nil, err
	}
	switch {
	case e == nil && c.Described != nil:
		e = &Entry{raw: c.Described}
		if err := json.Unmarshal(c.Described, e); err != nil {
			return nil, err
		}
	case c.Deployment == nil:
		return r, nil
	case e == nil:
		e = &Entry{}
	}
	if c.Deployment != nil {
		track, err := e.Track(place.Environment)
		if err != nil {
			return nil, err
		}
		e.Install(place.Environment, track, *c.Deployment)
	}
	return r.Put(place.Prompt, e)
}

// Standings lists every prompt that is registered or lies in the work tree, in
// order.
func (s Store) Standings(context.Context) ([]registry.Standing, error) {
	type drafts struct {
		ids []prompt.ID
		err error
	}
	found := make(chan drafts, 1)
	go func() { // reads directories while the registry is decoded; waited for below
		var d drafts
		d.ids, d.err = s.IDs()
		found <- d
	}()
	out, err := s.registered()
	d := <-found
	if err := errors.Join(err, d.err); err != nil {
		return nil, err
	}
	byID := func(a registry.Standing, id prompt.ID) int { return strings.Compare(string(a.Prompt), string(id)) }
	known := out
	for _, id := range d.ids {
		if _, ok := slices.BinarySearchFunc(known, id, byID); !ok {
			out = append(out, registry.Standing{Prompt: id})
		}
	}
	slices.SortFunc(out, func(a, b registry.Standing) int { return byID(a, b.Prompt) })
	return out, nil
}

func (s Store) registered() ([]registry.Standing, error) {
	reg, err := s.Registry()
	if err != nil {
		return nil, err
	}
	out := make([]registry.Standing, 0, len(reg.members))
	for _, id := range reg.IDs() {
		e, err := reg.Entry(id)
		if err != nil {
			return nil, err
		}
		st := registry.Standing{Prompt: id, Version: e.CurrentVersion, Model: e.Model, Maintainer: e.Maintainer, Running: make(map[string]registry.Deployment)}
		for env := range e.Deployments {
			track, err := e.Track(env)
			if err != nil {
				return nil, err
			}
			if now, ok := track.Current(); ok {
				st.Running[env] = now
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// Tracks is what was done to a prompt, by environment.
func (s Store) Tracks(_ context.Context, id prompt.ID) (map[string]registry.Track, error) {
	reg, err := s.Registry()
	if err != nil {
		return nil, err
	}
	e, err := reg.Entry(id)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, s.unknown(reg, id)
	}
	out := make(map[string]registry.Track)
	for env := range e.Deployments {
		if out[env], err = e.Track(env); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// TracksIn is what was done in an environment, by prompt.
func (s Store) TracksIn(_ context.Context, env string) (map[prompt.ID]registry.Track, error) {
	if _, err := s.Config.Environment(env); err != nil {
		return nil, err
	}
	reg, err := s.Registry()
	if err != nil {
		return nil, err
	}
	out := make(map[prompt.ID]registry.Track)
	for id := range reg.members {
		e, err := reg.Entry(id)
		if err != nil {
			return nil, err
		}
		if out[id], err = e.Track(env); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unknown tells a prompt that is not released from one that does not exist.
func (s Store) unknown(reg *Registry, id prompt.ID) error {
	drafts, err := s.IDs()
	if err != nil {
		return err
	}
	if slices.Contains(drafts, id) {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s has no release yet", id), "incipit release %s --minor -m …", id)
	}
	known := reg.Names()
	for _, d := range drafts {
		known = append(known, string(d))
	}
	slices.Sort(known)
	return UnknownPrompt(id, slices.Compact(known))
}

// Running is the last record of each prompt in an environment.
func (s Store) Running(_ context.Context, env string) (registry.Current, error) {
	if _, err := s.Config.Environment(env); err != nil {
		return registry.Current{}, err
	}
	reg, err := s.Registry()
	if err != nil {
		return registry.Current{}, err
	}
	c := registry.Current{Prompts: make(map[prompt.ID]registry.Deployment)}
	for _, id := range slices.Sorted(maps.Keys(reg.members)) {
		e, err := reg.Entry(id)
		if err != nil {
			return c, err
		}
		track, err := e.Track(env)
		if err != nil {
			return c, err
		}
		if n := len(track); n > 0 {
			c.Prompts[id] = track[n-1]
		}
		c.Revision += int64(track.Seq())
	}
	return c, nil
}

// Read is ReleaseOf and Released.
func (s Store) Read(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, prompt.Draft, error) {
	r, err := s.ReleaseOf(ctx, id, v)
	if err != nil {
		return r, prompt.Draft{}, err
	}
	d, err := s.Released(ctx, r)
	return r, d, err
}

// Release is ReleaseOf.
func (s Store) Release(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error) {
	return s.ReleaseOf(ctx, id, v)
}

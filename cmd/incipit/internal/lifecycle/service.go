// Package lifecycle holds the rules of change: what may be deployed where, how
// a rollout moves, what a rollback goes back to. Every caller, near or far,
// goes through its Service.
package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Config is what a Service works on.
type Config struct {
	Workspace *source.Workspace
	Now       func() time.Time
}

// A Service answers what runs and changes it.
type Service struct {
	ws  *source.Workspace
	now func() time.Time
}

// New returns a service over the registry of a workspace.
func New(c Config) *Service { return &Service{c.Workspace, c.Now} }

// state is what a decision about one prompt in one environment is made from.
type state struct {
	env      registry.Environment
	entry    *source.Entry
	track    registry.Track
	revision int64
}

func (s *Service) state(reg *source.Registry, id prompt.ID, env string) (state, error) {
	e, err := s.ws.Config.Environment(env)
	if err != nil {
		return state{}, err
	}
	st := state{env: e}
	if st.entry, err = reg.Entry(id); err != nil {
		return st, err
	}
	if st.entry == nil {
		st.entry = &source.Entry{}
	}
	if st.track, err = st.entry.Track(env); err != nil {
		return st, err
	}
	st.revision, err = reg.Revision(env)
	return st, err
}

// History lists what was done to a prompt, the oldest first; in every
// environment if env is "".
func (s *Service) History(_ context.Context, id prompt.ID, env string) (map[string]registry.Track, error) {
	reg, err := s.ws.Registry()
	if err != nil {
		return nil, err
	}
	e, err := s.entry(reg, id)
	if err != nil {
		return nil, err
	}
	if env != "" {
		if _, err := s.ws.Config.Environment(env); err != nil {
			return nil, err
		}
	}
	out := make(map[string]registry.Track)
	for name := range e.Deployments {
		if env != "" && name != env {
			continue
		}
		if out[name], err = e.Track(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) entry(reg *source.Registry, id prompt.ID) (*source.Entry, error) {
	e, err := reg.Entry(id)
	if err == nil && e == nil {
		err = s.unknown(reg, id)
	}
	return e, err
}

// unknown tells a prompt that is not released from one that does not exist.
func (s *Service) unknown(reg *source.Registry, id prompt.ID) error {
	drafts, err := s.ws.IDs()
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
	return source.UnknownPrompt(id, slices.Compact(known))
}

// Snapshot is what an environment runs, with the texts of the given prompts.
func (s *Service) Snapshot(ctx context.Context, env string, ids ...prompt.ID) (*registry.Snapshot, error) {
	if _, err := s.ws.Config.Environment(env); err != nil {
		return nil, err
	}
	reg, err := s.ws.Registry()
	if err != nil {
		return nil, err
	}
	snap := &registry.Snapshot{Environment: env, Prompts: make(map[prompt.ID]*registry.Entry)}
	if snap.Revision, err = reg.Revision(env); err != nil {
		return nil, err
	}
	for _, id := range ids {
		e, err := s.entry(reg, id)
		if err != nil {
			return nil, err
		}
		track, err := e.Track(env)
		if err != nil {
			return nil, err
		}
		now, ok := track.Current()
		if !ok {
			return nil, registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s runs no release in %s", id, env), "incipit deploy %s@%s --env %s", id, e.CurrentVersion, env)
		}
		if snap.Prompts[id], err = s.running(ctx, id, now.Running()); err != nil {
			return nil, err
		}
	}
	return snap, nil
}

func (s *Service) running(ctx context.Context, id prompt.ID, r registry.Rollout) (*registry.Entry, error) {
	e := &registry.Entry{Rollout: r, Releases: make(map[string]prompt.Prompt)}
	for _, arm := range r.Arms {
		d, err := s.read(ctx, id, arm.Version, arm.Digest)
		if err != nil {
			return nil, err
		}
		e.Releases[arm.Name] = d.Prompt
	}
	return e, nil
}

// read reads a release, and refuses one whose bytes are not those that were
// deployed.
func (s *Service) read(ctx context.Context, id prompt.ID, v prompt.Version, deployed string) (prompt.Draft, error) {
	r, err := s.ws.ReleaseOf(ctx, id, v)
	if err != nil {
		return prompt.Draft{}, err
	}
	if deployed != "" && r.Digest != deployed {
		return prompt.Draft{}, registry.WithFix(registry.Errorf(registry.ErrConflict, "the tag %s was changed after it was deployed", r.Tag), "incipit verify tells more; fetch the tag from where it was released")
	}
	return s.ws.Released(ctx, r)
}

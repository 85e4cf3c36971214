// Package lifecycle holds the rules of change: what may be deployed where, how
// a rollout moves, what a rollback goes back to. Every caller, near or far,
// goes through its Service.
package lifecycle

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Config is what a Service works on.
type Config struct {
	Store     Store
	Catalog   Catalog
	Bucketing registry.Bucketing // of rollouts that name none
	Author    func(context.Context) (string, error)
	Now       func() time.Time

	// Keys are those that evidence of tests must be signed with; none: who filed
	// it is asked alone.
	Keys evidence.Keys

	// Doubt says why a release must not be deployed anew although it can be
	// read: its tag moved. May be nil.
	Doubt func(context.Context, registry.Release) (string, error)
}

// A Service answers what runs and changes it.
type Service struct {
	Catalog
	store  Store
	config Config
}

// New returns a service over a store.
func New(c Config) *Service { return &Service{c.Catalog, c.Store, c} }

// Environments lists the environments in their order.
func (s *Service) Environments(ctx context.Context) ([]registry.Environment, error) {
	return s.store.Environments(ctx)
}

// History lists what was done to a prompt, the oldest first; in every
// environment if env is "".
func (s *Service) History(ctx context.Context, id prompt.ID, env string) (map[string]registry.Track, error) {
	tracks, err := s.store.Tracks(ctx, id)
	if err != nil || env == "" {
		return tracks, err
	}
	if _, err := s.store.State(ctx, id, env); err != nil {
		return nil, err
	}
	out := make(map[string]registry.Track)
	if t, ok := tracks[env]; ok {
		out[env] = t
	}
	return out, nil
}

// Snapshot is what an environment runs, with the texts of the given prompts, or
// of all if none is given.
func (s *Service) Snapshot(ctx context.Context, env string, ids ...prompt.ID) (*registry.Snapshot, error) {
	now, err := s.store.Running(ctx, env)
	if err != nil {
		return nil, err
	}
	snap := &registry.Snapshot{Environment: env, Generation: now.Generation, Revision: now.Revision, Prompts: make(map[prompt.ID]*registry.Entry)}
	if len(ids) == 0 {
		return snap, s.entries(ctx, snap, now.Prompts)
	}
	for _, id := range ids {
		d, ok := now.Prompts[id]
		if !ok || d.Action == registry.Retire {
			return nil, s.runsNothing(ctx, id, env)
		}
		if snap.Prompts[id], err = s.Entry(ctx, id, d); err != nil {
			return nil, err
		}
	}
	return snap, nil
}

// entries fills in what runs, on all processors: reading a text is work for one.
func (s *Service) entries(ctx context.Context, snap *registry.Snapshot, running map[prompt.ID]registry.Deployment) error {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for id, d := range running {
		g.Go(func() error {
			e, err := s.Entry(ctx, id, d)
			mu.Lock()
			defer mu.Unlock()
			snap.Prompts[id] = e
			return err
		})
	}
	return g.Wait()
}

// runsNothing says why a prompt cannot be had in an environment.
func (s *Service) runsNothing(ctx context.Context, id prompt.ID, env string) error {
	if _, err := s.store.Tracks(ctx, id); err != nil {
		return err
	}
	version := "VERSION"
	if all, err := s.Releases(ctx, id); err == nil && len(all) > 0 {
		version = all[len(all)-1].Version.String()
	}
	return registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s runs no release in %s", id, env), "incipit deploy %s@%s --env %s", id, version, env)
}

// Entry is a record of a snapshot: what runs after d, with its texts.
func (s *Service) Entry(ctx context.Context, id prompt.ID, d registry.Deployment) (*registry.Entry, error) {
	if d.Action == registry.Retire {
		return &registry.Entry{Removed: true}, nil
	}
	r := d.Running()
	e := &registry.Entry{Rollout: r.WithArms(), Releases: make(map[string]prompt.Prompt, len(r.Arms))}
	for i, arm := range e.Rollout.Arms {
		release, draft, err := s.read(ctx, id, arm.Version, arm.Digest)
		if err != nil {
			return nil, err
		}
		e.Releases[arm.Name] = draft.Prompt
		e.Rollout.Arms[i].Digest, e.Rollout.Arms[i].Commit = release.Digest, release.Commit
	}
	return e, nil
}

// read reads a release, and refuses one whose bytes are not those that were
// deployed.
func (s *Service) read(ctx context.Context, id prompt.ID, v prompt.Version, deployed string) (registry.Release, prompt.Draft, error) {
	r, draft, err := s.Read(ctx, id, v)
	if err == nil && deployed != "" && r.Digest != deployed {
		err = registry.WithFix(registry.Errorf(registry.ErrConflict, "the tag %s was changed after it was deployed", r.Tag), "incipit verify tells more; fetch the tag from where it was released")
	}
	return r, draft, err
}

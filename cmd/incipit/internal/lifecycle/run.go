package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Run keeps the service up to date until ctx is done: it reads Git, mirrors
// what runs, tells webhooks, and forgets what need not be kept. What fails is
// logged and tried again.
func (s *Shared) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if s.config.Remote != nil {
		every := s.config.SyncEvery
		if every == 0 {
			every = time.Minute
		}
		g.Go(func() error {
			return again(ctx, 0, func() time.Duration {
				if _, err := s.Sync(ctx); err != nil && ctx.Err() == nil {
					s.config.Log.Warn("Git could not be read; what is indexed is served", "error", err)
				}
				return every
			})
		})
	}
	if s.config.Mirror && s.config.Remote != nil {
		g.Go(func() error {
			wait := mirrorPause
			return again(ctx, mirrorPause, func() time.Duration {
				if err := s.mirror(ctx); err != nil && ctx.Err() == nil {
					wait = min(2*wait, time.Minute)
					s.config.Log.Warn("registry.json in Git is behind", "error", err, "again_in", wait)
				} else {
					wait = mirrorPause
				}
				return wait
			})
		})
	}
	g.Go(func() error {
		return again(ctx, time.Minute, func() time.Duration {
			_, err := s.db.DeleteExpired(ctx)
			_, err2 := s.db.ForgetDeliveries(ctx)
			if err := errors.Join(err, err2); err != nil && ctx.Err() == nil {
				s.config.Log.Warn("old answers and deliveries could not be forgotten", "error", err)
			}
			return time.Hour
		})
	})
	if s.config.Notify != nil {
		g.Go(func() error { return s.tell(ctx) })
	}
	if s.config.Calls != nil {
		g.Go(func() error {
			return again(ctx, time.Minute, func() time.Duration {
				if err := s.config.Calls.Retain(ctx); err != nil && ctx.Err() == nil {
					s.config.Log.Warn("old calls could not be forgotten", "error", err)
				}
				return time.Hour
			})
		})
		g.Go(func() error { return s.Watch(ctx) })
	}
	return g.Wait()
}

// again calls do until ctx is done: after first, and then whenever the time is
// over that do returned.
func again(ctx context.Context, first time.Duration, do func() time.Duration) error {
	t := time.NewTimer(first)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			t.Reset(do())
		}
	}
}

// mirrorPause is how long changes are collected before they are pushed.
const mirrorPause = 2 * time.Second

// mirrorBatch bounds the changes of one commit.
const mirrorBatch = 500

// mirror writes what changed into registry.json and pushes it.
func (s *Shared) mirror(ctx context.Context) error {
	entries, err := s.db.MirrorBacklog(ctx, mirrorBatch)
	if err != nil || len(entries) == 0 {
		return err
	}
	wanted := make(map[prompt.ID]map[string]registry.Track)
	tracks := make(map[registry.Place]registry.Track)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
		if wanted[e.Prompt] == nil {
			wanted[e.Prompt] = make(map[string]registry.Track)
		}
		st, err := s.db.State(ctx, e.Prompt, e.Environment)
		if err != nil {
			return err
		}
		wanted[e.Prompt][e.Environment] = st.Track
		tracks[registry.Place{Prompt: e.Prompt, Environment: e.Environment}] = st.Track
	}
	message := fmt.Sprintf("registry: what runs, after %d changes\n", len(entries))
	if len(entries) == 1 {
		message = fmt.Sprintf("registry: %s in %s, revision %d\n", entries[0].Prompt, entries[0].Environment, entries[0].Revision)
	}
	told, err := s.guardText(ctx, entries, tracks)
	if err != nil {
		return err
	}
	describe := func(id prompt.ID) (*source.Entry, error) { return s.described(ctx, id) }
	commit, err := s.config.Remote.Mirror().Push(ctx, source.Deployed(wanted, describe), message+told)
	s.mu.Lock()
	s.status.Deferred = ""
	if err != nil {
		s.status.Deferred = prompt.Visible(err.Error())
	}
	s.mu.Unlock()
	if err != nil {
		return errors.Join(err, s.db.MirrorFailed(ctx, ids, err))
	}
	s.config.Log.Info("mirrored", "changes", len(entries), "commit", commit)
	return s.db.MirrorDone(ctx, ids)
}

// described is the entry of a prompt as its releases tell of it.
func (s *Service) described(ctx context.Context, id prompt.ID) (*source.Entry, error) {
	releases, err := s.Releases(ctx, id)
	if err != nil || len(releases) == 0 {
		return nil, err
	}
	e := &source.Entry{}
	return e, s.describe(ctx, e, releases)
}

// describe says in e what the newest of the releases says of the prompt.
func (s *Service) describe(ctx context.Context, e *source.Entry, releases []registry.Release) error {
	last := releases[len(releases)-1]
	draft, err := s.Released(ctx, last)
	if err == nil {
		e.Describe(draft.Metadata, last.Version, last.Digest, releases[0].At.UTC().Format(time.RFC3339))
	}
	return err
}

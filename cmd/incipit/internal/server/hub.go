package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A source is where a hub learns what runs.
type source struct {
	Revisions func(ctx context.Context) (generation int64, byEnv map[string]int64, err error)
	Patches   func(ctx context.Context, env string, after int64, limit int) ([]registry.Patch, error)
	Snapshot  func(ctx context.Context, env string, ids ...prompt.ID) (*registry.Snapshot, error)
}

// A hub holds what each environment runs in memory, and keeps it current. While
// the store is away it serves what it has.
type hub struct {
	source source
	log    *slog.Logger

	mu    sync.RWMutex // guards feeds
	feeds map[string]*feed
}

// One look at the store is bounded: one that hangs must not keep the next from
// being tried, nor whoever made a change from their answer.
const (
	lookTimeout = 5 * time.Second
	pokeTimeout = 2 * time.Second
)

func newHub(from source, log *slog.Logger) *hub {
	return &hub{source: from, log: log, feeds: make(map[string]*feed)}
}

// feed is that of an environment, loaded if it is not yet.
func (h *hub) feed(ctx context.Context, env string) (*feed, error) {
	h.mu.RLock()
	f := h.feeds[env]
	h.mu.RUnlock()
	if f != nil {
		return f, nil
	}
	f = newFeed(env, h.source, h.log)
	if err := f.refresh(ctx); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if first := h.feeds[env]; first != nil {
		return first, nil
	}
	h.feeds[env] = f
	return f, nil
}

// poke refreshes an environment after a change that was made here, so that who
// made it, and every stream, sees it at once. If it fails, polling sees to it.
func (h *hub) poke(ctx context.Context, env string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pokeTimeout)
	defer cancel()
	f, err := h.feed(ctx, env)
	if err == nil {
		err = f.refresh(ctx)
	}
	if err != nil {
		h.log.WarnContext(ctx, "a change is not visible yet", "environment", env, "error", err)
	}
}

// look refreshes every environment that changed, by whomever.
func (h *hub) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	generation, revisions, err := h.source.Revisions(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, env := range slices.Sorted(maps.Keys(revisions)) {
		f, err := h.feed(ctx, env)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		switch now := f.now.Load(); {
		case generation != now.generation:
			err = f.reloaded(ctx)
		case revisions[env] > now.revision:
			err = f.refresh(ctx)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// follow looks again and again, until ctx is done. It tells how each look went.
func (h *hub) follow(ctx context.Context, every time.Duration, tell func(error)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		err := h.look(ctx)
		if ctx.Err() != nil {
			return
		}
		tell(err)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// states are the current ones.
func (h *hub) states() []*state {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := make([]*state, 0, len(h.feeds))
	for _, env := range slices.Sorted(maps.Keys(h.feeds)) {
		out = append(out, h.feeds[env].now.Load())
	}
	return out
}

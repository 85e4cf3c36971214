package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// aheadOfUs is how far the clock of whoever asks may be ahead of ours.
const aheadOfUs = time.Minute

// WhatRan is what an environment ran at a time; at the zero time, what it runs.
func (s *Service) WhatRan(ctx context.Context, env string, at time.Time) (registry.WhatRan, error) {
	now := s.config.Now().UTC()
	if at.IsZero() {
		at = now
	}
	if at.After(now.Add(aheadOfUs)) {
		return registry.WhatRan{}, registry.WithFix(
			registry.Errorf(prompt.ErrInvalid, "%s is in the future: it is %s", at.UTC().Format(time.RFC3339), now.Format(time.RFC3339)), "give a time that has passed")
	}
	running, err := s.store.Running(ctx, env)
	if err != nil {
		return registry.WhatRan{}, err
	}
	tracks := make(map[prompt.ID]registry.Track, len(running.Prompts))
	for id, last := range running.Prompts {
		if last.At.After(at) { // what stood before it must be read
			tracks, err = s.store.TracksIn(ctx, env)
			break
		}
		tracks[id] = registry.Track{last}
	}
	if err != nil {
		return registry.WhatRan{}, err
	}
	return registry.RanIn(env, tracks, at), nil
}

// WhatRan is what an environment ran at a time, as far as the caller may see
// it.
func (s *Shared) WhatRan(ctx context.Context, env string, at time.Time) (registry.WhatRan, error) {
	c, _ := registry.CallerOf(ctx)
	if !c.MayAny(registry.MayRead, env, registry.Every) {
		return registry.WhatRan{}, c.May(registry.MayRead, env, registry.Every)
	}
	ran, err := s.Service.WhatRan(ctx, env, at)
	hidden := func(id prompt.ID) bool { return c.May(registry.MayRead, env, id) != nil }
	ran.Prompts = slices.DeleteFunc(ran.Prompts, func(r registry.Ran) bool { return hidden(r.Prompt) })
	ran.Forgotten = slices.DeleteFunc(ran.Forgotten, hidden)
	return ran, err
}

package sqlstore

import (
	"context"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/internal/registry"
)

// ChangeAll is Change for several places at once. It locks their environments
// in the order of their names, so that two of them cannot wait for each other.
// The answer of the first change is kept. A place without an environment is
// left alone: what a prompt is stands in its releases.
func (s *Store) ChangeAll(ctx context.Context, places []registry.Place, once registry.Once, decide func([]registry.State) ([]registry.Change, error)) (registry.Recorded, error) {
	envs := make(map[string]bool)
	for _, p := range places {
		envs[p.Environment] = true
	}
	delete(envs, "")
	var out registry.Recorded
	err := s.write(ctx, func(tx *tx) error {
		out = registry.Recorded{}
		for _, env := range slices.Sorted(maps.Keys(envs)) {
			if err := lock(ctx, tx, env); err != nil {
				return err
			}
		}
		var err error
		if out.Replayed, err = s.answered(ctx, tx, once); err != nil || out.Replayed != nil {
			return err
		}
		states := make([]registry.State, len(places))
		for i, p := range places {
			if p.Environment == "" {
				continue
			}
			if states[i], err = state(ctx, tx, p.Prompt, p.Environment); err != nil {
				return err
			}
		}
		changes, err := decide(states)
		if err != nil {
			return finalError{err}
		}
		if len(changes) == 0 {
			return nil
		}
		if err := s.answer(ctx, tx, once, changes[0].Answer); err != nil {
			return err
		}
		return s.recordAll(ctx, tx, places, states, changes)
	})
	return out, err
}

// recordAll writes the deployments, then what webhooks are told of them, and the
// audit events last: the head of the audit log is what everybody waits for.
func (s *Store) recordAll(ctx context.Context, tx *tx, places []registry.Place, states []registry.State, changes []registry.Change) error {
	var notices []registry.Notice
	for i, c := range changes {
		if c.Deployment == nil {
			continue
		}
		n, err := s.deploy(ctx, tx, places[i].Prompt, places[i].Environment, states[i], *c.Deployment)
		if err != nil {
			return err
		}
		notices = append(append(notices, n), c.Notices...)
	}
	if err := s.notify(ctx, tx, notices...); err != nil {
		return err
	}
	for i, c := range changes {
		if c.Deployment == nil {
			continue
		}
		if c.Event.Action == "" {
			c.Event.Action = string(c.Deployment.Action)
		}
		c.Event.Environment, c.Event.Prompt = places[i].Environment, places[i].Prompt
		if err := s.append(ctx, tx, c.Event); err != nil {
			return err
		}
	}
	return nil
}

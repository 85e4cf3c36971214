package lifecycle

import (
	"context"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// SetEnvironment adds an environment, or changes the rules of one.
func (s *Shared) SetEnvironment(ctx context.Context, e registry.Environment) error {
	if err := s.checkEnvironment(ctx, e); err != nil {
		return err
	}
	return s.db.SetEnvironment(ctx, e, event(ctx, "environment"))
}

// ReplaceEnvironment is SetEnvironment for somebody who saw the rules that they
// change, as Environment.Seen tells them apart; "" is for an environment that
// there is not yet. It reports ErrConflict if they are others now.
func (s *Shared) ReplaceEnvironment(ctx context.Context, seen string, e registry.Environment) error {
	if err := s.checkEnvironment(ctx, e); err != nil {
		return err
	}
	return s.db.ReplaceEnvironment(ctx, seen, e, event(ctx, "environment"))
}

// Environment finds one. It reports ErrNotFound, and which ones there are.
func (s *Service) Environment(ctx context.Context, name string) (registry.Environment, error) {
	st, err := s.store.State(ctx, "", name)
	return st.Environment, err
}

// checkEnvironment reports rules that could not be kept.
func (s *Shared) checkEnvironment(ctx context.Context, e registry.Environment) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if err := checkGuard(e); err != nil {
		return err
	}
	if !source.IsEnvironmentName(e.Name) {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no name of an environment", prompt.Clip(e.Name, 60)), "use a-z, 0-9 and dashes, at most 32 of them")
	}
	return s.reachable(ctx, e)
}

// reachable follows what e comes after to its end: in a circle nothing could
// ever be deployed.
func (s *Shared) reachable(ctx context.Context, e registry.Environment) error {
	way := []string{e.Name}
	for next := e.After; next != ""; {
		if way = append(way, next); slices.Contains(way[:len(way)-1], next) {
			return registry.Errorf(prompt.ErrInvalid, "environment %s would come after itself: %s", e.Name, strings.Join(way, " after "))
		}
		st, err := s.store.State(ctx, "", next)
		if err != nil {
			return err
		}
		next = st.Environment.After
	}
	return nil
}

package lifecycle

import (
	"context"
	"errors"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Side is one of two releases that are compared, by the name under which it
// was asked for.
type Side struct {
	Name    string
	Release registry.Release
	Draft   prompt.Draft
}

// Side is the release that a name stands for: a version, an environment (the
// stable release there), or an environment and an arm: production:candidate.
// The caller must be allowed to read the prompt there.
func (s *Shared) Side(ctx context.Context, id prompt.ID, name string) (Side, error) {
	v, err := prompt.ParseVersion(name)
	if err != nil {
		if v, err = s.versionIn(ctx, id, name); err != nil {
			return Side{}, err
		}
	}
	r, d, err := s.Read(ctx, id, v)
	return Side{name, r, d}, err
}

// versionIn is the version that an arm has in an environment.
func (s *Shared) versionIn(ctx context.Context, id prompt.ID, name string) (prompt.Version, error) {
	env, arm, named := strings.Cut(name, ":")
	if !named {
		arm = registry.StableArm
	}
	c, _ := registry.CallerOf(ctx)
	if env == "" {
		return prompt.Version{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q names no release", prompt.Clip(name, 80)), "name a version such as 1.0.0, or an environment")
	}
	if err := c.May(registry.MayRead, env, id); err != nil {
		return prompt.Version{}, err
	}
	tracks, err := s.Service.History(ctx, id, env)
	if errors.Is(err, registry.ErrNotFound) && s.known(ctx, env) != nil {
		return prompt.Version{}, registry.WithFix(registry.Errorf(registry.ErrNotFound, "%q is neither a version nor an environment", prompt.Clip(name, 80)),
			"name a version such as 1.0.0, an environment, or an environment and an arm such as production:candidate")
	}
	if err != nil {
		return prompt.Version{}, err
	}
	now, ok := tracks[env].Current()
	if !ok {
		return prompt.Version{}, s.runsNothing(ctx, id, env)
	}
	a, ok := now.Running().Arm(arm)
	if !ok {
		return prompt.Version{}, registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s has no arm %q in %s now", id, prompt.Clip(arm, 40), env),
			"%s alone is the stable release there", env)
	}
	return a.Version, nil
}

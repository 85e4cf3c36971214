package lifecycle

import (
	"context"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// shelves are what is kept in memory of all prompts, while nothing changed.
type shelves struct {
	standings *kept[sqlstore.Mark, []registry.Standing]
	versions  *kept[sqlstore.Mark, map[prompt.ID][]prompt.Version] // in order, the newest last
	findables *kept[sqlstore.Mark, []findable]
}

func newShelves() shelves {
	return shelves{newKept[sqlstore.Mark, []registry.Standing](), newKept[sqlstore.Mark, map[prompt.ID][]prompt.Version](), newKept[sqlstore.Mark, []findable]()}
}

// standings lists every prompt, in order. It is shared, and not to be changed.
func (s *Shared) standings(ctx context.Context) (sqlstore.Mark, []registry.Standing, error) {
	mark, err := s.db.Mark(ctx)
	if err != nil {
		return mark, nil, err
	}
	all, err := s.shelves.standings.get(ctx, mark, s.db.Standings)
	return mark, all, err
}

// versions are those of each prompt, the newest last. They are shared.
func (s *Shared) versions(ctx context.Context, mark sqlstore.Mark) (map[prompt.ID][]prompt.Version, error) {
	return s.shelves.versions.get(ctx, mark.Catalog(), func(ctx context.Context) (map[prompt.ID][]prompt.Version, error) {
		all, err := s.db.Versions(ctx)
		for _, of := range all {
			slices.SortFunc(of, prompt.Version.Compare)
		}
		return all, err
	})
}

// List is every prompt that the caller may read, in order, and what runs of it
// in the environments that they may read; with env only those that run there.
func (s *Shared) List(ctx context.Context, env string) ([]registry.Row, error) {
	if env != "" {
		if err := s.known(ctx, env); err != nil {
			return nil, err
		}
	}
	_, all, err := s.standings(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := registry.CallerOf(ctx)
	rows := make([]registry.Row, 0, len(all))
	for _, st := range all {
		if !c.MayAny(registry.MayRead, env, st.Prompt) {
			continue
		}
		row := rowOf(st, func(name string) bool {
			return (env == "" || name == env) && c.May(registry.MayRead, name, st.Prompt) == nil
		})
		if env == "" || len(row.Deployments) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// Overview is what runs where of every prompt that the caller may read, and how
// it fares as far as that is known without asking the calls.
func (s *Shared) Overview(ctx context.Context) (registry.Overview, error) {
	c, _ := registry.CallerOf(ctx)
	out := registry.Overview{At: s.config.Now().UTC(), Environments: []string{}, Prompts: []registry.OverviewRow{}}
	envs, err := s.Environments(ctx)
	if err != nil {
		return out, err
	}
	mark, all, err := s.standings(ctx)
	if err != nil {
		return out, err
	}
	versions, err := s.versions(ctx, mark)
	if err != nil {
		return out, err
	}
	known, err := s.health(ctx, envs)
	if err != nil {
		return out, err
	}
	next := nextOf(envs)
	for _, e := range envs {
		if c.MayAny(registry.MayRead, e.Name, registry.Every) {
			out.Environments = append(out.Environments, e.Name)
		}
	}
	for _, st := range all {
		if !c.MayAny(registry.MayRead, registry.Every, st.Prompt) {
			continue
		}
		row := registry.OverviewRow{
			Prompt: st.Prompt, Version: st.Version, Model: st.Model, Maintainer: st.Maintainer,
			Releases: len(versions[st.Prompt]), Places: make(map[string]registry.OverviewPlace, len(st.Running)),
		}
		for env, d := range st.Running {
			if d.Action == registry.Retire || c.May(registry.MayRead, env, st.Prompt) != nil {
				continue
			}
			row.Places[env] = registry.OverviewPlace{
				Running: d.Status(), Behind: newerThan(versions[st.Prompt], d.Version),
				Ahead:  aheadOf(d, st.Running, next[env]) && c.May(registry.MayRead, next[env], st.Prompt) == nil,
				Action: d.Action, From: d.From, Reason: d.Reason, Health: known.of(registry.Place{Prompt: st.Prompt, Environment: env}, d),
			}
		}
		out.Prompts = append(out.Prompts, row)
	}
	return out, nil
}

// newerThan is how many of the versions, which are in order, are newer than v.
func newerThan(all []prompt.Version, v prompt.Version) int {
	i, found := slices.BinarySearchFunc(all, v, prompt.Version.Compare)
	if found {
		i++
	}
	return len(all) - i
}

// nextOf is the environment that a release goes to after each: the one that says
// so, else the next in order; "" behind the last.
func nextOf(envs []registry.Environment) map[string]string {
	out := make(map[string]string, len(envs))
	for i, e := range envs {
		if i > 0 && e.After == "" {
			out[envs[i-1].Name] = e.Name
		}
	}
	for _, e := range slices.Backward(envs) { // of several, the first in order
		if e.After != "" {
			out[e.After] = e.Name
		}
	}
	return out
}

// aheadOf reports whether d serves a newer release than the environment next,
// also where nothing runs there.
func aheadOf(d registry.Deployment, running map[string]registry.Deployment, next string) bool {
	if next == "" {
		return false
	}
	there, runs := running[next]
	return !runs || there.Action == registry.Retire || d.Version.Compare(there.Version) > 0
}

package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A wanted is what a registry file asks for at one place.
type wanted struct {
	registry.Place
	version   string // "" where only the prompt itself is described
	described []byte
}

// Import registers the prompts of a file and deploys what it says runs where,
// under the rules of a deploy: each version must be released here, a protected
// environment must be confirmed, an open rollout is in the way. If one of them
// does not hold, nothing is taken in. Rollouts are not: what is stable there is
// stable here.
func (s *Service) Import(ctx context.Context, req registry.ImportRequest) (*registry.Imported, error) {
	other, err := source.ParseRegistry(req.Data, req.Name)
	if err != nil {
		return nil, err
	}
	all, err := wants(other)
	if err != nil || len(all) == 0 {
		return &registry.Imported{Prompts: []prompt.ID{}}, err
	}
	by, err := s.config.Author(ctx)
	if err != nil {
		return nil, err
	}
	standings, err := s.store.Standings(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[prompt.ID]bool)
	for _, st := range standings {
		known[st.Prompt] = st.Version != ""
	}
	places := make([]registry.Place, len(all))
	for i, w := range all {
		places[i] = w.Place
	}
	answer := &registry.Imported{}
	recorded, err := s.store.ChangeAll(ctx, places, req.Once, func(states []registry.State) ([]registry.Change, error) {
		changes := make([]registry.Change, len(all))
		moved := make(map[prompt.ID]bool)
		var refused []error
		for i, w := range all {
			c, err := s.take(ctx, states[i], w, by, req)
			if err != nil {
				refused = append(refused, err)
				continue
			}
			c.Message = "registry: import " + strings.Join(strings.Fields(req.Name), " ") + "\n"
			if !known[w.Prompt] {
				c.Described = w.described
			}
			if c.Deployment != nil || c.Described != nil {
				moved[w.Prompt] = true
			}
			changes[i] = c
		}
		answer.Prompts = slices.Sorted(maps.Keys(moved))
		if err := errors.Join(refused...); err != nil {
			return nil, err
		}
		if answer.Prompts == nil {
			answer.Prompts = []prompt.ID{}
		}
		if req.DryRun {
			changes = make([]registry.Change, len(all))
		}
		changes[0].Answer = answer
		return changes, nil
	})
	if err != nil {
		return nil, err
	}
	if recorded.Replayed != nil {
		answer = new(registry.Imported)
		return answer, json.Unmarshal(recorded.Replayed, answer)
	}
	answer.Commit = recorded.Commit
	return answer, nil
}

// wants lists what a registry file asks for: each prompt, and each of its
// deployments.
func wants(other *source.Registry) ([]wanted, error) {
	var all []wanted
	for _, id := range other.IDs() {
		e, err := other.Entry(id)
		if err != nil {
			return nil, err
		}
		described, err := e.Described().Encode()
		if err != nil {
			return nil, err
		}
		all = append(all, wanted{Place: registry.Place{Prompt: id}, described: described})
		for _, env := range slices.Sorted(maps.Keys(e.Deployments)) {
			track, err := e.Track(env)
			if err != nil {
				return nil, err
			}
			if now, ok := track.Current(); ok {
				all = append(all, wanted{Place: registry.Place{Prompt: id, Environment: env}, version: now.Version.String()})
			}
		}
	}
	return all, nil
}

// take is the change that brings a place to what is wanted there, an empty one
// if it is there already.
func (s *Service) take(ctx context.Context, st registry.State, w wanted, by string, req registry.ImportRequest) (registry.Change, error) {
	if w.version == "" {
		return registry.Change{}, nil
	}
	if now, ok := st.Track.Current(); ok && now.Version.String() == w.version {
		return registry.Change{}, nil
	}
	ask := registry.Request{
		Action: registry.Deploy, Prompt: w.Prompt, Environment: w.Environment, Version: w.version, Strategy: registry.Full,
		Reason: "imported from " + req.Name,
	}
	if slices.Contains(req.Confirm, w.Environment) {
		ask.Confirm = w.Environment
	}
	p, err := s.plan(ctx, st, ask)
	if err != nil {
		return registry.Change{}, err
	}
	if err := allowed(p, st.Environment); err != nil && !req.DryRun {
		return registry.Change{}, fmt.Errorf("%s would move to %s: %w", w.Prompt, w.version, err)
	}
	p.Deployment.At, p.Deployment.By = s.config.Now().UTC(), by
	return registry.Change{Deployment: &p.Deployment, Event: eventOf(ctx, p)}, nil
}

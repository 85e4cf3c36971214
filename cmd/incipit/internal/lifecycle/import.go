package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An ImportRequest takes in what another registry file says.
type ImportRequest struct {
	Name    string // of the file, for messages
	Data    []byte
	Confirm []string // the protected environments that may change
	DryRun  bool
}

// Import registers the prompts of a file and deploys what it says runs where,
// under the rules of a deploy: each version must be released here, a protected
// environment must be confirmed, an open rollout is in the way. If one of them
// does not hold, nothing is taken in. Rollouts are not: what is stable there is
// stable here. It returns the prompts that changed, and the commit.
func (s *Service) Import(ctx context.Context, req ImportRequest) (changed []prompt.ID, commit string, err error) {
	other, err := source.ParseRegistry(req.Data, req.Name)
	if err != nil {
		return nil, "", err
	}
	by, err := s.ws.Author(ctx)
	if err != nil {
		return nil, "", err
	}
	commit, err = s.ws.UpdateRegistry(ctx, "import "+req.Name, func(reg *source.Registry) (*source.Registry, string, error) {
		next := reg
		var refused []error
		for _, id := range other.IDs() {
			e, moved, err := s.merge(ctx, next, other, id, by, req)
			if err != nil {
				refused = append(refused, err)
				continue
			}
			if moved {
				changed = append(changed, id)
				if next, err = next.Put(id, e); err != nil {
					return nil, "", err
				}
			}
		}
		if err := errors.Join(refused...); err != nil || req.DryRun {
			return nil, "", err
		}
		return next, "registry: import " + strings.Join(strings.Fields(req.Name), " ") + "\n", nil
	})
	return changed, commit, err
}

// merge is the entry of id with what other says of it.
func (s *Service) merge(ctx context.Context, reg, other *source.Registry, id prompt.ID, by string, req ImportRequest) (e *source.Entry, moved bool, err error) {
	theirs, err := other.Entry(id)
	if err != nil {
		return nil, false, err
	}
	if e, err = reg.Entry(id); err != nil {
		return nil, false, err
	}
	if e == nil {
		e, moved = theirs.Described(), true
	}
	for _, env := range slices.Sorted(maps.Keys(theirs.Deployments)) {
		track, err := theirs.Track(env)
		if err != nil {
			return nil, false, err
		}
		want, ok := track.Current()
		if !ok {
			continue
		}
		st := state{entry: e}
		if st.env, err = s.ws.Config.Environment(env); err != nil {
			return nil, false, err
		}
		if st.track, err = e.Track(env); err != nil {
			return nil, false, err
		}
		if have, ok := st.track.Current(); ok && have.Version == want.Version {
			continue
		}
		p, err := s.plan(ctx, st, Request{
			Action: registry.Deploy, Prompt: id, Environment: env, Version: want.Version.String(), Strategy: registry.Full,
			Reason: "imported from " + req.Name,
		})
		if err != nil {
			return nil, false, err
		}
		if slices.Contains(req.Confirm, env) {
			p.Confirm = env
		}
		if err := p.confirmed(); err != nil && !req.DryRun {
			return nil, false, fmt.Errorf("%s would move to %s: %w", id, want.Version, err)
		}
		p.Deployment.At, p.Deployment.By = s.now().UTC(), by
		e.Install(env, st.track, p.Deployment)
		moved = true
	}
	return e, moved, nil
}

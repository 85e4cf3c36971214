package lifecycle

import (
	"context"

	"github.com/incipit-dev/incipit/internal/registry"
)

// List is every prompt that is known, in order; with env only those that run
// there.
func (s *Service) List(ctx context.Context, env string) ([]registry.Row, error) {
	if env != "" {
		if err := s.known(ctx, env); err != nil {
			return nil, err
		}
	}
	standings, err := s.store.Standings(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]registry.Row, 0, len(standings))
	for _, st := range standings {
		row := rowOf(st, func(name string) bool { return env == "" || name == env })
		if env == "" || len(row.Deployments) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// rowOf is a prompt, and what runs of it in the environments that are chosen.
func rowOf(st registry.Standing, chosen func(env string) bool) registry.Row {
	row := registry.Row{Prompt: st.Prompt, Version: st.Version, Model: st.Model, Maintainer: st.Maintainer, Deployments: make(map[string]registry.Running)}
	for name, d := range st.Running {
		if chosen(name) {
			row.Deployments[name] = d.Status()
		}
	}
	return row
}

// known reports ErrNotFound for an environment that there is not.
func (s *Service) known(ctx context.Context, env string) error {
	_, err := s.store.State(ctx, "", env)
	return err
}

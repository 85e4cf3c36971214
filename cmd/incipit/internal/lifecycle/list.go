package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Row is one prompt and what runs of it where.
type Row struct {
	Prompt      prompt.ID          `json:"prompt"`
	Version     string             `json:"version,omitempty"` // the last release; "" for a draft
	Model       string             `json:"model,omitempty"`
	Maintainer  string             `json:"maintainer,omitempty"`
	Deployments map[string]Running `json:"deployments"`
}

// Running is what an environment runs of a prompt.
type Running struct {
	Version    string         `json:"version"`
	Candidate  string         `json:"candidate,omitempty"`
	Share      registry.Share `json:"share"` // of the candidate, in percent; 0 without one
	NextStep   registry.Share `json:"next_step"`
	DeployedAt string         `json:"deployed_at"`
	By         string         `json:"by,omitempty"`
	Seq        int            `json:"deployment"`
}

// List is every prompt that is registered or lies in the work tree, in order;
// with env only those that run there.
func (s *Service) List(_ context.Context, env string) ([]Row, error) {
	if env != "" {
		if _, err := s.ws.Config.Environment(env); err != nil {
			return nil, err
		}
	}
	type drafts struct {
		ids []prompt.ID
		err error
	}
	found := make(chan drafts, 1)
	go func() { // reads directories while the registry is decoded; waited for below
		var d drafts
		if env == "" {
			d.ids, d.err = s.ws.IDs()
		}
		found <- d
	}()
	rows, err := s.registered(env)
	d := <-found
	if err := errors.Join(err, d.err); err != nil {
		return nil, err
	}
	known := len(rows)
	for _, id := range d.ids {
		byID := func(r Row, id prompt.ID) int { return strings.Compare(string(r.Prompt), string(id)) }
		if _, ok := slices.BinarySearchFunc(rows[:known], id, byID); !ok {
			rows = append(rows, Row{Prompt: id, Deployments: map[string]Running{}})
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(string(a.Prompt), string(b.Prompt)) })
	return rows, nil
}

// registered is the rows of the registry's prompts.
func (s *Service) registered(env string) ([]Row, error) {
	reg, err := s.ws.Registry()
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0)
	for _, id := range reg.IDs() {
		e, err := reg.Entry(id)
		if err != nil {
			return nil, err
		}
		row := Row{Prompt: id, Version: e.CurrentVersion, Model: e.Model, Maintainer: e.Maintainer, Deployments: make(map[string]Running)}
		for name := range e.Deployments {
			track, err := e.Track(name)
			if err != nil {
				return nil, err
			}
			if now, ok := track.Current(); ok && (env == "" || name == env) {
				row.Deployments[name] = running(now)
			}
		}
		if env == "" || len(row.Deployments) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func running(d registry.Deployment) Running {
	r := Running{Version: d.Version.String(), DeployedAt: d.At.UTC().Format("2006-01-02T15:04:05Z"), By: d.By, Seq: d.Seq}
	if d.Rollout != nil {
		r.Candidate, r.Share = d.Rollout.Candidate().Version.String(), d.Rollout.Candidate().Share()
		r.NextStep, _ = d.Rollout.NextStep()
	}
	return r
}

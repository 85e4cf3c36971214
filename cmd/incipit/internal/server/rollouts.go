package server

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// InPlace is the prompt in an environment of a path.
type InPlace struct {
	Environment string `path:"environment" maxLength:"64"`
	Prompt      string `path:"prompt" maxLength:"300"`
}

func (in InPlace) place() (registry.Place, error) {
	id, err := prompt.ParseID(in.Prompt)
	return registry.Place{Prompt: id, Environment: in.Environment}, err
}

type rolloutsInput struct {
	Environment string `query:"environment" maxLength:"64"`
}

func (s *Server) rollouts(ctx context.Context, in *rolloutsInput) (*reply[api.Page[registry.RolloutReport]], error) {
	all, err := s.service.Rollouts(ctx, in.Environment)
	return answered(api.Page[registry.RolloutReport]{Items: all}, err)
}

type rolloutInput struct {
	InPlace
	Rollout int `query:"rollout" minimum:"0" doc:"The number of the deployment by which it began; 0 is the newest"`
}

func (s *Server) rollout(ctx context.Context, in *rolloutInput) (*reply[registry.RolloutReport], error) {
	at, err := in.place()
	if err != nil {
		return nil, err
	}
	return answered(s.service.Rollout(ctx, at, in.Rollout))
}

type holdInput struct {
	InPlace
	Body api.Hold
}

func (s *Server) holdRollout(ctx context.Context, in *holdInput) (*reply[registry.RolloutReport], error) {
	at, err := in.place()
	if err != nil {
		return nil, err
	}
	return answered(s.service.HoldRollout(ctx, registry.HoldRequest{Place: at, Resume: in.Body.Resume, Reason: in.Body.Reason}))
}

type replayInput struct {
	InPlace
	Body api.Replay
}

func (s *Server) replayRollout(ctx context.Context, in *replayInput) (*reply[registry.RolloutReplay], error) {
	at, err := in.place()
	if err != nil {
		return nil, err
	}
	return answered(s.service.ReplayRollout(ctx, at, in.Body.Rollout, in.Body.Rules))
}

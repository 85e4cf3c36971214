package api

import (
	"context"
	"net/url"
	"strconv"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Hold is the body that pauses a rollout or lets it go on.
type Hold struct {
	Resume bool   `json:"resume" doc:"Let it go on; else it is paused"`
	Reason string `json:"reason,omitempty"`
}

// A Replay is the body that asks what rules would have decided.
type Replay struct {
	Rollout int                 `json:"rollout,omitempty" minimum:"0" doc:"The number of the deployment by which it began; 0 is the newest"`
	Rules   registry.GuardRules `json:"rules,omitzero" doc:"In the place of those that it had"`
}

// Rollouts lists the open rollouts of an environment, or of all if it is "".
func (c *Client) Rollouts(ctx context.Context, env string) ([]registry.RolloutReport, error) {
	return All[registry.RolloutReport](ctx, c, "/v1/rollouts", query("environment", env))
}

// Rollout is where a rollout stands: the one that deployment opened began, or
// the newest if that is 0.
func (c *Client) Rollout(ctx context.Context, at registry.Place, opened int) (registry.RolloutReport, error) {
	q := url.Values{}
	if opened > 0 {
		q.Set("rollout", strconv.Itoa(opened))
	}
	var out registry.RolloutReport
	return out, c.get(ctx, placePath(at, "rollout"), q, &out)
}

// HoldRollout pauses a rollout or lets it go on. Said twice it is said once.
func (c *Client) HoldRollout(ctx context.Context, req registry.HoldRequest) (registry.RolloutReport, error) {
	var out registry.RolloutReport
	return out, c.post(ctx, placePath(req.Place, "hold"), Hold{Resume: req.Resume, Reason: req.Reason}, &out)
}

// ReplayRollout judges the calls of a rollout again.
func (c *Client) ReplayRollout(ctx context.Context, at registry.Place, opened int, rules registry.GuardRules) (registry.RolloutReplay, error) {
	var out registry.RolloutReplay
	return out, c.post(ctx, placePath(at, "replay"), Replay{Rollout: opened, Rules: rules}, &out)
}

func placePath(at registry.Place, verb string) string {
	return path("/v1/environments", at.Environment, "prompts", string(at.Prompt), verb)
}

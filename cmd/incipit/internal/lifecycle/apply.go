package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Receipt is a change that was made.
type Receipt struct {
	*Plan
	Revision int64  `json:"revision"` // of the environment, after the change
	Commit   string `json:"commit,omitempty"`
}

// Do plans a change and makes it.
func (s *Service) Do(ctx context.Context, req Request) (*Receipt, error) {
	return s.apply(ctx, req, nil)
}

// Apply makes a change that was planned before. It reports ErrConflict if what
// runs, or what a version means, is not what the plan saw.
func (s *Service) Apply(ctx context.Context, seen *Plan) (*Receipt, error) {
	return s.apply(ctx, seen.Request, seen)
}

// Replan works a plan out again. It reports ErrConflict if it no longer holds.
func (s *Service) Replan(ctx context.Context, seen *Plan) (*Plan, error) {
	now, err := s.Plan(ctx, seen.Request)
	if err != nil {
		return nil, err
	}
	return now, now.stale(seen)
}

func (s *Service) apply(ctx context.Context, req Request, seen *Plan) (*Receipt, error) {
	if err := s.ws.Mend(ctx); err != nil {
		return nil, err
	}
	// Planned once before the lock: most refusals need no lock, and a plan that
	// is not confirmed must not wait for one.
	first, err := s.Plan(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := first.stale(seen); err != nil {
		return nil, err
	}
	if first.Already != "" {
		return &Receipt{Plan: first, Revision: first.SeenRev}, nil
	}
	if err := first.confirmed(); err != nil {
		return nil, err
	}
	by, err := s.ws.Author(ctx)
	if err != nil {
		return nil, err
	}
	var plan *Plan
	commit, err := s.ws.UpdateRegistry(ctx, fmt.Sprintf("%s %s in %s", req.Action, req.Prompt, req.Environment), func(reg *source.Registry) (*source.Registry, string, error) {
		st, err := s.state(reg, req.Prompt, req.Environment)
		if err != nil {
			return nil, "", err
		}
		if plan, err = s.plan(ctx, st, req); err != nil {
			return nil, "", err
		}
		if err := plan.stale(first); err != nil {
			return nil, "", err
		}
		d := &plan.Deployment
		d.At, d.By = s.now().UTC(), by
		st.entry.Install(req.Environment, st.track, *d)
		next, err := reg.Put(req.Prompt, st.entry)
		return next, plan.message(), err
	})
	if err != nil {
		return nil, err
	}
	return &Receipt{Plan: plan, Revision: plan.SeenRev + 1, Commit: commit}, nil
}

// stale reports ErrConflict if p was planned on another state than seen.
func (p *Plan) stale(seen *Plan) error {
	if seen == nil || p.SeenSeq == seen.SeenSeq && p.To == seen.To && p.Deployment.Digest == seen.Deployment.Digest {
		return nil
	}
	return registry.WithFix(
		registry.Errorf(registry.ErrConflict, "%s in %s moved from deployment %d to %d since it was looked at", p.Prompt, p.Environment, seen.SeenSeq, p.SeenSeq),
		"look at incipit history %s --env %s, then plan again", p.Prompt, p.Environment)
}

// message is the commit's: "deploy(production): id 1.3.1 -> 1.3.2 (canary 5 %)".
func (p *Plan) message() string {
	d := p.Deployment
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%s): %s ", p.Action, p.Environment, p.Prompt)
	if d.From != "" && d.From != p.To.String() {
		fmt.Fprintf(&b, "%s -> ", d.From)
	}
	b.WriteString(p.To.String())
	if d.Rollout != nil {
		fmt.Fprintf(&b, " (%s %s)", d.Rollout.Strategy, d.Rollout.Candidate().Share())
	}
	b.WriteString("\n")
	if p.Reason != "" {
		fmt.Fprintf(&b, "\n%s\n", p.Reason)
	}
	fmt.Fprintf(&b, "\nPrompt: %s\nEnvironment: %s\nDeployment: %d\n", p.Prompt, p.Environment, d.Seq)
	return b.String()
}

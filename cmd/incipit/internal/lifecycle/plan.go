package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A planning is a plan in the making, and the state it is made on.
type planning struct {
	*registry.Plan
	registry.State
}

// Plan works a change out without making it. A rule that does not hold is a
// check that says so: Do would refuse.
func (s *Service) Plan(ctx context.Context, req registry.Request) (*registry.Plan, error) {
	st, err := s.store.State(ctx, req.Prompt, req.Environment)
	if err != nil {
		return nil, err
	}
	return s.plan(ctx, st, req)
}

func (s *Service) plan(ctx context.Context, st registry.State, req registry.Request) (*registry.Plan, error) {
	if req.Revision != nil && *req.Revision != st.Revision {
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is at revision %d, not %d", req.Environment, st.Revision, *req.Revision), "look at incipit history %s --env %s, then decide again", req.Prompt, req.Environment)
	}
	if issues := prompt.CheckText([]byte(req.Reason)); len(issues) > 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the reason holds a character that nobody sees: %s", issues[0].Message)
	}
	if len(req.Reason) > maxReason {
		return nil, registry.Errorf(prompt.ErrInvalid, "the reason is longer than %d bytes", maxReason)
	}
	p := &registry.Plan{Request: req, Checks: []registry.Check{}, Protected: st.Environment.Protected, SeenSeq: st.Track.Seq(), SeenRev: st.Revision}
	if now, ok := st.Track.Current(); ok {
		p.From = now.Version.String()
	}
	p.Deployment = registry.Deployment{Seq: p.SeenSeq + 1, Action: req.Action, From: p.From, Reason: req.Reason}
	if c, ok := registry.CallerOf(ctx); ok {
		p.Deployment.By = c.Name
	}
	pl := planning{p, st}
	var err error
	switch req.Action {
	case registry.Deploy:
		err = s.deploy(ctx, pl)
	case registry.Shift:
		err = s.shift(ctx, pl)
	case registry.Promote:
		err = s.promote(ctx, pl)
	case registry.Rollback:
		err = s.rollback(ctx, pl)
	case registry.Retire:
		err = s.retire(pl)
	default:
		err = fmt.Errorf("action %q is %w", prompt.Clip(string(req.Action), 40), prompt.ErrInvalid)
	}
	return p, err
}

// maxReason bounds a reason, in bytes.
const maxReason = 4 << 10

// check adds a condition that holds.
func (p planning) check(format string, args ...any) {
	p.Checks = append(p.Checks, registry.Check{Name: fmt.Sprintf(format, args...), OK: true})
}

// refuse adds a condition that does not hold, and what would make it hold.
func (p planning) refuse(name, fix string) {
	p.Checks = append(p.Checks, registry.Check{Name: name, Fix: fix})
}

// undo is the command line that would bring back what runs now.
func (p planning) undo(format string, args ...any) {
	p.Undo = "incipit " + fmt.Sprintf(format, args...) + " --env " + p.Request.Environment
	if p.Protected {
		p.Undo += " --confirm " + p.Request.Environment
	}
	if p.State.Environment.Reason {
		p.Undo += ` --reason "…"`
	}
}

// allowed reports why a plan must not be carried out: the environment is not
// confirmed, the reason is missing, or a check does not hold.
func allowed(p *registry.Plan, env registry.Environment) error {
	if env.Reason && strings.TrimSpace(p.Reason) == "" {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a change in %s must say why", p.Environment), "add --reason TEXT")
	}
	var names, fixes []string
	for _, c := range p.Checks {
		if !c.OK {
			names, fixes = append(names, c.Name), append(fixes, c.Fix)
		}
	}
	if len(names) > 0 {
		return registry.WithFix(registry.Errorf(registry.ErrGate, "%s in %s is held back: %s", p.Prompt, p.Environment, strings.Join(names, "; ")), "%s", strings.Join(fixes, "; "))
	}
	if p.Protected && p.Confirm != p.Environment {
		return registry.WithFix(registry.Errorf(registry.ErrUnconfirmed, "%s is protected: the change must be confirmed by its name", p.Environment), "add --confirm %s", p.Environment)
	}
	return nil
}

// stale reports ErrConflict if now was planned on another state than seen.
func stale(now, seen *registry.Plan) error {
	if seen == nil || now.SeenSeq == seen.SeenSeq && now.To == seen.To && now.Deployment.Digest == seen.Deployment.Digest {
		return nil
	}
	return registry.WithFix(
		registry.Errorf(registry.ErrConflict, "%s in %s moved from deployment %d to %d since it was looked at", now.Prompt, now.Environment, seen.SeenSeq, now.SeenSeq),
		"look at incipit history %s --env %s, then plan again", now.Prompt, now.Environment)
}

// Replan works a plan out again. It reports ErrConflict if it no longer holds.
func (s *Service) Replan(ctx context.Context, seen *registry.Plan) (*registry.Plan, error) {
	now, err := s.Plan(ctx, seen.Request)
	if err != nil {
		return nil, err
	}
	return now, stale(now, seen)
}

package lifecycle

import (
	"context"
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Request asks for a change of what runs. Which fields count depends on the
// action.
type Request struct {
	Action      registry.Action    `json:"action"`
	Prompt      prompt.ID          `json:"prompt"`
	Environment string             `json:"environment"`
	Version     string             `json:"version,omitempty"`  // deploy; rollback, where "" is the last good one
	Strategy    registry.Strategy  `json:"strategy,omitempty"` // deploy; "" is full
	Steps       []registry.Share   `json:"steps,omitempty"`    // canary
	Bucketing   registry.Bucketing `json:"bucketing,omitempty"`
	Share       registry.Share     `json:"share"` // shift
	Reason      string             `json:"reason,omitempty"`
	Supersede   bool               `json:"supersede,omitempty"` // deploy over an open rollout

	// Confirm is the environment's name, where it is protected.
	Confirm string `json:"-"`
	// Revision, if set, is the environment's revision that the caller saw.
	Revision *int64 `json:"-"`
}

// A Check is one condition of a change, and how it stands.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// A Plan is a change worked out: what would be recorded, who moves, and the
// state that it was worked out on.
type Plan struct {
	Request
	From       string              `json:"from,omitempty"` // what runs now; "" if nothing does
	To         prompt.Version      `json:"to"`             // what the change is about
	Already    string              `json:"already,omitempty"`
	Moves      string              `json:"moves"` // who gets another release
	Undo       string              `json:"undo"`  // the command that takes it back
	Protected  bool                `json:"protected"`
	SeenSeq    int                 `json:"seen_seq"` // the last deployment it was planned on
	SeenRev    int64               `json:"seen_revision"`
	Checks     []Check             `json:"checks"`
	Deployment registry.Deployment `json:"deployment"` // its time and author are set when it is applied
}

// Plan works a change out without making it.
func (s *Service) Plan(ctx context.Context, req Request) (*Plan, error) {
	reg, err := s.ws.Registry()
	if err != nil {
		return nil, err
	}
	st, err := s.state(reg, req.Prompt, req.Environment)
	if err != nil {
		return nil, err
	}
	return s.plan(ctx, st, req)
}

func (s *Service) plan(ctx context.Context, st state, req Request) (*Plan, error) {
	if req.Revision != nil && *req.Revision != st.revision {
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is at revision %d, not %d", req.Environment, st.revision, *req.Revision), "look at incipit history %s --env %s, then decide again", req.Prompt, req.Environment)
	}
	if issues := prompt.CheckText([]byte(req.Reason)); len(issues) > 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the reason holds a character that nobody sees: %s", issues[0].Message)
	}
	p := &Plan{Request: req, Checks: []Check{}, Protected: st.env.Protected, SeenSeq: st.track.Seq(), SeenRev: st.revision}
	if now, ok := st.track.Current(); ok {
		p.From = now.Version.String()
	}
	p.Deployment = registry.Deployment{Seq: p.SeenSeq + 1, Action: req.Action, From: p.From, Reason: req.Reason}
	var err error
	switch req.Action {
	case registry.Deploy:
		err = s.deploy(ctx, st, p)
	case registry.Shift:
		err = s.shift(st, p)
	case registry.Promote:
		err = s.promote(ctx, st, p)
	case registry.Rollback:
		err = s.rollback(ctx, st, p)
	default:
		err = fmt.Errorf("action %q is %w", req.Action, prompt.ErrInvalid)
	}
	return p, err
}

func (p *Plan) check(format string, args ...any) {
	p.Checks = append(p.Checks, Check{fmt.Sprintf(format, args...), true})
}

// undo is the command line that would bring back what runs now.
func (p *Plan) undo(format string, args ...any) {
	p.Undo = "incipit " + fmt.Sprintf(format, args...) + " --env " + p.Environment
	if p.Protected {
		p.Undo += " --confirm " + p.Environment
	}
}

// confirmed holds the protection of an environment.
func (p *Plan) confirmed() error {
	if !p.Protected || p.Confirm == p.Environment {
		return nil
	}
	return registry.WithFix(registry.Errorf(registry.ErrUnconfirmed, "%s is protected: the change must be confirmed by its name", p.Environment), "add --confirm %s", p.Environment)
}

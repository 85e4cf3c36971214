package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Do plans a change and makes it.
func (s *Service) Do(ctx context.Context, req registry.Request) (*registry.Receipt, error) {
	return s.apply(ctx, req, nil)
}

// Apply makes a change that was planned before. It reports ErrConflict if what
// runs, or what a version means, is not what the plan saw.
func (s *Service) Apply(ctx context.Context, seen *registry.Plan) (*registry.Receipt, error) {
	return s.apply(ctx, seen.Request, seen)
}

func (s *Service) apply(ctx context.Context, req registry.Request, seen *registry.Plan) (*registry.Receipt, error) {
	by, err := s.config.Author(ctx)
	if err != nil {
		return nil, err
	}
	var receipt *registry.Receipt
	recorded, err := s.store.Change(ctx, req.Prompt, req.Environment, req.Once, func(st registry.State) (registry.Change, error) {
		c, r, err := s.decide(ctx, st, req, seen, by)
		receipt = r
		return c, err
	})
	if err != nil {
		return nil, err
	}
	if recorded.Replayed != nil {
		receipt = new(registry.Receipt)
		return receipt, json.Unmarshal(recorded.Replayed, receipt)
	}
	receipt.Commit = recorded.Commit
	return receipt, nil
}

// decide is the change that a request comes to on a state.
func (s *Service) decide(ctx context.Context, st registry.State, req registry.Request, seen *registry.Plan, by string) (registry.Change, *registry.Receipt, error) {
	p, err := s.plan(ctx, st, req)
	if err != nil {
		return registry.Change{}, nil, err
	}
	if err := stale(p, seen); err != nil {
		return registry.Change{}, nil, err
	}
	if p.Already != "" {
		r := &registry.Receipt{Plan: p, Revision: p.SeenRev}
		return registry.Change{Answer: r}, r, nil
	}
	if err := allowed(p, st.Environment); err != nil {
		return registry.Change{}, nil, err
	}
	p.Deployment.At, p.Deployment.By = s.config.Now().UTC(), by
	r := &registry.Receipt{Plan: p, Revision: p.SeenRev + 1}
	return registry.Change{Deployment: &p.Deployment, Message: message(p), Event: eventOf(ctx, p), Answer: r}, r, nil
}

// eventOf is the line of the audit log that tells of a change.
func eventOf(ctx context.Context, p *registry.Plan) registry.Event {
	e := event(ctx, string(p.Action))
	e.Environment, e.Prompt, e.Version, e.Reason = p.Environment, p.Prompt, p.To.String(), p.Reason
	e.Detail = map[string]string{"deployment": fmt.Sprint(p.Deployment.Seq)}
	if p.Deployment.From != "" {
		e.Detail["from"] = p.Deployment.From
	}
	switch r := p.Deployment.Rollout; {
	case r == nil:
	case r.Strategy == registry.Experiment:
		e.Detail["strategy"], e.Detail["shares"] = string(r.Strategy), sharesOf(*r)
	default:
		e.Detail["strategy"], e.Detail["share"] = string(r.Strategy), r.Candidate().Share().Number()
	}
	if p.Arm != "" {
		e.Detail["arm"] = p.Arm
	}
	for _, c := range p.Checks {
		if strings.HasPrefix(c.Name, "the quarantine of ") {
			e.Detail["quarantine"] = "cleared"
		}
	}
	return e
}

// event is a line of the audit log that says who acts.
func event(ctx context.Context, action string) registry.Event {
	c, _ := registry.CallerOf(ctx)
	return registry.Event{Action: action, Actor: c.Name, Key: c.Key, Source: c.Source, Request: c.Request}
}

// message is the commit's: "deploy(production): id 1.3.1 -> 1.3.2 (canary 5 %)".
func message(p *registry.Plan) string {
	d := p.Deployment
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%s): %s ", p.Action, p.Environment, p.Prompt)
	if d.From != "" && d.From != p.To.String() {
		fmt.Fprintf(&b, "%s -> ", d.From)
	}
	b.WriteString(p.To.String())
	if d.Rollout != nil {
		fmt.Fprintf(&b, " (%s %s)", d.Rollout.Strategy, sharesOf(*d.Rollout))
	}
	b.WriteString("\n")
	if p.Reason != "" {
		fmt.Fprintf(&b, "\n%s\n", p.Reason)
	}
	fmt.Fprintf(&b, "\nPrompt: %s\nEnvironment: %s\nDeployment: %d\n", p.Prompt, p.Environment, d.Seq)
	return b.String()
}

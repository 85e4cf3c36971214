package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// deploy puts a release into an environment, at once or behind a rollout.
func (s *Service) deploy(ctx context.Context, st state, p *Plan) error {
	if name, shared := p.Prompt.Shared(); shared {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is a text that prompts include: it runs as a part of them, not by itself", p.Prompt),
			"release the prompts that include it: {{> %s}}", name)
	}
	v, err := prompt.ParseVersion(p.Version)
	if err != nil {
		return err
	}
	p.To = v
	r, err := s.ws.ReleaseOf(ctx, p.Prompt, v)
	if err != nil {
		return err
	}
	if _, err := s.ws.Released(ctx, r); err != nil {
		return err
	}
	p.check("release %s exists", r.Tag)
	p.check("its files have the digest that was released")

	now, running := st.track.Current()
	if err := p.overRollout(now); err != nil || p.Already != "" {
		return err
	}
	gradual := p.Strategy == registry.Canary || p.Strategy == registry.BlueGreen
	switch {
	case gradual && !running:
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "nothing runs in %s yet: a %s rollout needs a stable release to start from", p.Environment, p.Strategy), "deploy the first release to everybody: leave out --%s", p.Strategy)
	case running && now.Version == v && now.Rollout == nil:
		p.Already = fmt.Sprintf("%s already runs in %s, for everybody", r.Tag, p.Environment)
		return nil
	case gradual && now.Version == v:
		return registry.Errorf(prompt.ErrInvalid, "%s is the stable release in %s already: it cannot be its own candidate", v, p.Environment)
	case gradual:
		if _, err := s.read(ctx, p.Prompt, now.Version, now.Digest); err != nil {
			return fmt.Errorf("the running release cannot stay beside the candidate: %w", err)
		}
		return p.startRollout(now, registry.Arm{Version: v, Digest: r.Digest})
	}
	p.Deployment.Version, p.Deployment.Digest = v, r.Digest
	if running {
		p.Moves = fmt.Sprintf("everybody in %s moves from %s to %s", p.Environment, now.Version, v)
		if _, err := s.read(ctx, p.Prompt, now.Version, now.Digest); err == nil {
			p.undo("rollback %s", p.Prompt)
		}
	} else {
		p.Moves = fmt.Sprintf("everybody in %s gets %s, the first release there", p.Environment, v)
	}
	return nil
}

// overRollout refuses a second deploy while a rollout is open, unless it is
// the same one, or is said to replace it.
func (p *Plan) overRollout(now registry.Deployment) error {
	if now.Rollout == nil {
		p.check("no rollout is open")
		return nil
	}
	c := now.Rollout.Candidate()
	if c.Version == p.To && now.Rollout.Strategy == p.Strategy {
		p.Already = fmt.Sprintf("a %s rollout of %s@%s is already open in %s, at %s", p.Strategy, p.Prompt, c.Version, p.Environment, c.Share())
		return nil
	}
	if !p.Supersede {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "a rollout of %s is open in %s, at %s", c.Version, p.Environment, c.Share()),
			"finish it with incipit promote or incipit rollback, or replace it with --supersede")
	}
	p.check("the open rollout of %s is superseded", c.Version)
	return nil
}

func (p *Plan) startRollout(now registry.Deployment, candidate registry.Arm) error {
	stable := registry.Arm{Version: now.Version, Digest: now.Digest}
	// A salt of its own for each rollout: without it the same subjects would be
	// the first to try every change.
	salt := fmt.Sprintf("%s/%s/%d", p.Prompt, p.Environment, p.Deployment.Seq)
	if p.Bucketing == registry.MD5Bucketing {
		salt = ""
	}
	r := registry.NewRollout(p.Strategy, p.Bucketing, salt, stable, candidate, p.Steps)
	for _, s := range p.Steps {
		if err := r.WithShare(s).Validate(); err != nil {
			return err
		}
	}
	share := registry.Share(0)
	if p.Strategy == registry.Canary {
		share = p.Steps[0]
	}
	r = r.WithShare(share)
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.Rollout = now.Version, now.Digest, &r
	if share == 0 {
		p.Moves = fmt.Sprintf("nobody moves yet: %s is loaded beside %s, at 0 %%", p.To, now.Version)
	} else {
		p.Moves = fmt.Sprintf("%s of the subjects move from %s to %s", share, now.Version, p.To)
	}
	p.undo("rollback %s", p.Prompt)
	return nil
}

// shift changes the candidate's share of an open rollout.
func (s *Service) shift(st state, p *Plan) error {
	now, err := p.openRollout(st, "shift")
	if err != nil {
		return err
	}
	was := now.Rollout.Candidate().Share()
	p.To = now.Rollout.Candidate().Version
	if was == p.Share {
		p.Already = fmt.Sprintf("%s@%s already has %s of the subjects in %s", p.Prompt, p.To, was, p.Environment)
		return nil
	}
	r := now.Rollout.WithShare(p.Share)
	if err := r.Validate(); err != nil {
		return err
	}
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.Rollout = now.Version, now.Digest, &r
	if p.Share > was {
		p.Moves = fmt.Sprintf("%s of the subjects move from %s to %s, nobody moves back", p.Share-was, now.Version, p.To)
	} else {
		p.Moves = fmt.Sprintf("%s of the subjects move back from %s to %s", was-p.Share, p.To, now.Version)
	}
	p.undo("shift %s --to %s", p.Prompt, was.Number())
	return nil
}

// promote makes the candidate of an open rollout the stable release.
func (s *Service) promote(ctx context.Context, st state, p *Plan) error {
	if now, ok := st.track.Current(); ok && now.Action == registry.Promote {
		p.To = now.Version
		p.Already = fmt.Sprintf("%s@%s is already promoted in %s", p.Prompt, now.Version, p.Environment)
		return nil
	}
	now, err := p.openRollout(st, "promote")
	if err != nil {
		return err
	}
	c := now.Rollout.Candidate()
	if _, err := s.read(ctx, p.Prompt, c.Version, c.Digest); err != nil {
		return err
	}
	p.check("the candidate's files have the digest that was deployed")
	p.To = c.Version
	p.Deployment.Version, p.Deployment.Digest = c.Version, c.Digest
	p.Moves = fmt.Sprintf("the other %s of the subjects move from %s to %s", registry.Scale-c.Share(), now.Version, c.Version)
	p.undo("rollback %s", p.Prompt)
	return nil
}

func (p *Plan) openRollout(st state, verb string) (registry.Deployment, error) {
	now, ok := st.track.Current()
	if ok && now.Rollout != nil {
		return now, nil
	}
	return now, registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is no open rollout of %s in %s to %s", p.Prompt, p.Environment, verb),
		"start one with incipit deploy %s@VERSION --env %s --canary 5,25,50,100", p.Prompt, p.Environment)
}

// rollback brings an earlier release back, for everybody, at once.
func (s *Service) rollback(ctx context.Context, st state, p *Plan) error {
	now, ok := st.track.Current()
	if !ok {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s runs no release in %s, there is nothing to roll back", p.Prompt, p.Environment), "incipit list shows what runs where")
	}
	target, err := p.target(st.track, now)
	if err != nil || p.Already != "" {
		return err
	}
	r, err := s.ws.ReleaseOf(ctx, p.Prompt, target)
	if err != nil {
		return err
	}
	if _, err := s.ws.Released(ctx, r); err != nil {
		return err
	}
	p.check("%s ran here before, and its files have the digest that was released", r.Tag)
	p.To = target
	p.Deployment.Version, p.Deployment.Digest = target, r.Digest
	if now.Rollout == nil {
		p.Moves = fmt.Sprintf("everybody in %s moves from %s back to %s", p.Environment, now.Version, target)
		p.undo("deploy %s@%s", p.Prompt, now.Version)
		return nil
	}
	c := now.Rollout.Candidate()
	p.Deployment.From = c.Version.String()
	p.Moves = fmt.Sprintf("the %s of the subjects on %s move back to %s", c.Share(), c.Version, target)
	p.undo("deploy %s@%s %s", p.Prompt, c.Version, s.reopening(*now.Rollout))
	return nil
}

// reopening is the flags of a deploy that would start the rollout r again where
// it stands, for the same way of choosing subjects.
func (s *Service) reopening(r registry.Rollout) string {
	flags := "--blue-green"
	if r.Strategy == registry.Canary {
		steps := []string{max(r.Candidate().Share(), 1).Number()}
		for _, step := range r.Steps {
			if step > r.Candidate().Share() {
				steps = append(steps, step.Number())
			}
		}
		flags = "--canary " + strings.Join(steps, ",")
	}
	if r.Bucketing != s.ws.Config.Bucketing {
		flags += " --bucketing " + string(r.Bucketing)
	}
	return flags
}

// target is what a rollback goes back to. A second rollback in a row stays
// where the first one went: whoever wants to go further says how far.
func (p *Plan) target(track registry.Track, now registry.Deployment) (prompt.Version, error) {
	if p.Version == "" {
		if now.Action == registry.Rollback {
			p.To = now.Version
			p.Already = fmt.Sprintf("%s was already rolled back to %s in %s", p.Prompt, now.Version, p.Environment)
			if v, err := track.LastGood(); err == nil {
				p.Already += fmt.Sprintf("; to go further back: --to %s", v)
			}
			return now.Version, nil
		}
		v, err := track.LastGood()
		if err != nil {
			err = registry.WithFix(err, "deploy another release: incipit log %s lists them", p.Prompt)
		}
		return v, err
	}
	v, err := prompt.ParseVersion(p.Version)
	if err != nil {
		return v, err
	}
	if now.Version == v && now.Rollout == nil {
		p.To = v
		p.Already = fmt.Sprintf("%s@%s already runs in %s, for everybody", p.Prompt, v, p.Environment)
		return v, nil
	}
	if !track.Ran(v) {
		return v, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s never ran in %s, so there is no going back to it", v, p.Environment), "incipit history %s --env %s shows what did; anything else is a deploy", p.Prompt, p.Environment)
	}
	return v, nil
}

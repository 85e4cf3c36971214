package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// deploy puts a release into an environment, at once or behind a rollout.
func (s *Service) deploy(ctx context.Context, p planning) error {
	if p.Strategy != registry.Experiment && (len(p.Arms) > 0 || p.Primary != "") {
		return registry.Errorf(prompt.ErrInvalid, "arms and a primary metric are an experiment's, and the strategy is %s", prompt.Clip(string(p.Strategy), 40))
	}
	if name, shared := p.Prompt.Shared(); shared {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is a text that prompts include: it runs as a part of them, not by itself", p.Prompt),
			"release the prompts that include it: {{> %s}}", name)
	}
	if p.Strategy == registry.Experiment {
		return s.experiment(ctx, p)
	}
	v, err := prompt.ParseVersion(p.Version)
	if err != nil {
		return err
	}
	p.To = v
	r, err := s.Release(ctx, p.Prompt, v)
	if err != nil {
		return err
	}
	if _, err := s.Released(ctx, r); err != nil {
		return err
	}
	p.check("release %s exists", r.Tag)
	p.check("its files have the digest that was released")

	now, running := p.Track.Current()
	if err := p.overRollout(now); err != nil || p.Already != "" {
		return err
	}
	if !running || now.Version != v {
		if err := s.gates(ctx, p, r); err != nil {
			return err
		}
		s.freeze(p)
	}
	gradual := p.Strategy == registry.Canary || p.Strategy == registry.BlueGreen
	if gradual && p.Bucketing == "" {
		p.Bucketing = s.config.Bucketing
	}
	switch {
	case gradual && !running:
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "nothing runs in %s yet: a %s rollout needs a stable release to start from", p.Request.Environment, p.Strategy), "deploy the first release to everybody: leave out --%s", p.Strategy)
	case running && now.Version == v && now.Rollout == nil:
		p.Already = fmt.Sprintf("%s already runs in %s, for everybody", r.Tag, p.Request.Environment)
		return nil
	case gradual && now.Digest == r.Digest && now.Digest != "":
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s and %s have the same digest: they ask a model the same, and there is nothing to compare", now.Version, v),
			"deploy it without --%s", p.Strategy)
	case gradual && now.Version == v:
		return registry.Errorf(prompt.ErrInvalid, "%s is the stable release in %s already: it cannot be its own candidate", v, p.Request.Environment)
	case gradual:
		if _, _, err := s.read(ctx, p.Prompt, now.Version, now.Digest); err != nil {
			return fmt.Errorf("the running release cannot stay beside the candidate: %w", err)
		}
		return p.startRollout(now, registry.Arm{Version: v, Digest: r.Digest})
	}
	p.Deployment.Version, p.Deployment.Digest = v, r.Digest
	if running {
		p.Moves = fmt.Sprintf("everybody in %s moves from %s to %s", p.Request.Environment, now.Version, v)
		if _, _, err := s.read(ctx, p.Prompt, now.Version, now.Digest); err == nil {
			p.undo("rollback %s", p.Prompt)
		}
	} else {
		p.Moves = fmt.Sprintf("everybody in %s gets %s, the first release there", p.Request.Environment, v)
	}
	return nil
}

// overRollout refuses a second deploy while a rollout is open, unless it is
// the same one, or is said to replace it.
func (p planning) overRollout(now registry.Deployment) error {
	if now.Rollout == nil {
		p.check("no rollout is open")
		return nil
	}
	if c := now.Rollout.Candidate(); c.Version == p.To && now.Rollout.Strategy == p.Strategy {
		p.Already = fmt.Sprintf("a %s rollout of %s@%s is already open in %s, at %s", p.Strategy, p.Prompt, c.Version, p.Request.Environment, c.Share())
		return nil
	}
	return p.supersede(*now.Rollout)
}

// supersede refuses to replace an open rollout, unless it is said to.
func (p planning) supersede(open registry.Rollout) error {
	if !p.Supersede {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is open in %s, at %s", described(open), p.Request.Environment, sharesOf(open)),
			"finish it with incipit promote or incipit rollback, or replace it with --supersede")
	}
	_, of, _ := strings.Cut(described(open), " ")
	p.check("the open %s is superseded", of)
	return nil
}

func (p planning) startRollout(now registry.Deployment, candidate registry.Arm) error {
	stable := registry.Arm{Version: now.Version, Digest: now.Digest}
	r := registry.NewRollout(p.Strategy, p.Bucketing, p.salt(), stable, candidate, p.Steps)
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
	r.Manual = p.Manual
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.Rollout = now.Version, now.Digest, &r
	if share == 0 {
		p.Moves = fmt.Sprintf("nobody moves yet: %s is loaded beside %s, at 0 %%", p.To, now.Version)
	} else {
		p.Moves = fmt.Sprintf("%s of the subjects move from %s to %s", share, now.Version, p.To)
	}
	p.undo("rollback %s", p.Prompt)
	return nil
}

// salt is one of its own for each rollout: without it the same subjects would
// be the first to try every change.
func (p planning) salt() string {
	if p.Bucketing == registry.MD5Bucketing {
		return ""
	}
	return fmt.Sprintf("%s/%s/%d", p.Prompt, p.Request.Environment, p.Deployment.Seq)
}

// shift changes the candidate's share of an open rollout, or the shares of an
// experiment.
func (s *Service) shift(ctx context.Context, p planning) error {
	now, err := p.openRollout("shift")
	if err != nil {
		return err
	}
	if now.Rollout.Strategy == registry.Experiment {
		return s.shiftArms(p, now)
	}
	if len(p.Shares) > 0 {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is open in %s, which has one share", described(*now.Rollout), p.Request.Environment), "incipit shift %s --env %s --to PERCENT", p.Prompt, p.Request.Environment)
	}
	was := now.Rollout.Candidate().Share()
	p.To = now.Rollout.Candidate().Version
	if was == p.Share {
		p.Already = fmt.Sprintf("%s@%s already has %s of the subjects in %s", p.Prompt, p.To, was, p.Request.Environment)
		return nil
	}
	r := now.Rollout.WithShare(p.Share)
	if err := r.Validate(); err != nil {
		return err
	}
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.Rollout = now.Version, now.Digest, &r
	if p.Share > was {
		candidate, err := s.Release(ctx, p.Prompt, p.To)
		if err != nil {
			return err
		}
		if err := s.doubt(ctx, p, candidate); err != nil {
			return err
		}
		s.freeze(p)
		p.Moves = fmt.Sprintf("%s of the subjects move from %s to %s, nobody moves back", p.Share-was, now.Version, p.To)
	} else {
		p.Moves = fmt.Sprintf("%s of the subjects move back from %s to %s", was-p.Share, p.To, now.Version)
	}
	p.undo("shift %s --to %s", p.Prompt, was.Number())
	return nil
}

// promote makes the candidate of an open rollout the stable release, or the
// named arm of an experiment.
func (s *Service) promote(ctx context.Context, p planning) error {
	if now, ok := p.Track.Current(); ok && now.Action == registry.Promote && p.promoted(now) {
		p.To = now.Version
		p.Already = fmt.Sprintf("%s@%s is already promoted in %s", p.Prompt, now.Version, p.Request.Environment)
		return nil
	}
	now, err := p.openRollout("promote")
	if err != nil {
		return err
	}
	if now.Rollout.Strategy == registry.Experiment {
		return s.promoteArm(ctx, p, now)
	}
	if p.Arm != "" {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is open in %s, and no experiment with the arm %s", described(*now.Rollout), p.Request.Environment, prompt.Clip(p.Arm, 40)), "incipit promote %s --env %s", p.Prompt, p.Request.Environment)
	}
	c := now.Rollout.Candidate()
	candidate, _, err := s.read(ctx, p.Prompt, c.Version, c.Digest)
	if err != nil {
		return err
	}
	p.check("the candidate's files have the digest that was deployed")
	if err := s.doubt(ctx, p, candidate); err != nil {
		return err
	}
	s.freeze(p)
	p.To = c.Version
	p.Deployment.Version, p.Deployment.Digest = c.Version, c.Digest
	p.Moves = fmt.Sprintf("the other %s of the subjects move from %s to %s", registry.Scale-c.Share(), now.Version, c.Version)
	p.undo("rollback %s", p.Prompt)
	return nil
}

func (p planning) openRollout(verb string) (registry.Deployment, error) {
	now, ok := p.Track.Current()
	if ok && now.Rollout != nil {
		return now, nil
	}
	return now, registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is no open rollout of %s in %s to %s", p.Prompt, p.Request.Environment, verb),
		"start one with incipit deploy %s@VERSION --env %s --canary 5,25,50,100", p.Prompt, p.Request.Environment)
}

// rollback brings an earlier release back, for everybody, at once.
func (s *Service) rollback(ctx context.Context, p planning) error {
	now, ok := p.Track.Current()
	if !ok {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s runs no release in %s, there is nothing to roll back", p.Prompt, p.Request.Environment), "incipit list shows what runs where")
	}
	if p.Arm != "" {
		return s.dropArm(p, now)
	}
	target, err := p.target(now)
	if err != nil || p.Already != "" {
		return err
	}
	r, err := s.Release(ctx, p.Prompt, target)
	if err != nil {
		return err
	}
	if _, err := s.Released(ctx, r); err != nil {
		return err
	}
	p.check("%s ran here before, and its files have the digest that was released", r.Tag)
	s.quarantine(p, r, fmt.Sprintf("go back further, or incipit deploy %s --env %s --clear-quarantine", r.Tag, p.Request.Environment))
	p.To = target
	p.Deployment.Version, p.Deployment.Digest = target, r.Digest
	if now.Rollout == nil {
		p.Moves = fmt.Sprintf("everybody in %s moves from %s back to %s", p.Request.Environment, now.Version, target)
		p.undo("deploy %s@%s --clear-quarantine", p.Prompt, now.Version)
		return nil
	}
	if now.Rollout.Strategy == registry.Experiment {
		s.endExperiment(p, *now.Rollout, target)
		return nil
	}
	c := now.Rollout.Candidate()
	p.Deployment.From = c.Version.String()
	p.Moves = fmt.Sprintf("the %s of the subjects on %s move back to %s", c.Share(), c.Version, target)
	p.undo("deploy %s@%s %s --clear-quarantine", p.Prompt, c.Version, s.reopening(*now.Rollout))
	return nil
}

// reopening is the flags of a deploy that would start the rollout r again where
// it stands, for the same way of choosing subjects.
func (s *Service) reopening(r registry.Rollout) string {
	flags := "--blue-green"
	if r.Strategy == registry.Canary {
		var steps []string
		for _, step := range reopened(r) {
			steps = append(steps, step.Number())
		}
		flags = "--canary " + strings.Join(steps, ",")
	}
	if r.Bucketing != s.config.Bucketing {
		flags += " --bucketing " + string(r.Bucketing)
	}
	if r.Manual {
		flags += " --manual"
	}
	return flags
}

// target is what a rollback goes back to. A second rollback in a row stays
// where the first one went: whoever wants to go further says how far.
func (p planning) target(now registry.Deployment) (prompt.Version, error) {
	if p.Version == "" {
		if now.Action == registry.Rollback && now.Rollout == nil {
			p.To = now.Version
			p.Already = fmt.Sprintf("%s was already rolled back to %s in %s", p.Prompt, now.Version, p.Request.Environment)
			if v, err := p.Track.LastGood(); err == nil {
				p.Already += fmt.Sprintf("; to go further back: --to %s", v)
			}
			return now.Version, nil
		}
		v, err := p.Track.LastGood()
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
		p.Already = fmt.Sprintf("%s@%s already runs in %s, for everybody", p.Prompt, v, p.Request.Environment)
		return v, nil
	}
	if !p.Track.Ran(v) {
		return v, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s never ran in %s, so there is no going back to it", v, p.Request.Environment), "incipit history %s --env %s shows what did; anything else is a deploy", p.Prompt, p.Request.Environment)
	}
	return v, nil
}

// retire takes a prompt out of an environment: nothing of it runs there from
// here on.
func (s *Service) retire(p planning) error {
	now, ok := p.Track.Current()
	if !ok {
		if p.SeenSeq > 0 {
			p.Already = fmt.Sprintf("%s runs no release in %s", p.Prompt, p.Request.Environment)
			return nil
		}
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s never ran in %s, there is nothing to retire", p.Prompt, p.Request.Environment), "incipit list shows what runs where")
	}
	if now.Rollout != nil {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is open in %s", described(*now.Rollout), p.Request.Environment), "finish it with incipit promote or incipit rollback, then retire")
	}
	s.freeze(p)
	p.To = now.Version
	p.Deployment.Version, p.Deployment.Digest = now.Version, now.Digest
	p.Moves = fmt.Sprintf("nobody in %s gets %s any more: applications fall back to what is built into them, or fail", p.Request.Environment, p.Prompt)
	p.undo("deploy %s@%s", p.Prompt, now.Version)
	return nil
}

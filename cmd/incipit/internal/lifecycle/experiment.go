package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// experiment starts an experiment beside the stable release. Over an open one
// it puts other arms: those that stay keep their subjects.
func (s *Service) experiment(ctx context.Context, p planning) error {
	if p.Version != "" || len(p.Steps) > 0 {
		return registry.Errorf(prompt.ErrInvalid, "an experiment has neither a version nor steps: each of its arms has a version and a share")
	}
	now, running := p.Track.Current()
	if !running {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "nothing runs in %s yet: an experiment needs a stable release to compare with", p.Request.Environment),
			"deploy the first release to everybody: incipit deploy %s@VERSION --env %s", p.Prompt, p.Request.Environment)
	}
	arms, shares, err := s.contenders(ctx, p)
	if err != nil {
		return err
	}
	r, err := s.trial(p, now, arms, shares)
	if err != nil {
		return err
	}
	r.Manual = p.Manual
	p.To = arms[0].Version
	if open := now.Rollout; open != nil {
		if sharesOf(*open) == sharesOf(r) && open.Strategy == r.Strategy && open.Primary == r.Primary && open.Manual == r.Manual {
			p.Already = fmt.Sprintf("this experiment of %s is already open in %s, at %s", p.Prompt, p.Request.Environment, sharesOf(r))
			return nil
		}
		if err := p.supersede(*open); err != nil {
			return err
		}
	} else {
		p.check("no rollout is open")
	}
	if err := s.admit(ctx, p, now, r); err != nil {
		return err
	}
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.Rollout = now.Version, now.Digest, &r
	switch open := now.Rollout; {
	case open == nil:
		p.Moves = moves(now.Running(), r)
		p.undo("experiment stop %s", p.Prompt)
	case open.Strategy == registry.Experiment:
		p.Moves = moves(*open, r)
		p.undo("experiment start %s %s --supersede", p.Prompt, s.restarting(*open))
	default:
		p.Moves = "the subjects are dealt out anew: then " + divided(r)
		p.undo("experiment stop %s", p.Prompt)
	}
	return nil
}

// contenders are the arms that are asked for, whose releases exist, and their
// shares.
func (s *Service) contenders(ctx context.Context, p planning) ([]registry.Arm, map[string]registry.Share, error) {
	var arms []registry.Arm
	shares := make(map[string]registry.Share)
	for _, a := range p.Arms {
		v, err := prompt.ParseVersion(a.Version)
		if err != nil {
			return nil, nil, err
		}
		r, err := s.Release(ctx, p.Prompt, v)
		if err != nil {
			return nil, nil, err
		}
		if _, err := s.Released(ctx, r); err != nil {
			return nil, nil, err
		}
		p.check("release %s exists, and its files have the digest that was released", r.Tag)
		arms, shares[a.Name] = append(arms, registry.Arm{Name: a.Name, Version: v, Digest: r.Digest}), a.Share
	}
	return arms, shares, nil
}

// trial is the experiment that a request asks for: the open one with other
// arms, or a new one.
func (s *Service) trial(p planning, now registry.Deployment, arms []registry.Arm, shares map[string]registry.Share) (registry.Rollout, error) {
	open := now.Rollout
	if open == nil || open.Strategy != registry.Experiment {
		if p.Bucketing == "" {
			p.Bucketing = s.config.Bucketing
		}
		return registry.NewExperiment(p.Bucketing, p.salt(), p.Primary, registry.Arm{Version: now.Version, Digest: now.Digest}, arms, shares)
	}
	if p.Primary != "" && p.Primary != open.Primary || p.Bucketing != "" && p.Bucketing != open.Bucketing {
		return *open, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the open experiment is decided by %s, and chooses subjects by %s: to change that in its midst would make its evidence worthless", open.Primary, open.Bucketing),
			"end it with incipit experiment stop %s --env %s, and start another one", p.Prompt, p.Request.Environment)
	}
	for _, d := range p.Track {
		if d.Rollout == nil || d.Rollout.Salt != open.Salt {
			continue
		}
		for _, a := range arms { // calls are recorded under the name, and come late
			if was, ok := d.Rollout.Arm(a.Name); ok && was.Version != a.Version {
				return *open, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the arm %s is %s in this experiment, and not %s", a.Name, was.Version, a.Version), "give the new arm another name")
			}
		}
	}
	return open.WithContenders(arms, shares)
}

// admit holds every arm that is new, and every one that grows, to the rules of
// the environment.
func (s *Service) admit(ctx context.Context, p planning, now registry.Deployment, r registry.Rollout) error {
	grows := false
	for _, a := range r.Contenders() {
		was, there := now.Running().Arm(a.Name)
		grows = grows || a.Share() > was.Share() || !there
		if there {
			continue
		}
		release, err := s.Release(ctx, p.Prompt, a.Version)
		if err != nil {
			return err
		}
		if err := s.gates(ctx, p, release); err != nil {
			return err
		}
	}
	if grows {
		s.freeze(p)
	}
	if _, _, err := s.read(ctx, p.Prompt, now.Version, now.Digest); err != nil {
		return fmt.Errorf("the running release cannot stay beside the arms: %w", err)
	}
	return nil
}

// shiftArms changes the shares of an experiment.
func (s *Service) shiftArms(p planning, now registry.Deployment) error {
	if len(p.Shares) == 0 {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is open in %s: each of its arms has a share", described(*now.Rollout), p.Request.Environment),
			"incipit experiment shares %s --env %s %s=PERCENT", p.Prompt, p.Request.Environment, now.Rollout.Arms[0].Name)
	}
	r, err := now.Rollout.WithShares(p.Shares)
	if err != nil {
		return err
	}
	p.To = now.Version
	was := sharesOf(*now.Rollout)
	if sharesOf(r) == was {
		p.Already = fmt.Sprintf("the arms of %s already have these shares in %s: %s", p.Prompt, p.Request.Environment, was)
		return nil
	}
	for i, a := range r.Contenders() {
		if a.Share() > now.Rollout.Arms[i].Share() {
			s.freeze(p)
			break
		}
	}
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.Rollout = now.Version, now.Digest, &r
	p.Moves = moves(*now.Rollout, r)
	p.undo("experiment shares %s %s", p.Prompt, flagsOf(*now.Rollout))
	return nil
}

// promoted reports whether the arm that is asked for was promoted by now; of a
// canary there is one.
func (p planning) promoted(now registry.Deployment) bool {
	n := len(p.Track)
	if n < 2 || p.Track[n-2].Rollout == nil || p.Track[n-2].Rollout.Strategy != registry.Experiment {
		return p.Arm == ""
	}
	a, ok := p.Track[n-2].Rollout.Arm(p.Arm)
	return ok && a.Version == now.Version
}

// promoteArm makes an arm of an experiment the stable release. That the stable
// one stays ends it without anybody being at fault.
func (s *Service) promoteArm(ctx context.Context, p planning, now registry.Deployment) error {
	a, err := p.arm(*now.Rollout)
	if err != nil {
		return err
	}
	if _, _, err := s.read(ctx, p.Prompt, a.Version, a.Digest); err != nil {
		return err
	}
	p.check("the files of the arm %s have the digest that was deployed", a.Name)
	p.To = a.Version
	p.Deployment.Version, p.Deployment.Digest = a.Version, a.Digest
	p.Moves = fmt.Sprintf("the other %s of the subjects move to %s", registry.Scale-a.Share(), a.Version)
	if a.Name == registry.StableArm {
		p.undo("experiment start %s %s", p.Prompt, s.restarting(*now.Rollout))
		return nil
	}
	s.freeze(p)
	p.undo("rollback %s", p.Prompt)
	return nil
}

// arm is the one that a request names.
func (p planning) arm(r registry.Rollout) (registry.Arm, error) {
	if p.Arm == "" {
		return registry.Arm{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is open in %s: which arm?", described(r), p.Request.Environment),
			"incipit experiment promote %s ARM --env %s; or end it without a winner: incipit experiment stop", p.Prompt, p.Request.Environment)
	}
	a, ok := r.Arm(p.Arm)
	if !ok {
		names := make([]string, len(r.Arms))
		for i, a := range r.Arms {
			names[i] = a.Name
		}
		return a, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has no arm %q", described(r), prompt.Clip(p.Arm, 40)), "its arms are %s", strings.Join(names, ", "))
	}
	return a, nil
}

// dropArm takes one arm out of an experiment, whose release is at fault. Its
// subjects go back to the stable release; the last arm ends the experiment.
func (s *Service) dropArm(p planning, now registry.Deployment) error {
	if now.Rollout == nil || now.Rollout.Strategy != registry.Experiment || p.Version != "" {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s in %s: an arm is taken out of an open experiment, and goes back to the stable release", p.Prompt, p.Request.Environment),
			"incipit rollback %s --env %s, without an arm", p.Prompt, p.Request.Environment)
	}
	a, err := p.arm(*now.Rollout)
	if err != nil {
		return err
	}
	if a.Name == registry.StableArm {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the stable release cannot be taken out of an experiment"), "end it with incipit experiment promote %s ARM --env %s", p.Prompt, p.Request.Environment)
	}
	p.To = a.Version
	p.Deployment.Version, p.Deployment.Digest, p.Deployment.From = now.Version, now.Digest, a.Version.String()
	p.Moves = fmt.Sprintf("the %s of the subjects on %s move back to %s, and %s is held in quarantine", a.Share(), a.Version, now.Version, a.Version)
	p.undo("experiment start %s %s --supersede --clear-quarantine", p.Prompt, s.restarting(*now.Rollout))
	var left []registry.Arm
	for _, c := range now.Rollout.Contenders() {
		if c.Name != a.Name {
			left = append(left, c)
		}
	}
	if len(left) == 0 {
		return nil
	}
	r, err := now.Rollout.WithContenders(left, nil)
	p.Deployment.Rollout = &r
	return err
}

// endExperiment says what a rollback of all of it does.
func (s *Service) endExperiment(p planning, r registry.Rollout, target prompt.Version) {
	versions := make([]string, 0, len(r.Arms))
	for _, a := range r.Contenders() {
		versions = append(versions, a.Version.String())
	}
	p.Moves = fmt.Sprintf("everybody in %s moves back to %s, and %s are held in quarantine", p.Request.Environment, target, strings.Join(versions, ", "))
	if len(versions) == 1 {
		p.Moves = strings.Replace(p.Moves, " are held", " is held", 1)
		p.Deployment.From = versions[0]
	}
	p.undo("experiment start %s %s --clear-quarantine", p.Prompt, s.restarting(r))
}

// restarting is the flags that would start the experiment r again where it
// stands, for the same way of choosing subjects.
func (s *Service) restarting(r registry.Rollout) string {
	flags := make([]string, 0, len(r.Arms))
	for _, a := range r.Contenders() {
		flags = append(flags, fmt.Sprintf("--arm %s=%s:%s", a.Name, a.Version, a.Share().Number()))
	}
	if r.Primary != registry.Metrics()[0] {
		flags = append(flags, "--primary "+r.Primary)
	}
	if r.Bucketing != s.config.Bucketing {
		flags = append(flags, "--bucketing "+string(r.Bucketing))
	}
	if r.Manual {
		flags = append(flags, "--manual")
	}
	return strings.Join(flags, " ")
}

// moves says who moves between two divisions of the subjects.
func moves(was, is registry.Rollout) string {
	var moved registry.Share
	for _, a := range is.Arms {
		before, _ := was.Arm(a.Name)
		moved += max(a.Share(), before.Share()) - before.Share()
	}
	return fmt.Sprintf("%s of the subjects move, as few as can be: then %s", moved, divided(is))
}

// divided is the shares of all arms.
func divided(r registry.Rollout) string {
	return fmt.Sprintf("%s, %s %s", sharesOf(r), registry.StableArm, r.Stable().Share())
}

// described is what a rollout is called: a rollout of 1.1.0, an experiment of b
// 1.1.0 and c 1.2.0.
func described(r registry.Rollout) string {
	if r.Strategy != registry.Experiment {
		return fmt.Sprintf("a rollout of %s", r.Candidate().Version)
	}
	names := make([]string, 0, len(r.Arms))
	for _, a := range r.Contenders() {
		names = append(names, fmt.Sprintf("%s %s", a.Name, a.Version))
	}
	return "an experiment of " + strings.Join(names, ", ")
}

// sharesOf is the candidate's share, or those of an experiment: b 25 %, c 10 %.
func sharesOf(r registry.Rollout) string {
	if r.Strategy != registry.Experiment {
		return r.Candidate().Share().String()
	}
	names := make([]string, 0, len(r.Arms))
	for _, a := range r.Contenders() {
		names = append(names, fmt.Sprintf("%s %s", a.Name, a.Share()))
	}
	return strings.Join(names, ", ")
}

// flagsOf is name and share of each arm beside the stable one, as a command
// takes them.
func flagsOf(r registry.Rollout) string {
	out := make([]string, 0, len(r.Arms))
	for _, a := range r.Contenders() {
		out = append(out, fmt.Sprintf("%s=%s", a.Name, a.Share().Number()))
	}
	return strings.Join(out, " ")
}

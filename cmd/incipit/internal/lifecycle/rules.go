package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// gates adds to a plan what its environment asks of a release that is new
// there: what ran here before needs no new permission to run on.
func (s *Service) gates(ctx context.Context, p planning, r registry.Release) error {
	env := p.State.Environment
	if err := s.doubt(ctx, p, r); err != nil {
		return err
	}
	if env.After != "" {
		name := fmt.Sprintf("%s ran in %s", r.Tag, env.After)
		if p.Before.RanDigest(r.Digest) {
			p.check("%s", name)
		} else {
			p.refuse(fmt.Sprintf("%s has not run in %s", r.Tag, env.After), fmt.Sprintf("incipit deploy %s --env %s", r.Tag, env.After))
		}
	}
	for _, kind := range env.Require {
		s.evidence(p, r, kind)
	}
	if env.Approvals > 0 {
		s.approvals(p, r)
	}
	s.quarantine(p, r, "release a corrected version, or deploy this one with --clear-quarantine")
	return nil
}

// doubt holds back a release that is no longer in Git as it was released: what
// runs of it runs on, and nobody else is moved to it.
func (s *Service) doubt(ctx context.Context, p planning, r registry.Release) error {
	if s.config.Doubt == nil {
		return nil
	}
	why, err := s.config.Doubt(ctx, r)
	if err == nil && why != "" {
		p.refuse(fmt.Sprintf("the tag %s is not what was released: %s", r.Tag, why), "put the tag back where it was, then incipit sync; or release another version")
	}
	return err
}

func (s *Service) evidence(p planning, r registry.Release, kind string) {
	i := slices.IndexFunc(p.Evidence, func(e registry.Evidence) bool { return e.Digest == r.Digest && e.Kind == kind })
	fix := fmt.Sprintf("file the evidence %s for %s, then deploy again", kind, r.Digest)
	if signedKind(kind) {
		fix = "test it and file what comes out with incipit ci --evidence, or incipit evidence submit REPORT.json; then deploy again"
	}
	_, running := p.Track.Current()
	switch {
	case i < 0 && kind == registry.KindComparison && !running:
		p.check("nothing runs in %s that %s could be worse than", p.State.Environment.Name, r.Tag)
	case i < 0:
		p.refuse(fmt.Sprintf("there is no evidence of %s for %s", kind, r.Tag), fix)
	case !p.Evidence[i].Passed:
		p.refuse(fmt.Sprintf("the evidence of %s for %s says that it %s", kind, r.Tag, missed(p.Evidence[i])), fix)
	case len(s.config.Keys) > 0 && signedKind(kind):
		by, err := vouched(p.Evidence[i], s.config.Keys)
		if err != nil {
			p.refuse(fmt.Sprintf("the evidence of %s for %s cannot be believed: %v", kind, r.Tag, err), fix)
			return
		}
		p.check("evidence of %s signed by %s", kind, by)
	default:
		p.check("evidence of %s by %s", kind, p.Evidence[i].By)
	}
}

// missed says in what way evidence does not pass, with the note that it came
// with: a comparison that too few cases decide is no failure, and passes no
// gate.
func missed(e registry.Evidence) string {
	said := "failed"
	if e.Note != "" {
		said += ": " + prompt.Clip(e.Note, 200)
	}
	envelope, err := evidence.ParseEnvelope(e.Statement)
	if err != nil || e.Kind != registry.KindComparison {
		return said
	}
	s, err := envelope.Statement()
	if err != nil || s.Kinds.Comparison != evidence.Inconclusive {
		return said
	}
	return "is inconclusive: the report says how many cases would decide"
}

// approvals counts the people who approved the digest; a deploy of it uses
// them up. Neither who wrote the release nor who deploys it counts.
func (s *Service) approvals(p planning, r registry.Release) {
	env := p.State.Environment
	people := make(map[string]bool)
	for _, a := range p.Approvals {
		who := strings.ToLower(a.By)
		if a.Digest == r.Digest && !sameAs(who, r.Author) && !sameAs(who, p.Deployment.By) {
			people[who] = true
		}
	}
	if len(people) >= env.Approvals {
		p.check("approved by %d of %d people", len(people), env.Approvals)
		return
	}
	p.refuse(fmt.Sprintf("%s has %d of %d approvals", r.Tag, len(people), env.Approvals),
		fmt.Sprintf("somebody else than its author runs: incipit approve %s --env %s", r.Tag, env.Name))
}

// sameAs reports whether a mail address, in lower case, is that of somebody
// who is written as "Name <mail>" or as the mail alone.
func sameAs(mail, who string) bool {
	who = strings.ToLower(who)
	if _, in, ok := strings.Cut(who, "<"); ok {
		who = strings.TrimSuffix(in, ">")
	}
	return who != "" && mail == who
}

// quarantine holds back what was rolled back here, until a person says that it
// may run again. fix is how they say it.
func (s *Service) quarantine(p planning, r registry.Release, fix string) {
	by, is := p.Track.Quarantined(r.Digest)
	switch {
	case !is:
	case p.Quarantined:
		p.check("the quarantine of %s is cleared", r.Version)
	default:
		why := ""
		if by.Reason != "" {
			why = ": " + by.Reason
		}
		p.refuse(fmt.Sprintf("%s was rolled back here by deployment %d%s", r.Version, by.Seq, why), fix)
	}
}

// freeze holds back what is new while the environment is frozen.
func (s *Service) freeze(p planning) {
	env := p.State.Environment
	if f, frozen := env.Frozen(s.config.Now()); frozen {
		p.refuse(fmt.Sprintf("%s is frozen %s", env.Name, f), "wait, or have an administrator lift the freeze; going back is always possible")
	} else if len(env.Freeze) > 0 {
		p.check("%s is not frozen", env.Name)
	}
}

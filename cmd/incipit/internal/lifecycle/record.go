package lifecycle

import (
	"context"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Record takes calls in. Each is taken or refused for itself, with its reason;
// whatever is sent again counts once. Once it returns nil, what was accepted is
// on disk. On an error all of the batch may be sent again.
func (s *Shared) Record(ctx context.Context, b registry.Batch) (registry.Intake, error) {
	log, err := s.callLog()
	if err != nil {
		return registry.Intake{}, err
	}
	entries, rejected, err := s.judge(ctx, b)
	if err != nil {
		return registry.Intake{}, err
	}
	in := registry.Intake{Rejected: rejected}
	if len(entries) == 0 {
		return in, nil
	}
	fresh, err := log.Append(ctx, entries)
	if err != nil {
		return registry.Intake{}, err
	}
	for i, isNew := range fresh {
		if !isNew {
			in.Duplicates++
			continue
		}
		in.Accepted++
		if s.config.Observe != nil {
			s.config.Observe(*entries[i].Call)
		}
	}
	return in, nil
}

// judge says which calls of a batch are to be kept, and how, and why the others
// are not.
func (s *Shared) judge(ctx context.Context, b registry.Batch) ([]calllog.Entry, []registry.Rejection, error) {
	j := judge{shared: s, now: s.config.Now(), once: b.Once, places: make(map[place]verdict)}
	j.caller, _ = registry.CallerOf(ctx)
	var err error
	if j.state, err = s.intake.current(ctx); err != nil {
		return nil, nil, err
	}
	entries := make([]calllog.Entry, 0, len(b.Calls))
	rejected := append([]registry.Rejection{}, b.Rejected...) // never null
	calls := slices.Clone(b.Calls)                            // they are completed, and the batch may be sent again as it is
	for i := range calls {
		c := &calls[i]
		why, err := j.judge(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		if why != nil {
			why.Index = b.Index[i]
			rejected = append(rejected, *why)
			continue
		}
		e, err := j.entry(ctx, c, b, i)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(rejected, func(a, b registry.Rejection) int { return a.Index - b.Index })
	return entries, rejected, nil
}

// A judge judges the calls of one batch.
type judge struct {
	shared *Shared
	caller registry.Caller
	now    time.Time
	once   string
	state  revisions
	places map[place]verdict // of what most calls of a batch have in common
	mac    hash.Hash
	// renewed is set once it was asked what is new, for the sake of the arm of
	// an experiment.
	renewed bool
}

// A place is a release in an environment, as a call names it.
type place struct {
	environment string
	prompt      prompt.ID
	version     string
}

// A verdict is what is known of a place, and its names anew: those of a call are
// parts of all that was sent, which whoever keeps them would keep.
type verdict struct {
	place
	why      *registry.Rejection
	versions []string // which it may be, the newest first: several releases may have one digest
}

// judge completes c, or says why it cannot be taken.
func (j *judge) judge(ctx context.Context, c *registry.Call) (*registry.Rejection, error) {
	if why := c.Check(j.now, j.shared.keepCalls()); why != nil {
		return why, nil
	}
	at := place{c.Environment, c.Prompt, c.Version}
	v, ok := j.places[at]
	if !ok {
		var err error
		if v, err = j.look(ctx, at); err != nil {
			return nil, err
		}
		j.places[at] = v
	}
	if v.why != nil {
		again := *v.why
		return &again, nil
	}
	c.Environment, c.Prompt, c.Version = v.environment, v.prompt, v.versions[0]
	c.Arm, c.Outcome = constant(c.Arm, registry.StableArm, registry.CandidateArm), constant(c.Outcome, registry.OK, registry.Failed, registry.Cancelled)
	said := c.Arm == registry.StableArm || c.Arm == registry.CandidateArm
	if said && c.Rollout == "" && len(v.versions) == 1 {
		return nil, nil // there is nothing to tell or to refuse
	}
	p, err := j.past(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Version = p.version(c, v.versions)
	arm, why := p.arm(c)
	if why != nil && !said && !j.renewed {
		// An experiment may be younger than what is known here, or what it gives
		// to whom. What is asked now is newer than every call of the batch.
		j.renewed = true
		if j.state, err = j.shared.intake.ask(ctx, j.state); err != nil {
			return nil, err
		}
		if p, err = j.shared.intake.past(ctx, j.state, c.Environment, c.Prompt, true); err != nil {
			return nil, err
		}
		c.Version = p.version(c, v.versions)
		arm, why = p.arm(c)
	}
	c.Arm = arm
	return why, nil
}

// constant is the one of ours that s is equal to, else s.
func constant[T ~string](s T, ours ...T) T {
	if i := slices.Index(ours, s); i >= 0 {
		return ours[i]
	}
	return s
}

// past is what ran where c was made: as of the last second, unless it says what
// does not change any more.
func (j *judge) past(ctx context.Context, c *registry.Call) (*past, error) {
	k := j.shared.intake
	if c.Arm != "" && c.Rollout != "" {
		if p, err := k.past(ctx, j.state, c.Environment, c.Prompt, false); err != nil || p.rollout(c.Rollout) != nil {
			return p, err
		}
	}
	return k.past(ctx, j.state, c.Environment, c.Prompt, true)
}

// look finds out about a place. What is not known now may just have been added.
func (j *judge) look(ctx context.Context, at place) (verdict, error) {
	if err := j.caller.May(registry.MayRecord, at.environment, at.prompt); err != nil {
		return verdict{why: registry.Reject(registry.RejectForbidden, "%s", err)}, nil
	}
	v, err := j.find(ctx, at)
	if err != nil || v.why == nil {
		return v, err
	}
	before := j.state.count
	if j.state, err = j.shared.intake.missed(ctx, j.state); err != nil || j.state.count == before {
		return v, err
	}
	return j.find(ctx, at)
}

func (j *judge) find(ctx context.Context, at place) (verdict, error) {
	if _, ok := j.state.byEnvironment[at.environment]; !ok {
		return verdict{why: registry.Reject(registry.RejectEnvironment, "there is no environment %q", prompt.Clip(at.environment, 40))}, nil
	}
	for _, fresh := range []bool{false, true} {
		p, err := j.shared.intake.prompt(ctx, j.state, at.prompt, fresh)
		if err != nil {
			return verdict{}, err
		}
		if p == nil {
			return verdict{why: registry.Reject(registry.RejectPrompt, "there is no prompt %q with a release", prompt.Clip(string(at.prompt), 80))}, nil
		}
		if versions := p.named(at.version); len(versions) > 0 {
			own := place{environment: strings.Clone(at.environment), prompt: prompt.ID(strings.Clone(string(at.prompt)))}
			return verdict{place: own, versions: versions}, nil
		}
	}
	return verdict{why: registry.Reject(registry.RejectVersion, "%s has no release %q", prompt.Clip(string(at.prompt), 80), prompt.Clip(at.version, 80))}, nil
}

// named are the versions that a name means: itself, or those with that digest,
// the newest first.
func (p *released) named(name string) []string {
	if _, ok := p.digests[name]; ok {
		return []string{strings.Clone(name)}
	}
	var found []string
	if strings.HasPrefix(name, "sha256:") {
		for v, digest := range p.digests {
			if digest == name {
				found = append(found, v)
			}
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		x, _ := prompt.ParseVersion(a)
		y, _ := prompt.ParseVersion(b)
		return y.Compare(x)
	})
	return found
}

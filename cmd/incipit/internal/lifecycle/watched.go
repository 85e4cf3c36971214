package lifecycle

import (
	"context"
	"encoding/json"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A tracked is a rollout that the watch follows.
type tracked struct {
	row         registry.Watched // as it was kept last, but for what is below and Cursor
	opened      registry.Deployment
	plan        rollout.Plan
	environment registry.Environment
	split       split
	state       rollout.State
	detector    *guard.Detector // nil until it is needed, and in an experiment
	contest     *guard.Contest  // of an experiment; nil until it is needed
	deals       deals           // of an experiment

	last  time.Time // of the last tick
	saved time.Time // when it was kept last
	calls int64     // of the rollout since the last tick
	taken int       // calls and ratings that were observed
	dirty bool      // there is something to keep
	stuck string    // why what had to be done could not be, as it was said

	broken time.Time // when it was found that it cannot be followed; the zero time if it can
}

const (
	// history is how far back the stable release's calls are looked at, and how
	// many of them: it is for speed alone, and a third more would change little.
	history      = 24 * time.Hour
	historyCalls = 20_000
	// saveAgain is how long what was seen may be in memory alone: after a crash
	// it is read again, and leads to the same.
	saveAgain = time.Second
	// saveIdle is the same for the time that passed without a call.
	saveIdle = 30 * time.Second
)

// take takes in a call or a rating, and reports whether the verdict is another
// one by it.
func (t *tracked) take(c *calllog.Seen) (decided bool, err error) {
	if t.contest != nil {
		return t.takeTurn(c)
	}
	share, ok := t.split.of(c)
	if !ok {
		return false, nil
	}
	t.row.Cursor, t.dirty = c.Seq, true
	t.taken++
	if !c.Rating {
		t.calls++
	}
	before := t.detector.Verdict().Kind
	v, err := t.detector.Observe(observation(c, share))
	return v.Kind != before && v.Kind != guard.Insufficient && v.Kind != guard.Unmeasured, err
}

// wake gets the detector ready: as it was kept, or with what was seen of the
// stable release before the rollout. Bytes of another program are not read: all
// calls of the rollout are judged anew then, which leads to the same.
func (s *Shared) wake(ctx context.Context, t *tracked) (err error) {
	if t.detector != nil || t.contest != nil {
		return nil
	}
	if len(t.row.Detector) > 0 {
		if t.experiment() {
			t.contest, err = guard.RestoreContest(t.row.Detector)
		} else {
			t.detector, err = guard.Restore(t.row.Detector)
		}
		if err == nil {
			return nil
		}
		s.config.Log.Warn("the evidence that was kept cannot be read; the calls are judged anew", "prompt", t.row.Prompt, "environment", t.row.Environment, "error", err)
		t.detector, t.contest, t.row.Cursor = nil, nil, t.row.Begun
	}
	t.dirty = true
	if t.experiment() {
		t.contest, err = s.freshContest(ctx, t)
	} else {
		t.detector, err = s.fresh(ctx, t.row, t.opened, t.row.Rules)
	}
	return err
}

// fresh is a detector before the first call of a rollout.
func (s *Shared) fresh(ctx context.Context, row registry.Watched, opened registry.Deployment, rules registry.GuardRules) (*guard.Detector, error) {
	policy, past, err := s.before(ctx, row, opened, rules)
	if err != nil {
		return nil, err
	}
	d, err := guard.New(policy)
	if err != nil {
		return nil, err
	}
	return d, remember(past, d.History)
}

// before is what the stable release's calls were before a rollout, and the policy
// for what they measure.
func (s *Shared) before(ctx context.Context, row registry.Watched, opened registry.Deployment, rules registry.GuardRules) (policy guard.Policy, past []calllog.Seen, err error) {
	if policy, err = PolicyOf(rules); err != nil {
		return policy, nil, err
	}
	if row.Begun > 0 { // else there was no call yet
		past, err = s.config.Calls.Before(ctx, row.Prompt, row.Environment, opened.Version.String(), row.Since.Add(-history), row.Begun, historyCalls)
		if err != nil {
			return policy, nil, err
		}
	}
	if policy.Metrics == 0 {
		// What is never measured would only cost; where nothing is known, what the
		// first calls measure counts.
		if policy.Metrics = measured(past); policy.Metrics == 0 {
			policy.Optional = guard.All()
		}
	}
	return policy, past, nil
}

// remember gives past calls to whom they are history for.
func remember(past []calllog.Seen, history func(guard.Observation) error) error {
	for i := range past {
		o := observation(&past[i], 0)
		o.Candidate = false // whatever it was then: it is the stable release's
		if o.Check() == nil {
			if err := history(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// kept is the row as it is to be kept in a state.
func (t *tracked) kept(s rollout.State) (registry.Watched, error) {
	row := t.row
	raw, err := json.Marshal(s)
	if err != nil {
		return row, err
	}
	row.State, row.Ended, row.At = raw, s.Phase == rollout.Ended, time.Time{}
	if t.contest != nil {
		row.Detector = t.contest.State()
	} else {
		row.Detector = t.detector.State()
	}
	return row, nil
}

// keep notes that row was written, with a state.
func (t *tracked) keep(row registry.Watched, s rollout.State, now time.Time) {
	row.Version++
	t.row, t.state, t.saved, t.dirty = row, s, now, false
}

// evidence is the guard's report, to be kept with a decision. Of an experiment
// there is only what is kept.
func (t *tracked) evidence() (guard.Report, json.RawMessage) {
	if t.contest != nil {
		raw, err := json.Marshal(t.contest.Report())
		if err != nil {
			return guard.Report{}, nil // as below
		}
		return guard.Report{}, raw
	}
	r := t.detector.Report()
	raw, err := json.Marshal(r)
	if err != nil {
		return r, nil // it has numbers that JSON has no words for: impossible, and no reason to decide nothing
	}
	return r, raw
}

// verdicts are the guard's kinds in the words of a rollout.
func verdicts(k guard.Kind) rollout.Verdict {
	switch k {
	case guard.Insufficient:
		return rollout.Insufficient
	case guard.Healthy:
		return rollout.Healthy
	case guard.Regressed:
		return rollout.Regressed
	case guard.Untrusted:
		return rollout.Untrusted
	case guard.Unmeasured:
	}
	return rollout.Unmeasured
}

// decision is one that was made now.
func (t *tracked) decision(s rollout.State, kind, by, text string) registry.Decision {
	_, raw := t.evidence()
	return registry.Decision{
		Place: t.row.Place, Opened: t.row.Opened, Kind: kind, By: by, Verdict: string(s.Verdict), Text: shortened(text),
		Share: s.Share, Cursor: t.row.Cursor, Evidence: raw,
	}
}

// shortened is a text that a record can hold.
func shortened(text string) string { return prompt.Clip(text, 1000) }

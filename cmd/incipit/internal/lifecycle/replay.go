package lifecycle

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// replayBatch is how many calls are read at once, and replayMost how many are
// judged at most: a minute of work.
const (
	replayBatch = 5000
	replayMost  = 5_000_000
)

// ReplayRollout judges the calls of a rollout again, by the rules that it had
// or by others in the place of some: what was decided then is decided again, at
// the same call.
func (s *Shared) ReplayRollout(ctx context.Context, at registry.Place, opened int, others registry.GuardRules) (registry.RolloutReplay, error) {
	if _, err := s.callLog(); err != nil {
		return registry.RolloutReplay{}, err
	}
	row, err := s.rollout(ctx, at, opened)
	if err != nil {
		return registry.RolloutReplay{}, err
	}
	st, err := s.store.State(ctx, at.Prompt, at.Environment)
	if err != nil {
		return registry.RolloutReplay{}, err
	}
	rules, err := row.Rules.With(others)
	if err != nil {
		return registry.RolloutReplay{}, err
	}
	began, ok := opening(st.Track, row.Opened)
	if !ok {
		return registry.RolloutReplay{}, registry.Errorf(registry.ErrUnavailable, "the rollout of %s began with deployment %d, which is not there", at, row.Opened)
	}
	if began.Rollout.Strategy == registry.Experiment {
		return registry.RolloutReplay{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the rollout of %s that began with deployment %d is an experiment, which is not judged again", at, row.Opened),
			"incipit rollout show %s --env %s --rollout %d shows each decision with its evidence", at.Prompt, at.Environment, row.Opened)
	}
	t := &tracked{row: row, opened: began, split: splitOf(st.Track, row.Opened)}
	if t.detector, err = s.fresh(ctx, row, began, rules); err != nil {
		return registry.RolloutReplay{}, err
	}
	out := registry.RolloutReplay{Place: at, Opened: row.Opened, Verdicts: []registry.ReplayVerdict{}, Missing: s.config.Now().Sub(row.Since) > s.keepCalls()}
	if err := s.replay(ctx, t, &out); err != nil {
		return out, err
	}
	out.Calls = t.taken
	out.Evidence, err = json.Marshal(t.detector.Report())
	return out, err
}

// replay gives the calls of a rollout to a detector, up to where the guard was
// or the candidate is taken back.
func (s *Shared) replay(ctx context.Context, t *tracked, out *registry.RolloutReplay) error {
	after, last := t.row.Begun, t.row.Cursor
	for t.taken < replayMost && after < last {
		calls, next, err := s.config.Calls.FollowOf(ctx, t.row.Prompt, t.row.Environment, after, last, replayBatch)
		if err != nil {
			return err
		}
		for i := range calls {
			before := t.detector.Verdict().Kind
			decided, err := t.take(&calls[i])
			if err != nil {
				return err
			}
			now := t.detector.Verdict().Kind
			if !decided || now == before || slices.ContainsFunc(out.Verdicts, func(v registry.ReplayVerdict) bool { return v.Verdict == now.String() }) {
				continue
			}
			out.Verdicts = append(out.Verdicts, registry.ReplayVerdict{
				Index: t.taken, Verdict: now.String(), Call: calls[i].Call, Cursor: calls[i].Seq, At: calls[i].StartedAt,
			})
			if now == guard.Regressed {
				return nil
			}
		}
		if after = next; len(calls) < replayBatch {
			return nil
		}
	}
	return nil
}

package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Rollouts lists where the open rollouts stand that the caller may read, in an
// environment, or in all if it is "".
func (s *Shared) Rollouts(ctx context.Context, env string) ([]registry.RolloutReport, error) {
	if env != "" {
		if err := s.known(ctx, env); err != nil {
			return nil, err
		}
	}
	rows, err := s.db.OpenRollouts(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := registry.CallerOf(ctx)
	out := []registry.RolloutReport{}
	for _, row := range rows {
		if env != "" && row.Environment != env || c.May(registry.MayRead, row.Environment, row.Prompt) != nil {
			continue
		}
		r, err := s.standingOf(ctx, row)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Rollout is where a rollout stands and what was decided in it: the one that
// deployment opened began, or the newest if that is 0. Where a release serves
// everybody that came without a rollout, it is how that fares; what is found of
// one that came by a rollout stands at the end of the rollout's decisions, under
// the number of the record that ended it. It reports ErrNotFound if the guard
// follows none.
func (s *Shared) Rollout(ctx context.Context, at registry.Place, opened int) (registry.RolloutReport, error) {
	st, err := s.store.State(ctx, at.Prompt, at.Environment)
	if err != nil {
		return registry.RolloutReport{}, err
	}
	if r, ok, err := s.steadyReport(ctx, st, at, opened); ok || err != nil {
		return r, err
	}
	row, err := s.rollout(ctx, at, opened)
	if err != nil {
		return registry.RolloutReport{}, err
	}
	r, err := s.standingOf(ctx, row)
	if err != nil {
		return r, err
	}
	if r.Decisions, err = s.db.Decisions(ctx, at, row.Opened); err != nil {
		return r, err
	}
	if end, ok := ending(st.Track, row.Opened); ok {
		after, err := s.db.Decisions(ctx, at, end.Seq)
		if err != nil {
			return r, err
		}
		r.Decisions = append(r.Decisions, after...)
	}
	return r, nil
}

// rollout finds the row of a rollout.
func (s *Shared) rollout(ctx context.Context, at registry.Place, opened int) (registry.Watched, error) {
	st, err := s.store.State(ctx, at.Prompt, at.Environment)
	if err != nil {
		return registry.Watched{}, err
	}
	if d, open := st.Track.Began(); opened == 0 || open && opened == d.Seq { // it may be so new that the watch has not seen it yet
		if row, _, ok, err := s.first(ctx, st, at, -1); err != nil || ok {
			return row, err
		}
	}
	const most = 1000
	rows, err := s.db.Rollouts(ctx, at, most)
	if err != nil {
		return registry.Watched{}, err
	}
	for _, row := range rows {
		if opened == 0 || row.Opened == opened {
			return row, nil
		}
	}
	now, running := st.Track.Current()
	switch {
	case opened != 0:
		err = registry.WithFix(registry.Errorf(registry.ErrNotFound, "no rollout of %s began with deployment %d", at, opened), "incipit history %s --env %s shows which did", at.Prompt, at.Environment)
	case running && now.Rollout != nil:
		err = registry.WithFix(registry.Errorf(registry.ErrNotFound, "people alone move the rollout of %s: the guard does not follow it", at), "incipit shift, promote and rollback move it")
	default:
		err = registry.WithFix(registry.Errorf(registry.ErrNotFound, "there was no rollout of %s yet", at), "start one with incipit deploy %s@VERSION --env %s --canary", at.Prompt, at.Environment)
	}
	return registry.Watched{}, err
}

// standingOf is where a rollout stood when it was kept last.
func (s *Shared) standingOf(ctx context.Context, row registry.Watched) (registry.RolloutReport, error) {
	r := registry.RolloutReport{Place: row.Place, Opened: row.Opened, Since: row.Since, At: row.At, Rules: row.Rules, Decisions: []registry.Decision{}}
	st, err := s.store.State(ctx, row.Prompt, row.Environment)
	if err != nil {
		return r, err
	}
	t := &tracked{row: row}
	if err := json.Unmarshal(row.State, &t.state); err != nil {
		return r, registry.Errorf(registry.ErrUnavailable, "the state of the rollout of %s cannot be read: %v", row.Place, err)
	}
	var ok bool
	if t.opened, ok = opening(st.Track, row.Opened); !ok {
		return r, registry.Errorf(registry.ErrUnavailable, "the rollout of %s began with deployment %d, which is not there", row.Place, row.Opened)
	}
	t.plan, t.deals = rollout.PlanOf(*t.opened.Rollout, row.Rules), dealsOf(st.Track, row.Opened)
	r.Strategy, r.Stable = t.opened.Rollout.Strategy, t.opened.Version.String()
	r.Share, r.Steps, r.Phase, r.Verdict = t.state.Share, t.plan.Steps, string(t.state.Phase), string(t.state.Verdict)
	r.InStep, r.Healthy = registry.Duration(t.state.InStep.Round(time.Second)), registry.Duration(t.state.Healthy.Round(time.Second))
	if t.experiment() {
		return r, t.reportTrial(&r)
	}
	r.Candidate = t.opened.Rollout.Candidate().Version.String()
	if t.detector, err = guard.Restore(row.Detector); err != nil { // not begun, or of another program: the watch judges the calls anew
		var policy guard.Policy
		if policy, err = PolicyOf(row.Rules); err == nil {
			t.detector, err = guard.New(policy)
		}
	}
	if err != nil {
		return r, err
	}
	evidence, raw := t.evidence()
	r.Evidence, r.Text, r.Next = raw, t.standing(t.state, evidence), t.next()
	if n, ok := guard.Needed(evidence); ok {
		r.Needed = &n
	}
	return r, nil
}

// HoldRollout pauses the open rollout of a place, or lets it go on. Either is
// recorded, and wins against whatever the guard is about to do.
func (s *Shared) HoldRollout(ctx context.Context, req registry.HoldRequest) (registry.RolloutReport, error) {
	if err := checkReason(req.Reason); err != nil {
		return registry.RolloutReport{}, err
	}
	kind, action := registry.DecisionPause, "rollout.pause"
	if req.Resume {
		kind, action = registry.DecisionResume, "rollout.resume"
	}
	for {
		row, err := s.rollout(ctx, req.Place, 0)
		if err != nil {
			return registry.RolloutReport{}, err
		}
		err = s.hold(ctx, row, req, kind, action)
		if errors.Is(err, registry.ErrConflict) && ctx.Err() == nil {
			continue // the guard, or somebody else, was faster: it is the word that counts, not the moment
		}
		if err != nil {
			return registry.RolloutReport{}, err
		}
		return s.Rollout(ctx, req.Place, row.Opened)
	}
}

func (s *Shared) hold(ctx context.Context, row registry.Watched, req registry.HoldRequest, kind, action string) error {
	var state rollout.State
	if err := json.Unmarshal(row.State, &state); err != nil {
		return err
	}
	if state.Phase == rollout.Ended {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "no rollout of %s is open", row.Place), "incipit rollout show %s --env %s tells how it ended", row.Prompt, row.Environment)
	}
	next, _ := rollout.Next(rollout.Plan{}, state, rollout.Held{Resume: req.Resume})
	if next == state {
		return nil // it is so already
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	row.State, row.At = raw, s.config.Now()
	e := event(ctx, action)
	e.Environment, e.Prompt, e.Reason = row.Environment, row.Prompt, req.Reason
	text := map[bool]string{false: "paused", true: "goes on"}[req.Resume]
	if req.Reason != "" {
		text += ": " + req.Reason
	}
	d := registry.Decision{
		Place: row.Place, Opened: row.Opened, Kind: kind, By: e.Actor, Verdict: string(next.Verdict), Text: text, Share: next.Share, Cursor: row.Cursor,
	}
	return s.db.SaveRollout(ctx, row, []registry.Decision{d}, e)
}

// next says what happens next, by itself or by whom.
func (t *tracked) next() string {
	s, at := t.state, " "+string(t.row.Prompt)+" --env "+t.row.Environment
	switch s.Phase {
	case rollout.Ended:
		return ""
	case rollout.Paused:
		return "nothing moves until: incipit rollout resume" + at
	case rollout.Asking:
		if s.Question == rollout.IsBlocked {
			return "what it should do was refused: incipit rollout show" + at + " says why. It goes on by itself when that is mended"
		}
		if s.Question == rollout.AtLimit || s.Question == rollout.IsWorse {
			return "say what comes next: incipit rollout resume (watch on), promote or abort" + at
		}
		return "say that it may: incipit rollout resume" + at + "; or: incipit rollout abort" + at
	case rollout.Watching:
	}
	step, more := t.plan.Next(s.Share)
	to := "promote it"
	if more {
		to = "go to " + step.String()
	}
	if s.Share == 0 {
		return to + " once both releases can be served and calls are recorded"
	}
	left := max(t.plan.Stay(s.Share)-s.Healthy, 0).Round(time.Second)
	if s.Verdict == rollout.Healthy && left > 0 {
		return to + " after " + registry.Duration(left).String() + " more of healthy calls"
	}
	return to + " when it is safe; roll back when it is worse"
}

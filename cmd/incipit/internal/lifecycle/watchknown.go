package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

// lookAgain is after how long all rollouts are read again, whatever the
// revisions say: rules of an environment change without one.
const lookAgain = 10 * time.Second

// refresh brings what is followed in line with what runs.
func (w *watch) refresh(ctx context.Context) error {
	generation, revisions, err := w.Revisions(ctx)
	if err != nil {
		return err
	}
	now := w.config.Now()
	if generation != w.generation { // a backup was restored: another history
		w.drop()
	}
	if err := w.reload(ctx); err != nil {
		return err
	}
	age := now.Sub(w.looked)
	all := age < 0 || age >= lookAgain
	if all {
		w.looked = now
	}
	for env, revision := range revisions {
		if was, known := w.revisions[env]; known && was == revision && !all {
			continue
		}
		if err := w.environment(ctx, env); err != nil {
			return err
		}
		if w.rollouts == nil { // another was faster there: the next look reads all of it
			return nil
		}
	}
	w.generation, w.revisions = generation, revisions
	return nil
}

// reload reads the rollouts anew that are not in memory as they are kept.
func (w *watch) reload(ctx context.Context) error {
	versions, err := w.db.RolloutVersions(ctx)
	if err != nil {
		return err
	}
	same := len(versions) == len(w.rollouts)
	for at, version := range versions {
		t := w.rollouts[at]
		same = same && t != nil && t.row.Version == version && (t.broken.IsZero() || w.config.Now().Sub(t.broken) < lookAgain)
	}
	if same && w.rollouts != nil {
		return nil
	}
	rows, err := w.db.OpenRollouts(ctx)
	if err != nil {
		return err
	}
	next := make(map[registry.Place]*tracked, len(rows))
	for _, row := range rows {
		t := w.rollouts[row.Place]
		if t == nil || t.row.Opened != row.Opened || t.row.Version != row.Version || !t.broken.IsZero() {
			if t, err = w.track(ctx, row); err == nil {
				err = w.wake(ctx, t)
			}
			if err != nil { // the others go on
				w.config.Log.Error("a rollout cannot be followed", "prompt", row.Prompt, "environment", row.Environment, "error", err)
				t = &tracked{row: row, broken: w.config.Now()}
			} else {
				w.cursor = min(w.cursor, t.row.Cursor)
			}
		}
		next[row.Place] = t
	}
	w.rollouts = next
	return nil
}

// environment looks at what runs in an environment.
func (w *watch) environment(ctx context.Context, env string) error {
	running, err := w.db.Running(ctx, env)
	if err != nil {
		return err
	}
	rules, err := w.db.State(ctx, "", env)
	if err != nil {
		return err
	}
	w.steadies.know(rules.Environment, running)
	for id, d := range running.Prompts {
		at := registry.Place{Prompt: id, Environment: env}
		t := w.rollouts[at]
		if t == nil && !guarded(d) {
			continue
		}
		if err := w.place(ctx, at, t); errors.Is(err, registry.ErrConflict) {
			w.forget() // another was faster: the next look reads what it wrote
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// guarded reports whether the guard follows what a record left running.
func guarded(d registry.Deployment) bool {
	return d.Rollout != nil && !d.Rollout.Manual
}

// place learns what was done at a place, and begins to follow a rollout that is
// new there.
func (w *watch) place(ctx context.Context, at registry.Place, t *tracked) error {
	st, err := w.db.State(ctx, at.Prompt, at.Environment)
	if err != nil {
		return err
	}
	if t != nil && !t.broken.IsZero() {
		return nil
	}
	if t != nil {
		t.environment = st.Environment
		if err := w.learn(ctx, t, st.Track); err != nil {
			return err
		}
		if t.state.Phase != rollout.Ended {
			return nil
		}
		delete(w.rollouts, at)
	}
	row, said, ok, err := w.first(ctx, st, at, w.cursor)
	if err != nil || !ok {
		return err
	}
	if err := w.db.SaveRollout(ctx, row, []registry.Decision{said}, registry.Event{}); err != nil {
		return err
	}
	row.Version++
	t, err = w.track(ctx, row)
	if err == nil {
		w.rollouts[at] = t
	}
	return err
}

// first is a rollout as it is followed from a call on, and the first line of
// its log; a cursor below 0 is the last call that there is. ok is false if there
// is nothing to follow, or if it is followed already.
func (s *Shared) first(ctx context.Context, st registry.State, at registry.Place, cursor int64) (row registry.Watched, said registry.Decision, ok bool, err error) {
	d, open := st.Track.Began()
	now, _ := st.Track.Current()
	if !open || !guarded(now) {
		return row, said, false, nil
	}
	rules := st.Environment.GuardOf(at.Prompt)
	if rules.Policy == registry.GuardOff {
		return row, said, false, nil
	}
	there, err := s.db.Rollouts(ctx, at, 1)
	if err != nil || len(there) > 0 && there[0].Opened == d.Seq {
		return row, said, false, err
	}
	if cursor < 0 {
		if cursor, err = s.config.Calls.Latest(ctx); err != nil {
			return row, said, false, err
		}
	}
	state := rollout.Begin(d)
	plan := rollout.PlanOf(*d.Rollout, rules)
	for _, r := range st.Track {
		if r.Seq > d.Seq {
			state, _ = rollout.Next(plan, state, rollout.Moved{Deployment: r})
		}
	}
	raw, err := json.Marshal(state)
	if err != nil {
		return row, said, false, err
	}
	row = registry.Watched{Place: at, Opened: d.Seq, Rules: rules, State: raw, Cursor: cursor, Begun: cursor, Since: d.At, At: s.config.Now()}
	said = registry.Decision{
		Place: at, Opened: d.Seq, Kind: registry.DecisionBegin, By: registry.GuardName, Verdict: string(state.Verdict), Share: state.Share,
		Deployment: d.Seq, Cursor: cursor, Text: begunText(*d.Rollout, rules, plan),
	}
	return row, said, true, nil
}

// track is a rollout as it is kept, in memory.
func (w *watch) track(ctx context.Context, row registry.Watched) (*tracked, error) {
	now := w.config.Now()
	t := &tracked{row: row, last: now, saved: now}
	if err := json.Unmarshal(row.State, &t.state); err != nil {
		return nil, registry.Errorf(registry.ErrUnavailable, "the state of the rollout of %s cannot be read: %v", row.Place, err)
	}
	st, err := w.db.State(ctx, row.Prompt, row.Environment)
	if err != nil {
		return nil, err
	}
	t.environment, t.split, t.deals = st.Environment, splitOf(st.Track, row.Opened), dealsOf(st.Track, row.Opened)
	d, ok := opening(st.Track, row.Opened)
	if !ok {
		return nil, registry.Errorf(registry.ErrUnavailable, "the rollout of %s began with deployment %d, which is not there", row.Place, row.Opened)
	}
	t.opened, t.plan = d, rollout.PlanOf(*d.Rollout, row.Rules)
	return t, nil
}

// opening is the deployment by which a rollout began.
func opening(t registry.Track, seq int) (registry.Deployment, bool) {
	for _, d := range t {
		if d.Seq == seq && d.Rollout != nil {
			return d, true
		}
	}
	return registry.Deployment{}, false
}

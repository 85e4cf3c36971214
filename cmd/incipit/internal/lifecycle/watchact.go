package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// advance gives a rollout a tick, does what it asks for, and keeps what became
// of it. It reports ErrConflict if another was faster.
func (w *watch) advance(ctx context.Context, t *tracked) error {
	if err := w.wake(ctx, t); err != nil {
		return err
	}
	now := w.config.Now()
	next, commands := rollout.Next(t.plan, t.state, w.seen(ctx, t, now))
	t.last = now
	var said []registry.Decision
	for _, c := range commands {
		if c.Action != "" {
			err := w.carryOut(ctx, t, next, c, said)
			if err != nil || c.Arm == "" || t.stuck != "" {
				return err
			}
			return w.advance(ctx, t) // another arm may be worse by the same call
		}
		said = append(said, t.decision(next, kindOf(c.Tell), registry.GuardName, t.words(next, c)))
	}
	t.calls = 0
	changed := next.Phase != t.state.Phase || len(said) > 0
	t.state = next
	idle := now.Sub(t.saved)
	if !changed && idle >= 0 && idle < saveIdle && !(t.dirty && idle >= saveAgain) {
		return nil
	}
	return w.save(ctx, t, next, said, registry.Event{})
}

// seen is what a rollout's evidence is now.
func (w *watch) seen(ctx context.Context, t *tracked, now time.Time) rollout.Event {
	elapsed := min(max(now.Sub(t.last), 0), longestTick)
	if t.contest != nil {
		return t.compared(elapsed)
	}
	_, frozen := t.environment.Frozen(now)
	return rollout.Tick{
		Elapsed: elapsed, Calls: t.calls,
		Verdict: verdicts(t.detector.Verdict().Kind), Frozen: frozen, Ready: t.state.Share > 0 || w.servable(ctx, t),
	}
}

// save keeps a state of a rollout where nothing is deployed by it.
func (w *watch) save(ctx context.Context, t *tracked, s rollout.State, said []registry.Decision, event registry.Event) error {
	row, err := t.kept(s)
	if err != nil {
		return err
	}
	if err := w.db.SaveRollout(ctx, row, said, event); err != nil {
		return err
	}
	t.keep(row, s, w.config.Now())
	return nil
}

// servable reports whether both releases of a rollout can be served.
func (w *watch) servable(ctx context.Context, t *tracked) bool {
	for _, a := range t.opened.Rollout.Arms {
		if _, _, err := w.read(ctx, t.row.Prompt, a.Version, a.Digest); err != nil {
			return false
		}
	}
	return true
}

// carryOut makes the change that a rollout asks for. The change, the state
// after it and the decision are one transaction; it is refused if anything was
// done here since the state was read.
func (w *watch) carryOut(ctx context.Context, t *tracked, next rollout.State, c rollout.Command, said []registry.Decision) error {
	text := shortened(t.words(next, c))
	req := registry.Request{
		Action: c.Action, Prompt: t.row.Prompt, Environment: t.row.Environment, Share: c.Share, Arm: c.Arm, Reason: text,
		Confirm: t.row.Environment, // the rules of the environment are what says yes
	}
	var row registry.Watched
	var after rollout.State
	var done registry.Deployment
	_, err := w.store.Change(asGuard(ctx), req.Prompt, req.Environment, registry.Once{}, func(st registry.State) (registry.Change, error) {
		if st.Track.Seq() != t.state.Seq {
			return registry.Change{}, registry.Errorf(registry.ErrConflict, "something else was done in %s", t.row.Place)
		}
		change, _, err := w.decide(asGuard(ctx), st, req, nil, registry.GuardName)
		if err != nil {
			return change, refusedError{err}
		}
		if change.Deployment == nil {
			return change, registry.Errorf(registry.ErrConflict, "there is nothing to %s in %s", c.Action, t.row.Place)
		}
		done = *change.Deployment
		after, _ = rollout.Next(t.plan, next, rollout.Moved{Deployment: done})
		if row, err = t.kept(after); err != nil {
			return change, err
		}
		d := t.decision(after, kindOf(c.Tell), registry.GuardName, text)
		d.Deployment = done.Seq
		change.Watched, change.Decisions = &row, slices.Concat(said, []registry.Decision{d})
		return change, nil
	})
	switch {
	case err == nil:
		t.keep(row, after, w.config.Now())
		t.calls, t.stuck = 0, ""
		t.split.shares = append(t.split.shares, sharedFrom{w.config.Now(), after.Share})
		t.deals.add(done, w.config.Now())
		w.config.Log.Info("the guard acted", "action", c.Action, "prompt", req.Prompt, "environment", req.Environment, "share", after.Share, "why", text)
		return nil
	case ctx.Err() != nil, errors.Is(err, registry.ErrUnavailable):
		return err
	}
	if refused, ok := errors.AsType[refusedError](err); ok {
		return w.stuck(ctx, t, next, c, refused.error)
	}
	return err
}

// A refusedError is why a change must not be made, and no race.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

// stuck notes, once, that what must be done cannot be: a person has to look. It
// is tried again at each tick.
func (w *watch) stuck(ctx context.Context, t *tracked, next rollout.State, c rollout.Command, why error) error {
	text := shortened("cannot " + string(c.Action) + ": " + prompt.Visible(why.Error()))
	asked := t.state.Question == rollout.IsBlocked && (t.stuck == "" || t.stuck == text) // by whoever followed it before, too
	next.Phase, next.Question = rollout.Asking, rollout.IsBlocked
	t.calls, t.state, t.stuck = 0, next, text
	if asked {
		return nil
	}
	w.config.Log.Error("the guard cannot do what it should", "action", c.Action, "prompt", t.row.Prompt, "environment", t.row.Environment, "error", why)
	return w.save(ctx, t, next, []registry.Decision{t.decision(next, registry.DecisionAsk, registry.GuardName, text)}, registry.Event{})
}

// learn takes over what others did to a rollout since it was looked at.
func (w *watch) learn(ctx context.Context, t *tracked, track registry.Track) error {
	next := t.state
	var said []registry.Decision
	for _, d := range track {
		if d.Seq <= t.state.Seq {
			continue
		}
		next, _ = rollout.Next(t.plan, next, rollout.Moved{Deployment: d})
		kind := registry.DecisionEnd
		switch d.Action {
		case registry.Shift, registry.Promote, registry.Rollback:
			kind = string(d.Action)
		case registry.Deploy, registry.Retire:
		}
		if err := w.wake(ctx, t); err != nil {
			return err
		}
		one := t.decision(next, kind, d.By, doneText(d))
		one.Deployment = d.Seq
		if said = append(said, one); next.Phase == rollout.Ended {
			break
		}
	}
	if len(said) == 0 {
		return nil
	}
	t.split, t.deals = splitOf(track, t.row.Opened), dealsOf(track, t.row.Opened)
	return w.save(ctx, t, next, said, registry.Event{})
}

// asGuard is ctx for what the guard does by itself.
func asGuard(ctx context.Context) context.Context {
	return registry.WithCaller(ctx, registry.Caller{Name: registry.GuardName, Kind: registry.GuardName, Source: registry.GuardName})
}

func kindOf(t rollout.Tell) string {
	switch t {
	case rollout.TellAdvanced:
		return registry.DecisionAdvance
	case rollout.TellPromoted:
		return registry.DecisionPromote
	case rollout.TellRolled:
		return registry.DecisionRollback
	case rollout.TellAsks:
		return registry.DecisionAsk
	case rollout.TellVerdict:
	}
	return registry.DecisionHold
}

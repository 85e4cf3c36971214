package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// followPause is the time between two looks at a rollout.
	followPause = time.Second
	// followAway is how long a server may be away before nobody waits for it.
	followAway = 5 * time.Minute
)

// followFlags say how a rollout is followed to its end.
type followFlags struct {
	watch, wait bool
	timeout     string
}

func (f *followFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&f.watch, "watch", false, "show how the rollout goes, until it ends or Ctrl-C")
	f.addWait(cmd)
}

func (f *followFlags) addWait(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&f.wait, "wait", false, "wait until the rollout ends or a person is asked, and end with a status that says how")
	fl.StringVar(&f.timeout, "timeout", "", "wait this `TIME` at most, such as 30m or 4h; without it, as long as it takes")
}

func (f *followFlags) asked(cmd *cobra.Command) bool {
	return f.watch || f.wait || cmd.Flags().Changed("timeout")
}

// following is how a rollout is followed.
func (f *followFlags) following(e *env, c *api.Client, at registry.Place, opened int) (*following, error) {
	out := &following{env: e, client: c, at: at, opened: opened, show: f.watch, ask: f.wait}
	if f.timeout == "" {
		return out, nil
	}
	if !f.watch && !f.wait {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "--timeout bounds a wait, and there is none"), "add --wait, or --watch")
	}
	limit, err := registry.ParseDuration(f.timeout)
	if err != nil {
		return nil, fmt.Errorf("--timeout: %w", err)
	}
	if limit <= 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "--timeout is %s; it must be above 0, such as 30m", f.timeout)
	}
	out.limit = time.Duration(limit)
	return out, nil
}

func rolloutWatchCommand(e *env) *cobra.Command {
	var (
		f rolloutFlags
		w followFlags
	)
	cmd := &cobra.Command{
		Use:   "watch ID --env ENV [--wait] [--timeout TIME]",
		Short: "Follow a rollout until it ends",
		Long: "watch shows a rollout in place on a terminal, and elsewhere prints a line for\n" +
			"each thing that happens. It ends with 0 if the candidate is promoted, 3 if it is\n" +
			"rolled back, 5 if another deployment takes its place, 8 at --timeout. Ctrl-C ends\n" +
			"the view with 130; the rollout goes on.\n\n" +
			"--wait prints nothing but the end, and ends with 7 when a person is asked.",
		Example: examples("incipit rollout watch customer-support --env production",
			"incipit rollout watch customer-support --env production --wait --timeout 4h"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			at, err := f.place(id)
			if err != nil {
				return err
			}
			w.watch = !w.wait
			c, err := e.guardian(ctx)
			if err != nil {
				return err
			}
			follow, err := w.following(e, c, at, f.opened)
			if err != nil {
				return err
			}
			return follow.run(ctx, false)
		}),
	}
	f.add(cmd, e)
	w.addWait(cmd)
	return cmd
}

// runFollowedDeploy makes a deploy, and follows the rollout that it begins.
func runFollowedDeploy(ctx context.Context, e *env, req registry.Request, f followFlags) error {
	at := registry.Place{Prompt: req.Prompt, Environment: req.Environment}
	if req.Strategy == registry.Full || req.Manual {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "there is no rollout to watch: --watch and --wait follow one that the guard moves"), "add --canary, and leave out --manual")
	}
	c, err := e.guardian(ctx)
	if err != nil {
		return err
	}
	follow, err := f.following(e, c, at, 0)
	if err != nil {
		return err
	}
	rules, err := guardRules(ctx, c, req.Environment, req.Prompt)
	if err != nil {
		return err
	}
	if rules.Policy == registry.GuardOff {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the guard is off for %s, so there is nothing to watch", at), "leave out --watch and --wait: incipit shift, promote and rollback move the rollout")
	}
	if err := e.confirm(ctx, c, &req); err != nil {
		return err
	}
	r, err := c.Do(ctx, req)
	if err != nil {
		return err
	}
	if err := e.emit(r, func(w io.Writer) { printReceipt(w, e, r) }); err != nil {
		return err
	}
	if r.Already == "" {
		follow.opened = r.Deployment.Seq
	} else if r.Deployment.Rollout == nil {
		open, err := c.History(ctx, req.Prompt, req.Environment)
		if err != nil {
			return err
		}
		if _, ok := open[req.Environment].Began(); !ok {
			return nil // everybody has it: that is what was asked for
		}
	}
	return follow.run(ctx, true)
}

// A following follows a rollout to its end.
type following struct {
	env    *env
	client *api.Client
	at     registry.Place
	opened int           // 0 until it is known which
	show   bool          // what happens on the way, too
	ask    bool          // it ends when a person is asked
	limit  time.Duration // 0 is none

	told  int    // the last decision that was
	stood string // where it was when a line was printed last
}

// watchLine is the command that follows a rollout.
func watchLine(at registry.Place) string {
	return fmt.Sprintf("incipit rollout watch %s --env %s", at.Prompt, at.Environment)
}

// run looks until the rollout ends. The error says how, unless it is promoted. A
// server that was there, as seen says, is waited for.
func (f *following) run(ctx context.Context, seen bool) error {
	ends, away := f.env.now().Add(f.limit), time.Time{}
	for {
		r, err := f.client.Rollout(ctx, f.at, f.opened)
		now := f.env.now()
		switch {
		case ctx.Err() != nil:
			return f.left(ctx)
		case err == nil && r.Phase == registry.PhaseSteady:
			return registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is no rollout of %s to watch: %s serves everybody", f.at, words.Plain(r.Stable)),
				"incipit rollout show %s --env %s tells how it fares", f.at.Prompt, f.at.Environment)
		case err == nil:
			seen, away, f.opened = true, time.Time{}, r.Opened
			if err := f.tell(r, now); err != nil {
				return err
			}
			if !r.Open() || f.ask && r.Phase == string(rollout.Asking) {
				return f.ended(r)
			}
		case !seen || !errors.Is(err, registry.ErrUnavailable):
			return err
		case away.IsZero():
			away = now
			f.env.talk("%s  %s; looking again", words.Second(now), words.Plain(err.Error()))
		case now.Sub(away) > followAway:
			return err
		}
		if f.limit > 0 && !now.Before(ends) {
			f.env.talk("%s is still open after %s. Look again: %s", f.at, registry.Duration(f.limit), watchLine(f.at))
			return exitError{api.Pending}
		}
		pause := followPause
		if f.limit > 0 {
			pause = min(pause, max(ends.Sub(now), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return f.left(ctx)
		case <-time.After(pause):
		}
	}
}

// left says to who goes away that the rollout does not.
func (f *following) left(ctx context.Context) error {
	f.env.talk("The rollout goes on. Look again: %s", watchLine(f.at))
	return context.Cause(ctx)
}

// ended prints how a rollout ended, or that a person is asked, and returns the
// error that stands for it.
func (f *following) ended(r registry.RolloutReport) error {
	if f.env.json != "" && !f.show {
		if err := f.env.emit(r, nil); err != nil {
			return err
		}
	}
	look := fmt.Sprintf("incipit rollout show %s --env %s --rollout %d", f.at.Prompt, f.at.Environment, r.Opened)
	if r.Open() {
		return registry.WithFix(registry.Errorf(registry.ErrUnconfirmed, "%s at %s asks a person: %s", f.at, r.Share, words.Plain(question(r))), "%s", words.Plain(r.Next))
	}
	d := words.End(r)
	switch d.Kind {
	case registry.DecisionPromote:
		if f.env.json != "" {
			return nil
		}
		return f.env.emit(r, func(w io.Writer) {
			if r.Strategy == registry.Experiment {
				fmt.Fprintf(w, "the experiment of %s has ended: %s\n", f.at, words.Plain(d.Text))
				return
			}
			fmt.Fprintf(w, "%s@%s is promoted in %s\n", f.at.Prompt, words.Plain(r.Candidate), f.at.Environment)
		})
	case registry.DecisionRollback:
		return registry.WithFix(registry.Errorf(registry.ErrGate, "%s of %s, by %s: %s", words.Plain(words.CandidateOf(r)), f.at, words.Plain(words.Name(d.By)), words.Plain(d.Text)), "%s shows what it rests on", look)
	}
	return registry.WithFix(registry.Errorf(registry.ErrConflict, "another deployment took the place of %s of %s", words.Plain(words.CandidateOf(r)), f.at), "%s", look)
}

// question is what a person was asked last.
func question(r registry.RolloutReport) string {
	for _, d := range slices.Backward(r.Decisions) {
		if d.Kind == registry.DecisionAsk {
			return d.Text
		}
	}
	return r.Text
}

// tell shows what is new.
func (f *following) tell(r registry.RolloutReport, now time.Time) error {
	e := f.env
	var fresh []registry.Decision
	for _, d := range r.Decisions {
		if d.Seq > f.told {
			fresh, f.told = append(fresh, d), d.Seq
		}
	}
	stood := fmt.Sprint(r.Share, r.Phase, r.Verdict)
	moved := stood != f.stood
	f.stood = stood
	switch {
	case e.json != "":
		if f.show && (moved || len(fresh) > 0) {
			return e.emit(r, nil)
		}
		return nil
	case f.show && e.inPlace():
		fmt.Fprint(&e.page, "\x1b[H\x1b[J") // home, and clear to the end
		printLive(&e.page, r, now)
	case f.show:
		for _, d := range fresh {
			fmt.Fprintln(&e.page, words.Decision(d))
		}
		if moved && len(fresh) == 0 {
			fmt.Fprintf(&e.page, "%s  %s at %s: %s\n", words.Second(now), stance(r), r.Share, words.Plain(r.Text))
		}
	}
	if e.getenv("GITHUB_ACTIONS") == "true" {
		for _, d := range fresh {
			workflowCommand(&e.page, r, d)
		}
	}
	return e.turn()
}

// inPlace reports whether what is printed may be replaced by what comes next.
func (e *env) inPlace() bool { return e.outTTY && e.json == "" && e.getenv("TERM") != "dumb" }

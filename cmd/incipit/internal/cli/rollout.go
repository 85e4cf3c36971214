package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func rolloutCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "See how rollouts go and why, and steer them",
		Long: "A server watches each rollout: it gives the candidate to more subjects while the\n" +
			"calls show that it is safe, and takes it back when they show that it is worse.\n" +
			"rollout shows what it decided and on what, and lets a person decide instead.",
		Example: examples("incipit rollout list", "incipit rollout show customer-support --env production"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(rolloutListCommand(e), rolloutShowCommand(e), rolloutWatchCommand(e),
		rolloutHoldCommand(e, false), rolloutHoldCommand(e, true), rolloutPromoteCommand(e), rolloutAbortCommand(e))
	return cmd
}

// guardian is the client of the server that watches rollouts.
func (e *env) guardian(ctx context.Context) (*api.Client, error) {
	_, err := e.serverAddress(ctx)
	if fix, ok := errors.AsType[*registry.FixError](err); ok {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "rollouts are watched by a server: which one?"), "%s; without one people move them: incipit shift, promote, rollback", fix.Fix)
	}
	if err != nil {
		return nil, err
	}
	return e.remote(ctx)
}

func rolloutListCommand(e *env) *cobra.Command {
	var environment string
	cmd := &cobra.Command{
		Use:     "list [--env ENV]",
		Short:   "List the open rollouts that are watched",
		Example: examples("incipit rollout list", "incipit rollout list --env production --json=prompt,share,verdict"),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRolloutList(cmd.Context(), e, environment)
		},
	}
	envFlag(cmd, e, &environment, "only those in this `ENV`ironment")
	return cmd
}

func runRolloutList(ctx context.Context, e *env, environment string) error {
	c, err := e.guardian(ctx)
	if err != nil {
		return err
	}
	all, err := c.Rollouts(ctx, environment)
	if err != nil {
		return err
	}
	return e.emit(all, func(w io.Writer) {
		if len(all) == 0 {
			e.talk("No rollout is watched now. Start one: incipit deploy ID@VERSION --env ENV --canary")
			return
		}
		out := [][]string{{"PROMPT", "ENVIRONMENT", "STABLE", "CANDIDATE", "SHARE", "PHASE", "VERDICT", "SINCE"}}
		for _, r := range all {
			out = append(out, []string{string(r.Prompt), r.Environment, r.Stable, r.Candidate, r.Share.String(), r.Phase, r.Verdict, words.Minute(r.Since)})
		}
		table(w, out)
	})
}

// rolloutFlags name one of the rollouts of a prompt.
type rolloutFlags struct {
	environment string
	opened      int
}

func (f *rolloutFlags) add(cmd *cobra.Command, e *env) {
	f.addOptional(cmd, e)
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
}

func (f *rolloutFlags) addOptional(cmd *cobra.Command, e *env) {
	envFlag(cmd, e, &f.environment, "in this `ENV`ironment")
	cmd.Flags().IntVar(&f.opened, "rollout", 0, "the one that the deployment of this `NUMBER` began; without it, the newest")
}

func (f *rolloutFlags) place(id prompt.ID) (registry.Place, error) {
	if f.opened < 0 {
		return registry.Place{}, registry.Errorf(prompt.ErrInvalid, "--rollout is %d; it is the number of a deployment, as incipit history shows it", f.opened)
	}
	return registry.Place{Prompt: id, Environment: f.environment}, nil
}

func rolloutShowCommand(e *env) *cobra.Command {
	var f rolloutFlags
	cmd := &cobra.Command{
		Use:   "show ID --env ENV [--rollout NUMBER]",
		Short: "Show where a rollout stands, why, and all that was decided in it",
		Example: examples("incipit rollout show customer-support --env production",
			"incipit rollout show customer-support --env production --rollout 12 --json"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			at, err := f.place(id)
			if err != nil {
				return err
			}
			c, err := e.guardian(ctx)
			if err != nil {
				return err
			}
			r, err := c.Rollout(ctx, at, f.opened)
			if err != nil {
				return err
			}
			return e.emit(r, func(w io.Writer) { printRollout(w, r) })
		}),
	}
	f.add(cmd, e)
	return cmd
}

// rolloutHoldCommand is pause or resume.
func rolloutHoldCommand(e *env, resume bool) *cobra.Command {
	var req registry.HoldRequest
	cmd := &cobra.Command{
		Use:   "pause ID --env ENV",
		Short: "Keep a rollout where it is, whatever the evidence says",
		Example: examples("incipit rollout pause customer-support --env production",
			"incipit rollout pause customer-support --env production --reason \"the provider is down\""),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			req.Prompt, req.Resume = id, resume
			return runRolloutHold(ctx, e, req)
		}),
	}
	if resume {
		cmd.Use, cmd.Short = "resume ID --env ENV", "Let a rollout go on that was paused, or that asks"
		cmd.Example = examples("incipit rollout resume customer-support --env production",
			"incipit rollout resume customer-support --env production --reason \"the provider is back\"")
	}
	envFlag(cmd, e, &req.Environment, "in this `ENV`ironment")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why, as `TEXT` for the decision log")
	return cmd
}

func runRolloutHold(ctx context.Context, e *env, req registry.HoldRequest) error {
	c, err := e.guardian(ctx)
	if err != nil {
		return err
	}
	r, err := c.HoldRollout(ctx, req)
	if err != nil {
		return err
	}
	return e.emit(r, func(w io.Writer) {
		printStanding(w, r)
		if r.Next != "" {
			e.talk("Next: %s", words.Plain(r.Next))
		}
	})
}

func rolloutPromoteCommand(e *env) *cobra.Command {
	cmd := promoteCommand(e)
	cmd.Example = examples("incipit rollout promote customer-support --env staging",
		"incipit rollout promote customer-support --env production --confirm production --reason \"seen enough\"")
	return cmd
}

func rolloutAbortCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:   "abort ID --env ENV",
		Short: "Take the candidate of an open rollout back, from everybody, at once",
		Long: "abort rolls an open rollout back. Where none is open it changes nothing: going\n" +
			"back from a release that everybody has is incipit rollback.",
		Example: examples("incipit rollout abort customer-support --env staging",
			"incipit rollout abort customer-support --env production --confirm production --reason \"wrong tone\""),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runRolloutAbort(ctx, e, c.request(registry.Rollback, id), c.dryRun)
		}),
	}
	c.add(cmd, e)
	return cmd
}

// runRolloutAbort rolls back what it saw open, and nothing else: if the guard
// promotes it in the meantime, that is a conflict and no rollback of everybody.
func runRolloutAbort(ctx context.Context, e *env, req registry.Request, dryRun bool) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	tracks, err := svc.History(ctx, req.Prompt, req.Environment)
	if err != nil {
		return err
	}
	track := tracks[req.Environment]
	if _, open := track.Began(); !open {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "there is no open rollout of %s in %s to abort", req.Prompt, req.Environment),
			"to go back from the release that everybody has: incipit rollback %s --env %s", req.Prompt, req.Environment)
	}
	p, err := svc.Plan(ctx, req)
	if err != nil {
		return err
	}
	if track.Seq() != p.SeenSeq {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "the rollout of %s in %s moved meanwhile", req.Prompt, req.Environment), "look, and say it again: incipit status %s", req.Prompt)
	}
	if dryRun {
		return e.emit(p, func(w io.Writer) { printPlan(w, p) })
	}
	return applyPlan(ctx, e, svc, p)
}

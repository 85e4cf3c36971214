package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// changeFlags are shared by the commands that change what runs.
type changeFlags struct {
	environment string
	reason      string
	confirm     string
	dryRun      bool
	revision    int64
}

func (f *changeFlags) add(cmd *cobra.Command, e *env) {
	envFlag(cmd, e, &f.environment, "in this `ENV`ironment")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
	fl := cmd.Flags()
	fl.StringVar(&f.reason, "reason", "", "why, as `TEXT` for the history")
	fl.StringVar(&f.confirm, "confirm", "", "confirm a protected environment by its `NAME`")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show what would happen")
	fl.Int64Var(&f.revision, "revision", -1, "fail if the environment is no longer at this `REVISION`")
}

func (f *changeFlags) request(action registry.Action, id prompt.ID) registry.Request {
	req := registry.Request{Action: action, Prompt: id, Environment: f.environment, Reason: strings.TrimSpace(f.reason), Confirm: f.confirm}
	if f.revision >= 0 {
		req.Revision = &f.revision
	}
	return req
}

// deployFlags are shared by deploy and plan.
type deployFlags struct {
	canary    string
	blueGreen bool
	bucketing string
	supersede bool
	clear     bool
	manual    bool
}

func (f *deployFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.canary, "canary", "", "give it to a growing share of the subjects, in these `STEPS`: 5,25,50,100; without STEPS, in those of the environment's guard")
	fl.Lookup("canary").NoOptDefVal = guardSteps
	fl.BoolVar(&f.blueGreen, "blue-green", false, "load it beside the running release, at 0 %; shift and promote move the subjects")
	fl.StringVar(&f.bucketing, "bucketing", "", "the `ALGORITHM` that chooses subjects: fnv1a-fmix32 or md5-100")
	fl.BoolVar(&f.supersede, "supersede", false, "replace a rollout that is open")
	fl.BoolVar(&f.clear, "clear-quarantine", false, "deploy it although it was rolled back here")
	fl.BoolVar(&f.manual, "manual", false, "people alone move the rollout; the guard does not follow it")
	cmd.MarkFlagsMutuallyExclusive("canary", "blue-green")
}

func (f *deployFlags) fill(req *registry.Request) (err error) {
	req.Strategy, req.Supersede, req.Quarantined, req.Manual = registry.Full, f.supersede, f.clear, f.manual
	switch {
	case f.canary == guardSteps:
		req.Strategy = registry.Canary
	case f.canary != "":
		req.Strategy = registry.Canary
		if req.Steps, err = registry.ParseSteps(f.canary); err != nil {
			return err
		}
	case f.blueGreen:
		req.Strategy = registry.BlueGreen
	case f.manual:
		return registry.Errorf(prompt.ErrInvalid, "--manual needs --canary or --blue-green: without one there is no rollout to move")
	case f.bucketing != "":
		return registry.Errorf(prompt.ErrInvalid, "--bucketing needs --canary or --blue-green: without one everybody gets the same release")
	default:
		return nil
	}
	if f.bucketing != "" {
		req.Bucketing, err = registry.ParseBucketing(f.bucketing)
	}
	return err
}

func deployCommand(e *env) *cobra.Command {
	var (
		c changeFlags
		d deployFlags
		f followFlags
	)
	cmd := &cobra.Command{
		Use:   "deploy ID@VERSION --env ENV [--canary [STEPS] | --blue-green]",
		Short: "Put a release into an environment",
		Long: "deploy points an environment at a release: for everybody at once, or behind a\n" +
			"rollout that starts with a share of the subjects. A subject keeps its answer as\n" +
			"the share grows. The change is committed to the registry.\n\n" +
			"A server watches a rollout, and moves it on or takes it back by what the calls\n" +
			"show, unless --manual leaves that to people. --watch shows how it goes; --wait\n" +
			"waits without a word. Both end with 0 if it is promoted, 3 if it is rolled back,\n" +
			"5 if another deployment takes its place, 8 at --timeout; --wait ends with 7 if a\n" +
			"person is asked.",
		Example: examples("incipit deploy customer-support@1.0.0 --env staging",
			"incipit deploy customer-support@1.1.0 --env production --canary 5,25,50,100 --confirm production",
			"incipit deploy customer-support@1.1.0 --env production --canary --confirm production --wait --timeout 4h"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := deployRequest(cmd.Context(), e, args[0], &c, &d)
			if err != nil {
				return err
			}
			if f.asked(cmd) && !c.dryRun {
				return runFollowedDeploy(cmd.Context(), e, req, f)
			}
			return runChange(cmd.Context(), e, req, c.dryRun)
		},
	}
	c.add(cmd, e)
	d.add(cmd)
	f.add(cmd)
	return cmd
}

func deployRequest(ctx context.Context, e *env, ref string, c *changeFlags, d *deployFlags) (registry.Request, error) {
	id, version, err := parseRef(ref)
	if err != nil {
		return registry.Request{}, err
	}
	if version == "" {
		svc, err := e.service(ctx)
		if err != nil {
			return registry.Request{}, err
		}
		releases, err := svc.Releases(ctx, id)
		if err != nil {
			return registry.Request{}, err
		}
		fix := fmt.Sprintf("incipit log %s lists its releases", id)
		if n := len(releases); n > 0 {
			fix = fmt.Sprintf("incipit deploy %s --env %s", releases[n-1].Tag, c.environment)
		}
		return registry.Request{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "which version of %s?", id), "%s", fix)
	}
	req := c.request(registry.Deploy, id)
	req.Version = version
	if err := d.fill(&req); err != nil || req.Strategy != registry.Canary || len(req.Steps) > 0 {
		return req, err
	}
	svc, err := e.service(ctx)
	if err != nil {
		return req, err
	}
	rules, err := guardRules(ctx, svc, req.Environment, id)
	req.Steps = rules.Steps
	return req, err
}

func shiftCommand(e *env) *cobra.Command {
	var (
		c  changeFlags
		to string
	)
	cmd := &cobra.Command{
		Use:               "shift ID --env ENV --to PERCENT",
		Short:             "Change the candidate's share of an open rollout",
		Example:           examples("incipit shift customer-support --env staging --to 25", "incipit shift customer-support --env production --to 0.5 --confirm production"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			req := c.request(registry.Shift, id)
			var err error
			if req.Share, err = registry.ParseShare(to); err != nil {
				return err
			}
			return runChange(ctx, e, req, c.dryRun)
		}),
	}
	c.add(cmd, e)
	cmd.Flags().StringVar(&to, "to", "", "the candidate's new share, in `PERCENT`")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag was just defined
	}
	return cmd
}

func promoteCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:               "promote ID --env ENV",
		Short:             "Give the candidate to everybody and close the rollout",
		Example:           examples("incipit promote customer-support --env staging", "incipit promote customer-support --env production --confirm production"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runChange(ctx, e, c.request(registry.Promote, id), c.dryRun)
		}),
	}
	c.add(cmd, e)
	return cmd
}

func rollbackCommand(e *env) *cobra.Command {
	var (
		c     changeFlags
		f     storeFlags
		to    string
		local bool
	)
	cmd := &cobra.Command{
		Use:   "rollback ID --env ENV [--to VERSION]",
		Short: "Bring back the last good release, for everybody, at once",
		Long: "rollback closes an open rollout and gives the stable release to everybody, or\n" +
			"goes back to the release that ran before the current one; --to names another\n" +
			"that ran here. It prints the command that undoes it. Repeated, it stays where\n" +
			"it went.\n\n" +
			"When the server cannot be reached, --local writes into its database itself; a\n" +
			"server that still runs sees it within a second.",
		Example: examples("incipit rollback customer-support --env staging", "incipit rollback customer-support --env production --to 1.0.0 --confirm production --reason \"wrong tone\"",
			"incipit rollback customer-support --env production --confirm production --reason outage --local --data /var/lib/incipit"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			if to != "" {
				if _, err := prompt.ParseVersion(to); err != nil {
					return err
				}
			}
			req := c.request(registry.Rollback, id)
			req.Version = to
			if local {
				return runLocally(ctx, e, &f, req, c.dryRun)
			}
			return runChange(ctx, e, req, c.dryRun)
		}),
	}
	c.add(cmd, e)
	f.add(cmd, e)
	cmd.Flags().StringVar(&to, "to", "", "the `VERSION` to go back to")
	cmd.Flags().BoolVar(&local, "local", false, "write into the server's database, with --data or --database")
	return cmd
}

func retireCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:   "retire ID --env ENV",
		Short: "Take a prompt out of an environment",
		Long: "retire ends what runs of a prompt in an environment. Applications are told, and\n" +
			"fall back to the bundle that is built into them, or fail. The history is kept.",
		Example:           examples("incipit retire customer-support --env staging", "incipit retire customer-support --env production --confirm production --reason \"replaced by support-v2\""),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runChange(ctx, e, c.request(registry.Retire, id), c.dryRun)
		}),
	}
	c.add(cmd, e)
	return cmd
}

func runChange(ctx context.Context, e *env, req registry.Request, dryRun bool) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	return makeChange(ctx, e, svc, req, dryRun)
}

// runLocally makes a change in the database of a server, without the server.
func runLocally(ctx context.Context, e *env, f *storeFlags, req registry.Request, dryRun bool) (err error) {
	svc, store, err := e.local(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return makeChange(e.atHand(ctx), e, svc, req, dryRun)
}

func makeChange(ctx context.Context, e *env, svc backend, req registry.Request, dryRun bool) error {
	if dryRun {
		p, err := svc.Plan(ctx, req)
		if err != nil {
			return err
		}
		return e.emit(p, func(w io.Writer) { printPlan(w, p) })
	}
	if err := e.confirm(ctx, svc, &req); err != nil {
		return err
	}
	r, err := svc.Do(ctx, req)
	if err != nil {
		return err
	}
	return e.emitReceipt(ctx, svc, r)
}

// emitReceipt prints what was changed, and what could come next.
func (e *env) emitReceipt(ctx context.Context, svc backend, r *registry.Receipt) error {
	next := e.afterChange(ctx, svc, r)
	return e.emit(r, func(w io.Writer) {
		printReceipt(w, e, r)
		if next != "" {
			e.talk("Next: %s", next)
		}
	})
}

func printReceipt(w io.Writer, e *env, r *registry.Receipt) {
	if r.Already != "" {
		fmt.Fprintf(w, "%s\n", r.Already)
		return
	}
	fmt.Fprintln(w, words.Done(registry.Place{Prompt: r.Prompt, Environment: r.Environment}, r.Deployment))
	e.talk("%s", r.Moves)
	if r.Undo != "" {
		e.talk("Undo: %s", r.Undo)
	}
}

// afterChange is the command that comes next in a rollout, "" if none is open.
func (e *env) afterChange(ctx context.Context, svc backend, r *registry.Receipt) string {
	ro := r.Deployment.Rollout
	if r.Already != "" || ro == nil {
		return ""
	}
	if ro.Strategy == registry.Experiment {
		return fmt.Sprintf("incipit experiment show %s --env %s", r.Prompt, r.Environment)
	}
	if e.far != nil && !ro.Manual {
		if rules, err := guardRules(ctx, svc, r.Environment, r.Prompt); err == nil && rules.Policy != registry.GuardOff {
			return watchLine(registry.Place{Prompt: r.Prompt, Environment: r.Environment})
		}
	}
	if next, ok := ro.NextStep(); ok && next < registry.Scale {
		return fmt.Sprintf("incipit shift %s --env %s --to %s%s", r.Prompt, r.Environment, next.Number(), words.Confirm(r.Plan))
	}
	return fmt.Sprintf("incipit promote %s --env %s%s", r.Prompt, r.Environment, words.Confirm(r.Plan))
}

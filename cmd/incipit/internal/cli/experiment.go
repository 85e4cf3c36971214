package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func experimentCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "experiment",
		Short: "Compare several releases at shares that you choose",
		Long: "experiment runs up to nine releases beside the stable one, each with a share of\n" +
			"the subjects that stands until you change it. A change moves as few subjects as\n" +
			"can be. It ends with an arm for everybody, or with the stable release.",
		Example: examples("incipit experiment start customer-support --env staging --arm b=1.1.0:25 --arm c=1.2.0:25",
			"incipit experiment show customer-support --env staging"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(experimentStartCommand(e), experimentSharesCommand(e), experimentListCommand(e), experimentShowCommand(e),
		experimentPromoteCommand(e), experimentDropCommand(e), experimentStopCommand(e))
	return cmd
}

func experimentStartCommand(e *env) *cobra.Command {
	var (
		c         changeFlags
		arms      []string
		bucketing string
		req       registry.Request
	)
	cmd := &cobra.Command{
		Use:   "start ID --env ENV --arm NAME=VERSION:PERCENT…",
		Short: "Start an experiment, or put other arms into the open one",
		Long: "start gives each arm its share of the subjects, and the rest to the stable\n" +
			"release, which is an arm, too. Each release meets what the environment asks of a\n" +
			"deploy. An arm is better once the primary metric shows it, and no other one\n" +
			"speaks against it.\n\n" +
			"With --supersede the arms of an open experiment are replaced: one of the same\n" +
			"name and version keeps its subjects. The metric cannot be changed in its midst.",
		Example: examples("incipit experiment start customer-support --env staging --arm b=1.1.0:50",
			"incipit experiment start customer-support --env production --arm b=1.1.0:25 --arm c=1.2.0:25 --primary satisfaction --confirm production"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) (err error) {
			start := c.request(registry.Deploy, id)
			start.Strategy, start.Primary, start.Supersede, start.Quarantined, start.Manual = registry.Experiment, req.Primary, req.Supersede, req.Quarantined, req.Manual
			if start.Arms, err = parseArms(arms); err != nil {
				return err
			}
			if bucketing != "" {
				if start.Bucketing, err = registry.ParseBucketing(bucketing); err != nil {
					return err
				}
			}
			return runChange(ctx, e, start, c.dryRun)
		}),
	}
	c.add(cmd, e)
	fl := cmd.Flags()
	fl.StringArrayVar(&arms, "arm", nil, "an `ARM`, as NAME=VERSION:PERCENT; up to nine")
	fl.StringVar(&req.Primary, "primary", "", "the `METRIC` that decides: errors if nothing is said")
	fl.StringVar(&bucketing, "bucketing", "", "the `ALGORITHM` that chooses subjects: fnv1a-fmix32 or md5-100")
	fl.BoolVar(&req.Supersede, "supersede", false, "replace a rollout that is open, or the arms of an experiment")
	fl.BoolVar(&req.Manual, "manual", false, "people alone move the experiment; the guard does not follow it")
	fl.BoolVar(&req.Quarantined, "clear-quarantine", false, "deploy them although they were rolled back here")
	if err := cmd.MarkFlagRequired("arm"); err != nil {
		panic(err) // the flag was just defined
	}
	complete(cmd, "primary", registry.Metrics()...)
	return cmd
}

// parseArms reads b=1.1.0:25.
func parseArms(list []string) ([]registry.ArmRequest, error) {
	var out []registry.ArmRequest
	for _, s := range list {
		name, rest, named := strings.Cut(s, "=")
		version, percent, shared := strings.Cut(rest, ":")
		if !named || !shared {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no arm", prompt.Clip(s, 60)), "write NAME=VERSION:PERCENT, such as b=1.1.0:25")
		}
		share, err := registry.ParseShare(percent)
		if err != nil {
			return nil, err
		}
		out = append(out, registry.ArmRequest{Name: name, Version: version, Share: share})
	}
	return out, nil
}

func experimentSharesCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:   "shares ID --env ENV NAME=PERCENT…",
		Short: "Change the shares of arms",
		Long: "shares gives arms other shares. An arm that is not named keeps its own, and the\n" +
			"stable release has what they leave. At 0 an arm stays, and serves nobody.",
		Example: examples("incipit experiment shares customer-support --env staging b=10 c=40",
			"incipit experiment shares customer-support --env production b=0.5 --confirm production"),
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: completeIDs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := prompt.ParseID(args[0])
			if err != nil {
				return err
			}
			req := c.request(registry.Shift, id)
			if req.Shares, err = parseShares(args[1:]); err != nil {
				return err
			}
			return runChange(cmd.Context(), e, req, c.dryRun)
		},
	}
	c.add(cmd, e)
	return cmd
}

// parseShares reads b=10.
func parseShares(list []string) (map[string]registry.Share, error) {
	out := make(map[string]registry.Share)
	for _, s := range list {
		name, percent, named := strings.Cut(s, "=")
		if _, twice := out[name]; !named || twice {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no share of an arm, or the second one", prompt.Clip(s, 60)), "write NAME=PERCENT once for each arm, such as b=10")
		}
		share, err := registry.ParseShare(percent)
		if err != nil {
			return nil, err
		}
		out[name] = share
	}
	return out, nil
}

func experimentPromoteCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:   "promote ID ARM --env ENV",
		Short: "Give an arm to everybody and end the experiment",
		Example: examples("incipit experiment promote customer-support b --env staging",
			"incipit experiment promote customer-support b --env production --confirm production --reason \"fewer errors\""),
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeIDs(e),
		RunE: withArm(func(ctx context.Context, id prompt.ID, arm string) error {
			return e.end(ctx, &c, registry.Promote, id, arm)
		}),
	}
	c.add(cmd, e)
	return cmd
}

func experimentDropCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:   "drop ID ARM --env ENV",
		Short: "Take an arm out that does harm; the others go on",
		Long: "drop rolls one arm back: its subjects get the stable release, at once, and its\n" +
			"release is held in quarantine. Without another arm the experiment ends.",
		Example: examples("incipit experiment drop customer-support c --env staging",
			"incipit experiment drop customer-support c --env production --confirm production --reason \"wrong prices\""),
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeIDs(e),
		RunE: withArm(func(ctx context.Context, id prompt.ID, arm string) error {
			return e.end(ctx, &c, registry.Rollback, id, arm)
		}),
	}
	c.add(cmd, e)
	return cmd
}

func experimentStopCommand(e *env) *cobra.Command {
	var c changeFlags
	cmd := &cobra.Command{
		Use:   "stop ID --env ENV",
		Short: "End the experiment with the stable release for everybody",
		Long: "stop ends an experiment without a winner. Its releases may be deployed again:\n" +
			"what does harm is rather taken out with drop, or all of it with incipit rollback,\n" +
			"which hold them in quarantine.",
		Example: examples("incipit experiment stop customer-support --env staging",
			"incipit experiment stop customer-support --env production --confirm production"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return e.end(ctx, &c, registry.Promote, id, registry.StableArm)
		}),
	}
	c.add(cmd, e)
	return cmd
}

// end asks for a change of one arm.
func (e *env) end(ctx context.Context, c *changeFlags, action registry.Action, id prompt.ID, arm string) error {
	req := c.request(action, id)
	req.Arm = arm
	return runChange(ctx, e, req, c.dryRun)
}

func withArm(run func(ctx context.Context, id prompt.ID, arm string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		id, err := prompt.ParseID(args[0])
		if err != nil {
			return err
		}
		return run(cmd.Context(), id, args[1])
	}
}

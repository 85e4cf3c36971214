package cli

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func guardCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "guard",
		Short:   "See when the guard would have acted",
		Example: examples("incipit guard replay customer-support --env production", "incipit guard replay --policy classic < calls.csv"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(guardReplayCommand(e))
	return cmd
}

func guardReplayCommand(e *env) *cobra.Command {
	var (
		r            guard.Replay
		f            rolloutFlags
		only, policy string
	)
	cmd := &cobra.Command{
		Use:   "replay [ID --env ENV [--rollout NUMBER]] [--warmup N] [--alpha A] [--metrics METRICS] [--policy evidence|classic]",
		Short: "Run the guard over calls, and print when it decides",
		Long: "With the name of a prompt, replay judges the calls of its newest rollout again, or\n" +
			"of the one that deployment NUMBER began: by the rules that it had, or by those of\n" +
			"the flags. It says whether the guard decided the same at the same call.\n\n" +
			"Without a name, replay reads CSV from standard input, whose header is\n" +
			"arm,error,latency_ms,tokens,satisfaction,split,subject in any order (also\n" +
			"first_token_ms and cost_usd); all but arm may be left out, and cells may be empty.\n" +
			"It prints INDEX,VERDICT the moment it decides: safe once, and regress, at which\n" +
			"it ends. INDEX counts the lines after the header from 1.\n\n" +
			"arm is stable or candidate, or 0 or 1, as the call was assigned; error is 0 or 1.\n" +
			"split is the candidate's share when the call was assigned: up to 1 as a fraction,\n" +
			"above 1 in percent; empty, the only one so far. Without any, calls are compared\n" +
			"within blocks of 40, in which the split must stand still. subject is whose calls\n" +
			"stay on one arm while the split does: then only a subject's first call, error or\n" +
			"rating is evidence. A late rating is a line of its own, with arm, split and\n" +
			"subject of its call and nothing else. Attempts of one call are one line, or lines\n" +
			"of one subject.\n\n" +
			"The policy classic is a rule of thumb, to compare with: it alarms at noise.",
		Example: examples("incipit guard replay customer-support --env production --alpha 0.001",
			"incipit guard replay --warmup 5000 < calls.csv",
			"incipit guard replay --alpha 0.001 --metrics errors,latency < calls.csv"),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 0 {
				return replayRollout(cmd, e, args[0], f, replayRules(cmd, policy, only, r.Policy.Alpha))
			}
			if f.environment != "" || f.opened != 0 {
				return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the rollout of which prompt?"), "incipit guard replay ID --env ENV")
			}
			r.Policy.Rule = guard.Rule(policy)
			if only != "" {
				if r.Policy.Metrics, err = guard.ParseSet(only); err != nil {
					return err
				}
			}
			if r.Warmup < 0 {
				return registry.Errorf(prompt.ErrInvalid, "--warmup is %d; it must be 0 or more", r.Warmup)
			}
			if a := r.Policy.Alpha; cmd.Flags().Changed("alpha") && !(a > 0) {
				return registry.Errorf(prompt.ErrInvalid, "--alpha is %v; it must be above 0, such as 0.01", a)
			}
			return runGuardReplay(cmd.Context(), e, r)
		},
	}
	f.addOptional(cmd, e)
	fl := cmd.Flags()
	fl.IntVar(&r.Warmup, "warmup", 0, "take the first `N` lines for the stable release's history")
	fl.Float64Var(&r.Policy.Alpha, "alpha", 0.01, "take a healthy candidate back with at most this `PROBABILITY`")
	fl.StringVar(&only, "metrics", "", "watch these `METRICS` alone, with commas between: errors, latency, first_token, tokens, cost, satisfaction")
	fl.StringVar(&policy, "policy", string(guard.Evidence), "decide by this `POLICY`: evidence or classic")
	complete(cmd, "policy", string(guard.Evidence), string(guard.Classic))
	return cmd
}

func runGuardReplay(ctx context.Context, e *env, r guard.Replay) error {
	// This one may read millions of lines: here garbage is collected.
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(math.MaxInt64)
	r.Notify = e.talk
	r.Decide = func(index int, v guard.Verdict) error {
		word := "safe"
		switch v.Kind {
		case guard.Untrusted:
			e.talk("line %d: the arms do not have their shares, or errors run on one arm, so these data decide nothing any more", index)
			return nil
		case guard.Regressed:
			word = "regress"
			if v.Guilty != 0 {
				e.talk("worse: %s", v.Guilty)
			}
		}
		_, err := fmt.Fprintf(e.rawOut, "%d,%s\n", index, word)
		return err
	}
	done := make(chan error, 1)
	go func() { // reads until the input ends; if the person goes first, the program ends with it
		d, err := r.Run(e.in)
		if err == nil {
			e.talk("%s", d.Verdict().Kind)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

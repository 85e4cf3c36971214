package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// replayRules are the rules that flags put in the place of a rollout's own.
func replayRules(cmd *cobra.Command, policy, metrics string, alpha float64) registry.GuardRules {
	var r registry.GuardRules
	if cmd.Flags().Changed("policy") {
		r.Policy = policy
	}
	if cmd.Flags().Changed("alpha") {
		r.Alpha = &alpha
	}
	if metrics != "" {
		for m := range strings.SplitSeq(metrics, ",") {
			r.Metrics = append(r.Metrics, strings.TrimSpace(m))
		}
	}
	return r
}

// replayRollout judges the calls of a rollout again that a server keeps.
func replayRollout(cmd *cobra.Command, e *env, id string, f rolloutFlags, rules registry.GuardRules) error {
	name, err := prompt.ParseID(id)
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("warmup") {
		return registry.Errorf(prompt.ErrInvalid, "--warmup is for calls in CSV: the server knows which calls were before the rollout")
	}
	if f.environment == "" {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "which rollout of %s?", name), "add --env ENV; or leave the name out, and give CSV on standard input")
	}
	at, err := f.place(name)
	if err != nil {
		return err
	}
	return runRolloutReplay(cmd.Context(), e, at, f.opened, rules)
}

func runRolloutReplay(ctx context.Context, e *env, at registry.Place, opened int, rules registry.GuardRules) error {
	c, err := e.guardian(ctx)
	if err != nil {
		return err
	}
	again, err := c.ReplayRollout(ctx, at, opened, rules)
	if err != nil {
		return err
	}
	was, err := c.Rollout(ctx, at, again.Opened)
	if err != nil {
		return err
	}
	return e.emit(again, func(w io.Writer) {
		for _, v := range again.Verdicts {
			if word := replayWord(v.Verdict); word != "" {
				fmt.Fprintf(w, "%d,%s\n", v.Index, word)
			}
			e.talk("%s by call %s of %s: %s", words.Plain(v.Verdict), v.Call, words.Minute(v.At), compared(v, was))
		}
		if len(again.Verdicts) == 0 {
			e.talk("%s calls were judged, and decide nothing", words.Thousands(int64(again.Calls)))
		}
		for _, d := range was.Decisions {
			if d.By == registry.GuardName && d.Verdict == guard.Regressed.String() && !slices.ContainsFunc(again.Verdicts, func(v registry.ReplayVerdict) bool { return v.Verdict == d.Verdict }) {
				e.talk("the guard found it worse at call number %d; these calls and rules do not", d.Cursor)
				break
			}
		}
		if again.Missing {
			e.talk("calls of this rollout are not kept any more: what is decided over the rest may differ")
		}
	})
}

// replayWord is a verdict in the words of the replay of CSV, "" for those that
// it does not print.
func replayWord(verdict string) string {
	return map[string]string{guard.Healthy.String(): "safe", guard.Regressed.String(): "regress"}[verdict]
}

// compared says whether the guard saw the same at the time.
func compared(v registry.ReplayVerdict, was registry.RolloutReport) string {
	for _, d := range was.Decisions {
		switch {
		case d.By != registry.GuardName || d.Verdict != v.Verdict:
		case d.Cursor == v.Cursor:
			return "as the guard decided, at the same call"
		default:
			return fmt.Sprintf("the guard decided so at another call, number %d instead of %d", d.Cursor, v.Cursor)
		}
	}
	return "the guard did not decide so"
}

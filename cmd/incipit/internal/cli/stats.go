package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// watchPause is the time between two looks of --watch.
const watchPause = 2 * time.Second

func statsCommand(e *env) *cobra.Command {
	var (
		q     registry.StatsQuery
		since string
		watch bool
	)
	cmd := &cobra.Command{
		Use:   "stats ID [--env ENV] [--version VERSION] [--since 24h] [--by version|arm|hour]",
		Short: "Show how the calls of a prompt fared: errors, latency, cost, satisfaction",
		Long: "stats adds up the calls that applications recorded: how many, how many failed and\n" +
			"by whose fault, latency, tokens, cost and satisfaction. What was not measured is\n" +
			"-, and null in JSON. With --by, versions, arms or hours stand side by side, each\n" +
			"environment for itself.",
		Example: examples("incipit stats customer-support --env production",
			"incipit stats customer-support --env production --by arm --since 2h",
			"incipit stats customer-support --json=total_calls,p95_latency_ms,error_rate"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			back, err := parseDays(since)
			if err != nil {
				return err
			}
			if err := registry.CheckBy(q.By); err != nil {
				return err
			}
			q.Prompt = id
			c, err := e.recorder(ctx)
			if err != nil {
				return err
			}
			if watch {
				return watchStats(ctx, e, c, q, back)
			}
			return runStats(ctx, e, c, q, back)
		}),
	}
	envFlag(cmd, e, &q.Environment, "only calls in this `ENV`ironment")
	fl := cmd.Flags()
	fl.StringVar(&q.Version, "version", "", "only calls of this `VERSION`")
	fl.StringVar(&q.Arm, "arm", "", "only calls that this `ARM` served: stable, candidate, or one of an experiment")
	fl.StringVar(&since, "since", "", "look back this `TIME`, such as 2h or 30d; without it, 24h")
	fl.StringVar(&q.By, "by", "", "also show the `PARTS`: version, arm or hour")
	fl.BoolVar(&watch, "watch", false, "look again every 2 seconds, until Ctrl-C")
	complete(cmd, "by", "version", "arm", "hour")
	complete(cmd, "arm", registry.StableArm, registry.CandidateArm)
	if err := cmd.RegisterFlagCompletionFunc("version", completeVersions(e)); err != nil {
		panic(err) // the flag was just defined
	}
	return cmd
}

// complete gives a flag its values.
func complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was just defined
	}
}

// completeVersions completes the versions of the prompt that the first argument
// names.
func completeVersions(e *env) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		svc, err := e.service(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		releases, err := svc.Releases(cmd.Context(), prompt.ID(args[0]))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		out := make([]string, len(releases))
		for i, r := range releases {
			out[i] = r.Version.String()
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// fetchStats asks for the last hours; back is 0 for as many as the server
// thinks right.
func fetchStats(ctx context.Context, e *env, c *api.Client, q registry.StatsQuery, back time.Duration) (registry.Stats, error) {
	if back > 0 {
		q.From = e.now().Add(-back)
	}
	return c.Stats(ctx, q)
}

func runStats(ctx context.Context, e *env, c *api.Client, q registry.StatsQuery, back time.Duration) error {
	s, err := fetchStats(ctx, e, c, q, back)
	if err != nil {
		return err
	}
	return e.emit(s, func(w io.Writer) {
		if s.TotalCalls == 0 {
			e.talk("%s", noCalls(q, s))
			return
		}
		printStats(w, s)
	})
}

// noCalls says that a period is empty, and what to try.
func noCalls(q registry.StatsQuery, s registry.Stats) string {
	text := fmt.Sprintf("No calls of %s%s in the last %s.", q.Prompt, narrowed(q), words.Age(s.To.Sub(s.From)))
	further := s.To.Sub(s.From) < 30*24*time.Hour
	switch {
	case q.Version != "" || q.Arm != "":
		return fmt.Sprintf("%s All of them: incipit stats %s", text, q.Prompt)
	case further:
		return fmt.Sprintf("%s Look further back: incipit stats %s --since 30d. Applications record calls, see docs/calls.md", text, q.Prompt)
	}
	return text + " Applications record calls, see docs/calls.md"
}

func narrowed(q registry.StatsQuery) string {
	out := ""
	if q.Version != "" {
		out += "@" + q.Version
	}
	if q.Arm != "" {
		out += ", arm " + prompt.Visible(q.Arm) + ","
	}
	if q.Environment != "" {
		out += " in " + q.Environment
	}
	return out
}

// watchStats shows the statistics again and again: in place on a terminal, line
// by line elsewhere. A server that is away for a moment is waited for.
func watchStats(ctx context.Context, e *env, c *api.Client, q registry.StatsQuery, back time.Duration) error {
	inPlace := e.inPlace()
	for seen := false; ; seen = true {
		s, err := fetchStats(ctx, e, c, q, back)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && (!seen || !errors.Is(err, registry.ErrUnavailable)):
			return err
		case err != nil:
			e.talk("%s %v; looking again", words.Second(e.now()), err)
		case e.json != "":
			err = e.emit(s, nil)
		case inPlace:
			fmt.Fprint(&e.page, "\x1b[H\x1b[J") // home, and clear to the end
			fmt.Fprintf(&e.page, "%s  every %s, Ctrl-C ends it\n\n", faint(words.Second(e.now())), watchPause)
			printStats(&e.page, s)
			err = e.turn()
		default:
			fmt.Fprintln(&e.page, statsLine(s, e.now()))
			err = e.turn()
		}
		if err != nil && !errors.Is(err, registry.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(watchPause):
		}
	}
}

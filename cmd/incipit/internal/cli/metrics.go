package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func metricsCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Bring measured figures back into a prompt's metadata",
		Example: examples("incipit metrics pull customer-support",
			"incipit metrics pull customer-support --env staging --since 7d --dry-run"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(metricsPullCommand(e))
	return cmd
}

func metricsPullCommand(e *env) *cobra.Command {
	var (
		q      registry.StatsQuery
		since  string
		dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "pull ID [--env production] [--version VERSION] [--since 720h] [--dry-run]",
		Short: "Write how a release fared into its metadata",
		Long: "pull asks the server how the calls of the prompt's version fared, and writes it\n" +
			"into " + prompt.MetadataFile + ": user_satisfaction (the mean, 1 to 5) and\n" +
			"average_response_time_ms of performance_metrics, and estimated_cost_per_1k, the\n" +
			"US dollars that 1,000 tokens cost, input and output together. What was not\n" +
			"measured stays as it is, as do accuracy and all else. The next release commits it.",
		Example: examples("incipit metrics pull customer-support",
			"incipit metrics pull customer-support --env staging --version 1.3.1 --since 7d --dry-run"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			back, err := parseDays(since)
			if err != nil {
				return err
			}
			q.Prompt, q.From = id, e.now().Add(-back)
			return runMetricsPull(ctx, e, q, dryRun)
		}),
	}
	envFlag(cmd, e, &q.Environment, "of calls in this `ENV`ironment")
	env := cmd.Flags().Lookup("env")
	q.Environment, env.DefValue = "production", "production"
	fl := cmd.Flags()
	fl.StringVar(&q.Version, "version", "", "of calls of this `VERSION`; without it, of the one in the metadata")
	fl.StringVar(&since, "since", "720h", "of the last `TIME`, such as 24h or 7d")
	fl.BoolVar(&dryRun, "dry-run", false, "show what would be written")
	if err := cmd.RegisterFlagCompletionFunc("version", completeVersions(e)); err != nil {
		panic(err) // the flag was just defined
	}
	return cmd
}

// A pulled is what metrics pull did.
type pulled struct {
	Prompt      prompt.ID `json:"prompt"`
	Version     string    `json:"version"`
	Environment string    `json:"environment"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Calls       int64     `json:"calls"`
	Ratings     int64     `json:"ratings"`
	*source.Measured
	DryRun bool `json:"dry_run,omitempty"`
}

func runMetricsPull(ctx context.Context, e *env, q registry.StatsQuery, dryRun bool) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	if q.Version == "" {
		if q.Version, err = versionOf(ctx, ws, q.Prompt); err != nil {
			return err
		}
	}
	if _, err := prompt.ParseVersion(q.Version); err != nil {
		return err
	}
	c, err := e.recorder(ctx)
	if err != nil {
		return err
	}
	s, err := c.Stats(ctx, q)
	if err != nil {
		return err
	}
	if s.TotalCalls == 0 {
		return registry.WithFix(
			registry.Errorf(registry.ErrNotFound, "there are no calls of %s@%s in %s in the last %s, so nothing was written", q.Prompt, q.Version, q.Environment, words.Age(s.To.Sub(s.From))),
			"look further back with --since, or name the release that ran with --version: incipit stats %s --by version", q.Prompt)
	}
	out := pulled{
		Prompt: q.Prompt, Version: q.Version, Environment: q.Environment,
		From: s.From, To: s.To, Calls: s.TotalCalls, Ratings: s.Ratings, DryRun: dryRun,
	}
	if out.Measured, err = ws.Measure(ctx, q.Prompt, measurementOf(&s.Figures), dryRun); err != nil {
		return err
	}
	return e.emit(out, func(w io.Writer) { printPulled(w, e, &out) })
}

// versionOf is the version in a prompt's metadata.
func versionOf(ctx context.Context, ws *source.Workspace, id prompt.ID) (string, error) {
	d, _, err := ws.Draft(ctx, id) // what is wrong with its texts is not asked here
	if err == nil && d.Metadata.Version == "" {
		err = registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the metadata of %s has no version", id), "name the release that ran: --version VERSION")
	}
	return d.Metadata.Version, err
}

// measurementOf is what figures say, rounded to what they can tell: a reader
// compares releases, and a commit shows what changed.
func measurementOf(f *registry.Figures) source.Measurement {
	m := source.Measurement{UserSatisfaction: rounded(f.AvgSatisfaction, 3), AverageResponseTimeMS: rounded(f.AvgLatencyMS, 4)}
	if f.CostPer1KTokens != nil {
		m.EstimatedCostPer1K = rounded(f.CostPer1KTokens, 4)
	}
	return m
}

// rounded is v with so many digits that count, nil if it is nil.
func rounded(v *float64, digits int) *float64 {
	if v == nil {
		return nil
	}
	n, err := strconv.ParseFloat(strconv.FormatFloat(*v, 'g', digits, 64), 64)
	if err != nil {
		return v // of a number that is none
	}
	return &n
}

func printPulled(w io.Writer, e *env, p *pulled) {
	fmt.Fprintf(w, "%s@%s in %s: %s, %s, %s to %s\n", p.Prompt, p.Version, p.Environment,
		words.Count(int(p.Calls), "call"), words.Count(int(p.Ratings), "rating"), words.Minute(p.From), words.Minute(p.To))
	rows := make([][]string, len(p.Figures))
	for i, f := range p.Figures {
		rows[i] = []string{"  " + f.Field, figure(f.Before), "→", figure(f.After)}
	}
	table(w, rows)
	switch {
	case !p.Changed():
		e.talk("%s says so already.", p.File)
	case p.DryRun:
		fmt.Fprintf(w, "would write %s\n", p.File)
	default:
		fmt.Fprintf(w, "wrote %s\n", p.File)
		e.talk("Next: the next release of %s commits it, or: git commit %s", p.Prompt, p.File)
	}
}

func figure(v *float64) string {
	if v == nil {
		return "null"
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func experimentListCommand(e *env) *cobra.Command {
	var environment string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the experiments that are open",
		Example: examples("incipit experiment list", "incipit experiment list --env production --json"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runExperimentList(cmd.Context(), e, environment) },
	}
	envFlag(cmd, e, &environment, "show only those in `ENV`")
	return cmd
}

func runExperimentList(ctx context.Context, e *env, environment string) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	rows, err := svc.List(ctx, environment)
	if err != nil {
		return err
	}
	envs, err := svc.Environments(ctx)
	if err != nil {
		return err
	}
	open := []rolloutRow{}
	for _, row := range rows {
		for _, env := range envs {
			if run := row.Deployments[env.Name]; len(run.Arms) > 0 {
				open = append(open, rolloutRow{Prompt: row.Prompt, Environment: env.Name, Running: run})
			}
		}
	}
	return e.emit(open, func(w io.Writer) {
		if len(open) == 0 {
			e.talk("No experiment is open. Start one: incipit experiment start ID --env ENV --arm b=VERSION:PERCENT")
			return
		}
		out := [][]string{{"PROMPT", "ENVIRONMENT", "ARMS", "CHANGED", "BY"}}
		for _, r := range open {
			out = append(out, []string{string(r.Prompt), r.Environment, words.RanArms(r.Arms), r.DeployedAt, words.Name(r.By)})
		}
		table(w, out)
	})
}

func experimentShowCommand(e *env) *cobra.Command {
	var environment string
	cmd := &cobra.Command{
		Use:   "show ID --env ENV",
		Short: "Show an experiment: its arms, their shares, and how they fare",
		Example: examples("incipit experiment show customer-support --env staging",
			"incipit experiment show customer-support --env production --json"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runExperimentShow(ctx, e, registry.Place{Prompt: id, Environment: environment})
		}),
	}
	envFlag(cmd, e, &environment, "in this `ENV`ironment")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
	return cmd
}

func runExperimentShow(ctx context.Context, e *env, at registry.Place) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	tracks, err := svc.History(ctx, at.Prompt, at.Environment)
	if err != nil {
		return err
	}
	t, open := tracks[at.Environment].Trial(at)
	if !open {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "no experiment of %s is open in %s", at.Prompt, at.Environment),
			"incipit experiment list shows those that are; incipit history %s --env %s shows what was", at.Prompt, at.Environment)
	}
	if t.Contest, err = contestOf(ctx, svc, at); err != nil {
		return err
	}
	return e.emit(t, func(w io.Writer) { printTrial(w, t) })
}

func printTrial(w io.Writer, t registry.Trial) {
	fmt.Fprintf(w, "%s in %s: experiment since %s by %s%s\n", bold(string(t.Prompt)), t.Environment, words.Second(t.Since), prompt.Visible(orDash(words.Name(t.By))), prompt.Visible(after(": ", t.Reason)))
	fmt.Fprintf(w, "  decided by %s, subjects chosen by %s%s\n\n", t.Primary, t.Bucketing, after(", salt ", prompt.Visible(t.Salt)))
	out := [][]string{{"ARM", "VERSION", "SHARE"}}
	if t.Contest != nil {
		out[0] = append(out[0], words.ContestHead()...)
	}
	for _, a := range t.Arms {
		line := []string{a.Name, a.Version.String(), a.Share.String()}
		if t.Contest != nil {
			line = append(line, words.ContestCells(*t.Contest, a.Name)...)
		}
		out = append(out, line)
	}
	table(w, out)
	if t.Contest == nil {
		return
	}
	if t.Contest.Winner != "" {
		fmt.Fprintf(w, "\n%s is better on %s\n", t.Contest.Winner, t.Primary)
	} else {
		fmt.Fprintf(w, "\nNo arm has been shown to be better on %s so far\n", t.Primary)
	}
}

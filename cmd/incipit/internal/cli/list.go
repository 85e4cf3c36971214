package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

func listCommand(e *env) *cobra.Command {
	var environment string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show which version runs where",
		Example: examples("incipit list", "incipit list --env production --json"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runList(cmd.Context(), e, environment) },
	}
	envFlag(cmd, e, &environment, "show only what runs in `ENV`")
	return cmd
}

func runList(ctx context.Context, e *env, environment string) error {
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
	watched := e.watched(ctx, rows)
	return e.emit(rows, func(w io.Writer) {
		if len(rows) == 0 {
			e.talk("%s", emptyList(environment))
			return
		}
		head := []string{"PROMPT", "RELEASED"}
		var names []string
		for _, env := range envs {
			if environment == "" || env.Name == environment {
				names = append(names, env.Name)
				head = append(head, strings.ToUpper(env.Name))
			}
		}
		out := [][]string{append(head, "MODEL")}
		for _, r := range rows {
			line := []string{string(r.Prompt), r.Version}
			for _, n := range names {
				line = append(line, words.Running(r.Deployments[n], watched[registry.Place{Prompt: r.Prompt, Environment: n}]))
			}
			out = append(out, append(line, r.Model))
		}
		table(w, out)
	})
}

func emptyList(environment string) string {
	if environment == "" {
		return "No prompts yet. Make one: incipit new ID"
	}
	return fmt.Sprintf("Nothing runs in %s yet. Deploy something: incipit deploy ID@VERSION --env %s", environment, environment)
}

// watched are the rollouts that a server follows, by their place. It asks only
// where one is open. Where the server cannot tell, what runs is all that is said.
func (e *env) watched(ctx context.Context, rows []registry.Row) map[registry.Place]registry.RolloutReport {
	open := slices.ContainsFunc(rows, func(r registry.Row) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(r.Deployments)), func(d registry.Running) bool { return d.Candidate != "" })
	})
	if e.far == nil || !open {
		return nil
	}
	all, err := e.far.Rollouts(ctx, "")
	if err != nil {
		return nil
	}
	out := make(map[registry.Place]registry.RolloutReport, len(all))
	for _, r := range all {
		out[r.Place] = r
	}
	return out
}

// envFlag is --env, with the workspace's environments as completions.
func envFlag(cmd *cobra.Command, e *env, dst *string, usage string) {
	cmd.Flags().StringVarP(dst, "env", "e", "", usage)
	complete := func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return completeEnvironments(cmd.Context(), e), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc("env", complete); err != nil {
		panic(err) // the flag was just defined
	}
}

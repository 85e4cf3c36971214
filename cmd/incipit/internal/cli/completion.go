package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func completionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script for bash, zsh, fish or powershell",
		Long: "completion prints a script that completes commands, flags, prompt ids, versions\n" +
			"and environments. Load it in your shell's start file; bash needs the package\n" +
			"bash-completion.",
		Example:   examples("source <(incipit completion bash)", "incipit completion fish > incipit.fish"),
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				// bash splits words at @, which would part a version from its prompt.
				if _, err := io.WriteString(e.rawOut, "COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}\n"); err != nil {
					return err
				}
				return root.GenBashCompletionV2(e.rawOut, true)
			case "zsh":
				return root.GenZshCompletion(e.rawOut)
			case "fish":
				return root.GenFishCompletion(e.rawOut, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(e.rawOut)
			}
			return fmt.Errorf("shell %q is %w: choose bash, zsh, fish or powershell", prompt.Clip(args[0], 40), prompt.ErrInvalid)
		},
	}
}

type completer = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// completeIDs completes prompt ids.
func completeIDs(e *env) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ids(cmd.Context(), e), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeRefs completes prompt ids, and versions once there is an @.
func completeRefs(e *env) completer {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		name, _, at := strings.Cut(typed, "@")
		if !at {
			return ids(cmd.Context(), e), cobra.ShellCompDirectiveNoFileComp
		}
		id, err := prompt.ParseID(name)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		svc, err := e.service(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		releases, err := svc.Releases(cmd.Context(), id)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for _, r := range releases {
			out = append(out, r.Tag)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func ids(ctx context.Context, e *env) []string {
	if far, err := e.remote(ctx); err == nil && far != nil {
		rows, err := far.List(ctx, "")
		if err != nil {
			return nil
		}
		out := make([]string, len(rows))
		for i, r := range rows {
			out[i] = string(r.Prompt)
		}
		return out
	}
	ws, err := e.workspace(ctx)
	if err != nil {
		return nil
	}
	found, err := ws.IDs()
	if err != nil {
		return nil
	}
	out := make([]string, len(found))
	for i, id := range found {
		out[i] = string(id)
	}
	return out
}

func completeEnvironments(ctx context.Context, e *env) []string {
	svc, err := e.service(ctx)
	if err != nil {
		return nil
	}
	envs, err := svc.Environments(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, env := range envs {
		out = append(out, env.Name)
	}
	return out
}

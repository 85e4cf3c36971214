package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func statusCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "status [ID]",
		Short:   "Show what is changed, what runs where, and what to do next",
		Example: examples("incipit status", "incipit status customer-support"),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return runStatus(cmd.Context(), e)
			}
			id, _, err := parseRef(args[0])
			if err != nil {
				return err
			}
			return runStatusOf(cmd.Context(), e, id)
		},
		ValidArgsFunction: completeIDs(e),
	}
}

// runHome is incipit without a command: where things stand, or how to begin.
func runHome(cmd *cobra.Command, e *env) error {
	_, err := e.workspace(cmd.Context())
	if errors.Is(err, source.ErrNoWorkspace) {
		e.talk("Incipit is release engineering for prompts. There are none here yet.\n\n  incipit init my-prompts   make a repository with two prompts to start from\n  incipit help              show every command")
		return nil
	}
	if err != nil {
		return err
	}
	return runStatus(cmd.Context(), e)
}

// A statusReport is where a workspace stands.
type statusReport struct {
	Prompts     []source.Standing `json:"prompts"`
	Rollouts    []rolloutRow      `json:"rollouts"`
	Uncommitted []string          `json:"uncommitted"`
	Interrupted string            `json:"interrupted,omitempty"`
	Next        []string          `json:"next"`
}

type rolloutRow struct {
	Prompt      prompt.ID `json:"prompt"`
	Environment string    `json:"environment"`
	lifecycle.Running
}

func runStatus(ctx context.Context, e *env) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	r := statusReport{Rollouts: []rolloutRow{}, Uncommitted: []string{}}
	if r.Prompts, err = e.ws.Standings(ctx); err != nil {
		return err
	}
	rows, err := svc.List(ctx, "")
	if err != nil {
		return err
	}
	files, err := e.ws.Uncommitted(ctx)
	if err != nil {
		return err
	}
	for _, f := range files {
		r.Uncommitted = append(r.Uncommitted, f.Path)
	}
	if r.Interrupted, err = e.ws.Interrupted(ctx); err != nil && !errors.Is(err, gitrepo.ErrNoRepository) {
		return err
	}
	deployed := false
	for _, row := range rows {
		for _, env := range e.ws.Config.Environments {
			if run, ok := row.Deployments[env.Name]; ok {
				deployed = true
				if run.Candidate != "" {
					r.Rollouts = append(r.Rollouts, rolloutRow{row.Prompt, env.Name, run})
				}
			}
		}
	}
	r.Next = nonNil(nextSteps(r, deployed, e.ws.Config))
	return e.emit(r, func(w io.Writer) { printStatus(w, r, rows, e.ws.Config.Environments) })
}

func printStatus(w io.Writer, r statusReport, rows []lifecycle.Row, envs []registry.Environment) {
	runs := make(map[prompt.ID]lifecycle.Row, len(rows))
	for _, row := range rows {
		runs[row.Prompt] = row
	}
	head := []string{"PROMPT", "STATE", "RELEASED"}
	for _, env := range envs {
		head = append(head, strings.ToUpper(env.Name))
	}
	out := [][]string{head}
	for _, s := range r.Prompts {
		state := string(s.State)
		if s.State == source.StateInvalid {
			state = fmt.Sprintf("invalid (%d)", s.Findings)
		}
		line := []string{string(s.Prompt), state, s.Version}
		for _, env := range envs {
			line = append(line, runningCell(runs[s.Prompt].Deployments[env.Name]))
		}
		out = append(out, line)
	}
	if len(out) > 1 {
		table(w, out)
	}
	if r.Interrupted != "" {
		fmt.Fprintf(w, "\nInterrupted: %s. The next change mends it, or now: incipit doctor --repair\n", prompt.Visible(r.Interrupted))
	}
	if len(r.Uncommitted) > 0 {
		fmt.Fprintln(w, "\nNot committed:")
		for i, f := range r.Uncommitted {
			if i == 10 {
				fmt.Fprintf(w, "  … and %d more\n", len(r.Uncommitted)-i)
				break
			}
			fmt.Fprintf(w, "  %s\n", prompt.Visible(f))
		}
	}
	if len(r.Next) > 0 {
		fmt.Fprintln(w, "\nNext:")
		for _, n := range r.Next {
			fmt.Fprintf(w, "  %s\n", prompt.Visible(n))
		}
	}
}

// nextSteps is at most three commands that would bring things forward.
func nextSteps(r statusReport, deployed bool, config source.Config) []string {
	var next []string
	add := func(format string, args ...any) {
		if len(next) < 3 {
			next = append(next, fmt.Sprintf(format, args...))
		}
	}
	if r.Interrupted != "" {
		add("incipit doctor --repair")
	}
	for _, s := range r.Prompts {
		switch s.State {
		case source.StateInvalid:
			add("incipit validate %s", s.Prompt)
		case source.StateUnregistered:
			add("incipit registry rebuild")
		case source.StateChanged:
			add("incipit diff %s", s.Prompt)
			add("incipit release %s --patch -m \"what changed\"", s.Prompt)
		case source.StateBumped:
			add("incipit publish    # on the main branch: tags %s@%s", s.Prompt, s.Version)
		case source.StateNew:
			add("incipit release %s --minor -m \"first version\"", s.Prompt)
		}
	}
	for _, ro := range r.Rollouts {
		confirm := ""
		if env, err := config.Environment(ro.Environment); err == nil && env.Protected {
			confirm = " --confirm " + env.Name
		}
		if ro.NextStep > 0 && ro.NextStep < registry.Scale {
			add("incipit shift %s --env %s --to %s%s    # or rollback", ro.Prompt, ro.Environment, ro.NextStep.Number(), confirm)
		} else {
			add("incipit promote %s --env %s%s    # or rollback", ro.Prompt, ro.Environment, confirm)
		}
	}
	if !deployed && len(config.Environments) > 0 {
		for _, s := range r.Prompts {
			if s.Version != "" && s.State != source.StateBumped && r.Interrupted == "" {
				add("incipit deploy %s@%s --env %s", s.Prompt, s.Version, config.Environments[0].Name)
				break
			}
		}
	}
	if len(r.Prompts) == 0 {
		add("incipit new my-first-prompt")
	}
	return next
}

// runStatusOf is the tree of one prompt: environments, versions, shares, ages.
func runStatusOf(ctx context.Context, e *env, id prompt.ID) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	rows, err := svc.List(ctx, "")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Prompt != id {
			continue
		}
		return e.emit(r, func(w io.Writer) {
			fmt.Fprintf(w, "%s  %s\n", bold(string(id)), prompt.Visible(orDash(r.Version)))
			for i, env := range e.ws.Config.Environments {
				branch := "├─"
				if i == len(e.ws.Config.Environments)-1 {
					branch = "└─"
				}
				run, ok := r.Deployments[env.Name]
				if !ok {
					fmt.Fprintf(w, "%s %-12s nothing runs here yet\n", branch, env.Name)
					continue
				}
				fmt.Fprintf(w, "%s %-12s %s  %s by %s\n", branch, env.Name, runningCell(run), run.DeployedAt, prompt.Visible(orDash(nameOf(run.By))))
			}
		})
	}
	_, err = svc.History(ctx, id, "")
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

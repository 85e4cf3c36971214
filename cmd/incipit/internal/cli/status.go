package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
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
	if errors.Is(err, source.ErrNoWorkspace) && e.server == "" {
		e.talk("Incipit is release engineering for prompts. There are none here yet.\n\n  incipit init my-prompts   make a repository with two prompts to start from\n  incipit help              show every command")
		return nil
	}
	if err != nil && !errors.Is(err, source.ErrNoWorkspace) {
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
	registry.Running
	Phase   string `json:"phase,omitempty"` // where a server follows it
	Verdict string `json:"verdict,omitempty"`
}

func runStatus(ctx context.Context, e *env) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	rows, err := svc.List(ctx, "")
	if err != nil {
		return err
	}
	envs, err := svc.Environments(ctx)
	if err != nil {
		return err
	}
	r := statusReport{Prompts: []source.Standing{}, Rollouts: []rolloutRow{}, Uncommitted: []string{}}
	_, err = e.workspace(ctx)
	switch {
	case errors.Is(err, source.ErrNoWorkspace) && e.far != nil:
		for _, row := range rows { // what is released; there are no files to compare with
			r.Prompts = append(r.Prompts, source.Standing{Prompt: row.Prompt, Version: row.Version, State: source.StateReleased})
		}
	case err != nil:
		return err
	default:
		if err := e.workTree(ctx, &r); err != nil {
			return err
		}
	}
	watched := e.watched(ctx, rows)
	deployed := false
	for _, row := range rows {
		for _, env := range envs {
			if run, ok := row.Deployments[env.Name]; ok {
				deployed = true
				if run.Candidate != "" || len(run.Arms) > 0 {
					seen := watched[registry.Place{Prompt: row.Prompt, Environment: env.Name}]
					r.Rollouts = append(r.Rollouts, rolloutRow{row.Prompt, env.Name, run, seen.Phase, seen.Verdict})
				}
			}
		}
	}
	r.Next = nonNil(nextSteps(r, deployed, envs))
	return e.emit(r, func(w io.Writer) { printStatus(w, r, rows, envs, watched) })
}

// workTree adds how the files of the workspace stand.
func (e *env) workTree(ctx context.Context, r *statusReport) (err error) {
	if r.Prompts, err = e.ws.Standings(ctx); err != nil {
		return err
	}
	files, err := e.ws.Uncommitted(ctx)
	if err != nil {
		return err
	}
	for _, f := range files {
		r.Uncommitted = append(r.Uncommitted, f.Path)
	}
	if r.Interrupted, err = e.ws.Interrupted(ctx); errors.Is(err, gitrepo.ErrNoRepository) {
		err = nil
	}
	return err
}

func printStatus(w io.Writer, r statusReport, rows []registry.Row, envs []registry.Environment, watched map[registry.Place]registry.RolloutReport) {
	runs := make(map[prompt.ID]registry.Row, len(rows))
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
			line = append(line, words.Running(runs[s.Prompt].Deployments[env.Name], watched[registry.Place{Prompt: s.Prompt, Environment: env.Name}]))
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
func nextSteps(r statusReport, deployed bool, envs []registry.Environment) []string {
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
		if i := slices.IndexFunc(envs, func(e registry.Environment) bool { return e.Name == ro.Environment }); i >= 0 && envs[i].Protected {
			confirm = " --confirm " + ro.Environment
		}
		if len(ro.Arms) > 0 {
			add("incipit experiment show %s --env %s    # then promote an arm, or stop", ro.Prompt, ro.Environment)
			continue
		}
		if ro.Phase != "" {
			add("%s    # or abort", watchLine(registry.Place{Prompt: ro.Prompt, Environment: ro.Environment}))
			continue
		}
		if ro.NextStep > 0 && ro.NextStep < registry.Scale {
			add("incipit shift %s --env %s --to %s%s    # or rollback", ro.Prompt, ro.Environment, ro.NextStep.Number(), confirm)
		} else {
			add("incipit promote %s --env %s%s    # or rollback", ro.Prompt, ro.Environment, confirm)
		}
	}
	if !deployed && len(envs) > 0 {
		for _, s := range r.Prompts {
			if s.Version != "" && s.State != source.StateBumped && r.Interrupted == "" {
				add("incipit deploy %s@%s --env %s", s.Prompt, s.Version, envs[0].Name)
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
	envs, err := svc.Environments(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Prompt != id {
			continue
		}
		watched := e.watched(ctx, []registry.Row{r})
		return e.emit(r, func(w io.Writer) {
			fmt.Fprintf(w, "%s  %s\n", bold(string(id)), prompt.Visible(orDash(r.Version)))
			for i, env := range envs {
				branch := "├─"
				if i == len(envs)-1 {
					branch = "└─"
				}
				run, ok := r.Deployments[env.Name]
				if !ok {
					fmt.Fprintf(w, "%s %-12s nothing runs here yet\n", branch, env.Name)
					continue
				}
				fmt.Fprintf(w, "%s %-12s %s  %s by %s\n", branch, env.Name, words.Running(run, watched[registry.Place{Prompt: id, Environment: env.Name}]), run.DeployedAt, prompt.Visible(orDash(words.Name(run.By))))
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

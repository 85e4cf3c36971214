package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func showCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID[@VERSION]",
		Short: "Show a prompt as it is, or as it was released",
		Long: "show prints what a model is given: the messages with includes expanded, the\n" +
			"variables, parameters and tools. Without a version it shows the work tree.",
		Example:           examples("incipit show customer-support", "incipit show customer-support@1.0.0 --json=digest,model"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, version, err := parseRef(args[0])
			if err != nil {
				return err
			}
			return runShow(cmd.Context(), e, id, version)
		},
	}
}

// A shown prompt is a draft, or a release with where it came from.
type shown struct {
	prompt.Prompt
	Digest   string            `json:"digest"`
	Tokens   int               `json:"estimated_tokens"`
	Release  *registry.Release `json:"release,omitempty"`
	Metadata prompt.Metadata   `json:"metadata"`
}

func runShow(ctx context.Context, e *env, id prompt.ID, version string) error {
	s, err := e.read(ctx, id, version)
	if err != nil {
		return err
	}
	return e.emit(s, func(w io.Writer) { printPrompt(w, s, e.outTTY) })
}

// read reads a release, or the draft of the work tree if version is "".
func (e *env) read(ctx context.Context, id prompt.ID, version string) (*shown, error) {
	var (
		d   prompt.Draft
		rel *registry.Release
		err error
	)
	if version == "" {
		var ws *source.Workspace
		if ws, err = e.workspace(ctx); err != nil {
			return nil, err
		}
		var findings []prompt.Finding
		if d, findings, err = ws.Draft(ctx, id); err != nil {
			return nil, err
		}
		if prompt.Failed(findings) {
			e.talk("%s has errors, see incipit validate %s", id, id)
		}
	} else {
		v, err := prompt.ParseVersion(version)
		if err != nil {
			return nil, err
		}
		svc, err := e.service(ctx)
		if err != nil {
			return nil, err
		}
		r, err := svc.Release(ctx, id, v)
		if err != nil {
			return nil, err
		}
		if d, err = svc.Released(ctx, r); err != nil {
			return nil, err
		}
		rel = &r
	}
	s := &shown{Prompt: d.Prompt, Tokens: d.Prompt.EstimateTokens(), Release: rel, Metadata: d.Metadata}
	s.Digest, err = d.Prompt.Digest()
	if err != nil && version == "" {
		s.Digest, err = "", nil // an invalid draft is shown without one
	}
	return s, err
}

func printPrompt(w io.Writer, s *shown, tty bool) {
	name := string(s.ID)
	if s.Release != nil {
		name = s.Release.Tag
	}
	fmt.Fprintf(w, "%s\n", bold(name))
	rows := [][2]string{{"model", s.Model}, {"digest", s.Digest}, {"tokens", fmt.Sprintf("about %d (an estimate)", s.Tokens)}}
	if r := s.Release; r != nil {
		rows = append(rows, [2]string{"commit", r.Commit}, [2]string{"released", words.Minute(r.At) + " by " + r.Author}, [2]string{"notes", r.Notes})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		rows = append(rows, [2]string{"variable", name + ": " + describeVariable(s.Variables[name])})
	}
	for _, raw := range []struct {
		key  string
		json []byte
	}{{"parameters", s.Parameters}, {"tools", s.Tools}, {"output schema", s.OutputSchema}} {
		if raw.json != nil {
			rows = append(rows, [2]string{raw.key, strings.Join(strings.Fields(string(raw.json)), " ")})
		}
	}
	for _, r := range rows {
		fmt.Fprintf(w, "  %-14s %s\n", r[0], prompt.Visible(r[1]))
	}
	printMessages(w, s.Messages, tty)
}

func printMessages(w io.Writer, messages []prompt.Message, tty bool) {
	for _, m := range messages {
		content := m.Content
		if tty {
			content = prompt.Visible(content)
		}
		fmt.Fprintf(w, "\n%s\n%s", faint("── "+m.Role+" ──"), content)
		if !strings.HasSuffix(content, "\n") {
			fmt.Fprintln(w)
		}
	}
}

func describeVariable(v prompt.Variable) string {
	out := v.Kind()
	if v.IsRequired() {
		out += ", required"
	} else {
		out += fmt.Sprintf(", default %q", fmt.Sprint(v.Default))
	}
	if v.Trusted {
		out += ", trusted"
	}
	if v.MaxLength > 0 {
		out += fmt.Sprintf(", at most %d characters", v.MaxLength)
	}
	if v.Description != "" {
		out += ": " + v.Description
	}
	return out
}

func logCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:               "log ID",
		Short:             "List the releases of a prompt",
		Example:           examples("incipit log customer-support", "incipit log customer-support --json=version,author"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runLog(ctx, e, id)
		}),
	}
}

func runLog(ctx context.Context, e *env, id prompt.ID) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	releases, err := svc.Releases(ctx, id)
	if err != nil {
		return err
	}
	if len(releases) == 0 {
		ws, err := e.workspace(ctx)
		if err != nil {
			return err
		}
		if _, _, err := ws.Draft(ctx, id); err != nil {
			return err
		}
		e.talk("%s has no release yet: incipit release %s --minor -m \"first version\"", id, id)
	}
	slices.Reverse(releases)
	return e.emit(releases, func(w io.Writer) {
		for _, r := range releases {
			fmt.Fprintf(w, "%s  %s  %s\n    %s\n    %s  commit %.12s\n", bold(r.Version.String()), words.Minute(r.At), prompt.Visible(r.Author), prompt.Visible(r.Notes), r.Digest, r.Commit)
		}
	})
}

func blameCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:               "blame ID[@VERSION]",
		Short:             "Show which release each line came with, and who wrote it",
		Example:           examples("incipit blame customer-support", "incipit blame customer-support@1.0.0 --json=line,release,author"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, version, err := parseRef(args[0])
			if err != nil {
				return err
			}
			return runBlame(cmd.Context(), e, id, version)
		},
	}
}

func runBlame(ctx context.Context, e *env, id prompt.ID, version string) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	lines, err := ws.Blame(ctx, id, version)
	if err != nil {
		return err
	}
	return e.emit(lines, func(w io.Writer) {
		width := 0
		for _, l := range lines {
			width = max(width, len([]rune(l.Author)))
		}
		for _, l := range lines {
			fmt.Fprintf(w, "%-14s %-9.9s %-*s %4d  %s\n", orDash(l.Release), orDash(l.Commit), width, prompt.Visible(l.Author), l.Line, prompt.Visible(l.Text))
		}
	})
}

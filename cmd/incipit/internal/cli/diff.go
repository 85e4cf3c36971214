package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
)

func diffCommand(e *env) *cobra.Command {
	var stat bool
	cmd := &cobra.Command{
		Use:   "diff ID[@A] [ID@B]",
		Short: "Compare two releases, or a release and the work tree, word by word",
		Long: "diff prints what callers notice first: changes of the interface, with the bump\n" +
			"they require, and the tokens. Then the texts, word by word: [-removed-] and\n" +
			"{+added+}, invisible characters as ⟨U+200B⟩. With one version it compares that\n" +
			"release with the work tree, with none the last release.",
		Example:           examples("incipit diff customer-support", "incipit diff customer-support@1.0.0 customer-support --stat"),
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDiff(cmd.Context(), e, args, stat)
		},
	}
	cmd.Flags().BoolVar(&stat, "stat", false, "print the summary and not the texts")
	return cmd
}

// A comparison is how one prompt became another.
type comparison = worddiff.Comparison

func runDiff(ctx context.Context, e *env, args []string, stat bool) error {
	a, b, err := diffSides(ctx, e, args)
	if err != nil {
		return err
	}
	c := compare(a, b)
	return e.emit(c, func(w io.Writer) { printComparison(w, c, stat) })
}

func diffSides(ctx context.Context, e *env, args []string) (a, b *shown, err error) {
	id, from, err := parseRef(args[0])
	if err != nil {
		return nil, nil, err
	}
	other, to := id, ""
	if len(args) == 2 {
		second := args[1]
		if strings.HasPrefix(second, "@") { // the same prompt: cs@1.0.0 @1.1.0
			second = string(id) + second
		}
		if other, to, err = parseRef(second); err != nil {
			return nil, nil, err
		}
	}
	if from == "" && len(args) == 1 {
		ws, err := e.workspace(ctx)
		if err != nil {
			return nil, nil, err
		}
		r, err := ws.LastReleased(ctx, id)
		if errors.Is(err, fs.ErrNotExist) {
			if _, _, err := ws.Draft(ctx, id); err != nil {
				return nil, nil, err
			}
			e.talk("%s has no release yet: all of it is new", id)
			b, err = e.read(ctx, id, "")
			return &shown{Prompt: prompt.Prompt{ID: id}}, b, err
		}
		if err != nil {
			return nil, nil, err
		}
		from = r.Version.String()
	}
	if a, err = e.read(ctx, id, from); err != nil {
		return nil, nil, err
	}
	b, err = e.read(ctx, other, to)
	return a, b, err
}

func (s *shown) label() string {
	switch {
	case s.Release != nil:
		return s.Release.Tag
	case s.Messages == nil:
		return "nothing"
	}
	return string(s.ID) + " (work tree)"
}

func compare(a, b *shown) comparison {
	return worddiff.Between(a.label(), b.label(), a.Prompt, b.Prompt)
}

func printComparison(w io.Writer, c comparison, stat bool) {
	fmt.Fprintf(w, "%s → %s\n", c.From, c.To)
	if len(c.Changes) == 0 {
		fmt.Fprintln(w, "  no difference")
		return
	}
	for _, ch := range c.Changes {
		fmt.Fprintf(w, "  %-6s %s\n", ch.Bump, prompt.Visible(ch.Detail))
	}
	fmt.Fprintf(w, "  needs a %s release; tokens about %d → %d (%+d, an estimate)\n", c.Required, c.Tokens[0], c.Tokens[1], c.Tokens[1]-c.Tokens[0])
	printTexts(w, c.Texts, stat)
}

func printTexts(w io.Writer, texts []worddiff.Text, stat bool) {
	for _, t := range texts {
		fmt.Fprintf(w, "\n%s  +%d -%d characters\n", bold(t.Message), t.Added, t.Removed)
		if stat {
			continue
		}
		for _, line := range worddiff.Excerpt(t.Spans, contextLines, styled) {
			if line == worddiff.Gap {
				line = faint(line)
			}
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}

// contextLines stand around each change.
const contextLines = 2

func styled(op worddiff.Op, marked string) string {
	if op == worddiff.Added {
		return green(marked)
	}
	return red(marked)
}

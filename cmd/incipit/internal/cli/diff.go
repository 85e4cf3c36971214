package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
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
type comparison struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	Changes  []prompt.Change `json:"changes"`
	Required prompt.Bump     `json:"required_bump"`
	Tokens   [2]int          `json:"estimated_tokens"`
	Texts    []textDiff      `json:"texts"`
}

type textDiff struct {
	Message string          `json:"message"` // system, user, example 1 …
	Added   int             `json:"added"`   // characters
	Removed int             `json:"removed"`
	Spans   []worddiff.Span `json:"spans"`
}

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
	c := comparison{From: a.label(), To: b.label(), Changes: nonNil(prompt.Compare(a.Prompt, b.Prompt)), Tokens: [2]int{a.Tokens, b.Tokens}, Texts: compareTexts(a.Messages, b.Messages)}
	c.Required = prompt.RequiredBump(c.Changes)
	return c
}

// compareTexts lists the messages that differ, word by word.
func compareTexts(a, b []prompt.Message) []textDiff {
	out := []textDiff{}
	names, x, y := pairMessages(a, b)
	for _, name := range names {
		if x[name] == y[name] {
			continue
		}
		t := textDiff{Message: name, Spans: worddiff.Compare(x[name], y[name])}
		for _, s := range t.Spans {
			switch s.Op {
			case worddiff.Added:
				t.Added += len([]rune(s.Text))
			case worddiff.Removed:
				t.Removed += len([]rune(s.Text))
			}
		}
		out = append(out, t)
	}
	return out
}

// pairMessages names the messages of two prompts, so that each is compared
// with the one that has its place.
func pairMessages(a, b []prompt.Message) (names []string, x, y map[string]string) {
	index := func(ms []prompt.Message) map[string]string {
		out := make(map[string]string)
		examples := prompt.Examples(ms)
		for i, m := range ms {
			name := m.Role
			if n := len(examples); n > 0 && i > 0 && i <= n {
				name = fmt.Sprintf("example %d, %s", i, m.Role)
			}
			out[name] = m.Content
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return out
	}
	x, y = index(a), index(b)
	return names, x, y
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

func printTexts(w io.Writer, texts []textDiff, stat bool) {
	for _, t := range texts {
		fmt.Fprintf(w, "\n%s  +%d -%d characters\n", bold(t.Message), t.Added, t.Removed)
		if !stat {
			printSpans(w, t.Spans)
		}
	}
}

// contextLines stand around each change.
const contextLines = 2

// printSpans prints the lines that changed, and some around them.
func printSpans(w io.Writer, spans []worddiff.Span) {
	lines, changed := markedLines(spans)
	last := -1
	for i := range lines {
		near := false
		for j := max(0, i-contextLines); j <= min(len(lines)-1, i+contextLines); j++ {
			near = near || changed[j]
		}
		if !near {
			continue
		}
		if i > last+1 {
			fmt.Fprintf(w, "%s\n", faint("  …"))
		}
		last = i
		fmt.Fprintf(w, "  %s\n", lines[i])
	}
}

// markedLines joins the spans with their marks and splits them into lines. A
// line end that was added or removed shows as ⏎.
func markedLines(spans []worddiff.Span) (lines []string, changed []bool) {
	line, touched := "", false
	end := func() {
		lines, changed = append(lines, line), append(changed, touched)
		line, touched = "", false
	}
	for _, s := range spans {
		style, open, shut := red, "[-", "-]"
		if s.Op == worddiff.Added {
			style, open, shut = green, "{+", "+}"
		}
		for i, piece := range strings.Split(s.Text, "\n") {
			broken := i < strings.Count(s.Text, "\n")
			text := prompt.Visible(piece)
			if s.Op != worddiff.Same {
				if broken {
					text += "⏎"
				}
				if text != "" {
					text, touched = style(open+text+shut), true
				}
			}
			line += text
			if broken {
				end()
			}
		}
	}
	if line != "" {
		end()
	}
	return lines, changed
}

package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func traceCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "trace REF",
		Short: "Show which exact prompt made a response, who put it there, and why",
		Long: "trace takes the id of a call, or the id of the provider's response, and tells what\n" +
			"is behind it: the call, the release with its commit, author and tests, who\n" +
			"deployed it and what stood in the environment then, how it differs from the\n" +
			"release before, and the messages: as they were sent where inputs are kept, else\n" +
			"with their variables.",
		Example:           examples("incipit trace resp_68f1", "incipit trace 019b3c80-5d2f-7a10-9c1e-2f5a6b7c8d9e --json"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return runTrace(cmd.Context(), e, args[0]) },
	}
}

func runTrace(ctx context.Context, e *env, ref string) error {
	c, err := e.recorder(ctx)
	if err != nil {
		return err
	}
	t, err := c.Trace(ctx, ref)
	if err != nil {
		return err
	}
	return e.emit(t, func(w io.Writer) { printTrace(w, &t, e.outTTY) })
}

func printTrace(w io.Writer, t *registry.Trace, tty bool) {
	fmt.Fprintf(w, "%s\n", bold("call "+prompt.Visible(t.Call.ID)))
	rows(w, callRows(t))
	fmt.Fprintf(w, "\n%s\n", bold("release "+prompt.Visible(t.Release.Tag)))
	if r := t.Release; r.Digest == "" {
		fmt.Fprintf(w, "  it is not known here: incipit sync has the server read Git\n")
	} else {
		rows(w, [][2]string{{"digest", r.Digest}, {"commit", r.Commit}, {"released", words.Minute(r.At) + " by " + r.Author}, {"notes", r.Notes}})
	}
	fmt.Fprintf(w, "\n%s\n", bold("deployment in "+prompt.Visible(t.Call.Environment)))
	for _, f := range words.Served(t) {
		rows(w, [][2]string{{f.Name, f.Text}})
	}
	fmt.Fprintf(w, "\n%s\n", bold("tests"))
	if len(t.Evidence) == 0 {
		fmt.Fprintln(w, "  no evidence was filed for this text")
	}
	for _, ev := range t.Evidence {
		word := green("ok  ")
		if !ev.Passed {
			word = red("fail")
		}
		fmt.Fprintf(w, "  %s %s\n", word, line(fmt.Sprintf("%s, filed by %s, %s%s", ev.Kind, ev.By, words.Minute(ev.At), after(": ", ev.Note))))
	}
	printBefore(w, t)
	printSent(w, t, tty)
	if t.Call.Output != "" {
		printMessages(w, []prompt.Message{{Role: "response", Content: t.Call.Output}}, tty)
	}
}

// printSent prints the messages as they were sent, or else as they were
// released.
func printSent(w io.Writer, t *registry.Trace, tty bool) {
	messages := t.Rendered
	if messages == nil {
		messages = t.Messages
	}
	if messages != nil {
		fmt.Fprintf(w, "\n%s\n", bold(words.Sent(t)))
		printMessages(w, messages, tty)
	}
	if t.Rendered == nil && t.Call.Input != "" {
		printMessages(w, []prompt.Message{{Role: "input", Content: t.Call.Input}}, tty)
	}
}

func printBefore(w io.Writer, t *registry.Trace) {
	if t.Release.Digest == "" {
		return
	}
	if t.Before == nil {
		fmt.Fprintf(w, "\n%s\n", bold("the first release"))
		return
	}
	fmt.Fprintf(w, "\n%s\n", bold("differs from "+t.Before.Version.String()))
	if len(t.Before.Changes) == 0 {
		fmt.Fprintln(w, "  no difference")
	}
	for _, ch := range t.Before.Changes {
		fmt.Fprintf(w, "  %-6s %s\n", ch.Bump, line(ch.Detail))
	}
	printTexts(w, worddiff.Texts(t.Before.Messages, t.Messages), false)
}

// rows prints names and values; a value that is empty is left out.
func rows(w io.Writer, rs [][2]string) {
	for _, r := range rs {
		if r[1] != "" {
			fmt.Fprintf(w, "  %-14s %s\n", r[0], line(r[1]))
		}
	}
}

// line is a text that others wrote, as one line that is safe to print.
func line(s string) string { return strings.ReplaceAll(prompt.Visible(s), "\n", " ") }

// after is s with something before it, "" if there is no s.
func after(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func callRows(t *registry.Trace) [][2]string {
	c := t.Call
	rs := [][2]string{
		{"prompt", fmt.Sprintf("%s@%s in %s%s", c.Prompt, c.Version, c.Environment, after(", arm ", c.Arm))},
		{"started", c.StartedAt.UTC().Format("2006-01-02 15:04:05.000 UTC")},
		{"outcome", string(c.Outcome) + after(", by the ", string(c.ErrorClass)) + after(", finished by ", c.FinishReason)},
		{"latency", words.Milliseconds(&c.LatencyMS) + after(", first token after ", known(c.FirstTokenMS, words.Milliseconds))},
		{"tokens", strings.Join(slices.DeleteFunc([]string{known(c.InputTokens, words.Tokens) + " in", known(c.CachedTokens, words.Tokens) + " of them cached", known(c.OutputTokens, words.Tokens) + " out"},
			func(s string) bool { return strings.HasPrefix(s, " ") }), ", ")},
		{"cost", known(c.CostUSD, words.Dollars)},
		{"model", c.Model},
		{"response", c.ResponseID},
		{"subject", c.Subject},
	}
	tags := make([]string, 0, len(c.Tags))
	for _, k := range slices.Sorted(maps.Keys(c.Tags)) {
		tags = append(tags, k+"="+c.Tags[k])
	}
	rs = append(rs, [2]string{"tags", strings.Join(tags, ", ")})
	rated := false
	for _, f := range t.Feedback {
		what := "satisfaction"
		if f.Name != "" {
			what = f.Name
		}
		rated = rated || f.Name == ""
		rs = append(rs, [2]string{"feedback", fmt.Sprintf("%s %s, %s%s%s", what, words.Score(f.Value), words.Minute(f.At), after(" by ", f.By), after(": ", f.Comment))})
	}
	if !rated && c.Satisfaction != nil {
		rs = append(rs, [2]string{"feedback", "satisfaction " + words.Score(*c.Satisfaction)})
	}
	return rs
}

// known is a value as text, "" if it was not measured.
func known[T any](v *T, text func(*T) string) string {
	if v == nil {
		return ""
	}
	return text(v)
}

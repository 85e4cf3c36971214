package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// TextOptions are how the report is written for a terminal. Zero is the default.
type TextOptions struct {
	Width   int  // of the terminal, in columns: 100
	Verbose bool // every case in the table, and outputs whole
}

const (
	maxRows     = 60     // cases in a table
	maxFailures = 40     // cases of which the reasons are printed
	maxOutput   = 300    // characters of an output
	maxVerbose  = 20_000 // the same, if asked for more
	narrowest   = 18     // columns of a cell of the table
	leastWidth  = 40     // columns of anything
)

// A sheet is text for a terminal that grows.
type sheet struct {
	bytes.Buffer
	TextOptions
}

// Text writes the report for people: a table of outputs for each run, what
// failed and why, what it took, and the verdict last, where a terminal shows it.
// It has no color and no escape sequence, and nothing in it is obeyed by a
// terminal or by the log of a CI system.
func (r Report) Text(w io.Writer, o TextOptions) error {
	s := sheet{TextOptions: o}
	if s.Width <= 0 {
		s.Width = 100
	}
	s.Width = max(s.Width, leastWidth)
	for i := range r.Prompts {
		s.prompt(&r.Prompts[i])
	}
	for i := range r.Configs {
		fmt.Fprintf(&s, "%s\n", line(r.Configs[i].Suite, 300))
		s.run(&r.Configs[i])
	}
	if r.Nothing != "" {
		fmt.Fprintf(&s, "nothing was tested: %s\n", line(r.Nothing, 500))
	}
	s.lines("warning: ", r.Warnings)
	fmt.Fprintf(&s, "%s\n", r.Verdict.words())
	s.lines("  ", r.Reasons)
	_, err := w.Write(s.Bytes())
	return err
}

func (s *sheet) lines(before string, texts []string) {
	for _, t := range texts {
		fmt.Fprintf(s, "%s%s\n", before, line(t, 1_000))
	}
}

func (s *sheet) prompt(p *Prompt) {
	fmt.Fprintf(s, "%s %s", p.ID, line(p.Version, 60))
	if p.Base != nil {
		fmt.Fprintf(s, ", compared with %s", line(p.base(), 200))
	}
	s.WriteByte('\n')
	if len(p.Why) > 0 {
		fmt.Fprintf(s, "  changed: %s\n", line(strings.Join(p.Why, ", "), 300))
	}
	for _, c := range p.Changes {
		fmt.Fprintf(s, "  %s: %s\n", c.Bump, line(c.Detail, 300))
	}
	for _, f := range p.Findings {
		s.finding(f)
	}
	if p.Tokens != nil {
		fmt.Fprintf(s, "  tokens of the prompt, estimated: %.0f → %.0f%s\n", p.Tokens.Before, p.Tokens.After, p.Tokens.change())
	}
	if p.Run != nil {
		s.run(p.Run)
	}
	if p.Compared != nil {
		s.compared(p)
	}
	s.lines("  not tested: ", p.Untested)
	s.WriteByte('\n')
}

func (s *sheet) finding(f prompt.Finding) {
	fmt.Fprintf(s, "  %s:%d:%d: %s: %s\n", line(f.Path, 300), max(f.Line, 1), max(f.Col, 1), line(f.Code, 60), line(f.Message, 500))
	if f.Fix != "" {
		fmt.Fprintf(s, "      try: %s\n", line(f.Fix, 300))
	}
}

func (s *sheet) compared(p *Prompt) {
	c := p.Compared
	fmt.Fprintf(s, "  comparison: %s, over %s\n", c.Verdict, count(c.Cases, "case"))
	for _, m := range c.Metrics {
		told := "told"
		if m.Gated {
			told = "decides"
		}
		fmt.Fprintf(s, "    %s (%s): %s → %s, %s\n", line(m.Name, 60), told, value(m, m.Base), value(m, m.Candidate), line(m.Why, 300))
	}
	if len(c.Worse) > 0 {
		fmt.Fprintf(s, "    went from pass to fail:\n")
	}
	for i, name := range c.Worse {
		if i == maxFailures && !s.Verbose {
			fmt.Fprintf(s, "      … and %d more\n", len(c.Worse)-i)
			break
		}
		if after := p.Run.find(name, Fail); after != nil {
			name = fmt.Sprintf("%d. %s", after.Number, after.title())
		}
		fmt.Fprintf(s, "      %s\n", line(name, s.Width))
	}
}

func (s *sheet) run(r *Run) {
	s.table(r)
	shown, missing := 0, 0
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.Outcome == Pass {
			continue
		}
		if c.Failure != nil && c.Failure.Kind == "missing" && !s.Verbose {
			if missing++; missing > 1 {
				continue // one says it for all
			}
		}
		if shown++; shown <= maxFailures || s.Verbose {
			s.failure(c)
		}
	}
	if shown > maxFailures && !s.Verbose {
		fmt.Fprintf(s, "  … and %s that did not pass; --verbose shows all\n", count(shown-maxFailures, "more case"))
	}
	if missing > 1 {
		fmt.Fprintf(s, "  … and %s without a recorded answer\n", count(missing-1, "more case"))
	}
	s.lines("  FLAKY ", r.flakyLines())
	fmt.Fprintf(s, "  %s passed, %d failed, %s", count(r.Passed, "case"), r.Failed, count(r.Errors, "error"))
	if r.Flaky > 0 {
		fmt.Fprintf(s, ", %d flaky", r.Flaky)
	}
	fmt.Fprintf(s, "; %s, %s tokens in, %s out, %s", count(r.Total.Calls, "call"), thousands(r.Total.Input), thousands(r.Total.Output), dollars(r.Total.Cost))
	if r.Judges.Calls > 0 {
		fmt.Fprintf(s, "; %s of judges, %s", count(r.Judges.Calls, "call"), dollars(r.Judges.Cost))
	}
	s.WriteByte('\n')
	s.lines("  notice: ", r.Notices)
}

func (s *sheet) failure(c *Case) {
	fmt.Fprintf(s, "  %s %d. %s\n", strings.ToUpper(string(c.Outcome)), c.Number, line(c.title(), 200))
	fmt.Fprintf(s, "    %s by %s, %s:%d\n", line(c.Target, 200), line(c.Provider, 200), line(c.File, 300), max(c.Line, 1))
	for _, why := range c.reasons() {
		fmt.Fprintf(s, "    %s\n", line(why, 1_000))
	}
	if c.Outcome != Fail {
		return
	}
	if !s.Verbose {
		fmt.Fprintf(s, "    output: %s\n", line(c.Output, maxOutput))
		return
	}
	for l := range strings.SplitSeq(block(c.Output, maxVerbose), "\n") {
		fmt.Fprintf(s, "    | %s\n", l)
	}
}

// pad fits text into exactly w columns of a terminal.
func pad(text string, w int) string {
	text = ansi.Truncate(text, w, "…")
	return text + strings.Repeat(" ", max(0, w-ansi.StringWidth(text)))
}

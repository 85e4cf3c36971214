package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
)

const (
	// Marker is the first line of the Markdown form, by which the one comment
	// that a pull request gets is found again.
	Marker = "<!-- incipit:report -->"

	maxMarkdown = 60_000 // bytes: a comment on GitHub may have 65,536 characters
	maxShown    = 1_500  // characters of an output, twice a case
	maxWords    = 12_000 // characters of a word diff
	maxListed   = 20     // cases, findings, changes and the like in one list
)

// Markdown is the report as a job summary and as the one comment of a pull
// request, of at most 60,000 bytes. What was left out is counted at its end.
func (r Report) Markdown() []byte {
	p := page{left: maxMarkdown - 300} // the last lines
	p.add(Marker + "\n")
	p.add(r.mdVerdict())
	for i := range r.Prompts {
		p.add(r.Prompts[i].mdHead())
	}
	for i := range r.Prompts {
		r.Prompts[i].mdDetails(&p)
	}
	for i := range r.Configs {
		p.add("## " + code(r.Configs[i].Suite, 200) + "\n\n" + r.Configs[i].mdCounts())
		r.Configs[i].mdFailures(&p, nil)
	}
	return p.end(r.mdFoot())
}

// A page is Markdown that grows by whole blocks, so that no fence is left open.
type page struct {
	bytes.Buffer
	left    int
	omitted int
}

func (p *page) add(block string) {
	if block == "" {
		return
	}
	if len(block)+1 > p.left {
		p.omitted++
		return
	}
	p.left -= len(block) + 1
	p.WriteString(block)
	p.WriteByte('\n')
}

func (p *page) end(foot string) []byte {
	if p.omitted > 0 {
		fmt.Fprintf(p, "%s did not fit and %s left out: the JSON and HTML forms have everything.\n\n", count(p.omitted, "part"), wasWere(p.omitted))
	}
	p.WriteString(foot)
	return p.Bytes()
}

func wasWere(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// words of a verdict, for people.
func (v Verdict) words() string {
	switch v {
	case Passed:
		return "pass"
	case Unavailable:
		return "a provider was unavailable: nothing is decided"
	case Refused:
		return "the gate refuses this"
	case Invalid:
		return "not valid"
	}
	return "not decided"
}

func (v Verdict) icon() string {
	switch v {
	case Passed:
		return "✅"
	case Unavailable:
		return "⚠️"
	}
	return "❌"
}

func (r Report) mdVerdict() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s incipit: %s\n\n", r.Verdict.icon(), r.Verdict.words())
	list(&b, r.Reasons, 500)
	if r.Nothing != "" {
		fmt.Fprintf(&b, "Nothing was tested: %s\n\n", code(r.Nothing, 300))
	}
	if len(r.Warnings) > 0 {
		b.WriteString("Warnings, which decide nothing:\n\n")
		list(&b, r.Warnings, 500)
	}
	return b.String()
}

// list is one item of code for each text, up to maxListed.
func list(b *strings.Builder, texts []string, n int) {
	for i, t := range texts {
		if i == maxListed {
			fmt.Fprintf(b, "- … and %s more\n", thousands(len(texts)-i))
			break
		}
		fmt.Fprintf(b, "- %s\n", code(t, n))
	}
	if len(texts) > 0 {
		b.WriteByte('\n')
	}
}

// mdHead is what one wants to know of a prompt first: of all of them it stands
// before the details of any.
func (p *Prompt) mdHead() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s\n\n", code(string(p.ID), 200), code(p.Version, 60))
	if p.Base != nil {
		fmt.Fprintf(&b, "Compared with %s. ", code(p.base(), 120))
	}
	if p.Bump != "" {
		fmt.Fprintf(&b, "Its changes ask for a bump of at least %s. ", code(p.Bump, 20))
	}
	if len(p.Why) > 0 {
		fmt.Fprintf(&b, "Changed: %s. ", code(strings.Join(p.Why, ", "), 200))
	}
	b.WriteString("\n\n")
	if p.Run != nil {
		b.WriteString(p.Run.mdCounts())
	}
	p.mdDeltas(&b)
	if p.Compared != nil {
		mdCompared(&b, p.Compared)
	}
	if len(p.Untested) > 0 {
		b.WriteString("Not tested:\n\n")
		list(&b, p.Untested, 300)
	}
	return b.String()
}

func (r *Run) mdCounts() string {
	s := fmt.Sprintf("%s passed, %d failed, %s", count(r.Passed, "case"), r.Failed, count(r.Errors, "error"))
	if r.Flaky > 0 {
		s += fmt.Sprintf(", %d flaky", r.Flaky)
	}
	return s + fmt.Sprintf("; %s, %s.\n\n", count(r.Total.Calls, "call"), dollars(r.Total.Cost))
}

// mdDeltas says what the prompt itself grew by, and what asking it cost.
func (p *Prompt) mdDeltas(b *strings.Builder) {
	if p.Tokens != nil {
		fmt.Fprintf(b, "- tokens of the prompt, estimated: %.0f → %.0f%s\n", p.Tokens.Before, p.Tokens.After, p.Tokens.change())
	}
	if d := p.cost(); d != nil {
		fmt.Fprintf(b, "- cost of the suite: %.4f → %.4f USD%s\n", d.Before, d.After, d.change())
	}
	b.WriteByte('\n')
}

// cost is what the suite's calls took before and after; nil if it is not known.
func (p *Prompt) cost() *Delta {
	if p.Run == nil || p.BaseRun == nil || p.Run.Total.Cost == nil || p.BaseRun.Total.Cost == nil {
		return nil
	}
	return &Delta{*p.BaseRun.Total.Cost, *p.Run.Total.Cost}
}

// change is " (+12.0 %)"; nothing where there was nothing before.
func (d Delta) change() string {
	if d.Before == 0 {
		return ""
	}
	return fmt.Sprintf(" (%+.1f %%)", 100*(d.After/d.Before-1))
}

func mdCompared(b *strings.Builder, c *compare.Result) {
	fmt.Fprintf(b, "**Comparison: %s**, over %s", c.Verdict, count(c.Cases, "case"))
	if c.Repeats > 1 {
		fmt.Fprintf(b, ", asked up to %d times", c.Repeats)
	}
	if c.Verdict == compare.Inconclusive && c.Needed > 0 {
		fmt.Fprintf(b, "; about %s would decide", count(c.Needed, "case"))
	}
	if c.Unpaired > 0 {
		fmt.Fprintf(b, "; %s left out, as one side did not answer", count(c.Unpaired, "case"))
	}
	b.WriteString("\n\n| metric | decides | before | after | difference | p | verdict |\n|---|---|--:|--:|---|--:|---|\n")
	for i, m := range c.Metrics {
		if i == 2*maxListed {
			fmt.Fprintf(b, "| … and %d more | | | | | | |\n", len(c.Metrics)-i)
			break
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n", cellCode(m.Name, 60), yesNo(m.Gated), value(m, m.Base), value(m, m.Candidate), interval(m), chance(m.Adjusted), m.Verdict)
	}
	b.WriteByte('\n')
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// value is a mean in the unit of its metric.
func value(m compare.Metric, v float64) string {
	switch m.Name {
	case "latency":
		return fmt.Sprintf("%.0f ms", v)
	case "tokens":
		return fmt.Sprintf("%.1f", v)
	case "cost":
		return fmt.Sprintf("%.6f USD", v)
	}
	return fmt.Sprintf("%.1f %%", 100*v)
}

// interval is the difference with its interval, in points or percent.
func interval(m compare.Metric) string {
	unit := "points"
	if m.Name == "latency" || m.Name == "tokens" || m.Name == "cost" {
		unit = "%"
	}
	s := fmt.Sprintf("%+.1f [%+.1f, %+.1f] %s", 100*m.Diff, 100*m.Low, 100*m.High, unit)
	return strings.ReplaceAll(s, "-", "−")
}

// chance is a probability with four digits.
func chance(p float64) string {
	if p < .0001 {
		return "under 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

func (r Report) mdFoot() string {
	s := "<sub>incipit, mode " + code(r.Mode, 20)
	if r.Commit != "" {
		s += ", commit " + code(r.Commit, 12)
	}
	return s + "</sub>\n"
}

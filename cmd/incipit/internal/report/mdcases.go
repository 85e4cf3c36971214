package report

import (
	"fmt"
	"strings"
)

// mdDetails is the rest of a prompt: what was found in its files, what changed,
// and the cases that matter, with what was answered.
func (p *Prompt) mdDetails(out *page) {
	name := code(string(p.ID), 200)
	if len(p.Findings) > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "### %s: findings\n\n", name)
		var texts []string
		for _, f := range p.Findings {
			texts = append(texts, string(f.Severity)+": "+f.String())
		}
		list(&b, texts, 400)
		out.add(b.String())
	}
	if len(p.Changes) > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "### %s: changes of its interface\n\n", name)
		var texts []string
		for _, c := range p.Changes {
			texts = append(texts, c.Bump.String()+": "+c.Detail)
		}
		list(&b, texts, 400)
		out.add(b.String())
	}
	if p.Words != "" {
		out.add(fmt.Sprintf("### %s: what changed, word by word\n\n%s", name, fence(p.Words, maxWords)))
	}
	shown := p.mdWorse(out) // last: many of these may leave no room
	if p.Run != nil {
		p.Run.mdFailures(out, shown)
	}
}

// mdWorse shows the cases that went from pass to fail, with both outputs, and
// returns those of which both were there.
func (p *Prompt) mdWorse(out *page) (shown map[*Case]bool) {
	if p.Compared == nil || len(p.Compared.Worse) == 0 {
		return nil
	}
	shown = make(map[*Case]bool)
	out.add(fmt.Sprintf("### %s: %s went from pass to fail\n", code(string(p.ID), 200), count(len(p.Compared.Worse), "case")))
	for i, name := range p.Compared.Worse {
		if i == maxListed {
			out.add(fmt.Sprintf("… and %d more.\n", len(p.Compared.Worse)-i))
			break
		}
		before, after := p.BaseRun.find(name, Pass), p.Run.find(name, Fail)
		if before == nil || after == nil {
			out.add("- " + code(name, 200) + "\n")
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "#### %d. %s\n\n%s\nBefore, %s:\n\n%s\nAfter, %s:\n\n%s", after.Number, code(after.title(), 200), mdReasons(after),
			code(before.Target, 120), fence(before.Output, maxShown), code(after.Target, 120), fence(after.Output, maxShown))
		out.add(b.String())
		shown[after] = true
	}
	return shown
}

// find is the first answer to the case of that key or description that has the
// outcome, else the first answer to it.
func (r *Run) find(name string, want Outcome) (found *Case) {
	if r == nil {
		return nil
	}
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.Key != name && c.Description != name {
			continue
		}
		if c.Outcome == want {
			return c
		}
		if found == nil {
			found = c
		}
	}
	return found
}

// title is what a case is called where it is named.
func (c *Case) title() string {
	if c.Description != "" {
		return c.Description
	}
	return "case " + c.Key
}

// mdFailures shows the cases that did not pass, the failed ones first, and what
// is known about the run. Those that were shown already are left out.
func (r *Run) mdFailures(out *page, shown map[*Case]bool) {
	for _, want := range []Outcome{Fail, Error} {
		listed := 0
		for i := range r.Cases {
			c := &r.Cases[i]
			if c.Outcome != want || shown[c] {
				continue
			}
			if listed++; listed <= maxListed {
				out.add(c.mdFailure())
			}
		}
		if listed > maxListed {
			out.add(fmt.Sprintf("… and %s with the outcome %s.\n", count(listed-maxListed, "more case"), want))
		}
	}
	if flaky := r.flakyLines(); len(flaky) > 0 {
		var b strings.Builder
		b.WriteString("Flaky:\n\n")
		list(&b, flaky, 400)
		out.add(b.String())
	}
	if len(r.Notices) > 0 {
		var b strings.Builder
		b.WriteString("Notices:\n\n")
		list(&b, r.Notices, 300)
		out.add(b.String())
	}
}

func (c *Case) mdFailure() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s %d. %s\n\n", strings.ToUpper(string(c.Outcome)), c.Number, code(c.title(), 200))
	fmt.Fprintf(&b, "%s by %s, %s\n\n%s", code(c.Target, 120), code(c.Provider, 120), code(c.where(), 300), mdReasons(c))
	if c.Outcome == Fail {
		b.WriteString("\n" + fence(c.Output, maxShown))
	}
	return b.String()
}

func (c *Case) where() string { return fmt.Sprintf("%s:%d", c.File, max(c.Line, 1)) }

func mdReasons(c *Case) string {
	var b strings.Builder
	list(&b, c.reasons(), 400)
	return b.String()
}

// reasons say why a case did not pass: a sentence for each assertion that did
// not, and for the failure.
func (c *Case) reasons() []string {
	var out []string
	if c.Failure != nil {
		s := c.Failure.Kind + ": " + c.Failure.Text
		if c.Failure.Fix != "" {
			s += "; try: " + c.Failure.Fix
		}
		out = append(out, s)
	}
	return append(out, gradeReasons(c.Grades, 0)...)
}

// maxNested is how deep assert-sets are followed; the suite's grammar has one.
const maxNested = 4

func gradeReasons(grades []Grade, depth int) []string {
	var out []string
	for _, g := range grades {
		if g.Outcome == Pass {
			continue
		}
		out = append(out, g.Type+": "+g.Reason)
		if depth < maxNested {
			out = append(out, gradeReasons(g.Parts, depth+1)...)
		}
	}
	return out
}

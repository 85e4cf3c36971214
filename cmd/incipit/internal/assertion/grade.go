package assertion

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ErrThrown marks the error of a Script that the code itself caused: it threw,
// or it does not parse.
var ErrThrown = errors.New("the code threw")

const (
	maxReason = 1200 // characters of a reason
	maxShown  = 200  // characters of an output or a value that a reason shows
)

// settle turns a finding into the grade of a.
func settle(g *report.Grade, a Assertion, f finding, err error) {
	g.Judge, g.Parts = f.spent, f.parts
	if err != nil {
		g.Outcome, g.Score, g.Reason = report.Error, 0, reasonOf(err)
		return
	}
	holds, score := f.holds, unit(f.score)
	if a.Not && !f.final {
		holds = !holds
		if !f.upright {
			score = 1 - score
		}
	}
	g.Outcome, g.Score, g.Reason = report.Fail, score, sentence(f.reason)
	switch {
	case holds:
		g.Outcome = report.Pass
	case g.Weight == 0: // a metric: it is measured, and decides nothing
		g.Outcome, g.Reason = report.Pass, g.Reason+" It weighs nothing and fails nothing."
	}
}

// unit brings a score into [0, 1]. One that is no number is 0.
func unit(score float64) float64 {
	if math.IsNaN(score) {
		return 0
	}
	return min(max(score, 0), 1)
}

// reasonOf writes an error as a reason, with what to try.
func reasonOf(err error) string {
	text := sentence(err.Error())
	var fix *registry.FixError
	if errors.As(err, &fix) && fix.Fix != "" {
		text += " " + sentence(fix.Fix)
	}
	return text
}

// sentence makes a bounded sentence of text, safe to show.
func sentence(text string) string {
	text = prompt.Clip(strings.TrimSpace(text), maxReason)
	if text == "" {
		return "No reason was given."
	}
	first, size := text[:1], 1
	if first[0] >= 'a' && first[0] <= 'z' {
		first = strings.ToUpper(first)
	}
	text = first + text[size:]
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "!") && !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// quote shows a text of outsiders within a sentence: on one line, bounded, with
// nothing hidden.
func quote(text string) string {
	if len(text) > 8*maxShown {
		text = strings.ToValidUTF8(text[:8*maxShown], "\uFFFD") // what is clipped away need not be walked
	}
	text = strings.Join(strings.Fields(text), " ")
	return `"` + prompt.Clip(text, maxShown) + `"`
}

// invalid is the error of an assertion that is written wrongly.
func invalid(a Assertion, what, fix string, args ...any) error {
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s %s", prompt.Clip(a.Name(), 60), what), fix, args...)
}

// missing is the error of an assertion that needs what a Checker was not given.
func missing(a Assertion, what, fix string) error {
	return registry.WithFix(fmt.Errorf("%s needs %s", a.Name(), what), "%s", fix)
}

// number writes a number as JavaScript does, at most four digits after the point.
func number(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return fmt.Sprintf("%.0f", f)
	}
	text := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.4f", f), "0"), ".")
	if text == "0" || text == "-0" {
		return fmt.Sprintf("%.3g", f) // a small cost
	}
	return text
}

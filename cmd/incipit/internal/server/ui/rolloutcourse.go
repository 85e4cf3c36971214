package ui

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A logLine is a decision, and what it rests on.
type logLine struct {
	registry.Decision
	Who    string
	Word   string
	Kind   string // of its state
	Inputs []words.Fact
}

// logOf is the log of a rollout, the newest decision first.
func logOf(r registry.RolloutReport) []logLine {
	out := make([]logLine, 0, len(r.Decisions))
	for _, d := range slices.Backward(r.Decisions) {
		kind := map[string]string{
			registry.DecisionAdvance: "good", registry.DecisionPromote: "good", registry.DecisionRollback: "bad", registry.DecisionAsk: "warn", registry.DecisionPause: "warn",
			registry.DecisionHold: "warn", registry.DecisionChanged: "warn", registry.DecisionBegin: "busy", registry.DecisionResume: "busy", registry.DecisionShift: "busy",
		}[d.Kind]
		if kind == "" {
			kind = "none"
		}
		out = append(out, logLine{d, words.Plain(words.Name(d.By)), d.Kind, kind, inputsOf(d)})
	}
	return out
}

// inputsOf is what a decision rests on.
func inputsOf(d registry.Decision) []words.Fact {
	var e guard.Report
	if len(d.Evidence) == 0 || json.Unmarshal(d.Evidence, &e) != nil || e.Verdict == "" {
		return nil
	}
	out := []words.Fact{
		{Name: "verdict", Text: e.Verdict},
		{Name: "calls", Text: fmt.Sprintf("%s of the candidate, %s of the stable release", words.Thousands(int64(e.Calls.Candidate)), words.Thousands(int64(e.Calls.Stable)))},
		{Name: "p-value", Text: words.Brief(e.PValue)},
	}
	for _, m := range e.Metrics {
		said := words.MetricOf(m)
		out = append(out, words.Fact{Name: said.Name, Text: strings.Join([]string{said.Stable, said.Candidate, said.Difference, "evidence " + said.Evidence}, " · ")})
	}
	return out
}

// A course is a rollout over time, drawn from its decisions: the candidate's
// share, and how far the evidence against it has come.
type course struct {
	From, To time.Time
	Share    string // the path of a line, on 0…600 by 0…100
	Against  string // likewise; "" where there is none
	Now      registry.Share
	Worst    float64 // how far the evidence has come by now, in percent
}

// courseOf draws a rollout, nil if there is nothing to draw.
func courseOf(r registry.RolloutReport) *course {
	const width = 600.0
	all := slices.DeleteFunc(slices.Clone(r.Decisions), func(d registry.Decision) bool { return d.Kind == registry.DecisionChanged })
	if len(all) == 0 || r.Phase == registry.PhaseSteady {
		return nil
	}
	c := &course{From: all[0].At, To: r.At, Now: r.Share}
	if last := all[len(all)-1].At; last.After(c.To) {
		c.To = last
	}
	span := c.To.Sub(c.From).Seconds()
	if span <= 0 {
		return nil
	}
	x := func(t time.Time) float64 { return math.Round(10*width*t.Sub(c.From).Seconds()/span) / 10 }
	y := func(percent float64) float64 { return math.Round(10*(100-percent)) / 10 }
	share := func(s registry.Share) float64 { return y(100 * float64(s) / registry.Scale) }
	var line, against strings.Builder
	if _, ok := worst(r.Evidence); ok {
		plot(&against, 0, y(0)) // nothing speaks against what has not begun
	}
	for i, d := range all {
		at, height := x(d.At), share(d.Share)
		if i == 0 {
			fmt.Fprintf(&line, "M%g %g", at, height)
		} else {
			fmt.Fprintf(&line, "H%gV%g", at, height)
		}
		if w, ok := worst(d.Evidence); ok {
			plot(&against, at, y(w))
		}
	}
	if r.Open() {
		fmt.Fprintf(&line, "H%g", width)
	}
	if w, ok := worst(r.Evidence); ok {
		c.Worst = w
		plot(&against, x(c.To), y(w))
	}
	c.Share, c.Against = line.String(), against.String()
	return c
}

// plot goes on with a line.
func plot(b *strings.Builder, x, y float64) {
	word := "L"
	if b.Len() == 0 {
		word = "M"
	}
	fmt.Fprintf(b, "%s%g %g", word, x, y)
}

// worst is how far the evidence of the metric that speaks most against the
// candidate has come, in percent.
func worst(evidence json.RawMessage) (float64, bool) {
	var e guard.Report
	if len(evidence) == 0 || json.Unmarshal(evidence, &e) != nil || len(e.Metrics) == 0 {
		return 0, false
	}
	most := 0.0
	for _, m := range e.Metrics {
		most = max(most, 100*words.Weight(m))
	}
	return most, true
}

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// plainText is a text that others wrote as one line that nobody obeys: no
// terminal, and no CI that looks for commands in what is printed.
func plainText(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "##[", "## [").Replace(prompt.Visible(s))
}

// printStanding says in two lines where a rollout is, and why.
func printStanding(w io.Writer, r registry.RolloutReport) {
	if r.Phase == registry.PhaseSteady {
		fmt.Fprintf(w, "%s  %s for everybody: %s\n  %s\n", bold(plainText(r.Place.String())), plainText(r.Stable), plainText(r.Verdict), plainText(r.Text))
		return
	}
	if !r.Open() {
		r.Text = end(r).Text
	}
	fmt.Fprintf(w, "%s  %s, %s at %s: %s\n", bold(plainText(r.Place.String())), r.Strategy, sides(r), r.Share, stance(r))
	fmt.Fprintf(w, "  %s\n", plainText(r.Text))
}

// stance is the phase and the verdict, or how a rollout ended.
func stance(r registry.RolloutReport) string {
	if r.Open() {
		return plainText(r.Phase + ", " + r.Verdict)
	}
	switch kindOfEnd(r) {
	case registry.DecisionPromote:
		return green("promoted")
	case registry.DecisionRollback:
		return red("rolled back")
	}
	return "ended: another deployment took its place"
}

// kindOfEnd is the kind of the decision that ended a rollout.
func kindOfEnd(r registry.RolloutReport) string { return end(r).Kind }

// end is the decision that ended a rollout.
func end(r registry.RolloutReport) registry.Decision {
	for _, d := range slices.Backward(r.Decisions) {
		switch d.Kind {
		case registry.DecisionPromote, registry.DecisionRollback, registry.DecisionEnd:
			return d
		}
	}
	return registry.Decision{Place: r.Place, Kind: registry.DecisionEnd, At: r.At}
}

func printRollout(w io.Writer, r registry.RolloutReport) {
	printStanding(w, r)
	fmt.Fprintln(w)
	contest, many := contestIn(r)
	var rows [][2]string
	if r.Strategy != registry.Experiment {
		rows = append(rows, [2]string{"steps", stepsOf(r)}, [2]string{"verdict", r.Verdict + ": " + meaning(r.Verdict)})
	}
	if r.Phase == registry.PhaseSteady {
		rows = [][2]string{{"next", r.Next}}
	}
	if r.Open() {
		rows = append(rows, [2]string{"phase", r.Phase + ": " + doing(r.Phase)}, [2]string{"next", r.Next})
		if r.Strategy != registry.Experiment {
			rows = append(rows, [2]string{"at this share", fmt.Sprintf("%s observed, %s of it healthy", r.InStep, r.Healthy)})
		}
	}
	rows = append(rows, [2]string{"began", fmt.Sprintf("%s, by deployment %d", day(r.Since), r.Opened)})
	report, known := evidenceOf(r)
	if known {
		rows = append(rows, [2]string{"policy", policyLine(r, report.Policy)})
	}
	for _, row := range rows {
		fmt.Fprintf(w, "  %-14s %s\n", row[0], plainText(row[1]))
	}
	if many {
		fmt.Fprintln(w)
		printContest(w, contest)
	}
	if known && len(report.Metrics) > 0 {
		fmt.Fprintln(w)
		table(w, metricRows(report))
	}
	if len(r.Decisions) > 0 {
		fmt.Fprintln(w)
		table(w, decisionRows(r.Decisions))
	}
}

// evidenceOf is the guard's report that a rollout rests on, and false if there
// is none that this program can read.
func evidenceOf(r registry.RolloutReport) (guard.Report, bool) {
	var out guard.Report
	if r.Phase == registry.PhaseSteady || r.Strategy == registry.Experiment {
		return out, false // its evidence is of another kind
	}
	err := json.Unmarshal(r.Evidence, &out)
	return out, err == nil && len(r.Evidence) > 0
}

// stepsOf is the way of a rollout, and where on it the candidate stands.
func stepsOf(r registry.RolloutReport) string {
	way := slices.Clone(r.Steps)
	if !slices.Contains(way, r.Share) {
		way = append(way, r.Share)
		slices.Sort(way)
	}
	if r.Strategy == registry.Experiment {
		return "" // it goes nowhere by itself
	}
	var parts []string
	for _, s := range way {
		if s == r.Share && r.Open() {
			parts = append(parts, "["+s.String()+"]")
		} else {
			parts = append(parts, s.String())
		}
	}
	return strings.Join(append(parts, "promoted"), " → ")
}

// meaning says what a verdict means.
func meaning(verdict string) string {
	switch rollout.Verdict(verdict) {
	case rollout.Healthy:
		return "no metric is worse by more than its margin"
	case rollout.Regressed:
		return "the candidate is worse than the stable release"
	case rollout.Insufficient:
		return "neither worse nor safe so far"
	case rollout.Unmeasured:
		return "there are no calls to judge by"
	case rollout.Untrusted:
		return "subjects are not split as they should be, so nothing is decided"
	}
	return "a newer server said this"
}

// doing says what happens in a phase.
func doing(phase string) string {
	switch rollout.Phase(phase) {
	case rollout.Watching:
		return "the guard moves it by the evidence"
	case rollout.Paused:
		return "a person holds it where it is"
	case rollout.Asking:
		return "a person must say what comes next"
	case rollout.Ended:
		return "it is over"
	}
	return "a newer server said this"
}

func policyLine(r registry.RolloutReport, p guard.Policy) string {
	if p.Rule == guard.Classic {
		return fmt.Sprintf("classic, a rule of thumb: it alarms at noise; %s", timesOf(r.Rules))
	}
	m := p.Safe
	var margins []string
	for _, metric := range p.Metrics.List() {
		margins = append(margins, fmt.Sprintf("%s %s", words(metric.String()), map[guard.Metric]string{
			guard.Errors: brief(m.Errors*100) + " points", guard.Latency: brief(m.Latency*100) + " %", guard.FirstToken: brief(m.FirstToken*100) + " %",
			guard.Tokens: brief(m.Tokens*100) + " %", guard.Cost: brief(m.Cost*100) + " %", guard.Satisfaction: brief(m.Satisfaction) + " points",
		}[metric]))
	}
	return fmt.Sprintf("%s, alpha %s, safe at %s within %s; %s", p.Rule, brief(p.Alpha), brief(p.AlphaSafe), strings.Join(margins, ", "), timesOf(r.Rules))
}

// timesOf are the times of rules, and what is done at their ends.
func timesOf(r registry.GuardRules) string {
	var parts []string
	for _, d := range []struct {
		name string
		is   *registry.Duration
	}{{"bake", r.Bake}, {"limit", r.Limit}, {"silence", r.Silence}} {
		if d.is != nil {
			parts = append(parts, d.name+" "+d.is.String())
		}
	}
	if r.HoldBack != nil && *r.HoldBack > 0 && r.HoldFor != nil {
		parts = append(parts, fmt.Sprintf("%s held back for %s", *r.HoldBack, *r.HoldFor))
	}
	return strings.Join(append(parts, "at limit "+r.AtLimit, "on regress "+r.OnRegress), ", ")
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// brief is a number in at most four digits.
func brief(x float64) string { return fmt.Sprintf("%.4g", x) }

func metricRows(r guard.Report) [][]string {
	out := [][]string{{"METRIC", "STABLE", "CANDIDATE", "DIFFERENCE", "EVIDENCE", "WORSE", "SAFE"}}
	for _, m := range r.Metrics {
		worse, safe := "no", "not yet"
		if m.Guilty {
			worse = "yes"
		}
		if m.Safe {
			safe = "yes"
		}
		out = append(out, []string{
			words(m.Metric), valued(m.Metric, m.Mean.Stable, m.Values.Stable), valued(m.Metric, m.Mean.Candidate, m.Values.Candidate), difference(m),
			fmt.Sprintf("%s of %s", brief(m.Capital), brief(m.Goal)), worse, safe,
		})
	}
	return out
}

// valued is the mean of so many values.
func valued(metric string, mean float64, n uint64) string {
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("%.0f", mean)
	switch metric {
	case "errors":
		text = percent(&mean)
	case "latency", "first_token":
		text = ms(&mean)
	case "cost":
		text = usd(&mean)
	case "satisfaction":
		text = rating(&mean)
	}
	return text + " in " + thousands(int64(n))
}

// difference is candidate minus stable with its interval.
func difference(m guard.MetricReport) string {
	d := m.Difference
	if d == nil {
		return ""
	}
	unit, scale, digits := "", 1.0, 2
	switch m.Metric {
	case "errors":
		unit, scale, digits = " points", 100, 1
	case "latency", "first_token":
		unit, digits = " ms", 0
	case "tokens":
		digits = 0
	case "cost":
		unit, digits = " USD", 6
	}
	return fmt.Sprintf("%+.*f%s (%+.*f to %+.*f)", digits, d.Estimate*scale, unit, digits, d.Low*scale, digits, d.High*scale)
}

func decisionRows(all []registry.Decision) [][]string {
	out := [][]string{{"TIME", "BY", "DECISION", "SHARE", "WHY"}}
	for _, d := range all {
		out = append(out, []string{second(d.At), plainText(nameOf(d.By)), d.Kind, d.Share.String(), plainText(d.Text)})
	}
	return out
}

// bar is a part of the whole, from 0 to 1, in so many cells.
func bar(part float64, cells int) string {
	full := int(math.Round(min(max(part, 0), 1) * float64(cells)))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

// weight is how far the evidence against a candidate has come to its goal, from
// 0 to 1: each doubling counts alike.
func weight(m guard.MetricReport) float64 {
	if !(m.Capital > m.Start) || !(m.Start > 0) || !(m.Goal > m.Start) {
		return 0
	}
	return math.Log(m.Capital/m.Start) / math.Log(m.Goal/m.Start)
}

// printLive is a rollout in one screen, for who looks on.
func printLive(w io.Writer, r registry.RolloutReport, now time.Time) {
	fmt.Fprintf(w, "%s  Ctrl-C ends the view, not the rollout\n\n", faint(second(now)))
	printStanding(w, r)
	fmt.Fprintf(w, "\n  %-14s %s %s  %s\n", "share", bar(float64(r.Share)/registry.Scale, 30), r.Share, stepsOf(r))
	if r.Next != "" {
		fmt.Fprintf(w, "  %-14s %s\n", "next", plainText(r.Next))
	}
	if report, ok := evidenceOf(r); ok {
		fmt.Fprintln(w, "\n  evidence that it is worse")
		for _, m := range report.Metrics {
			mark := ""
			if m.Guilty {
				mark = red("  worse")
			} else if m.Safe {
				mark = green("  safe")
			}
			fmt.Fprintf(w, "  %-14s %s %s of %s%s\n", words(plainText(m.Metric)), bar(weight(m), 20), brief(m.Capital), brief(m.Goal), mark)
		}
	}
	const last = 6
	fmt.Fprintln(w)
	for _, d := range r.Decisions[max(len(r.Decisions)-last, 0):] {
		fmt.Fprintf(w, "  %s\n", decisionLine(d))
	}
}

// decisionLine is a decision as a line of a log.
func decisionLine(d registry.Decision) string {
	return plainText(fmt.Sprintf("%s  %s by %s at %s: %s", second(d.At), d.Kind, nameOf(d.By), d.Share, d.Text))
}

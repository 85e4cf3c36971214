package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// printStanding says in two lines where a rollout is, and why.
func printStanding(w io.Writer, r registry.RolloutReport) {
	place := bold(words.Plain(r.Place.String()))
	if r.Phase == registry.PhaseSteady {
		fmt.Fprintf(w, "%s  %s: %s\n  %s\n", place, words.Sides(r), words.Stance(r), words.Why(r))
		return
	}
	fmt.Fprintf(w, "%s  %s, %s at %s: %s\n", place, r.Strategy, words.Sides(r), r.Share, stance(r))
	fmt.Fprintf(w, "  %s\n", words.Why(r))
}

// stance is the phase and the verdict, or how a rollout ended, in color.
func stance(r registry.RolloutReport) string {
	said := words.Stance(r)
	switch kind := words.End(r).Kind; {
	case r.Open():
	case kind == registry.DecisionPromote:
		return green(said)
	case kind == registry.DecisionRollback:
		return red(said)
	}
	return said
}

func printRollout(w io.Writer, r registry.RolloutReport) {
	printStanding(w, r)
	fmt.Fprintln(w)
	for _, f := range words.Rollout(r) {
		fmt.Fprintf(w, "  %-14s %s\n", f.Name, f.Text)
	}
	if contest, many := words.Contest(r); many {
		fmt.Fprintln(w)
		printContest(w, contest)
	}
	if report, known := words.Evidence(r); known && len(report.Metrics) > 0 {
		fmt.Fprintln(w)
		table(w, metricRows(report))
	}
	if len(r.Decisions) > 0 {
		fmt.Fprintln(w)
		table(w, decisionRows(r.Decisions))
	}
}

func metricRows(r guard.Report) [][]string {
	out := [][]string{words.MetricHead()}
	for _, m := range r.Metrics {
		out = append(out, words.MetricOf(m).Cells())
	}
	return out
}

func decisionRows(all []registry.Decision) [][]string {
	out := [][]string{{"TIME", "BY", "DECISION", "SHARE", "WHY"}}
	for _, d := range all {
		out = append(out, []string{words.Second(d.At), words.Plain(words.Name(d.By)), d.Kind, d.Share.String(), words.Plain(d.Text)})
	}
	return out
}

// bar is a part of the whole, from 0 to 1, in so many cells.
func bar(part float64, cells int) string {
	full := int(math.Round(min(max(part, 0), 1) * float64(cells)))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

// printLive is a rollout in one screen, for who looks on.
func printLive(w io.Writer, r registry.RolloutReport, now time.Time) {
	fmt.Fprintf(w, "%s  Ctrl-C ends the view, not the rollout\n\n", faint(words.Second(now)))
	printStanding(w, r)
	fmt.Fprintf(w, "\n  %-14s %s %s  %s\n", "share", bar(float64(r.Share)/registry.Scale, 30), r.Share, words.Way(r))
	if r.Next != "" {
		fmt.Fprintf(w, "  %-14s %s\n", "next", words.Plain(r.Next))
	}
	if report, ok := words.Evidence(r); ok {
		fmt.Fprintln(w, "\n  evidence that it is worse")
		for _, m := range report.Metrics {
			mark := ""
			if m.Guilty {
				mark = red("  worse")
			} else if m.Safe {
				mark = green("  safe")
			}
			fmt.Fprintf(w, "  %-14s %s %s of %s%s\n", words.Spaced(words.Plain(m.Metric)), bar(words.Weight(m), 20), words.Brief(m.Capital), words.Brief(m.Goal), mark)
		}
	}
	const last = 6
	fmt.Fprintln(w)
	for _, d := range r.Decisions[max(len(r.Decisions)-last, 0):] {
		fmt.Fprintf(w, "  %s\n", words.Decision(d))
	}
}

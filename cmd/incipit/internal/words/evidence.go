package words

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Evidence is the guard's report that a rollout rests on, and false if there is
// none that this program can read.
func Evidence(r registry.RolloutReport) (guard.Report, bool) {
	var out guard.Report
	if r.Phase == registry.PhaseSteady || r.Strategy == registry.Experiment {
		return out, false // its evidence is of another kind
	}
	err := json.Unmarshal(r.Evidence, &out)
	return out, err == nil && len(r.Evidence) > 0
}

// Contest is what the report of an experiment rests on, and false if it is of
// another rollout, or cannot be read by this program.
func Contest(r registry.RolloutReport) (registry.ContestReport, bool) {
	var out registry.ContestReport
	if r.Strategy != registry.Experiment || len(r.Evidence) == 0 {
		return out, false
	}
	err := json.Unmarshal(r.Evidence, &out)
	return out, err == nil
}

// ContestHead are the names of ContestCells.
func ContestHead() []string {
	return []string{"CALLS", "STANDING", "P-VALUE BETTER", "P-VALUE WORSE", "WORSE ON"}
}

// ContestCells is how an arm stands: calls, standing, what speaks for it being
// better and worse, and the metrics that it is worse on.
func ContestCells(c registry.ContestReport, arm string) []string {
	for _, a := range c.Arms {
		if a.Name == arm {
			return []string{fmt.Sprint(a.Calls), string(a.Standing), fmt.Sprintf("%.2g", a.PBetter), fmt.Sprintf("%.2g", a.PWorse), strings.Join(a.Worse, ", ")}
		}
	}
	return make([]string, len(ContestHead()))
}

// ContestDecided says by what an experiment is decided.
func ContestDecided(c registry.ContestReport) string {
	return fmt.Sprintf("decided by %s, alpha %s for all arms together", Spaced(Plain(c.Primary)), Brief(c.Alpha))
}

// A Metric is what is known of one metric, side by side.
type Metric struct{ Name, Stable, Candidate, Difference, Evidence, Worse, Safe string }

// MetricHead are the names of a Metric's parts.
func MetricHead() []string {
	return []string{"METRIC", "STABLE", "CANDIDATE", "DIFFERENCE", "EVIDENCE", "WORSE", "SAFE"}
}

// Cells are the parts of the metric, in the order of MetricHead.
func (m Metric) Cells() []string {
	return []string{m.Name, m.Stable, m.Candidate, m.Difference, m.Evidence, m.Worse, m.Safe}
}

// MetricOf is one metric of a report in words.
func MetricOf(m guard.MetricReport) Metric {
	out := Metric{
		Spaced(m.Metric), valued(m.Metric, m.Mean.Stable, m.Values.Stable), valued(m.Metric, m.Mean.Candidate, m.Values.Candidate), difference(m),
		fmt.Sprintf("%s of %s", Brief(m.Capital), Brief(m.Goal)), "no", "not yet",
	}
	if m.Guilty {
		out.Worse = "yes"
	}
	if m.Safe {
		out.Safe = "yes"
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
		text = Percent(&mean)
	case "latency", "first_token":
		text = Milliseconds(&mean)
	case "cost":
		text = Dollars(&mean)
	case "satisfaction":
		text = Rating(&mean)
	}
	return text + " in " + Thousands(int64(n))
}

// difference is candidate minus stable with its interval.
func difference(m guard.MetricReport) string {
	if m.Difference == nil {
		return ""
	}
	return Difference(m.Metric, *m.Difference)
}

// Difference says how much more a candidate has of a metric than the stable
// release, with its interval.
func Difference(metric string, d guard.Interval) string {
	unit, scale, digits := "", 1.0, 2
	switch metric {
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

// Weight is how far the evidence against a candidate has come to its goal, from
// 0 to 1: each doubling counts alike.
func Weight(m guard.MetricReport) float64 {
	if !(m.Capital > m.Start) || !(m.Start > 0) || !(m.Goal > m.Start) {
		return 0
	}
	return min(math.Log(m.Capital/m.Start)/math.Log(m.Goal/m.Start), 1)
}

// SafeWeight is how far the evidence that a candidate is safe has come to its
// goal, from 0 to 1.
func SafeWeight(m guard.MetricReport) float64 {
	switch {
	case m.Safe:
		return 1
	case !(m.SafeCapital > 1) || !(m.SafeGoal > 1):
		return 0
	}
	return min(math.Log(m.SafeCapital)/math.Log(m.SafeGoal), 1)
}

package ui

import (
	"fmt"
	"math"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A metricView is a metric of a rollout: its arms side by side, the difference
// on a line, and what speaks against the candidate and for it.
type metricView struct {
	words.Metric
	Kind     string // of its state
	State    string
	Against  float64 // how far the evidence that it is worse has come, in percent
	For      float64 // how far the evidence that it is safe has come, in percent
	Interval *intervalView
	Margin   string
}

// An intervalView is a difference with its interval on a line from 0 to 100.
type intervalView struct{ Low, Width, Estimate, Zero float64 }

// metricViews are the metrics of a report.
func metricViews(r guard.Report) []metricView {
	out := make([]metricView, 0, len(r.Metrics))
	for _, m := range r.Metrics {
		v := metricView{Metric: words.MetricOf(m), Kind: "busy", State: "neither worse nor safe", Against: 100 * words.Weight(m), For: 100 * words.SafeWeight(m), Interval: intervalOf(m.Difference)}
		switch {
		case m.Guilty:
			v.Kind, v.State = "bad", "worse"
		case m.Safe:
			v.Kind, v.State = "good", "safe"
		case m.Values.Candidate == 0:
			v.Kind, v.State = "none", "no values yet"
		}
		for _, metric := range guard.Metrics() {
			if metric.String() == m.Metric {
				v.Margin = words.Margin(r.Policy, metric)
			}
		}
		out = append(out, v)
	}
	return out
}

// intervalOf puts an interval and zero on a line, with room at its ends.
func intervalOf(i *guard.Interval) *intervalView {
	if i == nil || math.IsInf(i.Low, 0) || math.IsInf(i.High, 0) || math.IsNaN(i.Estimate) {
		return nil
	}
	low, high := min(i.Low, 0), max(i.High, 0)
	if high <= low {
		return nil
	}
	const room = 5
	at := func(x float64) float64 {
		return math.Round(10*(room+(100-2*room)*(x-low)/(high-low))) / 10
	}
	return &intervalView{at(i.Low), max(at(i.High)-at(i.Low), 1), at(min(max(i.Estimate, low), high)), at(0)}
}

// callsOf is how many calls were compared, and about how many a verdict takes.
func callsOf(r registry.RolloutReport, e guard.Report) string {
	text := fmt.Sprintf("%s calls of the candidate, %s of the stable release", words.Thousands(int64(e.Calls.Candidate)), words.Thousands(int64(e.Calls.Stable)))
	if r.Needed != nil && r.Open() && *r.Needed > float64(e.Calls.Candidate) {
		text += fmt.Sprintf("; a verdict takes about %s of the candidate", words.Thousands(int64(math.Round(*r.Needed))))
	}
	return text
}

// A contestView is how the arms of an experiment stand.
type contestView struct {
	Head    []string
	Rows    []contestRow
	Decided string
	Winner  string
}

// A contestRow is an arm and its cells.
type contestRow struct {
	Name  string
	Kind  string
	Cells []string
}

func contestOf(c registry.ContestReport) *contestView {
	v := &contestView{Head: []string{"Calls", "Standing", "p-value better", "p-value worse", "Worse on"}, Decided: words.ContestDecided(c), Winner: c.Winner}
	for _, a := range c.Arms {
		kind := map[registry.ArmStanding]string{registry.ArmBetter: "good", registry.ArmWorse: "bad", registry.ArmUntrusted: "warn", registry.ArmUnmeasured: "none"}[a.Standing]
		if kind == "" {
			kind = "busy"
		}
		v.Rows = append(v.Rows, contestRow{a.Name, kind, words.ContestCells(c, a.Name)})
	}
	return v
}

// Package compare decides whether a candidate is worse than what runs, from the
// same cases asked of both. It is pure: no clock, no randomness, no store, and
// it never asks anything of a model.
//
// What it says rests on two figures of each metric. The probability of what was
// seen if the candidate were not worse decides regress; the interval around the
// paired difference decides pass. Why these, and what they were measured to
// hold: docs/decisions/0026-comparison.md.
package compare

// A Pair is one test case, asked of both: the base and the candidate answered it
// Base and Candidate, each a list of repeats in the order in which they were
// asked. An answer that is an error is no sample. Pairs of one Cluster are not independent of one another: cases that share
// their data, such as the rows that one list of variables expands to.
type Pair struct {
	Case      string // what it is called where it is named
	Cluster   string // "": it stands by itself
	Base      []Sample
	Candidate []Sample
}

// A Sample is what was measured of one answer.
type Sample struct {
	Passed    bool
	Score     float64            // from 0 to 1
	Metrics   map[string]float64 // named scores, each from 0 to 1; higher is better
	LatencyMS float64
	Tokens    float64  // of the output
	Cost      *float64 // US dollars; nil: not known
}

// A Verdict is what a comparison says.
type Verdict string

// The verdicts of a comparison.
const (
	NotRegressed Verdict = "pass"
	Regressed    Verdict = "regress"
	Inconclusive Verdict = "inconclusive"
)

// Rules are what a comparison is held to. The zero value of each is its default.
type Rules struct {
	Alpha    float64            // of the whole comparison, over all gated metrics, between 0 and ½: 0.05
	Margin   float64            // how much worse is still good enough, as a share: 0.10
	Margins  map[string]float64 // of single metrics
	Gate     []string           // the metrics that decide; default: pass
	Warn     []string           // compared and told, never decide; default: latency, tokens, cost and every named score
	MinCases int                // fewer pairs than this never make a pass: 20
}

// A Metric is the comparison of one metric.
type Metric struct {
	Name      string  `json:"name"` // pass, score, latency, tokens, cost, or a named score
	Gated     bool    `json:"gated"`
	Cases     int     `json:"cases"`     // that have it on both sides
	Base      float64 `json:"base"`      // mean over cases
	Candidate float64 `json:"candidate"` // mean over cases
	Diff      float64 `json:"diff"`      // candidate − base, paired; relative to base for latency, tokens and cost
	Low       float64 `json:"low"`       // of the interval around Diff
	High      float64 `json:"high"`
	Level     float64 `json:"level"` // of the interval: 1 − 2·alpha, so that each end is wrong with probability alpha
	Margin    float64 `json:"margin"`
	P         float64 `json:"p"`          // of a difference as bad as this if the candidate were not worse
	Adjusted  float64 `json:"p_adjusted"` // by Holm, over the gated ones; P itself of the others
	Better    int     `json:"better"`     // cases that the base fails and the candidate passes (pass alone)
	Worse     int     `json:"worse"`      // cases that the base passes and the candidate fails
	Verdict   Verdict `json:"verdict"`
	Needed    int     `json:"needed,omitempty"` // cases that it would take to decide, if it is inconclusive; 0: no number would
	Why       string  `json:"why"`              // the verdict in a sentence
}

// A Result is a comparison.
type Result struct {
	Cases    int      `json:"cases"`              // that both sides answered
	Unpaired int      `json:"unpaired,omitempty"` // that one side did not answer: they are left out
	Clusters int      `json:"clusters"`
	Repeats  int      `json:"repeats"` // the most that a case was asked of one side
	Metrics  []Metric `json:"metrics"` // the gated ones first
	Verdict  Verdict  `json:"verdict"`
	Needed   int      `json:"needed,omitempty"`
	Worse    []string `json:"worse,omitempty"` // cases that went from pass to fail
}

package registry

import (
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A StatsQuery asks how calls fared. An empty field asks for all.
type StatsQuery struct {
	Prompt      prompt.ID // required
	Environment string
	Version     string
	Arm         string
	From, To    time.Time // half open: From is in it, To is not; whole minutes count
	By          string    // "", version, arm or hour
}

// CheckBy reports what statistics cannot be grouped by.
func CheckBy(by string) error {
	switch by {
	case "", "version", "arm", "hour":
		return nil
	}
	return Errorf(prompt.ErrInvalid, "statistics are by version, arm or hour, and not by %q", prompt.Clip(by, 40))
}

// Stats is how calls fared. What was not measured is null.
type Stats struct {
	Prompt      prompt.ID `json:"prompt"`
	Environment string    `json:"environment,omitempty"`
	Version     string    `json:"version,omitempty"`
	Arm         string    `json:"arm,omitempty"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Figures
	By     string  `json:"by,omitempty"`
	Groups []Group `json:"groups,omitempty"`
}

// A Group is a part of the calls: of a version, of an arm, of an hour.
type Group struct {
	Environment string     `json:"environment,omitempty"`
	Version     string     `json:"version,omitempty"`
	Arm         string     `json:"arm,omitempty"`
	Hour        *time.Time `json:"hour,omitempty"` // its beginning
	Figures
}

// Figures sum up calls. Latencies are in milliseconds, percentiles within 1.1 %
// of the exact ones.
type Figures struct {
	TotalCalls      int64            `json:"total_calls"`
	Errors          int64            `json:"errors"`
	Cancelled       int64            `json:"cancelled"`
	ErrorsByClass   map[string]int64 `json:"errors_by_class"` // provider, prompt, timeout, unknown
	ErrorRate       *float64         `json:"error_rate"`      // errors of all calls, from 0 to 1
	AvgLatencyMS    *float64         `json:"avg_latency_ms"`
	P50LatencyMS    *float64         `json:"p50_latency_ms"`
	P95LatencyMS    *float64         `json:"p95_latency_ms"`
	P99LatencyMS    *float64         `json:"p99_latency_ms"`
	P50FirstTokenMS *float64         `json:"p50_ttft_ms"`
	P95FirstTokenMS *float64         `json:"p95_ttft_ms"`
	TotalTokens     *int64           `json:"total_tokens"` // input and output
	InputTokens     *int64           `json:"input_tokens"`
	OutputTokens    *int64           `json:"output_tokens"`
	CachedTokens    *int64           `json:"cached_tokens"`
	CostUSD         *float64         `json:"cost_usd"`
	AvgCostUSD      *float64         `json:"avg_cost_usd"`       // of the calls whose cost is known
	CostPer1KTokens *float64         `json:"cost_per_1k_tokens"` // US dollars, of the calls whose cost and tokens are known
	Ratings         int64            `json:"ratings"`
	AvgSatisfaction *float64         `json:"avg_satisfaction"` // from 1 to 5
	SatisfactionSD  *float64         `json:"satisfaction_sd"`  // of the sample
}

// A Trace is what a response was made of.
type Trace struct {
	Call     WireCall         `json:"call"`
	Feedback []Feedback       `json:"feedback,omitempty"`
	Release  Release          `json:"release"`
	Messages []prompt.Message `json:"messages"`           // as released, with {{variables}}
	Rendered []prompt.Message `json:"rendered,omitempty"` // where the inputs were kept
	Before   *TracedBefore    `json:"before,omitempty"`   // nil for the first release
	Evidence []Evidence       `json:"evidence"`           // of the digest
	// Deployment is the record that stood in the environment when the call was
	// made: who made it run, why, and the rollout; nil if none did.
	Deployment *Deployment `json:"deployment,omitempty"`
	// Brought is the record by which the release came to run there, which may be
	// the same; nil if none did.
	Brought *Deployment `json:"brought,omitempty"`
	Share   *Share      `json:"share,omitempty"` // of the arm, as the call tells or the record
}

// A TracedBefore is the release before the one that was traced.
type TracedBefore struct {
	Version  prompt.Version   `json:"version"`
	Messages []prompt.Message `json:"messages"`
	Changes  []prompt.Change  `json:"changes"`
}

// A WhatRan is what an environment ran at a moment.
type WhatRan struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	Prompts     []Ran     `json:"prompts"` // in order; those that ran nothing are left out
	// Forgotten are the prompts whose records of that time are not kept.
	Forgotten []prompt.ID `json:"forgotten,omitempty"`
}

// A Ran is what ran of one prompt.
type Ran struct {
	Prompt   prompt.ID `json:"prompt"`
	Arms     []RanArm  `json:"arms"` // the one with the largest share first
	Seq      int       `json:"seq"`  // of the deployment
	Action   Action    `json:"action"`
	Since    time.Time `json:"since"`
	By       string    `json:"by"`
	Reason   string    `json:"reason,omitempty"`
	Strategy Strategy  `json:"strategy"`
}

// A RanArm is a release, and the part of the subjects that it served.
type RanArm struct {
	Name    string         `json:"name"`
	Version prompt.Version `json:"version"`
	Digest  string         `json:"digest"`
	Share   Share          `json:"share"`
}

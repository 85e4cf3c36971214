// Package report holds the nouns of a test report and the forms in which it is
// written: for a terminal, as Markdown, JUnit, SARIF, JSON and one HTML file.
//
// A report is a value. The same report is the same bytes in each form,
// whatever the order in which its cases were finished.
package report

import (
	"encoding/json"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// An Outcome is what became of a case or of one assertion.
type Outcome string

// The outcomes. An error is a case that could not be judged: it never counts
// as passed, and never as failed.
const (
	Pass  Outcome = "pass"
	Fail  Outcome = "fail"
	Error Outcome = "error"
)

// A Grade is what one assertion says of an output.
type Grade struct {
	Type    string  `json:"type"` // as the suite writes it: not-contains
	Outcome Outcome `json:"outcome"`
	Score   float64 `json:"score"` // from 0 to 1
	Weight  float64 `json:"weight"`
	Metric  string  `json:"metric,omitempty"`
	Reason  string  `json:"reason"` // one sentence, also of a pass
	Line    int     `json:"line,omitempty"`
	Parts   []Grade `json:"parts,omitempty"` // of an assert-set
	Judge   *Spent  `json:"judge,omitempty"` // what judging it took
}

// Spent is what calls took.
type Spent struct {
	Calls  int      `json:"calls"`
	Input  int      `json:"input_tokens"`
	Output int      `json:"output_tokens"`
	Cost   *float64 `json:"cost,omitempty"` // US dollars; nil: not known
}

// A Failure is why a case could not be judged.
type Failure struct {
	Kind string `json:"kind"` // a kind of package provider, or "script", "timeout", "invalid"
	Text string `json:"text"`
	Fix  string `json:"fix,omitempty"`
}

// A Case is one cell of a run: a test case, asked once of one target by one
// provider.
type Case struct {
	Number      int             `json:"number"` // of the test case in its suite, from 1
	Key         string          `json:"key"`    // of the test case, the same in every run as long as its text is
	Description string          `json:"description"`
	Vars        json.RawMessage `json:"vars,omitempty"` // an object
	Target      string          `json:"target"`         // the label of the prompt, or ID@VERSION
	Provider    string          `json:"provider"`       // its label
	Repeat      int             `json:"repeat,omitempty"`

	Outcome Outcome            `json:"outcome"`
	Score   float64            `json:"score"`
	Output  string             `json:"output"`
	Grades  []Grade            `json:"grades"`
	Metrics map[string]float64 `json:"metrics,omitempty"` // named scores
	Failure *Failure           `json:"failure,omitempty"`

	FinishReason string     `json:"finish_reason,omitempty"`
	LatencyMS    float64    `json:"latency_ms"`
	Input        int        `json:"input_tokens"`
	OutputTokens int        `json:"output_tokens"`
	Cost         *float64   `json:"cost,omitempty"`
	Replayed     bool       `json:"replayed,omitempty"`
	RecordedAt   *time.Time `json:"recorded_at,omitempty"`

	File string `json:"file"` // where the test case stands
	Line int    `json:"line"`
}

// A Run is one suite asked of its targets. Cases are in the order of the suite:
// by case, target, provider, repeat.
type Run struct {
	Suite        string   `json:"suite"`
	SuiteHash    string   `json:"suite_hash"`              // sha256: of every file that the suite reads
	CassetteHash string   `json:"cassette_hash,omitempty"` // sha256: of the cassettes that answered
	Cases        []Case   `json:"cases"`
	Passed       int      `json:"passed"`
	Failed       int      `json:"failed"`
	Errors       int      `json:"errors"`
	Flaky        int      `json:"flaky,omitempty"`     // cases that passed and failed on being asked again
	Threshold    *float64 `json:"threshold,omitempty"` // the share of cases that must pass; nil: all
	Total        Spent    `json:"total"`
	Judges       Spent    `json:"judges"`
	Notices      []string `json:"notices,omitempty"` // old cassettes, models that end, prices that are guessed
}

// A Prompt is what a report says of one prompt of the workspace.
type Prompt struct {
	ID       prompt.ID        `json:"id"`
	Version  string           `json:"version"`            // of the candidate
	Digest   string           `json:"digest"`             // of the candidate
	Base     *Base            `json:"base,omitempty"`     // what it is compared with; nil: nothing runs, or nothing was asked for
	Why      []string         `json:"why,omitempty"`      // what of it changed: text, metadata, suite, dataset, include, cassette
	Changes  []prompt.Change  `json:"changes,omitempty"`  // of its interface
	Bump     string           `json:"bump,omitempty"`     // the least that the changes ask for
	Words    string           `json:"words,omitempty"`    // the word diff in plain text, [-gone-]{+new+}
	Tokens   *Delta           `json:"tokens,omitempty"`   // of the prompt itself, estimated
	Findings []prompt.Finding `json:"findings,omitempty"` // of validation
	Run      *Run             `json:"run,omitempty"`
	BaseRun  *Run             `json:"base_run,omitempty"`
	Compared *compare.Result  `json:"compared,omitempty"`
	Untested []string         `json:"untested,omitempty"` // what was not tested, and why, a sentence each
}

// A Base is the release that a candidate is compared with.
type Base struct {
	Version     string `json:"version"`
	Digest      string `json:"digest"`
	Environment string `json:"environment,omitempty"` // "" for the release before
}

// A Delta is a number before and after.
type Delta struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// A Verdict is what a report decides about a merge.
type Verdict string

// The verdicts, from the best to the worst.
const (
	Passed      Verdict = "pass"
	Unavailable Verdict = "unavailable" // a provider did not answer: nothing is known
	Refused     Verdict = "gate"        // a test failed, or the comparison says regress
	Invalid     Verdict = "invalid"     // validation
)

// A Report is all that a run of `incipit ci` or `incipit test` found.
type Report struct {
	Schema    int       `json:"schema"` // 1
	Commit    string    `json:"commit,omitempty"`
	MergeBase string    `json:"merge_base,omitempty"`
	Mode      string    `json:"mode"` // replay, record, live or sample
	Verdict   Verdict   `json:"verdict"`
	Reasons   []string  `json:"reasons,omitempty"`  // why it is not pass, a sentence each, of the worst verdict first
	Warnings  []string  `json:"warnings,omitempty"` // what does not decide
	Prompts   []Prompt  `json:"prompts"`            // by id
	Configs   []Run     `json:"configs,omitempty"`  // of promptfoo's configs, run directly
	Nothing   string    `json:"nothing,omitempty"`  // why there was nothing to test; without it an empty report is no pass
	Finished  time.Time `json:"-"`                  // not written: two runs of the same are the same bytes
}

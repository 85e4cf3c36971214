package report

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// run is four cases asked of one target, the outcome of each by a letter: p, f,
// or e.
func run(target, outcomes string) *Run {
	r := &Run{Suite: "tests/customer-support.yaml", SuiteHash: "sha256:00", Total: Spent{Calls: len(outcomes), Input: 4_120, Output: 980, Cost: new(.0123)}}
	recorded := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	for i, o := range outcomes {
		c := Case{
			Number: i + 1, Key: fmt.Sprintf("k%d", i+1), Description: [...]string{"greets", "refuses to refund", "answers in JSON", "knows its limits"}[i%4],
			Vars: json.RawMessage(`{"name":"Ada"}`), Target: target, Provider: "gpt-4o-mini", Outcome: Pass, Score: 1,
			Output: "Hello Ada, how may I help you?", Grades: []Grade{{Type: "contains", Outcome: Pass, Score: 1, Weight: 1, Reason: "it contains Hello", Line: 12}},
			FinishReason: "stop", LatencyMS: 812.5, Input: 103, OutputTokens: 24, Cost: new(.0003), Replayed: true, RecordedAt: &recorded,
			File: "tests/customer-support.yaml", Line: 10 + 5*i,
		}
		switch o {
		case 'f':
			c.Outcome, c.Score, c.Output = Fail, 0, "Sure!\n\nYour refund is on its way."
			c.Grades = []Grade{{Type: "not-contains", Outcome: Fail, Weight: 1, Reason: `the output contains "refund"`, Line: 17}}
		case 'e':
			c.Outcome, c.Score, c.Output, c.Grades = Error, 0, "", nil
			c.Failure = &Failure{Kind: "unavailable", Text: "openai:chat: overloaded (HTTP 503)", Fix: "try again later"}
		}
		r.Cases = append(r.Cases, c)
	}
	return r
}

// sample is a report with something in each of its parts.
func sample() Report {
	candidate, base := run("customer-support@1.4.0", "pfep"), run("customer-support@1.3.2", "pppp")
	candidate.Notices = []string{"3 cassettes are older than 90 days"}
	candidate.Judges = Spent{Calls: 2, Input: 300, Output: 40, Cost: new(.0004)}
	base.Total.Cost = new(.0100)
	var pairs []compare.Pair
	for i := range 40 {
		before, after := .0003, .0004
		pairs = append(pairs, compare.Pair{
			Case:      [...]string{"k1", "k2", "k3", "k4"}[i%4],
			Base:      []compare.Sample{{Passed: true, Score: 1, LatencyMS: 800, Tokens: 24, Cost: &before}},
			Candidate: []compare.Sample{{Passed: i%4 != 1 || i > 20, Score: 1, LatencyMS: 820, Tokens: 30, Cost: &after}},
		})
	}
	compared := compare.Compare(pairs, compare.Rules{})
	compared.Worse = compared.Worse[:1]
	r := Report{
		Commit: "0123456789abcdef0123456789abcdef01234567", MergeBase: "89abcdef0123456789abcdef0123456789abcdef", Mode: "replay",
		Prompts: []Prompt{
			{ID: "billing/refunds", Version: "2.0.0", Why: []string{"metadata"}, Findings: []prompt.Finding{
				{Path: "prompts/billing/refunds/.prompt-metadata.json", Line: 4, Col: 3, Code: "metadata", Severity: prompt.SeverityError, Message: "temperature is not a number", Fix: "write 0.2"},
			}},
			{
				ID: "customer-support", Version: "1.4.0", Digest: "sha256:11", Base: &Base{"1.3.2", "sha256:22", "production"},
				Why: []string{"text", "suite"}, Changes: []prompt.Change{{Bump: prompt.Minor, Detail: "variable tone: new, optional"}}, Bump: "minor",
				Words: "Answer in [-two-]{+three short+} sentences.\n", Tokens: &Delta{120, 131},
				Run: candidate, BaseRun: base, Compared: &compared, Untested: []string{"the tool lookup_order was not called by any case"},
			},
		},
		Configs: []Run{*run("inline", "pfpp")},
	}
	r.Configs[0].Suite = "promptfooconfig.yaml"
	for i := range r.Configs[0].Cases { // each asked twice
		c := &r.Configs[0].Cases[i]
		c.Number, c.Repeat, c.Description = 1+i/2, i%2, "greets"
	}
	r.Sort()
	r.Judge()
	return r
}

package report

import (
	"net/url"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// The Static Analysis Results Interchange Format, version 2.1.0 (OASIS, 2020).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		Artifact sarifFile   `json:"artifactLocation"`
		Region   sarifRegion `json:"region"`
	}
	sarifFile struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
)

// SARIFOf is the findings of validation as a SARIF log, to be encoded as JSON.
// The version is that of the program.
func SARIFOf(findings []prompt.Finding, version string) any {
	out := newSARIF(version)
	for _, f := range findings {
		out.finding(f)
	}
	return out
}

// SARIF is the findings of validation, and each case that did not pass as a
// result at the place of its test. The version is that of the program.
func (r Report) SARIF(version string) ([]byte, error) {
	out := newSARIF(version)
	for i := range r.Prompts {
		p := &r.Prompts[i]
		for _, f := range p.Findings {
			out.finding(f)
		}
		if p.Run != nil {
			out.run(p.Run)
		}
	}
	for i := range r.Configs {
		out.run(&r.Configs[i])
	}
	return encode(out)
}

func newSARIF(version string) *sarifLog {
	return &sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{
			Tool:       sarifTool{sarifDriver{"incipit", version, []sarifRule{}}},
			ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
		}},
	}
}

func (l *sarifLog) finding(f prompt.Finding) {
	text := f.Message
	if f.Fix != "" {
		text += "\n" + f.Fix
	}
	l.add(f.Code, string(f.Severity), text, f.Path, f.Line, f.Col)
}

func (l *sarifLog) run(r *Run) {
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.Outcome == Pass {
			continue
		}
		at := c.Line
		rule := "test/" + string(c.Outcome)
		for _, g := range c.Grades {
			if g.Outcome == c.Outcome {
				rule = "test/" + line(g.Type, 60)
				if g.Line > 0 {
					at = g.Line
				}
				break
			}
		}
		text := line(c.title(), 200) + " (" + line(c.Target, 120) + ", " + line(c.Provider, 120) + ")"
		if why := c.reasons(); len(why) > 0 {
			text += "\n" + block(strings.Join(why, "\n"), 2_000)
		}
		l.add(rule, "error", text, c.File, at, 1)
	}
}

func (l *sarifLog) add(rule, level, text, file string, at, col int) {
	run := &l.Runs[0]
	rules := &run.Tool.Driver.Rules
	if !slices.Contains(*rules, sarifRule{rule}) {
		*rules = append(*rules, sarifRule{rule})
	}
	run.Results = append(run.Results, sarifResult{
		Rule: rule, Level: level, Message: sarifText{text},
		Locations: []sarifLocation{{sarifPlace{
			sarifFile{(&url.URL{Path: file}).String()},
			sarifRegion{max(at, 1), max(col, 1)},
		}}},
	})
}

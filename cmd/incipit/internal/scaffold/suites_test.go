package scaffold

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is what a suite declares before its first case, or one case of it.
type block struct {
	line int
	vars []string
	asks int // assertions
}

var (
	suiteVar    = regexp.MustCompile(`^      ([A-Za-z_]+):`)
	defaultVar  = regexp.MustCompile(`^    ([A-Za-z_]+):`)
	assertion   = regexp.MustCompile(`^ +- type: (\S+)$`)
	known       = []string{"contains", "icontains", "not-contains", "not-icontains", "regex", "is-json", "contains-json", "llm-rubric", "latency", "cost", "word-count"}
	description = regexp.MustCompile(`^  - description: `)
)

// scanSuite reads our own suites line by line: enough to see which variables
// a case sets and which assertions it makes, and no YAML library needed.
func scanSuite(t *testing.T, name, text string) (defaults block, cases []block) {
	t.Helper()
	now, inVars := &defaults, false
	for i, line := range strings.Split(text, "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		v := suiteVar
		if now == &defaults {
			v = defaultVar
		}
		switch {
		case description.MatchString(line):
			cases = append(cases, block{line: i + 1})
			now, inVars = &cases[len(cases)-1], false
		case strings.TrimSpace(line) == "vars:":
			inVars = true
		case strings.TrimSpace(line) == "assert:":
			inVars = false
		case inVars && v.MatchString(line):
			now.vars = append(now.vars, v.FindStringSubmatch(line)[1])
		case !inVars && assertion.MatchString(line):
			now.asks++
			if kind := assertion.FindStringSubmatch(line)[1]; !slices.Contains(known, kind) {
				t.Errorf("%s:%d: assertion %s", name, i+1, kind)
			}
		}
		if strings.Contains(line, "{{") {
			t.Errorf("%s:%d: a suite's values are templates too, so no braces here", name, i+1)
		}
		if indent == 0 && strings.HasPrefix(line, "provider") {
			t.Errorf("%s:%d: a suite names no provider", name, i+1)
		}
	}
	return defaults, cases
}

func TestSuitesFitTheirPrompts(t *testing.T) {
	made := all(t, noon)
	for _, dir := range prompts(t, made) {
		id := strings.TrimPrefix(dir, "prompts/")
		name := path.Join("tests", id+".yaml")
		text, ok := made[name]
		if !ok {
			t.Errorf("%s has no suite", id)
			continue
		}
		if !strings.HasPrefix(text, "# The suite of "+id+", in promptfoo's grammar.") {
			t.Errorf("%s does not say what it is", name)
		}
		defaults, cases := scanSuite(t, name, text)
		if least := map[bool]int{true: 3, false: 5}[id == "billing/refunds"]; len(cases) < least {
			t.Errorf("%s has %d cases, want at least %d", name, len(cases), least)
		}
		declared := variables(t, made, dir)
		for _, c := range cases {
			if c.asks == 0 {
				t.Errorf("%s:%d: a case without an assertion", name, c.line)
			}
			set := slices.Concat(defaults.vars, c.vars)
			for _, v := range set {
				if _, ok := declared[v]; !ok {
					t.Errorf("%s:%d: %s is not declared", name, c.line, v)
				}
			}
			for v, d := range declared {
				if d.Required && !slices.Contains(set, v) {
					t.Errorf("%s:%d: %s is required and not set", name, c.line, v)
				}
			}
		}
	}
}

// TestSuitesCoverAttacks: every suite holds a case against instructions in the input.
func TestSuitesCoverAttacks(t *testing.T) {
	made := all(t, noon)
	for name, text := range made {
		if strings.HasPrefix(name, "tests/") {
			if !strings.Contains(text, "description: follows no instruction in the ") {
				t.Errorf("%s tries no injection", name)
			}
		}
	}
}

package source

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Tests is how the prompts of a workspace are tested. It is read from the same
// commit as the prompts, so whoever opens a pull request writes it: it can cost
// nothing, run nothing and send no key anywhere by itself.
type Tests struct {
	Directory   string            // of the suites, relative to the workspace
	Cassettes   string            // of recorded answers, relative to the workspace
	CompareWith string            // the environment whose release a candidate is held against; "" for none
	Providers   map[string]string // model → the provider that answers for it, where the model's name does not tell
	Judge       string            // the provider of assertions that a model judges; "" if each names its own
	Embeddings  string            // the provider of similarity
	MaxCost     *float64          // US dollars of one run; nil: no limit
	Prices      map[string]Price  // model → what it costs, over what is known of it
	Limits      map[string]Limit  // a provider's id, such as openai:chat → how much may be asked of it
	MaxAge      time.Duration     // of a cassette, before it is reported as old
	Alpha       float64           // of one comparison
	Margin      float64           // how much worse is still good enough, unless a prompt says otherwise
}

// A Price is US dollars for a million tokens.
type Price struct {
	Input  float64 `yaml:"input"`
	Output float64 `yaml:"output"`
}

// A Limit is how much may be asked of a provider. Zero is no limit.
type Limit struct {
	Concurrency       int `yaml:"concurrency"`
	RequestsPerMinute int `yaml:"requests_per_minute"`
	TokensPerMinute   int `yaml:"tokens_per_minute"`
}

// DefaultTests stands where incipit.yaml says nothing of tests, besides the
// environment to compare with, which is the last one.
func DefaultTests() Tests {
	return Tests{Directory: "tests", Cassettes: "tests/cassettes", MaxAge: 90 * 24 * time.Hour, Alpha: 0.05, Margin: 0.10}
}

// testsRow is Tests as incipit.yaml has them.
type testsRow struct {
	Directory   string            `yaml:"directory"`
	Cassettes   string            `yaml:"cassettes"`
	CompareWith *string           `yaml:"compare_with"`
	Providers   map[string]string `yaml:"providers"`
	Judge       string            `yaml:"judge"`
	Embeddings  string            `yaml:"embeddings"`
	MaxCost     *float64          `yaml:"max_cost"`
	Prices      map[string]Price  `yaml:"prices"`
	Limits      map[string]Limit  `yaml:"limits"`
	MaxAge      string            `yaml:"max_age"`
	Alpha       *float64          `yaml:"alpha"`
	Margin      *float64          `yaml:"margin"`
}

// tests fills in what the row leaves out. environments are those of the file,
// in their order.
func (row testsRow) tests(environments []registry.Environment) (Tests, error) {
	t := DefaultTests()
	if n := len(environments); n > 0 {
		t.CompareWith = environments[n-1].Name
	}
	t.Providers, t.Judge, t.Embeddings, t.MaxCost = row.Providers, row.Judge, row.Embeddings, row.MaxCost
	t.Prices, t.Limits = row.Prices, row.Limits
	for model, p := range t.Prices {
		if !(p.Input >= 0 && p.Output >= 0 && p.Input+p.Output < 1e6) {
			return t, fmt.Errorf("prices: %s: US dollars for a million tokens, from 0", prompt.Clip(model, 80))
		}
	}
	for id, l := range t.Limits {
		if min(l.Concurrency, l.RequestsPerMinute, l.TokensPerMinute) < 0 {
			return t, fmt.Errorf("limits: %s: a limit is a whole number, from 0", prompt.Clip(id, 80))
		}
	}
	for _, d := range []struct {
		key, value string
		dst        *string
	}{{"directory", row.Directory, &t.Directory}, {"cassettes", row.Cassettes, &t.Cassettes}} {
		if d.value == "" {
			continue
		}
		if !plainDirectory(d.value) {
			return t, fmt.Errorf("%s: %q must be a plain directory inside the workspace, such as tests", d.key, prompt.Visible(prompt.Clip(d.value, 80)))
		}
		*d.dst = d.value
	}
	if row.CompareWith != nil {
		t.CompareWith = *row.CompareWith
		known := slices.ContainsFunc(environments, func(e registry.Environment) bool { return e.Name == t.CompareWith })
		if !known && t.CompareWith != "" {
			return t, fmt.Errorf("compare_with: %q is no environment here", prompt.Clip(t.CompareWith, 40))
		}
	}
	if row.MaxCost != nil && !(*row.MaxCost >= 0 && *row.MaxCost <= 1e6) {
		return t, errors.New("max_cost: it must be US dollars, from 0")
	}
	if row.MaxAge != "" {
		d, err := registry.ParseDuration(row.MaxAge)
		if err != nil {
			return t, fmt.Errorf("max_age: %w", err)
		}
		t.MaxAge = time.Duration(d)
	}
	for _, s := range []struct {
		key   string
		value *float64
		dst   *float64
		least float64
	}{{"alpha", row.Alpha, &t.Alpha, 0.0001}, {"margin", row.Margin, &t.Margin, 0}} {
		if s.value == nil {
			continue
		}
		if !(*s.value >= s.least && *s.value < 1) {
			return t, fmt.Errorf("%s: it must be a share such as 0.05", s.key)
		}
		*s.dst = *s.value
	}
	return t, nil
}

// plainDirectory reports whether s is a directory inside the workspace, written
// without detours.
func plainDirectory(s string) bool {
	return path.Clean(s) == s && !strings.HasPrefix(s, "..") && !path.IsAbs(s) && !strings.HasPrefix(s, "-") &&
		s != ".git" && !strings.HasPrefix(s, ".git/") && prompt.Visible(s) == s
}

// besideSuite is the name of a suite that stands beside its prompt.
const besideSuite = "tests.yaml"

// SuiteFiles are the places in which the suite of a prompt may stand: one of
// them is enough.
func (w *Workspace) SuiteFiles(id prompt.ID) []string {
	return []string{
		path.Join(w.Config.Tests.Directory, string(id)+".yaml"),
		path.Join(w.Config.Prompts, string(id), besideSuite),
	}
}

// Package suite reads test suites in promptfoo's grammar and runs them: cases ×
// targets × providers × repeats, graded by package assertion, told as a
// report.Run.
package suite

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Suite is one file of tests, everything that it names read and expanded.
type Suite struct {
	File        string // relative to the files it was read from
	Description string
	Prompts     []Template     // what it brings itself; none in a suite of a workspace's prompt
	Providers   []ProviderSpec // none in a suite of a workspace's prompt
	Cases       []Case         // expanded and merged with defaultTest, in the order of the file
	Options     EvaluateOptions
	Files       []string // every file that was read, sorted; the suite's own among them
	Hash        string   // sha256: over their names and bytes

	// Sources is the text of every script that a value or a transform names:
	// file://checks/tone.js:polite has the text Sources["checks/tone.js"]. Paths
	// are relative to the files the suite was read from.
	Sources map[string]string

	Env     map[string]string // the suite's own env: values for templates, never exported
	Notices []prompt.Finding  // what was ignored or looks wrong and changes no verdict
}

// EvaluateOptions is promptfoo's evaluateOptions; zero is not said.
type EvaluateOptions struct {
	Repeat         int
	MaxConcurrency int
	DelayMS        int
	TimeoutMS      int // of one case
}

// A Template is a prompt that a suite brings: a text, or a chat as JSON or YAML.
type Template struct {
	ID     string // the file, or the text itself
	Label  string
	Text   string         // a nunjucks template; rendered, it may be the JSON of a chat
	Config map[string]any // merged over the provider's
}

// A ProviderSpec names who answers.
type ProviderSpec struct {
	ID        string // openai:chat:gpt-4o-mini, anthropic:messages:…, echo, exec:…, https://…
	Label     string
	Config    map[string]any
	Prompts   []string // labels or ids of the templates that it is asked; none: all
	Transform string
	DelayMS   int
	Line      int
}

// A Case is one test, ready to be asked.
type Case struct {
	Number      int    // from 1, after expansion
	Key         string // hash of description, vars and assertions: the case's identity from run to run
	Cluster     string // hash of the test that it was expanded from
	Description string
	Vars        map[string]any
	Asserts     []assertion.Assertion
	Threshold   *float64
	Metadata    map[string]any
	Options     CaseOptions
	Prompts     []string      // labels or ids: only these templates
	Providers   []string      // labels or ids: only these providers
	Provider    *ProviderSpec // in place of the suite's
	File        string
	Line        int
}

// CaseOptions is promptfoo's options of a test.
type CaseOptions struct {
	Transform        string
	TransformVars    string
	Prefix, Suffix   string
	Judge            any // options.provider: who judges
	RubricPrompt     any
	Factuality       map[string]any // the score of each kind of agreement
	Repeat           int
	DisableVarExpand bool
	Config           map[string]any // the rest, which is the provider's: response_format, tools, …

	Sources map[string]string // those of the suite, if it has any: the texts of the files that transforms name
}

// A Target is what is tested: it makes of a case's variables the request that
// a model gets. A Template of a suite is one, and a prompt of a workspace.
type Target interface {
	Label() string // a template's label, or ID@VERSION
	Request(ctx context.Context, c Case) (provider.Request, error)
}

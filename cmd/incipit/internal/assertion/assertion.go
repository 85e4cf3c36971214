// Package assertion holds what an answer is held to: the assertion types of
// promptfoo's grammar, each with its meaning there. What it cannot check it
// refuses by name; it never passes silently.
package assertion

import (
	"context"

	_ "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// An Assertion is one line of a case's assert. Values are as YAML decodes them
// (string, bool, int, float64, nil, []any, map[string]any); templates in them
// are rendered with the case's variables when it is checked.
type Assertion struct {
	Type      string // without its not-
	Not       bool
	Value     any
	Threshold *float64
	Weight    *float64 // nil is 1
	Metric    string
	Provider  any    // of a judge: an id, or a mapping with id and config
	Rubric    any    // rubricPrompt: the judge's prompt, in place of the built-in one
	Transform string // JavaScript, applied to the output first
	Config    map[string]any
	Set       []Assertion // of an assert-set
	File      string      // where it stands
	Line      int
}

// A Subject is what is judged.
type Subject struct {
	Output      any               // a string, or what transforms made of it
	Response    provider.Response // what the output was made of
	Prompt      string            // that was sent: a text, or the messages as JSON
	Vars        map[string]any
	Description string
	Metadata    map[string]any
	Provider    string // the label of the one that answered
}

// A Renderer fills templates.
type Renderer interface {
	Render(ctx context.Context, template string, vars map[string]any) (string, error)
}

// Check judges s by a. It always returns a grade: what could not be judged has
// the outcome Error.
func (c *Checker) Check(ctx context.Context, a Assertion, s Subject) report.Grade {
	panic("not built yet")
}

// Select judges the outputs of one case against one another: select-best and
// max-score. It returns a grade for each subject, in their order.
func (c *Checker) Select(ctx context.Context, a Assertion, all []Subject, grades [][]report.Grade) []report.Grade {
	panic("not built yet")
}

// Validate finds what is wrong with a before anything is asked: a type that is
// not supported, a value that is missing or of the wrong kind, a pattern that
// does not compile. The error says what and how to write it.
func Validate(a Assertion) error { panic("not built yet") }

// A Checker is what checking needs of the world.
type Checker struct {
	Render Renderer
	Judge  func(ctx context.Context, spec any) (provider.Provider, string, error) // and the model; nil spec: the default judge
}

// Package assertion holds what an answer is held to: the assertion types of
// promptfoo's grammar, each with its meaning there (read off promptfoo 0.121),
// and how the grades of one answer become the outcome of a case.
//
// What it cannot check it refuses by name; it never passes silently. It calls
// no model, runs no code and opens no connection by itself: a Checker is given
// what does.
package assertion

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

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

// Name is the type as a suite writes it: not-contains.
func (a Assertion) Name() string {
	if a.Not {
		return "not-" + a.Type
	}
	return a.Type
}

// Weighs is the weight of an assertion, which is 1 if it says nothing.
func (a Assertion) Weighs() float64 {
	if a.Weight == nil {
		return 1
	}
	return *a.Weight
}

// Compares reports whether a judges the outputs of a case against one another,
// which Select does and Check cannot.
func (a Assertion) Compares() bool { return a.Type == "select-best" || a.Type == "max-score" }

// A Subject is what is judged.
type Subject struct {
	Output      any               // a string, or what transforms made of it
	Response    provider.Response // what the output was made of
	Prompt      string            // that was sent: a text, or the messages as JSON
	Vars        map[string]any
	Description string
	Metadata    map[string]any
	Provider    string          // the label of the one that answered
	Tools       json.RawMessage // that were sent with the prompt: an array, as OpenAI's chat format has them
}

// A Renderer fills templates.
type Renderer interface {
	Render(ctx context.Context, template string, vars map[string]any) (string, error)
}

// A Script runs the code of a suite. code is an expression or the body of a
// function, or the text of file, which is "" for code that stands in the suite
// and "checks.js" or "checks.js:name" for the code of a file. scope holds
// output and context.
//
// An error that is ErrThrown is the code's own: the assertion fails, as it does
// in promptfoo. With any other error nothing was judged.
type Script interface {
	Eval(ctx context.Context, code, file string, scope map[string]any) (any, error)
}

// A Pattern is a compiled regular expression of JavaScript. An error is a time
// limit, its own or the context's.
type Pattern interface {
	Match(ctx context.Context, s string) (bool, error)
}

// A Checker is what checking needs of the world. What is nil is not there: an
// assertion that needs it is graded as an error that says so. It is safe for
// concurrent use, and must not be copied.
type Checker struct {
	Render  Renderer
	Scripts Script                                                                 // JavaScript
	Python  Script                                                                 // nil: no consent, or no python3
	Pattern func(pattern string) (Pattern, error)                                  // compiles; each pattern is compiled once
	YAML    func(text string) (any, error)                                         // decodes a schema that is written as a text
	Sources map[string]string                                                      // the texts of the files that assertions name, by the path in their file://
	Judge   func(ctx context.Context, spec any) (provider.Provider, string, error) // and the model; nil spec: the default judge
	Rubric  any                                                                    // the judge's prompt where an assertion has none; nil: the built-in ones

	// Embedder turns texts into vectors for similar and answer-relevance; nil
	// spec: the default one.
	Embedder func(ctx context.Context, spec any) (provider.Embedder, string, error)

	// Webhook sends what webhook assertions post. It must refuse addresses that
	// are not public (SSRF); it is never asked to follow a redirect.
	Webhook        http.RoundTripper
	WebhookTimeout time.Duration // zero is 5 s, as in promptfoo
	Loopback       bool          // http:// to this machine is allowed

	patterns memo[Pattern]
	schemas  memo[*schema]
}

// Check judges s by a. It always returns a grade: what could not be judged has
// the outcome Error.
func (c *Checker) Check(ctx context.Context, a Assertion, s Subject) report.Grade {
	g := report.Grade{Type: a.Name(), Weight: a.Weighs(), Line: a.Line}
	f, err := c.find(ctx, &g, a, s)
	settle(&g, a, f, err)
	return g
}

// find asks the type of a what it says of s.
func (c *Checker) find(ctx context.Context, g *report.Grade, a Assertion, s Subject) (finding, error) {
	k, err := kindOf(a)
	if err != nil {
		return finding{}, err
	}
	if g.Metric, err = c.render(ctx, a.Metric, s.Vars); err != nil {
		return finding{}, err
	}
	if k.check == nil {
		return finding{}, invalid(a, "compares the outputs of several prompts or providers", "give the case at least two of them")
	}
	if err := validateNumbers(a, k); err != nil {
		return finding{}, err
	}
	if s, err = c.transformed(ctx, a, s); err != nil {
		return finding{}, err
	}
	q := question{a: a, s: s}
	if !k.blind {
		if q.output, err = textOf(s.Output); err != nil {
			return finding{}, err
		}
	}
	if q.value, err = c.value(ctx, k, a, s); err != nil {
		return finding{}, err
	}
	return k.check(c, ctx, q)
}

// A question is an assertion with its value rendered, asked of an output.
type question struct {
	a      Assertion
	s      Subject
	output string // as a text; "" for the types that do not read it
	value  any
}

func (q question) threshold(otherwise float64) float64 {
	if q.a.Threshold == nil {
		return otherwise
	}
	return *q.a.Threshold
}

// A finding is what a type says of an output, before not- turns it round.
type finding struct {
	holds   bool
	score   float64
	reason  string // what was found, which is true with a not- as well
	parts   []report.Grade
	spent   *report.Spent
	upright bool // not- turns round whether it holds, and not the score
	final   bool // not- turns nothing round
}

// plain is a finding that holds or does not, with nothing between.
func plain(holds bool, reason string) finding {
	f := finding{holds: holds, reason: reason}
	if holds {
		f.score = 1
	}
	return f
}

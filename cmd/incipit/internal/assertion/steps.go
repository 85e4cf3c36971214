package assertion

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	maxWalk      = 300_000 // of one walk: each is a schema that is held against a value
	patternSteps = 1000    // that a match by JavaScript's engine counts as
)

// steps is what is left of a walk through a schema. A schema of thirty lines,
// each of which asks twice for the next, is a walk of a thousand million steps.
type steps struct{ left, most int }

// ended carries an error through the library, to validate.
type ended struct{ error }

func (s *steps) take(n int) {
	if s.left -= n; s.left < 0 {
		panic(ended{registry.WithFix(errors.New("the schema asks for too much: it was given up"), "write a schema that looks at each value a few times, without a pattern of JavaScript on each of thousands of texts")})
	}
}

// vocabulary makes each schema that is compiled count its steps. It adds no
// keyword: a schema's format is what the library looks at before it goes on to
// the schemas in it, so the counting stands there.
func (s *steps) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "urn:incipit:steps",
		Compile: func(ctx *jsonschema.CompilerContext, _ map[string]any) (jsonschema.SchemaExt, error) {
			compiled := ctx.Enqueue(nil) // the schema that is being compiled
			format := compiled.Format
			counted := &jsonschema.Format{Validate: func(v any) error {
				s.take(1)
				if format == nil {
					return nil
				}
				return format.Validate(v)
			}}
			if format != nil {
				counted.Name = format.Name
			}
			compiled.Format = counted
			return nil, nil
		},
	}
}

// schemaPattern compiles a pattern of a schema: by Go's engine, which is linear
// in time, and where that has no word for it by JavaScript's.
func (c *Checker) schemaPattern(text string, left *steps) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(text)
	if err == nil {
		return re, nil
	}
	if c.Pattern == nil {
		return nil, err
	}
	p, err := c.Pattern(text)
	if err != nil {
		return nil, err
	}
	return scripted{p, text, left}, nil
}

// scripted is a pattern of a schema that JavaScript's engine matches.
type scripted struct {
	pattern Pattern
	text    string
	left    *steps
}

func (s scripted) String() string { return s.text }

func (s scripted) MatchString(text string) bool {
	s.left.take(patternSteps)
	found, err := s.pattern.Match(context.Background(), text) // the library hands on no context; the pattern has a limit of its own
	if err != nil {
		panic(ended{fmt.Errorf("the pattern %s of the schema was not matched: %w", quote(s.text), err)})
	}
	return found
}

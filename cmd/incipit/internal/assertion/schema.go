package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	jskind "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	maxSchema = 1 << 20 // bytes of a schema, written as JSON
	maxErrors = 5       // that a reason tells
	schemaURL = "urn:incipit:schema"
)

// A schema is a compiled JSON Schema. One that names no draft is of draft 7,
// as ajv reads it for promptfoo, and its formats are checked.
type schema struct {
	mu       sync.Mutex // of steps: one output is held to it at a time
	compiled *jsonschema.Schema
	steps    *steps
}

// schemaOf compiles the schema that is the value of a, once for all its cases.
func (c *Checker) schemaOf(a Assertion, value any) (*schema, error) {
	key, ok := value.(string)
	if !ok {
		var err error
		if key, err = asJSON(value); err != nil {
			return nil, invalid(a, "has a schema that JSON cannot hold", "correct it")
		}
	}
	return c.schemas.get(key, func() (*schema, error) {
		if ok {
			decoded, err := c.decode(a, key)
			if err != nil {
				return nil, err
			}
			if wrong := isSchema(decoded); wrong != "" || decoded == nil {
				return nil, invalid(a, "has a value that is no JSON Schema", "write a mapping such as {type: object}")
			}
			value = decoded
		}
		return c.compile(a, value)
	})
}

// compile reads a schema that can refer to itself alone: nothing is loaded.
func (c *Checker) compile(a Assertion, value any) (*schema, error) {
	text, err := asJSON(value)
	if err != nil {
		return nil, invalid(a, "has a schema that JSON cannot hold", "correct it")
	}
	if len(text) > maxSchema {
		return nil, invalid(a, fmt.Sprintf("has a schema of %d bytes", len(text)), "write at most %d", maxSchema)
	}
	if _, err := measured(text); err != nil {
		return nil, invalid(a, fmt.Sprintf("has a schema that is nested deeper than %d", maxNesting), "write a flatter one")
	}
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, invalid(a, "has a schema with a number that JavaScript cannot hold", "correct it")
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	left := &steps{most: maxWalk}
	compiler.RegisterVocabulary(left.vocabulary())
	compiler.AssertVocabs()
	compiler.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) { return c.schemaPattern(text, left) })
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, invalid(a, "has a value that is no JSON Schema: "+shownSchemaError(err), "correct it")
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, invalid(a, "has a value that is no JSON Schema: "+shownSchemaError(err), "correct it; a $ref reaches what stands in the schema itself")
	}
	return &schema{compiled: compiled, steps: left}, nil
}

func shownSchemaError(err error) string {
	text := strings.ReplaceAll(err.Error(), schemaURL, "")
	return prompt.Clip(strings.Join(strings.Fields(text), " "), 2*maxShown)
}

// noLoader refuses every $ref that leaves the schema.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, and nothing is loaded from elsewhere", prompt.Clip(url, maxShown))
}

// validate says what of v is not as the schema says, "" for nothing.
func (s *schema) validate(v any) (wrong string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		// The library has no other way out of a walk that must end.
		switch r := recover().(type) {
		case nil:
		case ended:
			err = r.error
		default:
			panic(r)
		}
	}()
	s.steps.left = s.steps.most
	err = s.compiled.Validate(v)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &invalid):
		return "", err
	}
	return leaves(invalid), nil
}

// leaves tells the places that are wrong, each with its path, in one order
// whatever the order in which maps were walked.
func leaves(e *jsonschema.ValidationError) string {
	var lines []string
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if extra, ok := e.ErrorKind.(*jskind.AdditionalProperties); ok {
			slices.Sort(extra.Properties)
		}
		if len(e.Causes) == 0 {
			lines = append(lines, prompt.Clip(e.Error(), maxShown))
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(e)
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if more := len(lines) - maxErrors; more > 0 {
		lines = append(lines[:maxErrors], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

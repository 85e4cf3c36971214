package assertion

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxSet bounds the assertions of one assert-set.
const maxSet = 1000

// Validate finds what is wrong with a before anything is asked: a type that is
// not supported, a value that is missing or of the wrong kind, a threshold that
// means nothing. The error is prompt.ErrInvalid; it says what and, as a
// registry.FixError, how to write it. Patterns are compiled by the method of
// Checker alone.
func Validate(a Assertion) error { return new(Checker).Validate(a) }

// Validate does what the function does, and compiles the pattern of a regex and
// the schema of a JSON assertion where no template stands in them.
func (c *Checker) Validate(a Assertion) error {
	k, err := kindOf(a)
	if err != nil {
		return err
	}
	if a.Type == "assert-set" {
		if err := c.validateSet(a); err != nil {
			return err
		}
	}
	if err := validateNumbers(a, k); err != nil {
		return err
	}
	if open(a.Value) {
		return nil // it is known once it is rendered
	}
	if wrong := k.valid(a.Value); wrong != "" {
		return invalid(a, wrong, "see docs/assertions.md for the value of %s", a.Type)
	}
	return c.compiles(a)
}

func validateNumbers(a Assertion, k kind) error {
	if w := a.Weighs(); w < 0 || math.IsNaN(w) || math.IsInf(w, 0) {
		return invalid(a, fmt.Sprintf("cannot weigh %v", w), "write a weight of 0 or more; 0 measures and decides nothing")
	}
	if a.Threshold == nil {
		if k.threshold {
			return invalid(a, "has no threshold", "write the most that is allowed: threshold: 2000 milliseconds of latency, or 0.01 US dollars of cost")
		}
		return nil
	}
	switch t := *a.Threshold; {
	case math.IsNaN(t) || math.IsInf(t, 0):
		return invalid(a, "has a threshold that is no number", "write a number")
	case k.share && (t < 0 || t > 1):
		return invalid(a, "has the threshold "+number(t)+", which is no share", "write a number from 0 to 1")
	case t < 0 && (k.threshold || a.Type == "levenshtein"):
		return invalid(a, "has the threshold "+number(t)+", below which nothing is", "write a number of 0 or more")
	}
	return nil
}

func (c *Checker) validateSet(a Assertion) error {
	if len(a.Set) == 0 {
		return invalid(a, "holds no assertion", "write them as its assert")
	}
	if len(a.Set) > maxSet {
		return invalid(a, fmt.Sprintf("holds %d assertions", len(a.Set)), "write at most %d", maxSet)
	}
	for _, part := range a.Set {
		if part.Type == "assert-set" || part.Compares() {
			return invalid(a, "holds a "+part.Type, "write it beside the set")
		}
		if err := c.Validate(part); err != nil {
			return err
		}
	}
	return nil
}

// compiles reports a pattern or a schema that does not compile.
func (c *Checker) compiles(a Assertion) error {
	switch a.Type {
	case "regex":
		text, _ := a.Value.(string)
		if c.Pattern == nil || text == "" {
			return nil
		}
		_, err := c.pattern(a, text)
		return err
	case "is-json", "contains-json":
		if _, ok := a.Value.(string); ok && c.YAML == nil || a.Value == nil {
			return nil
		}
		_, err := c.schemaOf(a, a.Value)
		return err
	}
	return nil
}

// open reports whether a value is known only when a case is checked: it names a
// file, or a template stands in it.
func open(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.HasPrefix(v, fileScheme) || templated(v)
	case []any:
		return slices.ContainsFunc(v, open)
	case map[string]any:
		for _, e := range v {
			if open(e) {
				return true
			}
		}
	}
	return false
}

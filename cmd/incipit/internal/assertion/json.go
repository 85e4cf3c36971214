package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/registry"
)

// isJSON holds if the whole output is JSON, and is as a schema says.
func (c *Checker) isJSON(_ context.Context, q question) (finding, error) {
	sch, err := c.asked(q)
	if err != nil {
		return finding{}, err
	}
	values, err := measured(q.output)
	if err != nil {
		return finding{}, err
	}
	if !utf8.ValidString(q.output) || !json.Valid([]byte(q.output)) {
		return plain(false, "the output is no JSON: "+quote(q.output)), nil
	}
	if sch == nil {
		return plain(true, "the output is JSON"), nil
	}
	wrong, err := conforms(sch, q.output, values)
	if err != nil {
		return finding{}, err
	}
	if wrong != "" {
		return plain(false, "the output is JSON that is not as the schema says: "+wrong), nil
	}
	return plain(true, "the output is JSON as the schema says"), nil
}

// asked is the schema that is the value, nil if there is none.
func (c *Checker) asked(q question) (*schema, error) {
	if q.value == nil || q.value == "" {
		return nil, nil
	}
	return c.schemaOf(q.a, q.value)
}

// containsJSON holds if a JSON object stands somewhere in the output: any that
// is as the schema says, if there is one.
func (c *Checker) containsJSON(_ context.Context, q question) (finding, error) {
	sch, err := c.asked(q)
	if err != nil {
		return finding{}, err
	}
	found, wrong := "", ""
	var trouble error
	err = objects(q.output, func(object string) bool {
		if sch == nil {
			found = object
			return false
		}
		values, err := measured(object)
		if err == nil {
			wrong, err = conforms(sch, object, values)
		}
		if err != nil {
			trouble = err
			return false
		}
		if wrong == "" {
			found = object
		}
		return found == ""
	})
	switch {
	case err != nil || trouble != nil:
		return finding{}, errors.Join(err, trouble)
	case found != "":
		return plain(true, "the output contains the JSON "+quote(found)), nil
	case wrong != "":
		return plain(false, "the output contains JSON, and none that is as the schema says: "+wrong), nil
	}
	return plain(false, "the output contains no JSON object: "+quote(q.output)), nil
}

// conforms reports what of a JSON text is not as a schema says, "" for nothing.
// Numbers are JavaScript's.
func conforms(sch *schema, text string, values int) (wrong string, err error) {
	if values > maxValues {
		return "", registry.WithFix(fmt.Errorf("the output holds %d values of JSON, and at most %d are held to a schema", values, maxValues), "cut it down in a transform")
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "it holds a number that JavaScript cannot", nil
	}
	return sch.validate(v)
}

package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/incipit-dev/incipit/internal/registry"
)

// isToolsCall holds if the answer calls tools, all of them among those that it
// was given, with arguments as their parameters say.
func (c *Checker) isToolsCall(_ context.Context, q question) (finding, error) {
	raw := q.s.Response.ToolCalls
	if len(raw) > maxOutput || len(q.s.Tools) > maxOutput {
		return finding{}, fmt.Errorf("the calls of tools have more than %d bytes", maxOutput)
	}
	var calls []struct {
		Function struct {
			Name      string  `json:"name"`
			Arguments *string `json:"arguments"`
		} `json:"function"`
	}
	if json.Unmarshal(raw, &calls) != nil || len(calls) == 0 {
		return plain(false, "the answer calls no tool"), nil
	}
	parameters, err := toolParameters(q.s.Tools)
	if err != nil {
		return finding{}, err
	}
	for _, call := range calls {
		name := call.Function.Name
		schema, ok := parameters[name]
		switch {
		case !ok:
			return plain(false, "the answer calls the tool "+quote(name)+", which it was not given"), nil
		case call.Function.Arguments == nil:
			return plain(false, "the answer calls the tool "+quote(name)+" without arguments"), nil
		}
		wrong, err := c.badArguments(q.a, schema, *call.Function.Arguments)
		if err != nil || wrong != "" {
			return plain(false, "the answer calls the tool "+quote(name)+" with arguments that are not as it says: "+wrong), err
		}
	}
	return plain(true, fmt.Sprintf("the answer calls tools that it was given, %d times, with arguments as they say", len(calls))), nil
}

// toolParameters are the schemas of the functions that were sent, by name; nil
// for one that takes anything.
func toolParameters(tools json.RawMessage) (map[string]any, error) {
	var list []struct {
		Function struct {
			Name       string `json:"name"`
			Parameters any    `json:"parameters"`
		} `json:"function"`
	}
	if len(tools) == 0 {
		return nil, registry.WithFix(errors.New("the prompt has no tools"), "add them to the prompt or the provider's config")
	}
	if err := json.Unmarshal(tools, &list); err != nil {
		return nil, errors.New("the tools of the prompt are no list of functions")
	}
	byName := make(map[string]any, len(list))
	for _, t := range list {
		byName[t.Function.Name] = t.Function.Parameters
	}
	return byName, nil
}

func (c *Checker) badArguments(a Assertion, parameters any, arguments string) (wrong string, err error) {
	values, err := measured(arguments)
	if err != nil {
		return "", err
	}
	if !json.Valid([]byte(arguments)) {
		return "they are no JSON", nil
	}
	if parameters == nil {
		return "", nil
	}
	sch, err := c.schemaOf(a, parameters)
	if err != nil {
		return "", err
	}
	return conforms(sch, arguments, values)
}

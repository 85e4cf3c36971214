package importer

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// picoschema reads a schema of dotprompt, which is Picoschema or a JSON Schema,
// and returns a JSON Schema (google.github.io/dotprompt/reference/picoschema).
// A name stands for a schema that a program has, and is refused.
func (d *document) picoschema(n *yaml.Node, depth int) (map[string]any, error) {
	if n.Kind == yaml.ScalarNode {
		return d.picoType(n)
	}
	o, err := d.object(n, "a schema")
	if err != nil {
		return nil, err
	}
	if t := o.get("type"); depth == 0 && t != nil && t.Kind == yaml.ScalarNode && (t.Value == "object" || t.Value == "array" && o.get("items") != nil) || o.get("$schema") != nil {
		value, err := d.value(n)
		if err != nil {
			return nil, err
		}
		m, _ := value.(map[string]any)
		return m, nil
	}
	properties := make(map[string]any)
	var required []any
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	for k, v := range o.pairs {
		if k.Value == "(*)" {
			if out["additionalProperties"], err = d.picoschema(v, depth+1); err != nil {
				return nil, err
			}
			continue
		}
		name, field, optional, err := d.picoField(k, v, depth)
		if err != nil {
			return nil, err
		}
		properties[name] = field
		if !optional {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out, nil
}

// picoField reads "name?(array, what it is): string".
func (d *document) picoField(k, v *yaml.Node, depth int) (name string, field map[string]any, optional bool, err error) {
	name, note, described := strings.Cut(k.Value, "(")
	kind, description := "", ""
	if described {
		note, ok := strings.CutSuffix(note, ")")
		if !ok {
			return "", nil, false, d.fail(k, "%q has no closing parenthesis", prompt.Clip(k.Value, 60))
		}
		kind, description, _ = strings.Cut(note, ",")
		kind, description = strings.TrimSpace(kind), strings.TrimSpace(description)
	}
	name, optional = strings.CutSuffix(name, "?")
	switch kind {
	case "", "object":
		field, err = d.picoschema(v, depth+1)
	case "array":
		var items map[string]any
		items, err = d.picoschema(v, depth+1)
		field = map[string]any{"type": "array", "items": items}
	case "enum":
		if v.Kind != yaml.SequenceNode {
			return "", nil, false, d.fail(v, "an enum must be a list")
		}
		var values any
		values, err = d.value(v)
		field = map[string]any{"enum": values}
	default:
		return "", nil, false, d.fail(k, "%q is none of array, object and enum", prompt.Clip(kind, 40))
	}
	if err != nil {
		return "", nil, false, err
	}
	if description != "" {
		field["description"] = description
	}
	if t, ok := field["type"].(string); ok && optional {
		field["type"] = []any{t, "null"}
	}
	return name, field, optional, nil
}

// picoType reads "string, what it is".
func (d *document) picoType(n *yaml.Node) (map[string]any, error) {
	kind, description, _ := strings.Cut(n.Value, ",")
	kind, description = strings.TrimSpace(kind), strings.TrimSpace(description)
	out := map[string]any{"type": kind}
	if kind == "any" {
		out = make(map[string]any)
	} else if !slices.Contains([]string{"string", "boolean", "null", "number", "integer"}, kind) {
		return nil, d.fail(n, "%q is no type; a schema that a program has by this name cannot be taken over: write it out", prompt.Clip(kind, 60))
	}
	if description != "" {
		out["description"] = description
	}
	return out, nil
}

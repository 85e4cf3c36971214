package importer

import (
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// githubParameters are the keys of modelParameters, as gh-models reads them
// (github.com/github/gh-models, pkg/prompt), and what they are called here.
var githubParameters = map[string]string{"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p"}

// github reads a .prompt.yml of GitHub Models.
func (r *reader) github() (v Version, err error) {
	d, root, err := parse(r.file, r.data, 0)
	if err != nil {
		return v, err
	}
	o, err := d.object(root, "the file")
	if err != nil {
		return v, err
	}
	if err := o.describe(&v); err != nil {
		return v, err
	}
	if v.Model, err = o.text("model"); err != nil {
		return v, err
	}
	if p, err := o.inner("modelParameters"); err != nil {
		return v, err
	} else if p != nil {
		if err := p.settings(&v, githubParameters); err != nil {
			return v, err
		}
	}
	if err := r.githubFormat(&v, o); err != nil {
		return v, err
	}
	list, err := o.list("messages")
	if err != nil {
		return v, err
	}
	turns, err := d.turns(list, plain)
	if err != nil {
		return v, err
	}
	if err := r.converse(&v, turns); err != nil {
		return v, err
	}
	if err := r.githubTests(&v, o); err != nil {
		return v, err
	}
	v.leftOut(o, "")
	return v, nil
}

// describe reads what several formats call alike.
func (o *object) describe(v *Version) (err error) {
	if v.Name, err = o.text("name"); err == nil {
		v.Description, err = o.text("description")
	}
	return err
}

// turns reads a list of {role, content}.
func (d *document) turns(list []*yaml.Node, t dialect) ([]turn, error) {
	out := make([]turn, 0, len(list))
	for _, n := range list {
		o, err := d.object(n, "a message")
		if err != nil {
			return nil, err
		}
		role, err := o.text("role")
		if err != nil {
			return nil, err
		}
		c := o.get("content")
		if c == nil {
			return nil, d.fail(n, "a message has no content")
		}
		if c, err = d.onlyText(c); err != nil {
			return nil, err
		}
		for _, k := range o.rest() {
			if k.Value != "type" {
				return nil, d.fail(k, "a message has %s, and one here has role and content alone", prompt.Clip(k.Value, 60))
			}
		}
		text, err := convert(c.Value, t, d.file, d.textLine(c))
		if err != nil {
			return nil, err
		}
		out = append(out, turn{role, text, d.line(n)})
	}
	return out, nil
}

// onlyText takes the content of a message for a text, or for a list with one
// part, a text.
func (d *document) onlyText(c *yaml.Node) (*yaml.Node, error) {
	if c.Kind == yaml.SequenceNode && len(c.Content) == 1 && c.Content[0].Kind == yaml.MappingNode {
		part := &object{d, c.Content[0], make(map[string]bool)}
		if text := part.get("text"); text != nil {
			c = text
		}
	}
	if c.Kind != yaml.ScalarNode {
		return nil, d.fail(c, "the content of a message has parts that are no text (images, files, calls of tools); a prompt here is text")
	}
	return c, nil
}

// githubFormat reads responseFormat and jsonSchema, which is JSON in a text.
func (r *reader) githubFormat(v *Version, o *object) error {
	format, err := o.text("responseFormat")
	if err != nil {
		return err
	}
	schema := o.get("jsonSchema")
	switch format {
	case "", "text":
	case "json_object":
		v.parameter("response_format", map[string]any{"type": "json_object"})
	case "json_schema":
		if schema == nil {
			return o.d.fail(o.get("responseFormat"), "responseFormat is json_schema, and there is no jsonSchema")
		}
	default:
		return o.d.fail(o.get("responseFormat"), "responseFormat is %q; it is text, json_object or json_schema", prompt.Clip(format, 40))
	}
	if schema == nil {
		return nil
	}
	var wrapped any
	if schema.Kind == yaml.ScalarNode {
		if err := strictjson.Check([]byte(schema.Value)); err != nil {
			return o.d.fail(schema, "jsonSchema is not JSON: %s", err)
		}
		err = json.Unmarshal([]byte(schema.Value), &wrapped)
	} else {
		wrapped, err = o.d.value(schema)
	}
	if err != nil {
		return err
	}
	return v.schema(r.file, o.d.line(schema), wrapped)
}

func (v *Version) parameter(name string, value any) {
	if v.Parameters == nil {
		v.Parameters = make(map[string]any)
	}
	v.Parameters[name] = value
}

// schema takes an output schema: a JSON Schema, or OpenAI's envelope around it.
func (v *Version) schema(file string, line int, value any) error {
	m, ok := value.(map[string]any)
	if !ok {
		return fail(file, line, "the schema of the output must be an object")
	}
	if inner, ok := m["schema"].(map[string]any); ok {
		if strict, said := m["strict"].(bool); said && !strict {
			v.note(file, line, "strict: false is not taken over; an output schema here is held strictly where the provider can")
		}
		m = inner
	}
	v.OutputSchema = m
	return nil
}

// githubTests makes a suite of testData and evaluators.
func (r *reader) githubTests(v *Version, o *object) error {
	evaluators, err := o.list("evaluators")
	if err != nil {
		return err
	}
	var asserts []any
	for _, n := range evaluators {
		a, err := r.evaluator(v, o.d, n)
		if err != nil {
			return err
		}
		if a != nil {
			asserts = append(asserts, a)
		}
	}
	data, err := o.list("testData")
	if err != nil {
		return err
	}
	s := suite{Description: v.Name}
	for _, n := range data {
		vars, err := o.d.value(n)
		if err != nil {
			return err
		}
		m, ok := vars.(map[string]any)
		if !ok {
			return o.d.fail(n, "an item of testData must be a mapping")
		}
		c := testCase{Vars: m, Assert: asserts}
		if _, ok := m["expected"]; ok {
			delete(m, "expected")
			v.note(r.file, o.d.line(n), "expected is not checked: the evaluators of the file are; add an assertion to the suite if it should be")
		}
		literals(m)
		s.Tests = append(s.Tests, c)
	}
	if len(s.Tests) > 0 && len(asserts) == 0 {
		v.note(r.file, o.d.line(o.get("testData")), "testData is left out: without an evaluator that could be taken over nothing would be checked")
		return nil
	}
	if len(s.Tests) == 0 && len(asserts) > 0 {
		v.note(r.file, o.d.line(o.get("evaluators")), "the evaluators are left out: there is no testData")
		return nil
	}
	v.Suite, err = s.encode()
	return err
}

// evaluator is an assertion of a string evaluator, and nil for one that a
// model judges. gh-models compares without regard to upper and lower case, but
// for equals.
func (r *reader) evaluator(v *Version, d *document, n *yaml.Node) (any, error) {
	o, err := d.object(n, "an evaluator")
	if err != nil {
		return nil, err
	}
	name, err := o.text("name")
	if err != nil {
		return nil, err
	}
	s, err := o.inner("string")
	if err != nil {
		return nil, err
	}
	if s == nil {
		v.note(r.file, d.line(n), "the evaluator %q is not taken over: a model judges in it, by a prompt and scores of its own; llm-rubric comes closest", prompt.Clip(name, 60))
		return nil, nil
	}
	for _, key := range []string{"equals", "contains", "startsWith", "endsWith"} {
		value, err := s.text(key)
		if err != nil || value == "" {
			if err != nil {
				return nil, err
			}
			continue
		}
		a := assertion{Metric: name}
		switch key {
		case "equals":
			a.Type, a.Value = "equals", literal(value)
		case "contains":
			a.Type, a.Value = "icontains", literal(value)
		case "startsWith":
			a.Type, a.Value = "regex", "^"+anyCase(value)
		case "endsWith":
			a.Type, a.Value = "regex", anyCase(value)+"$"
		}
		return a, nil
	}
	return nil, d.fail(n, "the evaluator %q has none of equals, contains, startsWith and endsWith", prompt.Clip(name, 60))
}

// anyCase is a regular expression of JavaScript for a text in any case. A brace
// is written so that no template is seen in it.
func anyCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		lower, upper := strings.ToLower(string(r)), strings.ToUpper(string(r))
		switch {
		case r == '{':
			b.WriteString("[{]")
		case lower != upper && len(lower) == len(upper):
			b.WriteString("[" + lower + upper + "]")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String()
}

// literals keeps what a variable's value holds from being read as a template.
func literals(vars map[string]any) {
	for k, v := range vars {
		if s, ok := v.(string); ok {
			vars[k] = literal(s)
		}
	}
}

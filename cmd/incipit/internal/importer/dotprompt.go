package importer

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// dotpromptParameters are the keys of config that Genkit's models share, and
// what they are called here. A key that is called as here is taken, too.
var dotpromptParameters = map[string]string{
	"temperature": "temperature", "topP": "top_p", "topK": "top_k", "maxOutputTokens": "max_tokens", "stopSequences": "stop",
	"seed": "seed", "frequencyPenalty": "frequency_penalty", "presencePenalty": "presence_penalty",
	"top_p": "top_p", "top_k": "top_k", "max_tokens": "max_tokens", "stop": "stop", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty",
	"response_format": "response_format", "apiKey": "", "baseUrl": "",
}

// dotprompt reads a .prompt file: settings, and a Handlebars template in which
// {{role "system"}} begins a message. Without a role the text is the user's.
func (r *reader) dotprompt() (v Version, err error) {
	d, root, body, line, err := r.frontMatter()
	if err != nil {
		return v, err
	}
	o, err := d.object(root, "what stands between the dashes")
	if err != nil {
		return v, err
	}
	if err := o.describe(&v); err != nil {
		return v, err
	}
	if err := r.dotpromptSettings(&v, o); err != nil {
		return v, err
	}
	// dotprompt cuts the white space off both ends of the template.
	trimmed := strings.TrimLeft(body, " \t\n\v\f\r")
	line += strings.Count(body[:len(body)-len(trimmed)], "\n")
	ps, err := split(strings.TrimRight(trimmed, " \t\n\v\f\r"), handlebars, r.file, line)
	if err != nil {
		return v, err
	}
	v.leftOut(o, "")
	return v, r.converse(&v, dotpromptTurns(ps, line))
}

// dotpromptTurns are the messages of a template. A part of white space alone is
// none; a role behind one names the next.
func dotpromptTurns(ps []piece, line int) []turn {
	var out []turn
	now, from := turn{role: prompt.User, line: line}, 0
	end := func(to int) {
		if now.content = ours(ps[from:to]); strings.TrimSpace(now.content) != "" {
			out = append(out, now)
		}
		line += strings.Count(now.content, "\n")
	}
	for i, p := range ps {
		if p.role != "" {
			end(i)
			now, from = turn{role: p.role, line: line}, i+1
		}
	}
	end(len(ps))
	return out
}

func (r *reader) dotpromptSettings(v *Version, o *object) (err error) {
	if v.Model, err = o.text("model"); err != nil {
		return err
	}
	if n, err := o.text("version"); err != nil {
		return err
	} else if _, err := prompt.ParseVersion(n); err == nil {
		v.Number = n
	}
	if config, err := o.inner("config"); err != nil {
		return err
	} else if config != nil {
		if err := config.settings(v, dotpromptParameters); err != nil {
			return err
		}
	}
	if tools := o.get("tools"); tools != nil && len(tools.Content) > 0 {
		return o.d.fail(tools, "tools are named here and defined in a program, so that they cannot be taken over; add them to the prompt once it is imported")
	}
	if err := r.dotpromptInput(v, o); err != nil {
		return err
	}
	return r.dotpromptOutput(v, o)
}

// dotpromptInput reads the variables: input.schema and input.default.
func (r *reader) dotpromptInput(v *Version, o *object) error {
	input, err := o.inner("input")
	if err != nil || input == nil {
		return err
	}
	defaults := make(map[string]any)
	if def, err := input.inner("default"); err != nil {
		return err
	} else if def != nil {
		value, err := o.d.value(def.n)
		if err != nil {
			return err
		}
		defaults, _ = value.(map[string]any)
	}
	v.Variables = make(map[string]prompt.Variable)
	if schema := input.get("schema"); schema != nil {
		fields, err := o.d.picoschema(schema, 0)
		if err != nil {
			return err
		}
		if err := v.declared(o.d, schema, fields); err != nil {
			return err
		}
	}
	for name, value := range defaults {
		d := v.Variables[name]
		d.Default, d.Required = value, nil
		v.Variables[name] = d
	}
	v.leftOut(input, "input.")
	return nil
}

// declared makes variables of the properties of a JSON Schema.
func (v *Version) declared(d *document, n *yaml.Node, schema map[string]any) error {
	properties, _ := schema["properties"].(map[string]any)
	required := make(map[any]bool)
	if list, ok := schema["required"].([]any); ok {
		for _, name := range list {
			required[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		field, _ := properties[name].(map[string]any)
		kind, ok := field["type"].(string)
		if list, isList := field["type"].([]any); isList && len(list) > 0 { // ["string", "null"], an optional one
			kind, ok = list[0].(string)
		}
		if !ok || kind != "string" && kind != "integer" && kind != "number" && kind != "boolean" {
			return d.fail(n, "variable %s is no text, number or boolean, and a variable here is one of them", prompt.Clip(name, 64))
		}
		x := prompt.Variable{Type: kind}
		x.Description, _ = field["description"].(string)
		x.Default = field["default"]
		if !required[name] && x.Default == nil {
			no := false
			x.Required, x.Default = &no, emptyOf(kind)
		}
		v.Variables[name] = x
	}
	return nil
}

// emptyOf is what an optional variable without a default becomes: nothing, if
// it is a text.
func emptyOf(kind string) any {
	switch kind {
	case "integer", "number":
		return 0
	case "boolean":
		return false
	}
	return ""
}

// dotpromptOutput reads output.format and output.schema.
func (r *reader) dotpromptOutput(v *Version, o *object) error {
	output, err := o.inner("output")
	if err != nil || output == nil {
		return err
	}
	format, err := output.text("format")
	if err != nil {
		return err
	}
	if schema := output.get("schema"); schema != nil {
		value, err := o.d.picoschema(schema, 0)
		if err != nil {
			return err
		}
		v.OutputSchema = value
	} else if format == "json" {
		v.parameter("response_format", map[string]any{"type": "json_object"})
	}
	if format != "" && format != "json" && format != "text" {
		v.note(r.file, o.d.line(output.get("format")), "output.format %s is not taken over", prompt.Clip(format, 40))
	}
	v.leftOut(output, "output.")
	return nil
}

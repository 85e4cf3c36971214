package importer

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// openParameters are parameters that are called as here wherever OpenAI's names
// are in use.
var openParameters = map[string]string{
	"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "max_completion_tokens": "max_completion_tokens",
	"max_output_tokens": "max_tokens", "stop": "stop", "seed": "seed", "frequency_penalty": "frequency_penalty",
	"presence_penalty": "presence_penalty", "response_format": "response_format", "tool_choice": "tool_choice", "reasoning_effort": "reasoning_effort",
	"parallel_tool_calls": "parallel_tool_calls", "logprobs": "logprobs", "top_logprobs": "top_logprobs", "n": "n", "logit_bias": "logit_bias",
	"reasoning": "reasoning", "service_tier": "service_tier", "verbosity": "verbosity", "top_k": "top_k",
}

// prompty reads a .prompty file: settings, and a Jinja template in which a line
// "system:", "user:" or "assistant:" begins a message.
func (r *reader) prompty() (v Version, err error) {
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
	if n, err := o.text("version"); err != nil {
		return v, err
	} else if _, err := prompt.ParseVersion(n); err == nil {
		v.Number = n
	}
	for _, read := range []func(*Version, *object) error{r.promptyPeople, r.promptyTemplate, r.promptyModel, r.promptyInputs, r.promptyOutputs} {
		if err := read(&v, o); err != nil {
			return v, err
		}
	}
	o.get("$schema")
	v.leftOut(o, "")
	turns, err := r.promptyTurns(body, line)
	if err != nil {
		return v, err
	}
	return v, r.converse(&v, turns)
}

func (r *reader) promptyPeople(v *Version, o *object) error {
	for _, key := range []string{"authors", "tags"} {
		n := o.get(key)
		if n == nil {
			continue
		}
		var words []string
		for _, c := range append(slices.Clone(n.Content), n) {
			if c.Kind == yaml.ScalarNode && c.Value != "" {
				words = append(words, c.Value)
			}
		}
		if key == "tags" {
			v.Tags = words
		} else {
			v.Author = strings.Join(words, ", ")
		}
	}
	return nil
}

// promptyTemplate refuses a template that is not Jinja's.
func (r *reader) promptyTemplate(_ *Version, o *object) error {
	n := o.get("template")
	if n == nil {
		return nil
	}
	kind := n.Value
	if n.Kind == yaml.MappingNode {
		t := &object{o.d, n, make(map[string]bool)}
		for _, key := range []string{"format", "type"} {
			if s, err := t.text(key); err != nil {
				return err
			} else if s != "" {
				kind = s
			}
		}
	}
	if kind != "" && kind != "jinja2" && kind != "nunjucks" {
		return o.d.fail(n, "the template is %q, and only jinja2 is read", prompt.Clip(kind, 40))
	}
	return nil
}

// promptyModel reads model.configuration, of which the model's name alone comes
// along: the rest is where to call, and with what key. It also reads the newer
// form, in which model.id names the model and model.options the parameters.
func (r *reader) promptyModel(v *Version, o *object) error {
	n := o.get("model")
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		v.Model = n.Value
		return nil
	}
	m, err := o.d.object(n, "model")
	if err != nil {
		return err
	}
	for _, key := range []string{"api", "apiType"} {
		if api, err := m.text(key); err != nil {
			return err
		} else if api != "" && api != "chat" {
			return o.d.fail(m.get(key), "model.%s is %q, and a prompt here is of a chat", key, prompt.Clip(api, 40))
		}
	}
	if v.Model, err = m.text("id"); err != nil {
		return err
	}
	if c, err := m.inner("configuration"); err != nil {
		return err
	} else if c != nil {
		for _, key := range []string{"azure_deployment", "model", "name"} {
			if s, err := c.text(key); err != nil {
				return err
			} else if s != "" && v.Model == "" && !strings.HasPrefix(s, "${") {
				v.Model = s
			}
		}
		v.note(r.file, o.d.line(c.n), "model.configuration is not taken over, but for the model's name: where to call stands with a provider, and keys in its environment")
	}
	for _, key := range []string{"parameters", "options"} {
		p, err := m.inner(key)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if err := r.promptyParameters(v, p); err != nil {
			return err
		}
	}
	m.get("provider")
	v.leftOut(m, "model.")
	return nil
}

func (r *reader) promptyParameters(v *Version, p *object) error {
	if tools := p.get("tools"); tools != nil {
		value, err := p.d.value(tools)
		if err != nil {
			return err
		}
		list, ok := value.([]any)
		if !ok {
			return p.d.fail(tools, "tools must be a list")
		}
		v.Tools = list
	}
	known := maps.Clone(openParameters)
	for theirs, ours := range dotpromptParameters { // as Prompty 2 and Google's models have them
		if ours != "" {
			known[theirs] = ours
		}
	}
	known["tools"] = ""
	if err := p.settings(v, known); err != nil {
		return err
	}
	return r.unwrapFormat(v, p)
}

// unwrapFormat takes the schema out of a response_format that has one.
func (r *reader) unwrapFormat(v *Version, o *object) error {
	format, _ := v.Parameters["response_format"].(map[string]any)
	schema, ok := format["json_schema"]
	if !ok {
		return nil
	}
	delete(v.Parameters, "response_format")
	return v.schema(r.file, o.d.line(o.n), schema)
}

// promptyInputs reads inputs and sample: the variables, their types and
// defaults. What is sampled says what a variable may hold, and is not its
// default; it becomes no test either, as nothing says what is right.
func (r *reader) promptyInputs(v *Version, o *object) error {
	v.Variables = make(map[string]prompt.Variable)
	if n := o.get("inputs"); n != nil {
		if n.Kind != yaml.SequenceNode && n.Kind != yaml.MappingNode {
			return o.d.fail(n, "inputs must be a mapping, or a list")
		}
		for i, c := range n.Content {
			name := ""
			if n.Kind == yaml.MappingNode {
				if i%2 == 0 {
					continue
				}
				name = n.Content[i-1].Value
			} else if c.Kind == yaml.MappingNode {
				name, _ = (&object{o.d, c, make(map[string]bool)}).text("name") // that it is none is told below
			}
			x, err := r.promptyInput(o.d, c)
			if err != nil {
				return err
			}
			v.Variables[name] = x
		}
	}
	if n := o.get("sample"); n != nil {
		v.note(r.file, o.d.line(n), "sample is not taken over: it has values and nothing to hold an answer to")
	}
	return nil
}

func (r *reader) promptyInput(d *document, n *yaml.Node) (x prompt.Variable, err error) {
	if n.Kind == yaml.ScalarNode { // a value, as a sample has it
		return prompt.Variable{Type: "string"}, nil
	}
	o, err := d.object(n, "an input")
	if err != nil {
		return x, err
	}
	for _, key := range []string{"type", "kind"} { // of Prompty 1, and of 2
		if kind, err := o.text(key); err != nil {
			return x, err
		} else if kind != "" {
			x.Type = kind
		}
	}
	switch x.Type {
	case "", "string", "integer", "number", "boolean":
	case "float":
		x.Type = "number"
	case "bool":
		x.Type = "boolean"
	default:
		return x, d.fail(n, "an input is %q, and a variable here is a text, a number or a boolean", prompt.Clip(x.Type, 40))
	}
	if x.Description, err = o.text("description"); err != nil {
		return x, err
	}
	if def := o.get("default"); def != nil {
		x.Default, err = d.value(def)
	}
	return x, err
}

// promptyOutputs takes outputs for an output schema, if they are one.
func (r *reader) promptyOutputs(v *Version, o *object) error {
	n := o.get("outputs")
	if n == nil {
		return nil
	}
	v.note(r.file, o.d.line(n), "outputs is not taken over; an output_schema in the metadata says the same to the model")
	return nil
}

// promptyTurns are the messages of a body. Jinja drops the newline at its end;
// a text before the first role is the system's.
func (r *reader) promptyTurns(body string, line int) ([]turn, error) {
	// As Prompty's own parser finds them: microsoft/prompty, runtime/prompty/prompty/parsers.py.
	boundary := regexp.MustCompile(`(?i)^\s*#?\s*(assistant|function|system|user|tools|developer)(\[[^\]]*\])?\s*:\s*$`)
	image := regexp.MustCompile(`!\[[^\]]*\]\(`)
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if n := len(lines); n > 1 && lines[n-1] == "" { // the end of the last line is none of its own
		lines = lines[:n-1]
	}
	var out []turn
	now, from := turn{role: prompt.System, line: line}, 0
	end := func(to int) error {
		text := strings.Join(lines[from:to], "\n")
		if to == from || len(out) == 0 && strings.TrimSpace(text) == "" {
			return nil
		}
		if i := image.FindStringIndex(text); i != nil {
			return fail(r.file, line+from+strings.Count(text[:i[0]], "\n"), "an image stands in the message; a prompt here is text")
		}
		var err error
		if now.content, err = convert(text, jinja, r.file, line+from); err == nil {
			out = append(out, now)
		}
		return err
	}
	for i, l := range lines {
		m := boundary.FindStringSubmatch(l)
		if m == nil && !strings.HasPrefix(strings.TrimSpace(l), "![thread]") {
			continue
		}
		if m == nil {
			return nil, fail(r.file, line+i, "![thread] puts a conversation in, which a prompt here does not hold")
		}
		if err := end(i); err != nil {
			return nil, err
		}
		now, from = turn{role: strings.ToLower(m[1]), line: line + i}, i+1
	}
	return out, end(len(lines))
}

package importer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// openAI reads a prompt object, a list of them, or an object with a list of
// versions or data. Objects with one id are versions of one prompt.
//
// The fields are those of a request of OpenAI's Responses API (model,
// instructions, input, tools, text, temperature, …), or messages in place of
// the two, and id, name, description, version, created_at and variables.
func (r *reader) openAI() ([]Prompt, error) {
	d, root, err := parseJSON(r.file, r.data, 0)
	if err != nil {
		return nil, err
	}
	list, err := openAIObjects(d, root)
	if err != nil {
		return nil, err
	}
	var order []string
	byID := make(map[string][]openAIVersion)
	for _, n := range list {
		v, err := r.openAIVersion(d, n)
		if err != nil {
			return nil, err
		}
		if byID[v.id] == nil {
			order = append(order, v.id)
		}
		byID[v.id] = append(byID[v.id], v)
	}
	var out []Prompt
	for _, key := range order {
		suffix := ""
		if len(order) > 1 {
			suffix = cmp.Or(byID[key][0].Name, key)
		}
		id, err := r.id(suffix)
		if err != nil {
			return nil, err
		}
		p := Prompt{ID: id}
		for _, v := range inOrder(byID[key]) {
			if err := r.finish(&v.Version, id); err != nil {
				return nil, err
			}
			p.Versions = append(p.Versions, v.Version)
		}
		out = append(out, p)
	}
	return out, nil
}

// openAIObjects are the objects of the file.
func openAIObjects(d *document, root *yaml.Node) ([]*yaml.Node, error) {
	if root.Kind == yaml.SequenceNode {
		if len(root.Content) == 0 {
			return nil, d.fail(root, "the list is empty")
		}
		return root.Content, d.fewVersions(root)
	}
	o, err := d.object(root, "the file")
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"versions", "data"} {
		list, err := o.list(key)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			continue
		}
		const most = 100 // keys that each version takes over
		if err := d.fewVersions(o.get(key)); err != nil || len(root.Content) > 2*most {
			return nil, cmp.Or(err, d.fail(root, "the object has more than %d keys", most))
		}
		for _, n := range list { // what is said once is said of each
			if n.Kind != yaml.MappingNode {
				return nil, d.fail(n, "a version must be an object")
			}
			one := &object{d, n, make(map[string]bool)}
			for k, v := range o.pairs {
				if k.Value != key && k.Value != "object" && one.get(k.Value) == nil {
					n.Content = append(n.Content, k, v)
				}
			}
		}
		return list, nil
	}
	return []*yaml.Node{root}, nil
}

func (d *document) fewVersions(list *yaml.Node) error {
	if len(list.Content) > maxVersions {
		return d.fail(list, "there are more than %d versions", maxVersions)
	}
	return nil
}

// An openAIVersion is a version with what it is sorted by.
type openAIVersion struct {
	Version
	id     string
	number int64 // -1 if it is none
}

// inOrder sorts by number if all have one, else by time if all have one, else
// leaves the order of the file.
func inOrder(vs []openAIVersion) []openAIVersion {
	numbered := !slices.ContainsFunc(vs, func(v openAIVersion) bool { return v.number < 0 })
	dated := !slices.ContainsFunc(vs, func(v openAIVersion) bool { return v.At.IsZero() })
	slices.SortStableFunc(vs, func(a, b openAIVersion) int {
		x, errX := prompt.ParseVersion(a.Number)
		y, errY := prompt.ParseVersion(b.Number)
		switch {
		case numbered:
			return cmp.Compare(a.number, b.number)
		case errX == nil && errY == nil:
			return x.Compare(y)
		case dated:
			return a.At.Compare(b.At)
		}
		return 0
	})
	return vs
}

func (r *reader) openAIVersion(d *document, n *yaml.Node) (v openAIVersion, err error) {
	o, err := d.object(n, "a prompt")
	if err != nil {
		return v, err
	}
	v.Line, v.number = d.line(n), -1
	if err := o.describe(&v.Version); err != nil {
		return v, err
	}
	if v.id, err = o.text("id"); err != nil {
		return v, err
	}
	if v.Model, err = o.text("model"); err != nil {
		return v, err
	}
	if err := v.counted(o); err != nil {
		return v, err
	}
	if err := r.openAISettings(&v.Version, o); err != nil {
		return v, err
	}
	if err := v.openAIVariables(o); err != nil {
		return v, err
	}
	turns, err := r.openAITurns(o)
	if err != nil {
		return v, err
	}
	if len(turns) == 0 {
		return v, d.fail(n, "the prompt has no instructions and no messages: a reference to one (id, version, variables) does not hold its text; export the prompt itself")
	}
	o.get("object")
	v.leftOut(o, "")
	return v, r.converse(&v.Version, turns)
}

// counted reads which version it is, and when it was made.
func (v *openAIVersion) counted(o *object) error {
	number, err := o.text("version")
	if err != nil {
		return err
	}
	if number != "" {
		v.Label = "version " + prompt.Clip(number, 40)
	}
	if i, err := strconv.ParseInt(number, 10, 64); err == nil && i >= 0 {
		v.number = i
	} else if _, err := prompt.ParseVersion(number); err == nil {
		v.Number = number
	}
	if n := o.get("created_at"); n != nil {
		seconds, err := strconv.ParseFloat(n.Value, 64)
		const endOfTime = 253402300799 // the year 9999, the last that RFC 3339 has
		if err != nil || seconds < 0 || seconds > endOfTime {
			return o.d.fail(n, "created_at must be seconds since 1970")
		}
		v.At = time.Unix(int64(seconds), 0).UTC()
	}
	return nil
}

func (r *reader) openAISettings(v *Version, o *object) error {
	if n := o.get("tools"); n != nil {
		value, err := o.d.value(n)
		if err != nil {
			return err
		}
		list, ok := value.([]any)
		if !ok {
			return o.d.fail(n, "tools must be a list")
		}
		v.Tools = list
	}
	if text, err := o.inner("text"); err != nil {
		return err
	} else if text != nil {
		if err := r.openAIFormat(v, text); err != nil {
			return err
		}
		if n := text.get("verbosity"); n != nil {
			v.parameter("verbosity", n.Value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(openParameters)) {
		n := o.get(key)
		if n == nil {
			continue
		}
		value, err := o.d.value(n)
		if err != nil {
			return err
		}
		v.parameter(openParameters[key], value)
	}
	return r.unwrapFormat(v, o)
}

// openAIFormat reads text.format, which has the schema beside its name.
func (r *reader) openAIFormat(v *Version, text *object) error {
	f, err := text.inner("format")
	if err != nil || f == nil {
		return err
	}
	kind, err := f.text("type")
	if err != nil {
		return err
	}
	value, err := f.d.value(f.n)
	if err != nil {
		return err
	}
	switch kind {
	case "", "text":
	case "json_object":
		v.parameter("response_format", map[string]any{"type": "json_object"})
	case "json_schema":
		return v.schema(r.file, f.d.line(f.n), value)
	default:
		v.note(r.file, f.d.line(f.n), "text.format %s is not taken over", prompt.Clip(kind, 40))
	}
	return nil
}

// openAIVariables reads names, or names with what is said of each. A value that
// a reference carries is what one caller gave, and no default.
func (v *openAIVersion) openAIVariables(o *object) error {
	v.Variables = make(map[string]prompt.Variable)
	n := o.get("variables")
	if n == nil {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			name, x := c.Value, prompt.Variable{}
			if c.Kind == yaml.MappingNode {
				one := &object{o.d, c, make(map[string]bool)}
				var err error
				if name, err = one.text("name"); err != nil {
					return err
				}
				if x, err = openAIVariable(one); err != nil {
					return err
				}
			}
			v.Variables[name] = x
		}
		return nil
	}
	all, err := o.d.object(n, "variables")
	if err != nil {
		return err
	}
	for k, c := range all.pairs {
		var x prompt.Variable
		if c.Kind == yaml.MappingNode {
			if x, err = openAIVariable(&object{o.d, c, make(map[string]bool)}); err != nil {
				return err
			}
		}
		v.Variables[k.Value] = x
	}
	return nil
}

func openAIVariable(o *object) (x prompt.Variable, err error) {
	if x.Description, err = o.text("description"); err != nil {
		return x, err
	}
	if x.Type, err = o.text("type"); err != nil {
		return x, err
	}
	if n := o.get("default"); n != nil {
		x.Default, err = o.d.value(n)
	}
	return x, err
}

// openAITurns are the instructions, and the messages or the input.
func (r *reader) openAITurns(o *object) (out []turn, err error) {
	for _, key := range []string{"instructions", "messages", "input"} {
		n := o.get(key)
		if n == nil {
			continue
		}
		if n.Kind == yaml.SequenceNode {
			turns, err := o.d.turns(n.Content, plain)
			if err != nil {
				return nil, err
			}
			out = append(out, turns...)
			continue
		}
		if n.Kind != yaml.ScalarNode {
			return nil, o.d.fail(n, "%s must be a text or a list of messages", key)
		}
		role := prompt.User
		if key == "instructions" {
			role = prompt.System
		}
		text, err := convert(n.Value, plain, r.file, o.d.line(n))
		if err != nil {
			return nil, err
		}
		out = append(out, turn{role, text, o.d.line(n)})
	}
	return out, nil
}

// String tells a version of a list from the others.
func (v Version) String() string {
	if v.Label == "" {
		return fmt.Sprintf("%s:%d", v.File, v.Line)
	}
	return fmt.Sprintf("%s:%d (%s)", v.File, v.Line, v.Label)
}

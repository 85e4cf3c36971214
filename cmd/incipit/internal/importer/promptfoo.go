package importer

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A fooPrompt is a prompt of a promptfoo configuration.
type fooPrompt struct {
	label string
	text  string
	file  string // that the text stands in
	line  int
}

// promptfoo reads a promptfoo configuration. Each of its prompts becomes one of
// ours, with the first provider's model and all of the tests.
func (r *reader) promptfoo() ([]Prompt, error) {
	d, root, err := r.parseAny(r.file, r.data)
	if err != nil {
		return nil, err
	}
	o, err := d.object(root, "the file")
	if err != nil {
		return nil, err
	}
	list, err := r.fooPrompts(o)
	if err != nil {
		return nil, err
	}
	common := Version{Line: 1}
	if common.Description, err = o.text("description"); err != nil {
		return nil, err
	}
	if err := r.fooProvider(&common, o); err != nil {
		return nil, err
	}
	tests := []string{"tests", "defaultTest", "scenarios", "evaluateOptions"}
	for _, key := range tests {
		o.get(key)
	}
	common.leftOut(o, "")
	out, suites := make([]Prompt, 0, len(list)), 0
	for i, f := range list {
		suffix := ""
		if len(list) > 1 {
			if suffix = f.label; slug(suffix) == "" {
				suffix = strconv.Itoa(i + 1)
			}
		}
		id, err := r.id(suffix)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(p Prompt) bool { return p.ID == id }) {
			return nil, fail(f.file, f.line, "two prompts of the file would be called %s; give each a label of its own", id)
		}
		v := common
		v.Notes = slices.Clone(common.Notes)
		v.Line, v.Name = f.line, f.label
		turns, err := r.fooTurns(f)
		if err != nil {
			return nil, err
		}
		if err := r.converse(&v, turns); err != nil {
			return nil, err
		}
		if err := r.fooSuite(&v, o, f, path.Base(string(id))); err != nil {
			return nil, err
		}
		if err := r.finish(&v, id); err != nil {
			return nil, err
		}
		if suites += len(v.Suite); suites > maxBytes {
			return nil, fail(f.file, f.line, "the suites of all prompts have more than %d bytes together; give the prompts files of their own", maxBytes)
		}
		out = append(out, Prompt{id, []Version{v}})
	}
	return out, nil
}

// parseAny reads YAML, or JSON where the file's name says so.
func (r *reader) parseAny(name string, data []byte) (*document, *yaml.Node, error) {
	if strings.HasSuffix(strings.ToLower(name), ".json") {
		return parseJSON(name, data, 0)
	}
	return parse(name, data, 0)
}

// fooPrompts lists the prompts: texts, and what stands in files.
func (r *reader) fooPrompts(o *object) (out []fooPrompt, err error) {
	n := o.get("prompts")
	if n == nil {
		return nil, o.d.fail(o.n, "the file has no prompts")
	}
	list := n.Content
	if n.Kind == yaml.ScalarNode {
		list = []*yaml.Node{n}
	} else if n.Kind != yaml.SequenceNode {
		return nil, o.d.fail(n, "prompts must be a list")
	}
	for _, c := range list {
		text, label := c, ""
		if c.Kind == yaml.MappingNode {
			one := &object{o.d, c, make(map[string]bool)}
			if label, err = one.text("label"); err != nil {
				return nil, err
			}
			for _, key := range []string{"raw", "id", "path"} {
				if t := one.get(key); t != nil && text == c {
					text = t
				}
			}
		}
		if text.Kind != yaml.ScalarNode {
			return nil, o.d.fail(c, "a prompt must be a text, a file, or a mapping with raw or id, and label")
		}
		more, err := r.fooPrompt(o.d, text, label)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxFiles {
			return nil, o.d.fail(n, "there are more than %d prompts", maxFiles)
		}
	}
	if len(out) == 0 {
		return nil, o.d.fail(n, "the file has no prompts")
	}
	return out, nil
}

// fooPrompt is a text, or the prompts of the files that it names.
func (r *reader) fooPrompt(d *document, n *yaml.Node, label string) ([]fooPrompt, error) {
	name, isFile := strings.CutPrefix(n.Value, "file://")
	ext := strings.ToLower(path.Ext(name))
	known := []string{".txt", ".md", ".j2", ".json", ".yaml", ".yml", ".jsonl", ".csv", ".js", ".cjs", ".mjs", ".ts", ".py"}
	if !isFile && (strings.ContainsAny(name, "\n{") || !slices.Contains(known, ext)) {
		return []fooPrompt{{label, n.Value, r.file, d.textLine(n)}}, nil
	}
	names, err := r.files(d, n, name)
	if err != nil {
		return nil, err
	}
	var out []fooPrompt
	for _, name := range names {
		data, err := r.open(d, n, name)
		if err != nil {
			return nil, err
		}
		called := label
		if called == "" && len(names) > 1 {
			called = strings.TrimSuffix(path.Base(name), path.Ext(name))
		}
		switch path.Ext(name) {
		case ".txt":
			out = append(out, fooTexts(name, called, string(data))...)
		case ".md", ".j2", ".json", ".yaml", ".yml":
			out = append(out, fooPrompt{called, strings.TrimSpace(string(data)), name, 1})
		default:
			return nil, d.fail(n, "prompts in %s files are made by a program or a table, and cannot be taken over", prompt.Clip(path.Ext(name), 20))
		}
	}
	return out, nil
}

// fooTexts are the prompts of a text file: lines of three dashes part them.
func fooTexts(name, label, text string) (out []fooPrompt) {
	lines := append(strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "---")
	start := 0
	for i, l := range lines {
		if strings.TrimSpace(l) != "---" {
			continue
		}
		part := strings.Join(lines[start:i], "\n")
		if trimmed := strings.TrimSpace(part); trimmed != "" {
			l := label
			if l != "" && len(out) > 0 {
				l += "-" + strconv.Itoa(len(out)+1)
			}
			before, _, _ := strings.Cut(part, trimmed)
			out = append(out, fooPrompt{l, trimmed, name, start + 1 + strings.Count(before, "\n")})
		}
		start = i + 1
	}
	return out
}

// fooTurns are the messages of a prompt: a chat in JSON or YAML, or else one
// text, which promptfoo sends as the user's.
func (r *reader) fooTurns(f fooPrompt) ([]turn, error) {
	trimmed := strings.TrimSpace(f.text)
	isYAML := strings.HasSuffix(f.file, ".yaml") || strings.HasSuffix(f.file, ".yml")
	switch {
	case strings.HasPrefix(trimmed, "["):
		d, root, err := parseJSON(f.file, []byte(f.text), f.line-1)
		if err == nil && root.Kind == yaml.SequenceNode && len(root.Content) > 0 && root.Content[0].Kind == yaml.MappingNode {
			return d.turns(root.Content, jinja)
		}
		if err != nil && strings.Contains(trimmed, `"role"`) {
			return nil, err
		}
	case f.file != r.file && isYAML || strings.HasPrefix(trimmed, "- role:"):
		d, root, err := parse(f.file, []byte(f.text), f.line-1)
		if err != nil {
			return nil, err
		}
		if root.Kind != yaml.SequenceNode {
			return nil, d.fail(root, "the chat must be a list of messages")
		}
		return d.turns(root.Content, jinja)
	}
	text, err := convert(f.text, jinja, f.file, f.line)
	return []turn{{prompt.User, text, f.line}}, err
}

// files are the files that a reference names, below the directory that the
// configuration lies in or that was given to be read.
func (r *reader) files(d *document, n *yaml.Node, name string) ([]string, error) {
	full := path.Join(path.Dir(r.file), name)
	if path.IsAbs(name) || strings.Contains(name, `\`) || !fs.ValidPath(full) {
		return nil, d.fail(n, "%s lies outside of the directory that is imported from", prompt.Clip(name, 120))
	}
	if !strings.ContainsAny(full, "*?[") {
		return []string{full}, nil
	}
	if strings.Contains(full, "**") {
		return nil, d.fail(n, "** is not supported; name the directories")
	}
	names, err := fs.Glob(r.fsys, full)
	if err == nil && len(names) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, d.fail(n, "%s: %v", prompt.Clip(name, 120), err)
	}
	return names, nil
}

// open reads a file that the configuration names.
func (r *reader) open(d *document, n *yaml.Node, name string) ([]byte, error) {
	if data, ok := r.opened[name]; ok {
		return data, nil
	}
	if len(r.opened) == maxFiles {
		return nil, d.fail(n, "more than %d files are named", maxFiles)
	}
	data, err := readFile(r.fsys, name)
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	if err != nil {
		return nil, d.fail(n, "%s: %v", prompt.Clip(name, 120), err)
	}
	if r.bytes += len(data); r.bytes > maxBytes {
		return nil, d.fail(n, "the files that are named have more than %d bytes together", maxBytes)
	}
	if r.opened == nil {
		r.opened = make(map[string][]byte)
	}
	r.opened[name] = data
	return data, nil
}

// fooProvider takes the first provider's model and parameters.
func (r *reader) fooProvider(v *Version, o *object) error {
	n := o.get("providers")
	if targets := o.get("targets"); n == nil {
		n = targets
	}
	if n == nil {
		return nil
	}
	list := n.Content
	if n.Kind != yaml.SequenceNode {
		list = []*yaml.Node{n}
	}
	if len(list) == 0 {
		return nil
	}
	for _, other := range list[1:] {
		v.note(r.file, o.d.line(other), "a prompt here has one model: this provider is not taken over")
	}
	first, config := list[0], (*object)(nil)
	if first.Kind == yaml.MappingNode {
		one := &object{o.d, first, make(map[string]bool)}
		id := one.get("id")
		var err error
		if id == nil && len(first.Content) == 2 && first.Content[1].Kind == yaml.MappingNode { // openai:gpt-4o: {config: …}
			id, one = first.Content[0], &object{o.d, first.Content[1], make(map[string]bool)}
		}
		if id == nil {
			return o.d.fail(first, "a provider has no id")
		}
		if config, err = one.inner("config"); err != nil {
			return err
		}
		one.get("label")
		v.leftOut(one, "providers: ")
		first = id
	}
	if first.Kind != yaml.ScalarNode {
		return o.d.fail(first, "a provider must be a text")
	}
	if v.Model = modelOf(first.Value); v.Model == "" {
		v.note(r.file, o.d.line(first), "the provider %s names no model", prompt.Clip(first.Value, 60))
	}
	if config == nil {
		return nil
	}
	return r.promptyParameters(v, config)
}

// modelOf is the model that a provider's id names: gpt-4o of openai:chat:gpt-4o.
func modelOf(id string) string {
	kind, rest, ok := strings.Cut(id, ":")
	if !ok || !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(kind) || slices.Contains([]string{"file", "exec", "http", "https", "python", "ws", "wss", "golang", "ruby", "package"}, kind) {
		return ""
	}
	if how, model, ok := strings.Cut(rest, ":"); ok && slices.Contains([]string{"chat", "completion", "completions", "responses", "messages"}, how) {
		return model
	}
	return rest
}

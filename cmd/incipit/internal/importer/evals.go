package importer

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A sample of OpenAI evals: what is asked, and the answers that are right.
type sample struct {
	messages []turn
	ideal    []string
	line     int
}

// evals reads samples, one object a line: {"input": […], "ideal": …}. What all
// begin with becomes the prompt, what differs at their ends the variable input,
// and each sample a case of the suite. JSONL has no templates: braces are text.
func (r *reader) evals() (v Version, err error) {
	kind := r.opts.Match
	if kind == "" {
		kind = "starts-with"
	}
	if !slices.Contains([]string{"starts-with", "equals", "contains"}, kind) {
		return v, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no way to match an answer", prompt.Clip(kind, 40)), "choose starts-with (as Match of evals does), equals or contains")
	}
	samples, err := r.samples()
	if err != nil {
		return v, err
	}
	first := samples[0].messages
	common := first[:len(first)-1]
	for _, s := range samples {
		n := len(s.messages) - 1
		same := func(a, b turn) bool { return a.role == b.role && a.content == b.content }
		if n != len(common) || !slices.EqualFunc(s.messages[:n], common, same) {
			return v, fail(r.file, s.line, "this sample has other messages before its last one than line %d, and a prompt here has the same for all: split the file", samples[0].line)
		}
		if last := s.messages[n]; last.role != prompt.User {
			return v, fail(r.file, s.line, "the last message of a sample must be the user's, and is %q", prompt.Clip(last.role, 40))
		}
	}
	turns := make([]turn, 0, len(common)+1)
	for _, t := range common {
		t.content = strings.ReplaceAll(t.content, "{{", `\{{`)
		turns = append(turns, t)
	}
	turns = append(turns, turn{prompt.User, "{{input}}", samples[0].line})
	if err := r.converse(&v, turns); err != nil {
		return v, err
	}
	var s suite
	for _, one := range samples {
		s.Tests = append(s.Tests, testCase{
			Vars:   map[string]any{"input": literal(one.messages[len(one.messages)-1].content)},
			Assert: []any{anyOf(kind, one.ideal)},
		})
	}
	v.Suite, err = s.encode()
	return v, err
}

func (r *reader) samples() (out []sample, err error) {
	lines := bytes.Split(r.data, []byte("\n"))
	if len(lines) > maxLines {
		return nil, fail(r.file, maxLines, "the file has more than %d lines", maxLines)
	}
	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		d, n, err := parseJSON(r.file, line, i)
		if err != nil {
			return nil, err
		}
		s, err := d.sample(n)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fail(r.file, 1, "there is no sample")
	}
	return out, nil
}

func (d *document) sample(n *yaml.Node) (s sample, err error) {
	s.line = d.line(n)
	o, err := d.object(n, "a sample")
	if err != nil {
		return s, err
	}
	input, ideal := o.get("input"), o.get("ideal")
	if input == nil || ideal == nil {
		return s, d.fail(n, `a sample is {"input": [messages], "ideal": "the answer"}`)
	}
	switch input.Kind {
	case yaml.ScalarNode:
		s.messages = []turn{{prompt.User, input.Value, s.line}}
	case yaml.SequenceNode:
		for _, m := range input.Content {
			o, err := d.object(m, "a message")
			if err != nil {
				return s, err
			}
			t := turn{line: s.line}
			if t.role, err = o.text("role"); err != nil {
				return s, err
			}
			if t.content, err = o.text("content"); err != nil {
				return s, err
			}
			if name, err := o.text("name"); err != nil || name != "" { // example_user, example_assistant: turns inside the system's message
				return s, d.fail(m, "a message has a name, which a prompt here has not")
			}
			s.messages = append(s.messages, t)
		}
	}
	if len(s.messages) == 0 {
		return s, d.fail(n, "input must be a text or a list of messages")
	}
	for _, c := range append(slices.Clone(ideal.Content), ideal) {
		if c.Kind == yaml.ScalarNode {
			s.ideal = append(s.ideal, c.Value)
		}
	}
	if len(s.ideal) == 0 || ideal.Kind == yaml.MappingNode || slices.Contains(s.ideal, "") {
		return s, d.fail(n, "ideal must be a text or a list of texts, none of them empty")
	}
	return s, nil
}

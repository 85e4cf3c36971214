package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An Exported is a prompt in another format.
type Exported struct {
	Name   string // that a file of the format is called
	Data   []byte
	Losses []string // what the format cannot hold: what would differ if it was imported again
}

// Export writes a prompt in another format. What it wrote it reads back, and
// holds against the prompt: a message that would be another one is an error,
// anything else that differs is named in Losses. The suite stays.
func Export(kind Kind, p prompt.Prompt, m prompt.Metadata) (Exported, error) {
	w, err := newWriter(p, m)
	if err != nil {
		return Exported{}, err
	}
	out := Exported{Name: path.Base(string(p.ID))}
	switch kind {
	case GitHub:
		out.Name += ".prompt.yml"
		out.Data, err = w.github()
	case Dotprompt:
		out.Name += ".prompt"
		out.Data, err = w.dotprompt()
	case Prompty:
		out.Name += ".prompty"
		out.Data, err = w.prompty()
	case Promptfoo:
		out.Name = "promptfooconfig.yaml"
		out.Data, err = w.promptfoo()
	case OpenAI:
		out.Name += ".json"
		out.Data, err = w.openAI()
	default:
		err = registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a prompt cannot be written as %q", prompt.Clip(string(kind), 40)),
			"formats are promptfoo, github, dotprompt, prompty and openai")
	}
	if err != nil {
		return Exported{}, err
	}
	out.Losses, err = differences(kind, out, p)
	return out, err
}

// differences are what reading an export back would change of the prompt.
func differences(kind Kind, out Exported, p prompt.Prompt) ([]string, error) {
	r := reader{file: out.Name, data: out.Data, opts: Options{ID: string(p.ID), Model: p.Model}} // names no file, so that it needs none
	read, err := r.read(kind)
	var back prompt.Draft
	if err == nil {
		back, _, err = read[0].Versions[0].Draft(p.ID, "", prompt.Version{})
	}
	if err != nil {
		return nil, registry.Errorf(prompt.ErrInvalid, "%s cannot be written as %s: what would be written there means something else (%s)", p.ID, kind, err)
	}
	if !slices.Equal(p.Messages, back.Prompt.Messages) {
		return nil, registry.Errorf(prompt.ErrInvalid, "%s cannot be written as %s: the text of a message would be read as another one; white space at an end, braces or a line that the format gives a meaning to are what it may be", p.ID, kind)
	}
	var losses []string
	for _, c := range prompt.Compare(p, back.Prompt) {
		losses = append(losses, c.Detail)
	}
	return losses, nil
}

// A writer writes one prompt.
type writer struct {
	p          prompt.Prompt
	m          prompt.Metadata
	parameters map[string]any
	tools      []any
	schema     map[string]any
}

func newWriter(p prompt.Prompt, m prompt.Metadata) (*writer, error) {
	w := &writer{p: p, m: m}
	for _, f := range []struct {
		raw json.RawMessage
		dst any
	}{{p.Parameters, &w.parameters}, {p.Tools, &w.tools}, {p.OutputSchema, &w.schema}} {
		if len(f.raw) == 0 {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(f.raw))
		if err := dec.Decode(f.dst); err != nil {
			return nil, fmt.Errorf("%s: %w", p.ID, err)
		}
	}
	return w, nil
}

// envelope is the output schema as OpenAI's format has it.
func (w *writer) envelope() map[string]any {
	return map[string]any{"name": strings.ReplaceAll(slug(path.Base(string(w.p.ID))), "-", "_"), "strict": true, "schema": w.schema}
}

// renamed are the parameters that known names: theirs → ours. Where several
// names stand for one of ours, the first in order is written.
func (w *writer) renamed(names ...[2]string) map[string]any {
	out := make(map[string]any)
	for _, n := range names {
		if v, ok := w.parameters[n[1]]; ok {
			out[n[0]] = v
		}
	}
	return out
}

// asIs are the parameters that are called alike.
func (w *writer) asIs() map[string]any {
	out := make(map[string]any)
	for k, v := range w.parameters {
		if openParameters[k] == k {
			out[k] = v
		}
	}
	return out
}

// jsonObject reports whether the answer must be a JSON object of any shape.
func (w *writer) jsonObject() bool {
	f, _ := w.parameters["response_format"].(map[string]any)
	return f["type"] == "json_object"
}

// chat are the messages in a dialect.
func (w *writer) chat(d dialect) []prompt.Message {
	out := make([]prompt.Message, len(w.p.Messages))
	for i, m := range w.p.Messages {
		out[i] = prompt.Message{Role: m.Role, Content: theirs(m.Content, d)}
	}
	return out
}

package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A turn is a message of a source, and where it stands.
type turn struct {
	role, content string // the content in our syntax
	line          int
}

// converse makes v's messages of turns: the system message first, then
// examples, then the user's template.
func (r *reader) converse(v *Version, turns []turn) error {
	for i, t := range turns {
		t.role = strings.ToLower(strings.TrimSpace(t.role))
		switch t.role {
		case "developer":
			t.role = prompt.System
		case "model":
			t.role = prompt.Assistant
		}
		switch {
		case t.role == prompt.System && i > 0:
			return fail(r.file, t.line, "message %d is a second system message; a prompt here has one, at the beginning: join them", i+1)
		case t.role != prompt.System && t.role != prompt.User && t.role != prompt.Assistant:
			return fail(r.file, t.line, "message %d has the role %q; a prompt here has system, user and assistant", i+1, prompt.Clip(t.role, 40))
		}
		v.Messages = append(v.Messages, prompt.Message{Role: t.role, Content: t.content})
		turns[i] = t
	}
	if len(turns) == 0 {
		return fail(r.file, v.Line, "there is no message")
	}
	if turns[0].role != prompt.System {
		if r.opts.System == "" {
			return registry.WithFix(fail(r.file, turns[0].line, "there is no system message, and a prompt here needs one"),
				`give it with --system "You are …", or write it in %s`, prompt.Clip(r.file, 120))
		}
		v.Messages = slices.Insert(v.Messages, 0, prompt.Message{Role: prompt.System, Content: r.opts.System})
		v.note(r.file, turns[0].line, "the system message is the one of --system")
	}
	examples := prompt.Examples(v.Messages)
	if n := len(examples); n > 0 && examples[n-1].Role != prompt.Assistant {
		last := turns[len(turns)-1]
		return fail(r.file, last.line, "the user speaks twice in a row; examples here end with the assistant, and what the user says at run time is one message: join them")
	}
	return nil
}

// finish declares the variables, and fills in what a prompt must have.
func (r *reader) finish(v *Version, id prompt.ID) error {
	v.File, v.Line = r.file, max(v.Line, 1)
	if v.Name == "" {
		v.Name = displayName(id)
	}
	if v.Description == "" {
		v.Description = v.Name + ", imported from " + r.file + "."
	}
	if v.Model == "" {
		v.Model = r.opts.Model
	}
	if v.Model == "" {
		return registry.WithFix(fail(r.file, v.Line, "it names no model, and a prompt here needs one"), "give it with --model NAME")
	}
	r.declare(v)
	return nil
}

// declare declares each variable that a message uses, and drops the others. One
// in the system message is trusted, as it would be refused otherwise: that is a
// decision, which a person should look at.
func (r *reader) declare(v *Version) {
	used := make(map[string]bool)
	trusted := make(map[string]bool)
	for _, m := range v.Messages {
		for _, p := range splitOurs(m.Content) {
			if p.variable != "" {
				used[p.variable] = true
				trusted[p.variable] = trusted[p.variable] || m.Role == prompt.System
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Variables)) {
		if !used[name] {
			v.note(r.file, v.Line, "variable %s stands in no message and is left out", prompt.Clip(name, 64))
		}
	}
	declared := make(map[string]prompt.Variable, len(used))
	for _, name := range slices.Sorted(maps.Keys(used)) {
		d := v.Variables[name]
		d.Type = d.Kind()
		if d.Trusted = trusted[name]; d.Trusted {
			v.note(r.file, v.Line, "{{%s}} stands in the system message and is declared trusted: see that only your own program writes its value", name)
		}
		declared[name] = d
	}
	v.Variables = declared
}

// displayName makes "Billing refunds" of "billing/refunds".
func displayName(id prompt.ID) string {
	words := strings.Join(strings.FieldsFunc(string(id), func(r rune) bool { return strings.ContainsRune("/-_.", r) }), " ")
	if words == "" {
		return string(id)
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// Files are the files of the prompt, by paths from its directory, and the
// metadata among them says that it is the given version.
func (v Version) Files(version prompt.Version) ([]File, error) {
	meta, err := v.metadata(version)
	if err != nil {
		return nil, err
	}
	out := []File{{prompt.MetadataFile, meta}}
	rest := v.Messages
	if len(rest) > 0 && rest[0].Role == prompt.System {
		out = append(out, File{prompt.SystemFile, []byte(rest[0].Content)})
		rest = rest[1:]
	}
	if n := len(rest); n > 0 && rest[n-1].Role == prompt.User {
		out = append(out, File{prompt.UserFile, []byte(rest[n-1].Content)})
		rest = rest[:n-1]
	}
	if len(rest) > 0 {
		data, err := indented(rest)
		if err != nil {
			return nil, err
		}
		out = append(out, File{prompt.ExamplesFile, data})
	}
	return out, nil
}

func (v Version) metadata(version prompt.Version) ([]byte, error) {
	type object = map[string]any
	doc := struct {
		Name            string                     `json:"name"`
		Version         prompt.Version             `json:"version"`
		Description     string                     `json:"description"`
		Created         string                     `json:"created,omitempty"`
		Author          string                     `json:"author"`
		Model           string                     `json:"model"`
		Tags            []string                   `json:"tags"`
		PreviousVersion *string                    `json:"previous_version"`
		TestStatus      string                     `json:"test_status"`
		Variables       map[string]prompt.Variable `json:"variables,omitempty"`
		Parameters      object                     `json:"parameters,omitempty"`
		Tools           []any                      `json:"tools,omitempty"`
		OutputSchema    object                     `json:"output_schema,omitempty"`
	}{
		Name: v.Name, Version: version, Description: v.Description, Author: v.Author, Model: v.Model, Tags: v.Tags, TestStatus: "not-run",
		Variables: v.Variables, Parameters: v.Parameters, Tools: v.Tools, OutputSchema: v.OutputSchema,
	}
	if doc.Tags == nil {
		doc.Tags = []string{}
	}
	if !v.At.IsZero() {
		doc.Created = v.At.UTC().Format(time.RFC3339)
	}
	return indented(doc)
}

// indented is v as JSON for people.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// Draft is the version as a prompt, with everything that is wrong with it. dir
// is where its findings say it stands.
func (v Version) Draft(id prompt.ID, dir string, version prompt.Version) (prompt.Draft, []prompt.Finding, error) {
	files, err := v.Files(version)
	if err != nil {
		return prompt.Draft{}, nil, err
	}
	f := prompt.Files{Dir: dir}
	for _, file := range files {
		switch file.Path {
		case prompt.MetadataFile:
			f.Metadata = file.Data
		case prompt.SystemFile:
			f.System = file.Data
		case prompt.UserFile:
			f.User = file.Data
		case prompt.ExamplesFile:
			f.Examples = file.Data
		}
	}
	d, findings := prompt.Parse(id, f, func(name, _ string) (string, prompt.Version, error) {
		return "", prompt.Version{}, fmt.Errorf("there is no include %s", name)
	})
	return d, findings, nil
}

package prompt

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/strictjson"
)

// Fields are what people edit of the metadata field by field, each as text. ""
// is a field that is not there.
type Fields struct {
	Description string
	ChangeNotes string
	Model       string
	Parameters  string // a JSON object
}

// A FieldProblem says why a text cannot be the value of a field.
type FieldProblem struct {
	Key     string // of the metadata
	Message string
}

// FieldsOf reads the fields of a metadata file. What has another type there, or
// cannot be read, is "".
func FieldsOf(metadata []byte) Fields {
	var f Fields
	ms, err := strictjson.Members(metadata)
	if err != nil {
		return f
	}
	for _, e := range f.all() {
		i := slices.IndexFunc(ms, func(m strictjson.Member) bool { return m.Key == e.key })
		if i < 0 {
			continue
		}
		raw := metadata[ms[i].Start:ms[i].End]
		switch {
		case e.isJSON && string(raw) != "null":
			*e.text = string(raw)
		case !e.isJSON && raw[0] == '"':
			_ = json.Unmarshal(raw, e.text) // it was checked
		}
	}
	return f
}

// Edit returns the metadata with the fields that differ from was, which is what
// a person saw; every other byte stays. An edit of nothing makes a new file. A
// field that cannot be put in is told, and the others are put in all the same.
func (f Fields) Edit(metadata []byte, was Fields) ([]byte, []FieldProblem) {
	var problems []FieldProblem
	out, before := metadata, was.all()
	for i, e := range f.all() {
		if *e.text == *before[i].text {
			continue
		}
		value, message := e.value()
		if message == "" {
			next, err := strictjson.Append(orObject(out), e.key, value)
			if err == nil {
				out = next
				continue
			}
			message = "it cannot be put into " + MetadataFile + ", which cannot be read: " + err.Error()
		}
		problems = append(problems, FieldProblem{e.key, message})
	}
	return out, problems
}

type textField struct {
	key    string
	text   *string
	isJSON bool
}

func (f *Fields) all() []textField {
	return []textField{{"description", &f.Description, false}, {"change_notes", &f.ChangeNotes, false}, {"model", &f.Model, false}, {"parameters", &f.Parameters, true}}
}

// value is what stands in the file for the text.
func (e textField) value() (value any, problem string) {
	if !e.isJSON {
		return *e.text, ""
	}
	raw := bytes.TrimSpace([]byte(*e.text))
	if len(raw) == 0 {
		return json.RawMessage("null"), "" // as good as none
	}
	if _, err := strictjson.Members(raw); err != nil {
		return nil, strings.TrimPrefix(err.Error(), "strictjson: ")
	}
	return json.RawMessage(raw), ""
}

func orObject(metadata []byte) []byte {
	if len(bytes.TrimSpace(metadata)) == 0 {
		return []byte("{}\n")
	}
	return metadata
}

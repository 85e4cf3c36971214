package registry

import (
	"maps"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Typed is what a person typed of a prompt in a form: its texts by name, and
// fields of its metadata beside the metadata itself.
type Typed struct {
	Texts  Texts
	Fields prompt.Fields
	Seen   prompt.Fields // what the form showed: a field that differs was edited
}

// Put returns texts as they were typed over others. A form knows one kind of
// line end and no difference between an empty file and none, so a text that it
// holds as it was keeps what the form cannot say. Fields that cannot be put
// into the metadata are told.
func (t Typed) Put(over Texts) (Texts, []prompt.FieldProblem) {
	out := make(Texts, len(over))
	maps.Copy(out, over)
	for name, text := range t.Texts {
		text = formText(text)
		was, is := over[name]
		switch {
		case is && formText(was) == text:
		case text == "":
			delete(out, name)
		default:
			out[name] = text
		}
	}
	metadata, problems := formFields(t.Fields).Edit([]byte(out[prompt.MetadataFile]), formFields(t.Seen))
	if text := string(metadata); text != out[prompt.MetadataFile] {
		out[prompt.MetadataFile] = text
	}
	return out, problems
}

func formFields(f prompt.Fields) prompt.Fields {
	return prompt.Fields{
		Description: formText(f.Description), ChangeNotes: formText(f.ChangeNotes), Model: formText(f.Model), Parameters: formText(f.Parameters),
	}
}

// formText is a text as a form holds it, in which a line ends with one
// character: a browser sends two, whatever stood there.
func formText(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

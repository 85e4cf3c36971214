package prompt

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestEditingAFieldLeavesEveryOtherByteOfTheMetadata(t *testing.T) {
	const file = "{\n\t\"name\": \"Support\",\n\t\"team_unknown\": [1, 2],\n\t\"description\": \"It helps.\",\n\t\"parameters\": {\"temperature\": 0}\n}\n"
	was := FieldsOf([]byte(file))
	if want := (Fields{Description: "It helps.", Parameters: `{"temperature": 0}`}); was != want {
		t.Fatalf("read %+v, want %+v", was, want)
	}
	for name, tt := range map[string]struct {
		file string
		was  Fields
		edit func(*Fields)
		want string
		bad  string // the keys of what could not be put in
	}{
		"nothing is edited":              {file, was, func(*Fields) {}, file, ""},
		"a field is edited":              {file, was, func(f *Fields) { f.Description = "It \"helps\" <you>." }, strings.Replace(file, "It helps.", `It \"helps\" <you>.`, 1), ""},
		"a new field comes last":         {file, was, func(f *Fields) { f.Model = "model-b" }, strings.Replace(file, "0}\n", "0},\n\t\"model\": \"model-b\"\n", 1), ""},
		"an object goes in as it is":     {file, was, func(f *Fields) { f.Parameters = " {\"temperature\":1.50} " }, strings.Replace(file, `{"temperature": 0}`, `{"temperature":1.50}`, 1), ""},
		"an object is taken away":        {file, was, func(f *Fields) { f.Parameters = "" }, strings.Replace(file, `{"temperature": 0}`, `null`, 1), ""},
		"what is no object stays out":    {file, was, func(f *Fields) { f.Parameters, f.Model = `{"temperature":`, "m" }, strings.Replace(file, "0}\n", "0},\n\t\"model\": \"m\"\n", 1), "parameters"},
		"a list is no object":            {file, was, func(f *Fields) { f.Parameters = `[1]` }, file, "parameters"},
		"there is no file yet":           {"", Fields{}, func(f *Fields) { f.Model = "m" }, "{\n  \"model\": \"m\"\n}\n", ""},
		"the file cannot be read":        {"{\"a\": ", Fields{}, func(f *Fields) { f.Model = "m" }, "{\"a\": ", "model"},
		"the file cannot be read, as is": {"{\"a\": ", Fields{}, func(*Fields) {}, "{\"a\": ", ""},
	} {
		now := tt.was
		tt.edit(&now)
		got, problems := now.Edit([]byte(tt.file), tt.was)
		var bad []string
		for _, p := range problems {
			if p.Message == "" {
				t.Errorf("%s: %s has no message", name, p.Key)
			}
			bad = append(bad, p.Key)
		}
		if string(got) != tt.want || strings.Join(bad, " ") != tt.bad {
			t.Errorf("%s: got %q, %v; want %q, %q", name, got, problems, tt.want, tt.bad)
		}
	}
}

func TestWhatIsPutIntoAFieldIsReadAgain(t *testing.T) {
	always(t, func(d dice) string {
		others := make(map[string]string)
		for range d.few(8) {
			others["x"+d.word(lower, 1+d.IntN(8))] = d.text()
		}
		file, err := json.Marshal(others)
		if err != nil {
			return err.Error()
		}
		want := Fields{Description: d.text(), ChangeNotes: d.text(), Model: d.text()}
		got, problems := want.Edit(file, Fields{})
		if len(problems) > 0 || FieldsOf(got) != want {
			return fmt.Sprintf("%+v is put into %s as %s, which is read as %+v; %v", want, file, got, FieldsOf(got), problems)
		}
		if again, _ := want.Edit(got, want); string(again) != string(got) {
			return fmt.Sprintf("an edit of nothing made %s of %s", again, got)
		}
		return ""
	})
}

package registry

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestAFormChangesOnlyWhatWasTyped(t *testing.T) {
	texts := Texts{
		prompt.SystemFile: "one\r\ntwo\n", prompt.UserFile: "", prompt.MetadataFile: `{"description": "a\r\nb", "mine": 1}`,
	}
	shown := prompt.Fields{Description: "a\nb"}
	// sent is what a browser sends of a form in which nothing was typed.
	sent := func() Typed {
		return Typed{Texts: Texts{
			prompt.SystemFile: "one\r\ntwo\r\n", prompt.UserFile: "", prompt.ExamplesFile: "", prompt.MetadataFile: `{"description": "a\r\nb", "mine": 1}`,
		}, Fields: prompt.Fields{Description: "a\r\nb"}, Seen: shown}
	}
	for name, tt := range map[string]struct {
		edit func(*Typed)
		want Texts // what differs from texts; "-" is a file that is gone
	}{
		"nothing was typed":             {func(*Typed) {}, Texts{}},
		"a text is typed":               {func(f *Typed) { f.Texts[prompt.SystemFile] = "one\r\nthree" }, Texts{prompt.SystemFile: "one\nthree"}},
		"a new file":                    {func(f *Typed) { f.Texts[prompt.ExamplesFile] = "[]" }, Texts{prompt.ExamplesFile: "[]"}},
		"a text is emptied":             {func(f *Typed) { f.Texts[prompt.SystemFile] = "" }, Texts{prompt.SystemFile: "-"}},
		"a field is typed":              {func(f *Typed) { f.Fields.Model = "m" }, Texts{prompt.MetadataFile: "{\"description\": \"a\\r\\nb\", \"mine\": 1,\n  \"model\": \"m\"}"}},
		"the metadata is typed":         {func(f *Typed) { f.Texts[prompt.MetadataFile] = `{"description": "c"}` }, Texts{prompt.MetadataFile: `{"description": "c"}`}},
		"a field that differs wins":     {func(f *Typed) { f.Texts[prompt.MetadataFile], f.Fields.Description = `{"description": "c"}`, "d" }, Texts{prompt.MetadataFile: `{"description": "d"}`}},
		"a form without some texts":     {func(f *Typed) { delete(f.Texts, prompt.SystemFile) }, Texts{}},
		"all of the metadata is erased": {func(f *Typed) { f.Texts[prompt.MetadataFile] = "" }, Texts{prompt.MetadataFile: "-"}},
	} {
		form, want := sent(), maps.Clone(texts)
		tt.edit(&form)
		for name, text := range tt.want {
			want[name] = text
			if text == "-" {
				delete(want, name)
			}
		}
		got, problems := form.Put(texts)
		if !maps.Equal(got, want) || len(problems) > 0 {
			t.Errorf("%s: got %q, %v; want %q", name, got, problems, want)
		}
	}
}

func TestWhateverIsShownAndSentBackIsNoChange(t *testing.T) {
	always(t, func(d dice) string {
		texts := make(Texts)
		for range d.few(2 * len(TextNames())) {
			texts[pick(d, TextNames()...)] = strings.Join(times(d.few(30), func() string {
				return pick(d, "\r", "\n", "\r\n", " ", "{", "}", `"`, `\`, string(rune('a'+d.IntN(26))))
			}), "")
		}
		form := Typed{Texts: Texts{}}
		for _, name := range TextNames() {
			form.Texts[name] = strings.ReplaceAll(formText(texts[name]), "\n", "\r\n")
		}
		if got, problems := form.Put(texts); !maps.Equal(got, texts) || len(problems) > 0 {
			return fmt.Sprintf("%q became %q, %v", texts, got, problems)
		}
		return ""
	})
}

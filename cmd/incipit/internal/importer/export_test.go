package importer

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// writable are the formats that a prompt can be written in.
func writable() []Kind { return []Kind{Promptfoo, GitHub, Dotprompt, Prompty, OpenAI} }

// again exports a prompt and imports what was written.
func again(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, kind Kind, p prompt.Prompt,
) (Exported, prompt.Prompt) {
	t.Helper()
	out, err := Export(kind, p, prompt.Metadata{Name: "Orders", Description: "About orders."})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	ps, err := Read(kind, fstest.MapFS{out.Name: {Data: out.Data}}, out.Name, Options{ID: string(p.ID)})
	if err != nil {
		t.Fatalf("%s: %v\n%s", kind, err, out.Data)
	}
	d, _, err := ps[0].Versions[0].Draft(p.ID, "", prompt.Version{Major: 1})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return out, d.Prompt
}

func digest(t *testing.T, p prompt.Prompt) string {
	t.Helper()
	s, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// full has all that a prompt can have, short of a length.
func full() prompt.Prompt {
	return prompt.Prompt{
		ID: "orders", Version: "1.2.0", Model: "gpt-4o-mini",
		Messages: []prompt.Message{
			{Role: "system", Content: policy + "\n\n- Today is {{today}}.\n"},
			{Role: "user", Content: "  An \"example\": {\"a\": 1}"},
			{Role: "assistant", Content: "Fine: \\{{x}} \\n\n"},
			{Role: "user", Content: "{{question}}\n# {{question}} {\n"},
		},
		Variables:    map[string]prompt.Variable{"today": {Type: "string", Trusted: true}, "question": {Type: "string"}},
		Parameters:   json.RawMessage(`{"temperature": 0.2, "max_tokens": 300, "top_p": 0.9}`),
		OutputSchema: json.RawMessage(`{"type": "object", "properties": {"type": {"type": "string"}, "n": {"type": "integer", "minimum": 1}}, "required": ["n"]}`),
	}
}

func TestAnExportImportsWithTheSameDigest(t *testing.T) {
	for _, kind := range writable() {
		t.Run(string(kind), func(t *testing.T) {
			p := full()
			if kind == GitHub || kind == OpenAI {
				p.Messages[2].Content = "Fine: {\"a\": \\{{\"b\": 1}}\n" // braces that look like a variable cannot be said there
			}
			out, back := again(t, kind, p)
			if digest(t, p) != digest(t, back) || len(out.Losses) > 0 {
				t.Errorf("losses %q\n%s\n%s", out.Losses, cmp.Diff(p, back), out.Data)
			}
		})
	}
}

func TestWhatAFormatCannotHoldIsNamed(t *testing.T) {
	no := false
	p := full()
	p.Messages[2].Content = "Fine."
	p.Tools = json.RawMessage(`[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]`)
	p.Variables["question"] = prompt.Variable{Type: "integer", Required: &no, Default: 3.0, MaxLength: 9}
	length := "variable question: max_length 9 → 0"
	lost := []string{"variable question: type integer → string", "tool look removed"}
	for kind, want := range map[Kind][]string{
		Promptfoo: {"variable question: type integer → string", length},
		GitHub:    append(lost, length),
		Dotprompt: {"tool look removed", length},
		Prompty:   {length},
		OpenAI:    {length},
	} {
		out, _ := again(t, kind, p)
		for _, w := range want {
			if !strings.Contains(strings.Join(out.Losses, "\n"), w) {
				t.Errorf("%s does not name %q, but %q", kind, w, out.Losses)
			}
		}
		if kind == OpenAI && len(out.Losses) != 1 {
			t.Errorf("%s loses %q", kind, out.Losses)
		}
	}
}

func TestAMessageThatWouldBeAnotherOneIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		kind       Kind
	}{
		{"a line that names a role", "a\nuser:\nb", Prompty},
		{"a picture", "![x](y)", Prompty},
		{"braces that look like a variable", `\{{name}}`, GitHub},
		{"braces that look like a variable", `\{{name}}`, OpenAI},
		{"nothing", " ", Dotprompt},
	} {
		t.Run(string(tt.kind)+" "+tt.name, func(t *testing.T) {
			p := full()
			p.Messages = []prompt.Message{{Role: "system", Content: policy}, {Role: "user", Content: tt.text}}
			p.Variables = nil
			out, err := Export(tt.kind, p, prompt.Metadata{})
			if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), "orders cannot be written as "+string(tt.kind)) {
				t.Errorf("got %v\n%s", err, out.Data)
			}
		})
	}
}

func TestOtherFormatsCannotBeWritten(t *testing.T) {
	if _, err := Export(Evals, full(), prompt.Metadata{}); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// Whatever a prompt holds, an export that names no loss imports as the same
// prompt, and no export ends in a panic.
func TestAnExportNeverLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", " ", "\n", "{{x}}", `\{{`, "}}", "{", "}", "%", "#", "user:", "---", "'", `"`, `\`, "- ", ": ", "!", "<", "é", "\t", "{{role \"user\"}}",
		}), 1, 12)
		p := prompt.Prompt{ID: "p", Model: "gpt-4o", Variables: map[string]prompt.Variable{"x": {Type: "string", Trusted: true}}}
		p.Messages = []prompt.Message{{Role: "system", Content: "{{x}}" + strings.Join(text.Draw(t, "system"), "")}}
		for _, role := range []string{"user", "assistant", "user"} {
			p.Messages = append(p.Messages, prompt.Message{Role: role, Content: strings.Join(text.Draw(t, role), "")})
		}
		if _, err := prompt.Compile(p); err != nil {
			t.Skip("not valid")
		}
		for _, kind := range writable() {
			out, err := Export(kind, p, prompt.Metadata{Name: "P", Description: "d"})
			if err != nil || len(out.Losses) > 0 {
				continue
			}
			_, back := again(t, kind, p)
			if diff := cmp.Diff(p.Messages, back.Messages); diff != "" {
				t.Fatalf("%s: %s\n%s", kind, diff, out.Data)
			}
		}
	})
}

// Most texts can be said in each format: a guard that refused all of them would
// pass the test above.
func TestPlainTextsAreExported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Z0-9 .,:;?!'"<>/()\n-]{0,60}[a-z.]\n?`)
		p := prompt.Prompt{ID: "p", Model: "gpt-4o", Variables: map[string]prompt.Variable{"x": {Type: "string"}}}
		p.Messages = []prompt.Message{{Role: "system", Content: "You are. " + text.Draw(t, "system")}, {Role: "user", Content: "Now: {{x}}" + text.Draw(t, "user")}}
		for _, kind := range writable() {
			for _, m := range p.Messages {
				for line := range strings.SplitSeq(m.Content, "\n") {
					if kind == Prompty && (strings.HasSuffix(strings.TrimSpace(line), ":") || strings.Contains(line, "![")) {
						t.Skip("a role")
					}
				}
			}
			if out, _ := again(t, kind, p); len(out.Losses) > 0 {
				t.Fatalf("%s: %q", kind, out.Losses)
			}
		}
	})
}

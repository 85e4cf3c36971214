package prompt

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func digest(tb testing.TB, p Prompt) string {
	tb.Helper()
	d, err := p.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(d) {
		tb.Fatalf("%q is no digest", d)
	}
	return d
}

func TestTheDigestDoesNotDependOnSpelling(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name string
		edit func(*Prompt)
	}{
		{"the id", func(p *Prompt) { p.ID = "other" }},
		{"the version", func(p *Prompt) { p.Version = "9.9.9" }},
		{"the description of a variable", variable("lang", func(v *Variable) { v.Description = "x" })},
		{"a type that is said", variable("lang", func(v *Variable) { v.Type = "string" })},
		{"required that is said", variable("question", func(v *Variable) { v.Required = &yes })},
		{"optional that is said", variable("lang", func(v *Variable) { v.Required = &no })},
		{"a default as text", variable("n", func(v *Variable) { v.Default = "5" })},
		{"white space", func(p *Prompt) {
			for _, data := range []*json.RawMessage{&p.Parameters, &p.Tools, &p.OutputSchema} {
				var b bytes.Buffer
				if err := json.Indent(&b, *data, " ", "\t"); err != nil {
					panic(err)
				}
				*data = raw("\n" + b.String() + " ")
			}
		}},
		{"the order of keys and the spelling of numbers", func(p *Prompt) { p.Parameters = raw(`{"stop":["x","\u0079"],"temperature":20.0E-2}`) }},
	}
	want := digest(t, base())
	for _, tt := range tests {
		p := base()
		tt.edit(&p)
		if got := digest(t, p); got != want {
			t.Errorf("%s changes the digest", tt.name)
		}
	}
}

func TestAbsentEmptyAndNullAreOneDigest(t *testing.T) {
	p := user("x")
	want := digest(t, p)
	for _, s := range []string{"", "null", "{}", "[]", "{ }", "[\n]", " {\t} "} {
		q := p
		q.Parameters, q.Tools, q.OutputSchema = raw(s), raw(s), raw(s)
		q.Variables = nil
		if got := digest(t, q); got != want {
			t.Errorf("%q has another digest", s)
		}
		if cs := Compare(p, q); len(cs) != 0 {
			t.Errorf("%q differs: %v", s, cs)
		}
	}
	for _, s := range []string{"[{}]", "[[]]", "[null]", `{"":0}`} {
		q := p
		q.Tools = raw(s)
		if digest(t, q) == want {
			t.Errorf("%s has the digest of nothing", s)
		}
	}
}

// Each edit of change_test that a model or a caller can see has a digest of
// its own.
func TestEveryVisibleChangeHasItsOwnDigest(t *testing.T) {
	seen := map[string]string{digest(t, base()): "nothing"}
	for _, e := range edits {
		if e.bump == NoBump {
			continue
		}
		p := base()
		e.edit(&p)
		d := digest(t, p)
		if other, ok := seen[d]; ok {
			t.Errorf("%q has the digest of %q", e.name, other)
		}
		seen[d] = e.name
	}
}

func TestSomePromptsHaveNoDigest(t *testing.T) {
	for name, edit := range map[string]func(*Prompt){
		"a message that is not UTF-8":    func(p *Prompt) { p.Messages[0].Content = "\xff" },
		"a default that does not fit":    func(p *Prompt) { p.Variables["a"] = Variable{Type: "integer", Default: "x"} },
		"a default that is a list":       func(p *Prompt) { p.Variables["a"] = Variable{Default: []any{}} },
		"parameters that are no JSON":    func(p *Prompt) { p.Parameters = raw(`{"a":}`) },
		"an integer beyond 2^53":         func(p *Prompt) { p.Parameters = raw(`{"a":-9007199254740993}`) },
		"an integer beyond 64 bits":      func(p *Prompt) { p.Tools = raw(`[100000000000000000001]`) },
		"a number that is beyond double": func(p *Prompt) { p.Parameters = raw(`{"a":1e400}`) },
	} {
		p := user("x", "a")
		edit(&p)
		if d, err := p.Digest(); err == nil || d != "" {
			t.Errorf("%s: %q, %v", name, d, err)
		}
	}
	p := user("\xff")
	if _, err := p.Digest(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func BenchmarkDigest(b *testing.B) {
	p, _ := prompt2KB()
	p.Parameters = raw(`{"temperature":0.2,"max_tokens":1024}`)
	b.Run("2KB", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Digest(); err != nil {
				b.Fatal(err)
			}
		}
	})
	p.Messages[0].Content = strings.Repeat(p.Messages[0].Content, 24)
	b.Run("50KB", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Digest(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("50KB/yardstick=json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text, err := json.Marshal(p)
			if err != nil {
				b.Fatal(err)
			}
			sink = text
		}
	})
}

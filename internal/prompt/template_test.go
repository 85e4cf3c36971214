package prompt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sketch writes a template and its errors in one line: 'text', name, >include
// and !offset for an error.
func sketch(t template, errs []syntaxError) string {
	var s []string
	for _, p := range t {
		switch {
		case p.variable != "":
			s = append(s, p.variable)
		case p.include != "" && p.constraint != "":
			s = append(s, ">"+p.include+"@"+p.constraint)
		case p.include != "":
			s = append(s, ">"+p.include)
		default:
			s = append(s, "'"+p.text+"'")
		}
	}
	for _, e := range errs {
		s = append(s, fmt.Sprint("!", e.offset))
	}
	return strings.Join(s, " ")
}

func TestParseTemplate(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing has no parts", "", ""},
		{"plain text is one part", "a\nb", "'a\nb'"},
		{"a variable alone", "{{a}}", "a"},
		{"variables side by side", "{{a}}{{b}}", "a b"},
		{"text around", "x{{a}}y", "'x' a 'y'"},
		{"white space around a name", "{{ a }}{{\tb\n}}", "a b"},
		{"names of every kind of letter", "{{_a1B}}", "_a1B"},
		{"64 letters are a name", "{{" + strings.Repeat("a", 64) + "}}", strings.Repeat("a", 64)},

		{"an escape", `\{{a}}`, "'{{' 'a}}'"},
		{"an escape after text", `x\{{a}}{{b}}`, "'x{{' 'a}}' b"},
		{"two escapes", `\{{\{{`, "'{{' '{{'"},
		{"a variable in escaped braces", `\{{{{a}}}}`, "'{{' a '}}'"},
		{"a backslash behind a variable escapes too", `{{a}}\{{b}}`, "a '{{' 'b}}'"},
		{"a backslash before another belongs to the text", `\\{{a}}`, "'\\{{' 'a}}'"},
		{"a backslash and one brace are text", `\{a}`, `'\{a}'`},

		{"an include", "{{> tone}}", ">tone"},
		{"an include without a space", "{{>tone}}", ">tone"},
		{"an include of two segments", "{{> billing/tone}}", ">billing/tone"},
		{"an include with a range", "{{> tone@^1}}", ">tone@^1"},
		{"an include with a longer range", "{{> tone@>=1.2, <2}}", ">tone@>=1.2, <2"},

		{"single braces are text", `{"a": {"b": 1}}`, `'{"a": {"b": 1}}'`},
		{"closing braces are text", "a}} }}", "'a}} }}'"},
		{"a pair around spaces is a mistake", "{{ }}", "'{{ }}' !0"},
		{"one that is not closed is a mistake", "a{{b", "'a{{b' !1"},
		{"three braces are a mistake", "{{{a}}}", "'{{{a}}}' !0"},
		{"a digit first is a mistake", "{{1a}}", "'{{1a}}' !0"},
		{"a dash is a mistake", "{{a-b}}", "'{{a-b}}' !0"},
		{"a dot is a mistake", "{{a.b}}", "'{{a.b}}' !0"},
		{"a space inside is a mistake", "{{a b}}", "'{{a b}}' !0"},
		{"65 letters are a mistake", "{{" + strings.Repeat("a", 65) + "}}", "'{{" + strings.Repeat("a", 65) + "}}' !0"},
		{"other letters are a mistake", "{{größe}}", "'{{größe}}' !0"},
		{"an include without a name is a mistake", "{{>}}", "'{{>}}' !0"},
		{"an include of a file is a mistake", "{{> ../secret}}", "'{{> ../secret}}' !0"},
		{"an include of a shared id is a mistake", "{{> _shared/tone}}", "'{{> _shared/tone}}' !0"},
		{"a range that is none is a mistake", "{{> tone@latest}}", "'{{> tone@latest}}' !0"},
		{"an empty range is a mistake", "{{> tone@}}", "'{{> tone@}}' !0"},
		{"what follows a mistake is read", "{{ }} {{a}}", "'{{ }} ' a !0"},
		{"a mistake hides no other", "{{-}}{{a}}{{}}", "'{{-}}' a '{{}}' !0 !10"},
		{"an open one hides no other", "{{ " + strings.Repeat("x", maxTag) + "{{a}}", "'{{ " + strings.Repeat("x", maxTag) + "' a !0"},

		{"blocks are a mistake", "{{#if a}}{{/if}}", "'{{#if a}}{{/if}}' !0 !9"},
		{"Go's actions are a mistake", `{{.Env}}{{printf "%s" .}}`, `'{{.Env}}{{printf "%s" .}}' !0 !8`},
		{"pipes are a mistake", "{{a|upper}}", "'{{a|upper}}' !0"},
		{"comments are a mistake", "{{! a }}{{!-- b --}}", "'{{! a }}{{!-- b --}}' !0 !8"},
		{"calls are a mistake", "{{a()}}{{a[0]}}", "'{{a()}}{{a[0]}}' !0 !7"},
		{"unescaped mustache is a mistake", "{{&a}}", "'{{&a}}' !0"},
		{"other languages are text", "{%import os%} ${7*7} #{x} <%= y %> $(z) [[w]] {0.__class__}", "'{%import os%} ${7*7} #{x} <%= y %> $(z) [[w]] {0.__class__}'"},
		{"a NUL in a name is a mistake", "{{a\x00}}", "'{{a\x00}}' !0"},
		{"a zero-width space in a name is a mistake", "{{a\u200b}}", "'{{a\u200b}}' !0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sketch(parseTemplate(tt.text)); got != tt.want {
				t.Errorf("parseTemplate(%q)\n got %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

// Texts made to be searched again and again: read in square time, they would
// run into go test's limit.
func TestParseTemplateReadsBombs(t *testing.T) {
	for _, unit := range []string{"{{", "{{a}}", "{{-}}", "{{ {", `\{{`, "{{> a}}", "{{> a@^1}}", "{", "}", "{{x{{", "{{ "} {
		text := strings.Repeat(unit, MaxTextBytes/4/len(unit))
		for _, bomb := range []string{text, text + "}}"} {
			end := 0
			parts, _ := parseTemplate(bomb)
			for _, p := range parts {
				end = p.end
			}
			if end != len(bomb) {
				t.Errorf("%q repeated is read up to %d of %d bytes", unit, end, len(bomb))
			}
		}
	}
}

// The parts of a template are its text from the first byte to the last, and
// what is no mistake is read the same in any surroundings of plain text.
func FuzzParseTemplate(f *testing.F) {
	for _, s := range []string{"a {{b}} c", `\{{a}}`, "{{> tone@^1}}", "{{", "}}", "{{{a}}}", `\\{{a}}`, "{{\u00a0a}}", "{{a}\n}", "\xff{{a}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, errs := parseTemplate(s)
		pos := 0
		var variables []string
		for _, p := range parts {
			if p.start != pos || p.end <= p.start || p.end > len(s) {
				t.Fatalf("%q: a part from %d to %d after %d", s, p.start, p.end, pos)
			}
			pos = p.end
			source := s[p.start:p.end]
			switch {
			case p.variable != "":
				variables = append(variables, p.variable)
				if !isVariableName(p.variable) || !strings.HasPrefix(source, "{{") || !strings.HasSuffix(source, "}}") {
					t.Fatalf("%q is the variable %q", source, p.variable)
				}
			case p.include != "":
				if _, err := ParseID(SharedPrefix + p.include); err != nil {
					t.Fatal(err)
				}
			case p.text != source && p.text != strings.TrimSuffix(source, `\{{`)+"{{":
				t.Fatalf("%q became %q", source, p.text)
			}
		}
		if pos != len(s) {
			t.Fatalf("%q: %d of %d bytes are read", s, pos, len(s))
		}
		last := -1
		for _, e := range errs {
			if e.offset <= last || !strings.HasPrefix(s[e.offset:], "{{") || e.msg == "" {
				t.Fatalf("%q: an error at %d after %d: %s", s, e.offset, last, e.msg)
			}
			last = e.offset
		}
		if again := variableNames(" " + s + " "); len(errs) == 0 && !slices.Equal(again, variables) {
			t.Fatalf("%q has the variables %q, between spaces %q", s, variables, again)
		}
	})
}

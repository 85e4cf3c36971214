package sandbox

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestATemplateMeansWhatNunjucksSays(t *testing.T) {
	s := open(t, func(c *Config) { c.Env = map[string]string{"REGION": "eu"} })
	vars := map[string]any{
		"name": "Ada", "n": 3, "half": 0.5, "yes": true, "none_": nil, "list": []any{1, "b", nil, []any{2, 3}},
		"user": map[string]any{"first": "Grace", "tags": []any{"x", "y"}}, "json": `{"a": [1, 2]}`, "html": "<b>&</b>", "inject": "{{ name }}{% if %}",
	}
	for name, c := range map[string]struct{ template, want string }{
		"a text is itself":                       {"Hello { you } }} %}", "Hello { you } }} %}"},
		"nothing is nothing":                     {"", ""},
		"a name":                                 {"Hello {{ name }}, {{name}}!", "Hello Ada, Ada!"},
		"a path":                                 {"{{ user.first }} {{ user.tags[1] }} {{ user['first'] }}", "Grace y Grace"},
		"what is not there is empty":             {"[{{ missing }}{{ user.missing.deeper }}{{ none_ }}]", "[]"},
		"a list and an object are as JavaScript": {"{{ list }} {{ user }}", "1,b,,2,3 [object Object]"},
		"numbers and truth":                      {"{{ n }} {{ half }} {{ yes }}", "3 0.5 true"},
		"nothing is escaped":                     {"{{ html }} {{ html | upper }}", "<b>&</b> <B>&</B>"},
		"a value is never a template":            {"{{ inject }} {{ inject | lower }}", "{{ name }}{% if %} {{ name }}{% if %}"},
		"a filter":                               {"{{ user.tags | join('-') }} {{ name | length }} {{ missing | default('d') }}", "x-y 3 d"},
		"JSON is written":                        {"{{ user.tags | dump }}", `["x","y"]`},
		"JSON is read":                           {"{{ (json | load).a[1] }}", "2"},
		"a loop and a condition":                 {"{% for t in user.tags %}{{ loop.index }}{{ t }}{% if not loop.last %}, {% endif %}{% endfor %}", "1x, 2y"},
		"a variable is set":                      {"{% set a = n * 2 %}{{ a + 1 }}", "7"},
		"a macro":                                {"{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(name) }}", "<Ada>"},
		"a comment is nothing":                   {"a{# {{ name }} #}b", "ab"},
		"a raw part stays":                       {"{% raw %}{{ name }}{% endraw %}", "{{ name }}"},
		"blanks are trimmed":                     {"a {{- name -}} b", "aAdab"},
		"an expression":                          {"{{ 'y' if n > 2 else 'n' }} {{ name ~ n }} {{ 7 // 2 }}", "y Ada3 3"},
		"env knows what it was given":            {"{{ env.REGION }} {{ 'REGION' in env }} {% for k, v in env %}{{ k }}={{ v }}{% endfor %}", "eu true REGION=eu"},
		"a filter that is asynchronous is none":  {"{{ name | trim }}", "Ada"},
		"a number beyond 2^53 is rounded":        {"{{ 9007199254740993 }}", "9007199254740992"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Render(t.Context(), c.template, vars)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	if got, err := s.Render(t.Context(), "{{ env }}", map[string]any{"env": "mine"}); got != "mine" {
		t.Errorf("a variable named env: %q, %v", got, err)
	}
}

func TestWhatATemplateGetsWrongIsSaid(t *testing.T) {
	t.Setenv("SECRET", "sk-secret")
	s := open(t)
	for name, c := range map[string]struct {
		template, want string
		line           int
	}{
		"a tag is not closed":          {"a\n{{ name", "expected variable end", 0},
		"a block is not closed":        {"{% if a %}", "expected elif, else, or endif", 0},
		"a comment ends nothing":       {"a #} b", "unexpected end of comment", 0},
		"a filter is not known":        {"\n\n{{ name | shout }}", "filter not found: shout", 0},
		"it includes":                  {"{% include 'a.html' %}", "template not found: a.html", 0},
		"it imports":                   {"{% import '/etc/passwd' as p %}", "template not found", 0},
		"it extends":                   {"{% extends 'a.html' %}", "template not found", 0},
		"it asks for a secret":         {"{{ env.SECRET }}", "env.SECRET is not given to templates", 0},
		"it asks for one with a twist": {"{{ env['SE' + 'CRET'] | default('x') }}", "env.SECRET is not given to templates", 0},
		"a bracket is missing":         {"a\n{{ f(1 }}", "", 2},
		"it calls what is none":        {"a\n\n{{ name() }}", "Unable to call", 3},
		"it makes code":                {"{{ range.constructor('return this')() }}", "Unable to call", 1},
		"it makes code of a text":      {"{{ ''.toString.constructor('return 1')() }}", "Unable to call", 1},
		"it loads what is no JSON":     {"\n{{ name | load }}", "SyntaxError", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Render(t.Context(), c.template, map[string]any{"name": "Ada"})
			var script *ScriptError
			if !errors.As(err, &script) {
				t.Fatalf("got %q, %v", got, err)
			}
			if !strings.Contains(err.Error(), c.want) || c.line > 0 && script.Line != c.line || strings.Contains(err.Error(), "sk-") {
				t.Errorf("line %d: %v", script.Line, err)
			}
		})
	}
}

func TestATemplateLeavesNothingBehind(t *testing.T) {
	s := open(t, func(c *Config) { c.Children = 1 })
	for _, template := range []string{
		"{% set seen = 1 %}{{ [1, 2] | first }}",
		"{{ [].__proto__.push(7) }}{{ {}.__proto__.__defineGetter__('seen', range) }}",
		"{{ range.prototype.__defineGetter__('seen', range) }}",
	} {
		if _, err := s.Render(t.Context(), template, nil); err != nil {
			t.Logf("%s: %v", template, err)
		}
		got, err := s.renderInChild(t.Context(), "{{ seen }}{{ a.seen }}{{ [] | length }}{{ range.prototype.seen }}", map[string]any{"a": map[string]any{}})
		if got != "0" {
			t.Errorf("after %s: %q, %v", template, got, err)
		}
	}
}

func TestWhatIsNamedOnlyNeedsNoChild(t *testing.T) {
	s, err := New(Config{Exe: "/nowhere/incipit"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Render(t.Context(), "{{ a }} {{ b.c[0] }} {{ d }}\xff", map[string]any{"a": 1})
	if err == nil {
		t.Errorf("a text that is not UTF-8 was not left to the child: %q", got)
	}
	got, err = s.Render(t.Context(), "{{ a }} {{ b.c[0] }} {{ d }}é", map[string]any{"a": 1, "b": map[string]any{"c": []any{"x"}}})
	if want := "1 x é"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTextThatIsNotUTF8BecomesText(t *testing.T) {
	s := open(t)
	got, err := s.Render(t.Context(), "{{ a }}\xff{{ b | upper }}", map[string]any{"a": "a\xffb", "b": "\xc3"})
	if want := "a\uFFFDb\uFFFD\uFFFD"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}

// values are what a suite's data holds, and some numbers that JavaScript
// writes in its own way.
func values() *rapid.Generator[any] {
	numbers := rapid.OneOf(
		rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e21, 1e20, 123456789012345680000, 1e-6, 1e-7, 1.5e-7, 1e300, -1e-300, 0.1 + 0.2, 5e-324, math.MaxFloat64, 1 << 53}),
	)
	plain := rapid.OneOf(
		rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int().AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), numbers.AsAny(),
		rapid.Just(any(nil)), rapid.SampledFrom([]string{"{{ a }}", "<b>", "\u2028", "😀", "{% x %}"}).AsAny(),
	)
	return rapid.Custom(func(t *rapid.T) any { return nested(plain, 3).Draw(t, "value") })
}

func nested(plain *rapid.Generator[any], depth int) *rapid.Generator[any] {
	if depth == 0 {
		return plain
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return nested(plain, depth-1) })
	return rapid.OneOf(
		plain,
		rapid.Map(rapid.SliceOfN(below, 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(names(), below, 0, 3), func(m map[string]any) any { return m }),
	)
}

func names() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "c", "length", "toString", "constructor", "__proto__", "range", "none", "not", "x1", "_y", "$z", "valueOf", "env", "if", "loop"})
}

func TestWhatIsFilledHereIsWhatNunjucksFills(t *testing.T) {
	s := open(t)
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		vars := rapid.MapOfN(names(), values(), 0, 5).Draw(t, "vars")
		var template strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			template.WriteString(rapid.OneOf(
				rapid.String(),
				rapid.SampledFrom([]string{"{", "}", "}}", "%}", "\r\n", " ", "#", "-", "{{", "{#", "#}", "{{{"}),
				rapid.Map(rapid.SliceOfN(names(), 1, 3), func(p []string) string { return "{{ " + strings.Join(p, ".") + " }}" }),
				rapid.Map(names(), func(n string) string { return "{{\t" + n + "[0].a }}" }),
				rapid.Map(names(), func(n string) string { return "{{" + n + "[1]}}\n" }),
			).Draw(t, "part"))
		}
		got, ok := renderPlain(template.String(), vars, 1<<20)
		if !ok {
			return
		}
		plain++
		want, err := s.renderInChild(t.Context(), template.String(), vars)
		if err != nil || got != want {
			t.Fatalf("%q: got %q, want %q, %v", template.String(), got, want, err)
		}
	})
	if plain == 0 {
		t.Error("nothing was filled here")
	}
}

func TestNumbersAreWrittenAsJavaScriptWritesThem(t *testing.T) {
	s := open(t)
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return
		}
		want, err := s.Eval(t.Context(), Script{Code: "String(output)"}, map[string]any{"output": f})
		if got := jsNumber(f); err != nil || got != want {
			t.Fatalf("%v: got %q, want %q, %v", f, got, want, err)
		}
	})
}

func FuzzScanPath(f *testing.F) {
	for _, s := range []string{" a }}", "a.b[0] }} x", "a[00] }}", "a..b }}", "a[", "if }}", "a.__proto__}}", "\xff}}", "a[123456789012]}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, n := scanPath(s)
		if n == 0 {
			return
		}
		if len(p) == 0 || !strings.HasSuffix(s[:n], "}}") {
			t.Fatalf("%q: %v, %d", s, p, n)
		}
		written := p[0]
		for _, name := range p[1:] {
			if name[0] <= '9' {
				written += "[" + name + "]"
			} else {
				written += "." + name
			}
		}
		if got := strings.Trim(s[:n-2], " \t\r\n"); got != written {
			t.Fatalf("%q was read as %q", got, written)
		}
	})
}

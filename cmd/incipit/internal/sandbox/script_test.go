package sandbox

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestAScriptMeansWhatItMeansInPromptfoo(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		code   string
		output any
		want   any
	}{
		"an expression is its value":                       {"output === 'x'", "x", true},
		"a semicolon and a blank line at its end are none": {"output.length > 3;\n\n", "four", true},
		"it sees the context":                              {"output.includes(context.vars.name) && context.prompt.length", "Ada!", 5.0},
		"several lines are a body":                         {"const n = output.length;\nreturn n / 2;", "four", 2.0},
		"a body without a return gives nothing":            {"const n = 1;\nn", "", nil},
		"declarations come before the expression":          {`const s = JSON.parse(output).score; s > 0.5`, `{"score": 0.7}`, true},
		"a semicolon in a string ends nothing":             {`const s = output; s === 'a;b'`, "a;b", true},
		"a name that begins like let declares nothing":     {"letters(output)\nfunction letters(s) { return s }\nreturn letters(output)", "x", "x"},
		"an object comes back whole":                       {`({pass: true, score: 0.5, reason: "ok", list: [1, null, "é"]})`, "", map[string]any{"pass": true, "score": 0.5, "reason": "ok", "list": []any{1.0, nil, "é"}}},
		"an object is its output as it is":                 {"output.a[1] + 1", map[string]any{"a": []any{1, 2}}, 3.0},
		"a promise is waited for":                          {"Promise.resolve(output).then(o => o + '!')", "x", "x!"},
		"an async function is, too":                        {"const f = async () => { await null; return 7 };\nreturn f();", "", 7.0},
		"undefined is nothing":                             {"undefined", "", nil},
		"null is nothing":                                  {"null", "", nil},
		"infinity stays infinite":                          {"-1 / 0", "", math.Inf(-1)},
		"a number within that is none becomes null":        {"[NaN]", "", []any{nil}},
		"a date is what JSON says":                         {"new Date(0)", "", "1970-01-01T00:00:00.000Z"},
		"a look-behind works":                              {`/(?<=\$)\d+/.test(output)`, "costs $42", true},
		"console is there and says nothing":                {"console.log(output), console.error('x'), 1", "", 1.0},
		"the time zone is UTC":                             {"new Date(0).getHours()", "", 0.0},
		"process, require and fetch are not there":         {"[typeof process, typeof require, typeof fetch, typeof setTimeout].join()", "", "undefined,undefined,undefined,undefined"},
		"text outside of the BMP comes through":            {"output + output.length", "😀", "😀2"},
		"a source map is not looked for":                   {"eval('1 //# sourceMappingURL=/nowhere')", "", 1.0},
		"half a character becomes a replacement":           {"output[0]", "😀", "\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eval(t, s, c.code, c.output)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, %v; want %#v", got, err, c.want)
			}
		})
	}
	if got, err := eval(t, s, "NaN", ""); err != nil || !math.IsNaN(got.(float64)) {
		t.Errorf("NaN is %v, %v", got, err)
	}
}

func TestAFileOfScripts(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		code, function string
		want           any
	}{
		"a function is the module":             {"module.exports = (output, context) => output + context.prompt;", "", "xHello"},
		"a function is named":                  {"module.exports = { a: () => 1, b(output) { return output } };", "b", "x"},
		"exports are filled one by one":        {"exports.check = async (output) => output === 'x';", "check", true},
		"a default of an ES module":            {"export default function (output) { return output.length }", "", 1.0},
		"a constant that an ES module exports": {"// first\nexport const check = (o) => o;\nexport async function other() { return 2 }", "other", 2.0},
		"a helper of the module is seen":       {"const twice = s => s + s;\nmodule.exports = twice;", "", "xx"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Eval(t.Context(), Script{Code: c.code, File: "check.js", Function: c.function},
				map[string]any{"output": "x", "context": map[string]any{"prompt": "Hello"}})
			if err != nil || got != c.want {
				t.Errorf("got %#v, %v; want %#v", got, err, c.want)
			}
		})
	}
}

func TestParametersHaveTheNamesTheyAreGiven(t *testing.T) {
	s := open(t)
	got, err := s.Eval(t.Context(), Script{Code: "({...vars, b: 2})", Params: []string{"vars", "context"}}, map[string]any{"vars": map[string]any{"a": 1}})
	if want := map[string]any{"a": 1.0, "b": 2.0}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := s.Eval(t.Context(), Script{Code: "1", Params: []string{"a){"}}, nil); err == nil {
		t.Error("code was taken for a name")
	}
}

func TestWhatAScriptGetsWrongIsSaidWithItsLine(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		code, want string
		line       int
	}{
		"it does not parse":            {"output ===", "does not compile", 1},
		"it does not parse, below":     {"const a = 1;\nconst b = ;\nreturn a", "does not compile", 2},
		"it uses what is not there":    {"const a = 1;\nreturn process.env.KEY", "process is not defined", 2},
		"it throws an error":           {"const a = 1;\n\nthrow new Error('bad \\u001b[31m news')", "bad", 3},
		"it throws a text":             {"const a = 1;\nthrow 'odd'", "odd", 2},
		"it throws null":               {"const a = 1;\nthrow null", "null", 2},
		"it throws a symbol":           {"const a = 1;\nthrow Symbol('s')", "2: s", 2},
		"it throws a trap":             {"const a = 1;\nthrow {toString() { throw 1 }}", "cannot be shown", 2},
		"it throws a proxy of traps":   {"const a = 1;\nthrow new Proxy({}, {get() { throw 1 }})", "cannot be shown", 2},
		"a promise is rejected":        {"Promise.reject(new Error('late'))", "late", 0},
		"a promise is never settled":   {"new Promise(() => {})", "never settled", 0},
		"it gives back a circle":       {"const a = {};\na.a = a;\nreturn a", "circular", 0},
		"it gives back a function":     {"() => 1", "function or a symbol", 0},
		"it gives back a big integer":  {"1n", "BigInt", 0},
		"it gives back a trap":         {"({toJSON() { throw new Error('no') }})", "no", 1},
		"it recurses for ever":         {"const f = () => f() + 1;\nreturn f()", "too deeply", 0},
		"it sorts itself for ever":     {"const f = () => [2, 1].sort(f);\nreturn f()", "too deeply", 0},
		"it asks for what a letter is": {`/^\p{Lu}/u.test(output)`, "not supported", 0},
		"it imports":                   {"import fs from 'fs';\nreturn 1", "does not compile", 0},
		"its parser is sent far down":  {strings.Repeat("(", 100_000), "", 0},
		"it is not UTF-8":              {"output === '\xff' ? missing : missing", "missing", 1},
		"it closes the function early": {"1 }); (function () {", "bracket", 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := eval(t, s, c.code, "")
			var script *ScriptError
			if !errors.As(err, &script) {
				t.Fatalf("no ScriptError: %v", err)
			}
			if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) || c.line > 0 && script.Line != c.line {
				t.Errorf("line %d, want %d: %v", script.Line, c.line, err)
			}
			if strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 2000 {
				t.Errorf("not fit to be shown: %q", err)
			}
		})
	}
	if got, err := eval(t, s, "1 + 1", ""); got != 2.0 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

func TestEachScriptHasAWorldOfItsOwn(t *testing.T) {
	s := open(t, func(c *Config) { c.Children = 1 })
	for range 2 {
		got, err := eval(t, s, "globalThis.seen = (globalThis.seen || 0) + 1;\nArray.prototype.seen = Object.seen = JSON.stringify = 1;\nreturn [globalThis.seen, Math.random()].join()", "")
		if first, _ := eval(t, s, "[1, Math.random()].join()", ""); err != nil || got != first {
			t.Errorf("%v, then %v, %v", got, first, err)
		}
	}
}
